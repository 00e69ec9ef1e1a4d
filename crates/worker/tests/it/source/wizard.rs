//! What a site owner does in wp-admin, against an API of a few lines.

use std::fs;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

use super::site::site;

/// Answers enrolments of one token, and one status question after the other.
struct Api {
    url: String,
    requests: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Api {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (base, log) = (url.clone(), Arc::clone(&requests));
        tokio::spawn(async move {
            let mut questions = 0;
            while let Ok((stream, _)) = listener.accept().await {
                let mut stream = BufReader::new(stream);
                let (head, body) = read_request(&mut stream).await;
                let (status, answer) = answer(&base, &head, &body, &mut questions);
                log.lock().unwrap().push((head, body));
                let text = answer.to_string();
                let head = format!(
                    "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    text.len()
                );
                let _ = stream.get_mut().write_all((head + &text).as_bytes()).await;
            }
        });
        Self { url, requests }
    }
}

async fn read_request(stream: &mut BufReader<tokio::net::TcpStream>) -> (String, Value) {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") && stream.read_line(&mut head).await.unwrap_or(0) > 0 {}
    let length = head
        .lines()
        .find_map(|line| {
            line.to_ascii_lowercase().strip_prefix("content-length:").map(|n| n.trim().parse().unwrap())
        })
        .unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    (head, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

fn answer(base: &str, head: &str, body: &Value, questions: &mut u32) -> (&'static str, Value) {
    if head.starts_with("POST /v1/enrolments ") {
        if body["token"] != "lft_good" {
            return (
                "403 Forbidden",
                json!({ "code": "token.invalid", "title": "No such token", "detail": "It was <revoked>" }),
            );
        }
        use base64::Engine as _;
        return (
            "201 Created",
            json!({
                "migration": "mig_test", "site": "new-shop", "secret": base64::engine::general_purpose::STANDARD.encode([9; 32]),
                "status_url": format!("{base}/v1/enrolments/mig_test"), "status_token": "st_1", "expires_in_s": 3600,
            }),
        );
    }
    *questions += 1;
    if *questions < 3 {
        (
            "200 OK",
            json!({ "state": "running", "phase": "snapshot", "step": "copy_files", "percent": 41, "message": "" }),
        )
    } else {
        let dashboard = "https://platform.test/sites/new-shop";
        (
            "200 OK",
            json!({ "state": "succeeded", "phase": "", "step": "", "percent": 100, "message": "", "site_dashboard_url": dashboard }),
        )
    }
}

#[tokio::test]
async fn an_owner_pastes_token_and_name_and_watches_without_scripts() {
    let site = site().await;
    let site_php = |code: &'static str| site.source.site.php(code);
    site_php("Landfall_Migrate_Credentials::forget_everything();").await.unwrap();
    let api = Api::start().await;
    let constant = site.source.site.docroot.join("wp-content/mu-plugins/api.php");
    fs::create_dir_all(constant.parent().unwrap()).unwrap();
    fs::write(&constant, format!("<?php define( 'LANDFALL_API_URL', '{}' );", api.url)).unwrap();

    let refused = site.source.site.start_migration_through_plugin("lft_bad", "new-shop").await.unwrap();
    assert!(refused.body.contains("No such token. It was &lt;revoked&gt;."), "{}", refused.body);
    assert!(refused.body.contains("value=\"new-shop\"") && !refused.body.contains("lft_bad"));

    let page = site.source.site.start_migration_through_plugin("lft_good", "new-shop").await.unwrap();
    assert!(page.body.contains("Migration to new-shop") && page.body.contains(">41</span>"), "{}", page.body);
    assert!(page.body.contains("Running (snapshot: copy files)"));
    let stored = site
        .sql("SELECT GROUP_CONCAT(option_value) FROM wp_options WHERE option_name LIKE 'landfall%'")
        .await;
    assert!(stored.contains("st_1") && !stored.contains("lft_"), "{stored}");
    let autoloaded = site
        .sql(
            "SELECT COUNT(*) FROM wp_options WHERE option_name LIKE 'landfall%' AND autoload IN ('yes','on')",
        )
        .await;
    assert_eq!(autoloaded.trim(), "0");

    let admin = site.source.site.admin().await.unwrap();
    admin.get("wp-admin/admin.php?page=landfall-migrate").await.unwrap();
    let done = admin.get("wp-admin/admin.php?page=landfall-migrate").await.unwrap();
    assert!(
        done.body.contains("Complete") && done.body.contains("https://platform.test/sites/new-shop"),
        "{}",
        done.body
    );
    let left = site
        .sql("SELECT GROUP_CONCAT(option_value) FROM wp_options WHERE option_name LIKE 'landfall%'")
        .await;
    assert!(!left.contains("st_1") && !left.contains("secret"), "{left}");
    let stranger = site
        .source
        .site
        .browser()
        .unwrap()
        .get("wp-admin/admin-ajax.php?action=landfall_migrate_status")
        .await
        .unwrap();
    assert!(!stranger.body.contains("succeeded"), "{}", stranger.body);

    let requests = api.requests.lock().unwrap().clone();
    fs::remove_file(constant).unwrap();
    let (head, enrolment) = &requests[1];
    assert!(head.starts_with("POST /v1/enrolments "));
    assert_eq!(enrolment["site"], "new-shop");
    assert_eq!(enrolment["url"], format!("{}/", site.source.site.base_url()));
    assert_eq!(enrolment["wordpress"]["multisite"], false);
    assert!(requests[2].0.contains("Authorization: Bearer st_1"), "{}", requests[2].0);
}
