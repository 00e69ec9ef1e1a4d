/**
 * Asks every five seconds how the migration goes. Without it the page says the same when it is loaded again.
 */
( function () {
	'use strict';

	var box = document.getElementById( 'landfall-status' );
	if ( ! box || '1' === box.getAttribute( 'data-final' ) || ! window.fetch ) {
		return;
	}

	function show( status ) {
		document.getElementById( 'landfall-progress' ).value = status.percent;
		document.getElementById( 'landfall-percent' ).textContent = status.percent;
		document.getElementById( 'landfall-label' ).textContent = status.label;
		box.setAttribute( 'data-state', status.state );
		if ( /^https?:/.test( status.site_dashboard_url || '' ) ) {
			var visit = document.getElementById( 'landfall-visit' );
			visit.hidden = false;
			visit.firstElementChild.href = status.site_dashboard_url;
		}
	}

	function ask() {
		var form = new URLSearchParams();
		form.set( 'action', 'landfall_migrate_status' );
		form.set( '_ajax_nonce', box.getAttribute( 'data-nonce' ) );
		window.fetch( box.getAttribute( 'data-url' ), { method: 'POST', body: form, credentials: 'same-origin' } )
			.then( function ( answer ) {
				return answer.json();
			} )
			.then( function ( answer ) {
				if ( answer.success ) {
					show( answer.data );
				} else if ( answer.data && answer.data.message ) {
					document.getElementById( 'landfall-label' ).textContent = answer.data.message;
				}
				if ( ! answer.success || ! answer.data.is_final ) {
					window.setTimeout( ask, 5000 );
				}
			} )
			.catch( function () {
				window.setTimeout( ask, 15000 );
			} );
	}

	window.setTimeout( ask, 5000 );
}() );
