//! What goes wrong has a code of its own, and what the plugin holds never travels.

use std::fs;

use landfall_worker::memory::MemoryBudget;
use landfall_worker::model::BadBlock;
use landfall_worker::net::AddressPolicy;
use landfall_worker::source::{SourceClient, SourceEndpoint, SourceError, SourceLimits, default_exclusions};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use url::Url;

use super::cutter::start_cache;
use super::site::{SECRET, Site, site};

async fn code_of(client: &SourceClient) -> &'static str {
    client.schema(false).await.expect_err("it is refused").code()
}

#[tokio::test]
async fn preflight_says_what_the_site_is() {
    let site = site().await;
    let facts = site.client().preflight(&default_exclusions()).await.unwrap();
    let url = site.source.site.base_url();
    assert_eq!((facts.wordpress.home.as_str(), facts.wordpress.siteurl.as_str()), (url, url));
    assert!(!facts.wordpress.multisite && facts.wordpress.version.starts_with("6."));
    assert_eq!(facts.database.kind, "mariadb");
    assert_eq!(facts.database.prefix, "wp_");
    assert!(facts.database.tables.iter().any(|table| table.name == "wp_posts" && table.engine == "innodb"));
    assert_eq!(facts.paths.root, site.source.site.docroot.to_str().unwrap());
    assert_eq!(facts.paths.places["uploads"], "wp-content/uploads");
    assert!(facts.files.files > 1000 && facts.php.memory_limit_bytes > 0 && facts.health.rest);
    let ours =
        facts.extensions.plugins.iter().find(|plugin| plugin.file == "landfall-migrate/landfall-migrate.php");
    assert!(ours.is_some_and(|plugin| plugin.active));
    assert_eq!(facts.constants["DISABLE_WP_CRON"], true);
    let text = serde_json::to_string(&facts).unwrap();
    let database = &site.source.site.database;
    let config = fs::read_to_string(site.source.site.docroot.join("wp-config.php")).unwrap();
    let salts = config.lines().filter(|line| line.contains("_SALT") || line.contains("_KEY"));
    for secret in salts.map(|line| line.split('\'').nth(3).unwrap()).chain([database.password.as_str()]) {
        assert!(secret.len() > 10 && !text.contains(secret));
    }
}

#[tokio::test]
async fn over_plain_http_from_afar_everything_travels_encrypted() {
    let site = site().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tap = listener.local_addr().unwrap();
    let target = site.address();
    let heard = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let ear = std::sync::Arc::clone(&heard);
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let ear = std::sync::Arc::clone(&ear);
            tokio::spawn(async move {
                let mut server = tokio::net::TcpStream::connect(target).await.unwrap();
                let mut buffers = (vec![0; 65_536], vec![0; 65_536]);
                loop {
                    tokio::select! {
                        Ok(n) = client.read(&mut buffers.0) => {
                            ear.lock().unwrap().extend_from_slice(&buffers.0[..n]);
                            if n == 0 || server.write_all(&buffers.0[..n]).await.is_err() { break }
                        }
                        Ok(n) = server.read(&mut buffers.1) => {
                            ear.lock().unwrap().extend_from_slice(&buffers.1[..n]);
                            if n == 0 || client.write_all(&buffers.1[..n]).await.is_err() { break }
                        }
                        else => break,
                    }
                }
            });
        }
    });
    let client = site.far_client(tap);
    let schema = client.schema(false).await.unwrap();
    let users = schema.schema.tables.iter().find(|table| table.name == "wp_users").unwrap();
    let mut reader = client.read_rows(users, None);
    let page = reader.next_page().await.unwrap().expect("a page");
    assert!(reader.next_page().await.unwrap().is_none());
    let mut hash = Vec::new();
    page.block
        .for_each_row::<BadBlock>(users.columns.len(), |row| {
            hash = row[2].unwrap().to_vec();
            Ok(())
        })
        .unwrap();
    assert!(hash.starts_with(b"$P$"), "a password hash was read");
    let heard = heard.lock().unwrap();
    assert!(heard.len() > 10_000);
    for clear in [&hash[..], b"CREATE TABLE", b"wp_users", b"user_pass"] {
        assert!(
            !heard.windows(clear.len()).any(|window| window == clear),
            "{:?} in clear",
            String::from_utf8_lossy(clear)
        );
    }
}

