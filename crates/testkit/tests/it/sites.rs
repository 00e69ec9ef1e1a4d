//! Seeded sites, the checker, and the copy by hand.

use landfall_testkit::lab::{
    Check, CheckJob, DestinationOptions, Lab, Pair, Profile, SftpLayout, Source, check, copy_by_hand,
};

#[tokio::test]
async fn a_small_source_serves_what_was_seeded_and_its_admin_logs_in() {
    let lab = Lab::temporary().unwrap();
    let source = lab.source(Profile::Small).await.unwrap();
    let site = &source.site;
    let browser = site.browser().unwrap();
    for (path, expected) in
        [("", "The Old Shop"), (&site.seeded.post, "before this"), (&site.seeded.page, "Come in")]
    {
        let page = browser.get(path.trim_start_matches('/')).await.unwrap();
        assert_eq!(page.status, 200, "{path}");
        assert!(page.body.contains(expected), "{path}");
    }
    assert_eq!(browser.get(site.seeded.image.trim_start_matches('/')).await.unwrap().status, 200);
    assert!(browser.get("wp-json/").await.unwrap().body.contains("wp\\/v2"));
    assert_eq!(browser.get("nothing-here/").await.unwrap().status, 404);
    assert!(site.seeded.posts >= 25 && site.seeded.tables > 20 && site.seeded.files > 2_900);
    let admin = site.admin().await.unwrap();
    assert!(admin.get("wp-admin/").await.unwrap().body.contains("Dashboard"));
    assert!(site.browser().unwrap().log_in("admin", "wrong").await.is_err());
    assert_eq!(site.php("echo get_option( 'blogname' );").await.unwrap(), "The Old Shop");
}

#[tokio::test]
async fn both_sftp_layouts_of_a_destination_serve_the_older_site() {
    for layout in [SftpLayout::ParentWritable, SftpLayout::DocrootOnly] {
        let lab = Lab::temporary().unwrap();
        let options = DestinationOptions { layout, ..DestinationOptions::default() };
        let destination = lab.destination(options).await.unwrap();
        let home = destination.site.browser().unwrap().get("").await.unwrap();
        assert!(home.body.contains("An Older Site"));
        let chroot = lab.folder().join("destination/chroot");
        assert_eq!(
            format!("{}{}", chroot.display(), destination.sftp_docroot()),
            destination.site.docroot.display().to_string()
        );
        destination.clear().await.unwrap();
        assert_eq!(std::fs::read_dir(&destination.site.docroot).unwrap().count(), 0);
    }
}

#[tokio::test]
async fn the_checker_accepts_an_exact_copy_and_sees_every_kind_of_damage() {
    let lab = Lab::temporary().unwrap();
    let (source, destination) =
        tokio::try_join!(lab.source(Profile::Small), lab.destination(DestinationOptions::default())).unwrap();
    let by_hand = copy_by_hand(&lab, &source.site, &destination.site).await.unwrap();
    assert!(by_hand.total_seconds >= by_hand.database_seconds);
    let mut job = CheckJob::between(&source.site, &destination.site);
    // Nothing was rewritten, and the tables kept their prefix.
    (job.urls, job.paths, job.destination_prefix) = (Vec::new(), Vec::new(), job.source_prefix.clone());
    job.exclude_options.retain(|option| option != "active_plugins");
    let rounded = check(&lab, &job).await.unwrap();
    assert!(
        names(&rounded, "value", "wp_odd_types (6) f"),
        "mariadb-dump cuts a FLOAT to six digits: {rounded:#?}"
    );
    destination.mariadb.sql("UPDATE new_home.wp_odd_types SET f = 16777216 WHERE id = 6").await.unwrap();
    let equal = check(&lab, &job).await.unwrap();
    assert!(equal.equal, "{equal:#?}");
    assert!(equal.tables > 20 && equal.rows > 900 && equal.files > 2_900, "{equal:?}");
    assert!(equal.serialized_values > 50, "{equal:?}");

    for (damage, kind, at) in DAMAGES {
        let undo = destination.mariadb.sql(&format!("USE new_home; {damage}")).await;
        undo.unwrap_or_else(|error| panic!("{damage}: {error}"));
        let found = check(&lab, &job).await.unwrap();
        assert!(names(&found, kind, at), "{damage} went unseen: {found:#?}");
    }
}

/// Statements that spoil the copy, one after the other, and what the checker has to say about each.
const DAMAGES: [(&str, &str, &str); 8] = [
    (
        "UPDATE wp_posts SET post_title = CONCAT(post_title, ' ') WHERE post_name = 'notes-3'",
        "value",
        "wp_posts",
    ),
    ("UPDATE wp_posts SET guid = REPLACE(guid, 'old-shop', 'x') WHERE ID = 1", "value", "guid"),
    (
        "UPDATE wp_options SET option_value = REPLACE(option_value, 's:4:\"logo\"', 's:5:\"logo\"') WHERE option_name = 'acme_settings'",
        "value",
        "wp_options",
    ),
    ("DELETE FROM wp_keyless_log LIMIT 1", "rows", "wp_keyless_log"),
    ("UPDATE wp_odd_types SET pic = CONCAT(pic, 'x') WHERE id = 0", "value", "wp_odd_types (0) pic"),
    ("INSERT INTO wp_empty_one VALUES (1)", "rows", "wp_empty_one"),
    ("DROP TRIGGER wp_orders_audit", "schema", "wp_shop_orders"),
    ("DROP TABLE wp_Case", "table", "wp_Case"),
];

fn names(found: &Check, kind: &str, at: &str) -> bool {
    !found.equal
        && found.differences.iter().any(|difference| difference.kind == kind && difference.at.contains(at))
}

