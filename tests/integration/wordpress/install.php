<?php
// Fills the empty database, and prints the users' application passwords as JSON.
define( 'ABSPATH', getenv( 'REJOINDER_WP_HOME' ) . '/' );
define( 'WP_INSTALLING', true );
$_SERVER['HTTP_HOST']   = parse_url( getenv( 'REJOINDER_WP_URL' ), PHP_URL_HOST );
$_SERVER['REQUEST_URI'] = '/blog/';
require ABSPATH . 'wp-load.php';
require ABSPATH . 'wp-admin/includes/upgrade.php';
// The demo post, page and comment would be in the way.
function wp_install_defaults( $user_id ) {
	wp_insert_term( 'Uncategorized', 'category' );
}
wp_install( 'A site', 'creator', 'creator@example.org', true, '', wp_generate_password() );

$roles     = array( 'creator' => 'administrator', 'writer' => 'author', 'reader' => 'subscriber', 'hasty' => 'subscriber' );
$passwords = array();
foreach ( $roles as $login => $role ) {
	$user = get_user_by( 'login', $login );
	$id   = $user ? $user->ID : wp_create_user( $login, wp_generate_password(), "$login@example.org" );
	wp_update_user( array( 'ID' => $id, 'role' => $role, 'display_name' => ucfirst( $login ) ) );
	$passwords[ $login ] = WP_Application_Passwords::create_new_application_password( $id, array( 'name' => 'tests' ) )[0];
}
update_option( 'comment_moderation', 0 );
update_option( 'comment_previously_approved', 0 );
update_option( 'comment_max_links', 0 );
// Not UTC: comments are filtered by the site's own time.
update_option( 'timezone_string', 'Asia/Shanghai' );
update_option( 'permalink_structure', '/%postname%/' );
flush_rewrite_rules( false );
echo wp_json_encode( $passwords );