#[tokio::test]
async fn a_wrong_key_a_foreign_migration_and_a_finished_one_are_refused() {
    let site = site().await;
    let url = &site.source.site.url;
    assert_eq!(code_of(&site.client_of(site.endpoint(url, &[1; 32]))).await, "source.wrong_secret");
    let foreign = SourceEndpoint::new(url.clone(), "mig_other", SECRET.to_vec());
    assert_eq!(code_of(&site.client_of(foreign)).await, "source.wrong_secret");
    let client = site.client();
    client.finish().await.unwrap();
    client.finish().await.expect("finishing twice is no error");
    assert_eq!(code_of(&client).await, "source.wrong_secret");
    assert_eq!(
        site.sql("SELECT COUNT(*) FROM wp_options WHERE option_name LIKE 'landfall%key'").await.trim(),
        "0"
    );
}

#[tokio::test]
async fn the_last_exchanges_are_kept_for_support() {
    let site = site().await;
    let client = site.client();
    client.schema(false).await.unwrap();
    let read = client.last_exchanges().into_iter().find(|exchange| exchange.verb == "schema").unwrap();
    assert!(read.status == Some(200) && read.bytes > 0 && read.outcome == "complete", "{read:?}");
    let stranger = site.client_of(site.endpoint(&site.source.site.url, &[1; 32]));
    assert_eq!(code_of(&stranger).await, "source.wrong_secret");
    let refused = stranger.last_exchanges().pop().unwrap();
    assert!(refused.status.is_some() && refused.outcome != "complete", "{refused:?}");
}

#[tokio::test]
async fn the_key_is_in_no_answer() {
    let site = site().await;
    let client = site.client();
    let schema = client.schema(false).await.unwrap();
    let options = schema.schema.tables.iter().find(|table| table.name == "wp_options").unwrap();
    let mut reader = client.read_rows(options, None);
    while let Some(page) = reader.next_page().await.unwrap() {
        assert!(!page.block.bytes.windows(17).any(|window| window == b"landfall_migrate_"));
    }
}

/// Makes the site answer in another way while something is asked of it.
async fn with_file(site: &Site, name: &str, text: &str) -> &'static str {
    let path = site.source.site.docroot.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    let code = code_of(&site.client()).await;
    fs::remove_file(path).unwrap();
    code
}

#[tokio::test]
async fn each_way_that_a_site_fails_has_its_code() {
    let site = site().await;
    let maintenance = "<?php $upgrading = time();";
    assert_eq!(with_file(&site, ".maintenance", maintenance).await, "source.maintenance");
    let fatal = "<?php ini_set( 'display_errors', '1' ); no_such_function();";
    assert_eq!(with_file(&site, "wp-content/mu-plugins/a.php", fatal).await, "source.php_fatal");
    let busy = "<?php http_response_code( 429 ); header( 'Retry-After: 600' ); exit;";
    assert_eq!(with_file(&site, "wp-content/mu-plugins/a.php", busy).await, "source.rate_limited");
    let firewall =
        "<?php http_response_code( 403 ); die( '<title>Attention Required! | Cloudflare</title>' );";
    assert_eq!(with_file(&site, "wp-content/mu-plugins/a.php", firewall).await, "source.blocked_by_firewall");
    let basic = "<?php http_response_code( 401 ); header( 'WWW-Authenticate: Basic realm=x' ); exit;";
    assert_eq!(with_file(&site, "wp-content/mu-plugins/a.php", basic).await, "source.basic_auth");
    let elsewhere = "<?php header( 'Location: https://elsewhere.test/' ); http_response_code( 301 ); exit;";
    assert_eq!(with_file(&site, "wp-content/mu-plugins/a.php", elsewhere).await, "source.redirected");
    let dies = "<?php add_action( 'muplugins_loaded', function () { exit; } );";
    assert_eq!(with_file(&site, "wp-content/mu-plugins/a.php", dies).await, "source.plugin_missing");
}

