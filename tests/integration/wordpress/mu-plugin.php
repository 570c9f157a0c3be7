<?php
// What the tests need of the site: visitors without an account, and switches for its manners in a comment's words.

function wp_mail() {
	return true;
}

add_filter( 'rest_allow_anonymous_comments', '__return_true' );

// Only the user `hasty` feels the limit of one comment in 15 seconds.
add_filter(
	'comment_flood_filter',
	function ( $flood ) {
		return $flood && 'hasty' === wp_get_current_user()->user_login;
	},
	99
);

// Who writes these words is held for the moderator, or taken for spam, whoever it is.
add_filter(
	'pre_comment_approved',
	function ( $approved, $comment ) {
		if ( str_contains( $comment['comment_content'], 'please hold me' ) ) {
			return 0;
		}
		return str_contains( $comment['comment_content'], 'buy cheap pills' ) ? 'spam' : $approved;
	},
	99,
	2
);