#[tokio::test]
async fn the_checker_sees_changed_files() {
    let lab = Lab::temporary().unwrap();
    let (source, destination) =
        tokio::try_join!(lab.source(Profile::Small), lab.destination(DestinationOptions::default())).unwrap();
    copy_by_hand(&lab, &source.site, &destination.site).await.unwrap();
    let mut job = CheckJob::between(&source.site, &destination.site);
    (job.urls, job.paths, job.destination_prefix) = (Vec::new(), Vec::new(), job.source_prefix.clone());
    let odd = destination.site.docroot.join("wp-content/uploads/odd");
    let script = format!(
        "cd '{}' && printf X | dd of=zeros.bin bs=1 seek=60000 conv=notrunc 2>/dev/null && chmod 644 script.sh && \
         rm ./-rf && touch extra && ln -sfn elsewhere link-to-a-file && rmdir empty-folder",
        odd.display()
    );
    assert!(std::process::Command::new("sh").args(["-c", &script]).status().unwrap().success());
    let found = check(&lab, &job).await.unwrap();
    for (kind, name) in [
        ("file", "odd/zeros.bin"),
        ("mode", "odd/script.sh"),
        ("file", "odd/-rf"),
        ("file", "odd/extra"),
        ("file", "odd/link-to-a-file"),
        ("file", "odd/empty-folder"),
    ] {
        assert!(names(&found, kind, name), "{name} went unseen: {found:#?}");
    }
    // The seventh is the FLOAT that mariadb-dump cuts.
    assert_eq!(found.difference_count, 7, "{found:#?}");
}

/// The checker's own idea of a rewrite, on a copy that a careless search-and-replace has been over.
#[tokio::test]
async fn the_checker_demands_the_rewrite_and_sees_broken_lengths() {
    let lab = Lab::temporary().unwrap();
    let (source, destination) =
        tokio::try_join!(lab.source(Profile::Small), lab.destination(DestinationOptions::default())).unwrap();
    copy_by_hand(&lab, &source.site, &destination.site).await.unwrap();
    let mut job = CheckJob::between(&source.site, &destination.site);
    job.destination_prefix.clone_from(&job.source_prefix);
    let untouched = check(&lab, &job).await.unwrap();
    assert!(names(&untouched, "value", "wp_posts"), "{untouched:#?}");
    assert!(names(&untouched, "option", "siteurl"), "{untouched:#?}");
    replace_everywhere(&source, &destination.mariadb, &job.urls[0]).await;
    let careless = check(&lab, &job).await.unwrap();
    let has_broken =
        careless.differences.iter().any(|d| d.at.contains("wp_options") && d.what.contains("unserialize"));
    assert!(has_broken, "{careless:#?}");
    // Where no length is in the way the careless replacement is right: plain links in posts.
    assert!(careless.mapped_values > 5, "{careless:#?}");
}

async fn replace_everywhere(source: &Source, mariadb: &landfall_testkit::lab::MariaDb, pair: &Pair) {
    let columns =
        [("wp_posts", "post_content"), ("wp_options", "option_value"), ("wp_postmeta", "meta_value")];
    for (table, column) in columns {
        let statement = format!(
            "UPDATE new_home.{table} SET {column} = REPLACE({column}, '{}', '{}')",
            pair.from, pair.to
        );
        mariadb.sql(&statement).await.unwrap();
    }
    assert_eq!(source.site.base_url(), pair.from);
}

#[test]
fn the_checker_passes_its_own_cases() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/checker/self-test.php");
    let output = std::process::Command::new("php").arg(script).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A plugin with a page such as Landfall's, so that the lab's browser is tested apart from the product.
const PLUGIN: &str = r#"<?php
/* Plugin Name: Landfall Lab Probe */
register_activation_hook( __FILE__, function () { update_option( 'probe_activated', 'yes' ); } );
add_action( 'admin_menu', function () {
	add_menu_page( 'Probe', 'Probe', 'manage_options', 'landfall-migrate', function () {
		echo '<form method="post" action="' . esc_url( admin_url( 'admin-post.php?a=1&b=2' ) ) . '">';
		wp_nonce_field( 'probe' );
		echo '<input type="hidden" name="action" value="probe"><input name="landfall_token"><input name="landfall_site">';
		submit_button( 'Migrate' );
		echo '</form><div class="notice"><p>' . esc_html( (string) get_option( 'probe_got' ) ) . '</p></div>';
	} );
} );
add_action( 'admin_post_probe', function () {
	check_admin_referer( 'probe' );
	update_option( 'probe_got', $_POST['landfall_token'] . ' for ' . $_POST['landfall_site'] );
	wp_safe_redirect( admin_url( 'admin.php?page=landfall-migrate' ) );
	exit;
} );
"#;

#[tokio::test]
async fn a_plugin_is_activated_and_its_form_is_sent_as_a_browser_would() {
    let lab = Lab::temporary().unwrap();
    let folder = lab.folder().join("plugin/probe");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("probe.php"), PLUGIN).unwrap();
    let zip = std::process::Command::new("zip")
        .args(["-qr", "../probe.zip", "probe"])
        .current_dir(folder.parent().unwrap())
        .status();
    assert!(zip.unwrap().success());
    let source = lab.source(Profile::Small).await.unwrap();
    assert!(source.site.start_migration_through_plugin("lf_token", "site").await.is_err());
    source.site.install_plugin(&lab.folder().join("probe.zip")).await.unwrap();
    assert_eq!(source.site.php("echo get_option( 'probe_activated' );").await.unwrap(), "yes");
    let page = source.site.start_migration_through_plugin("lf_tök&en", "my-site").await.unwrap();
    assert_eq!(page.status, 200);
    assert!(page.notices().contains(&"lf_tök&en for my-site".to_owned()), "{:?}", page.notices());
}
