<?php
// PHP's own web server asks this file for every address. The site is under /blog.
$path = parse_url( $_SERVER['REQUEST_URI'], PHP_URL_PATH );
if ( ! str_starts_with( $path . '/', '/blog/' ) ) {
	http_response_code( 404 );
	echo '<!doctype html><title>nothing here</title>';
	return;
}
define( 'ABSPATH', getenv( 'REJOINDER_WP_HOME' ) . '/' );
$_SERVER['SCRIPT_NAME'] = '/blog/index.php';
$_SERVER['PHP_SELF']    = '/blog/index.php';
require ABSPATH . 'index.php';