#[tokio::test]
async fn noise_around_the_answer_and_a_blocked_home_url_do_not_matter() {
    let site = site().await;
    let noise = "<?php echo \"\\xEF\\xBB\\xBF<br>Notice: noise\"; ob_start(); echo 'buffered';
        register_shutdown_function( function () { echo '<!-- cached -->'; } );";
    let path = site.source.site.docroot.join("wp-content/mu-plugins/a.php");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, noise).unwrap();
    let noisy = site.client().schema(false).await;
    let blocked = "<?php if ( isset( $_GET['landfall'] ) ) { http_response_code( 403 ); exit; }";
    fs::write(&path, blocked).unwrap();
    let ajax = site.client().schema(false).await;
    let blocked = "<?php if ( isset( $_GET['landfall'] ) || isset( $_GET['action'] ) ) { http_response_code( 403 ); exit; }";
    fs::write(&path, blocked).unwrap();
    let rest = site.client().schema(false).await;
    fs::remove_file(path).unwrap();
    assert_eq!(noisy.unwrap().schema.tables.len(), ajax.unwrap().schema.tables.len());
    assert!(!rest.unwrap().schema.tables.is_empty());
}

#[tokio::test]
async fn a_deactivated_plugin_answers_nobody_and_leaves_nothing() {
    let site = site().await;
    let deactivate = "require_once ABSPATH . 'wp-admin/includes/plugin.php';
        deactivate_plugins( 'landfall-migrate/landfall-migrate.php' );";
    site.source.site.php(deactivate).await.unwrap();
    let code = code_of(&site.client()).await;
    let left =
        site.sql("SELECT COUNT(*) FROM wp_options WHERE option_name LIKE '%landfall\\_migrate\\_%'").await;
    let activate = "require_once ABSPATH . 'wp-admin/includes/plugin.php';
        activate_plugin( 'landfall-migrate/landfall-migrate.php' );";
    site.source.site.php(activate).await.unwrap();
    assert_eq!(code, "source.plugin_missing");
    assert_eq!(left.trim(), "0");
}

#[tokio::test]
async fn addresses_and_names_that_lead_nowhere_have_codes() {
    let limits = SourceLimits { repeats: 0, ..SourceLimits::default() };
    let client = |url: &str, policy: AddressPolicy| {
        let endpoint = SourceEndpoint::new(Url::parse(url).unwrap(), "mig_test", SECRET.to_vec());
        SourceClient::new(endpoint, policy, limits.clone(), MemoryBudget::default()).unwrap()
    };
    let open = || AddressPolicy::public_only().with_loopback();
    let port = landfall_testkit::lab::free_port().unwrap();
    let closed = client(&format!("http://127.0.0.1:{port}/"), open());
    assert_eq!(code_of(&closed).await, "source.unreachable");
    assert_eq!(
        code_of(&client("http://127.0.0.1:1/", AddressPolicy::public_only())).await,
        "source.address_refused"
    );
    assert_eq!(
        code_of(&client("http://a.localhost:1/", AddressPolicy::public_only())).await,
        "source.address_refused"
    );
    assert_eq!(code_of(&client("http://no-such-name.invalid/", open())).await, "source.dns");
    let site = site().await;
    let tls = client(&format!("https://127.0.0.1:{}/", site.source.web.port()), open());
    assert_eq!(code_of(&tls).await, "source.tls");
    let foreign = client(&format!("http://{}", site.source.site.authority()), AddressPolicy::public_only());
    assert!(matches!(foreign.schema(false).await, Err(SourceError::AddressRefused(_))));
}

#[tokio::test]
async fn a_cached_answer_is_never_taken_for_data() {
    let site = site().await;
    let cache = start_cache(site.address()).await;
    let url = format!("http://{}:{}", site.source.site.url.host_str().unwrap(), cache.port());
    let client = site.client_of(site.endpoint(&url.parse().unwrap(), &SECRET));
    let error = client.schema(false).await.expect_err("the answer is that to another request");
    assert!(error.to_string().contains("not one to this request"), "{error}");
    assert_eq!(error.code(), "source.protocol");
}
