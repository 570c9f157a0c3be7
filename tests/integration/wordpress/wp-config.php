<?php
// The configuration of a WordPress that lives as long as the tests. What differs comes from the environment.
define( 'DB_NAME', 'wordpress' );
define( 'DB_USER', 'root' );
define( 'DB_PASSWORD', '' );
define( 'DB_HOST', 'localhost:' . getenv( 'REJOINDER_WP_SOCKET' ) );
define( 'DB_CHARSET', 'utf8mb4' );
define( 'DB_COLLATE', '' );
$table_prefix = 'wp_';
foreach ( array( 'AUTH', 'SECURE_AUTH', 'LOGGED_IN', 'NONCE' ) as $name ) {
	define( "{$name}_KEY", "{$name} of a test" );
	define( "{$name}_SALT", "{$name} salt of a test" );
}
// Application passwords on plain http.
define( 'WP_ENVIRONMENT_TYPE', 'local' );
// It calls nobody.
define( 'WP_HTTP_BLOCK_EXTERNAL', true );
define( 'DISABLE_WP_CRON', true );
define( 'AUTOMATIC_UPDATER_DISABLED', true );
define( 'WP_DEBUG', false );
define( 'WP_CONTENT_DIR', ABSPATH . 'wp-content' );
define( 'WP_HOME', getenv( 'REJOINDER_WP_URL' ) );
define( 'WP_SITEURL', getenv( 'REJOINDER_WP_URL' ) );
require_once ABSPATH . 'wp-settings.php';
