//! The server itself, over TCP.

use std::time::Duration;

use landfall_api::Limits;
use reqwest::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::app::{App, OPERATOR};

struct Server {
    app: App,
    address: String,
    shutdown: CancellationToken,
    task: JoinHandle<std::io::Result<()>>,
}

async fn start(limits: Limits) -> Server {
    let app = App::with(limits);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let shutdown = CancellationToken::new();
    let task = tokio::spawn(landfall_api::serve(listener, app.state.clone(), shutdown.clone()));
    Server { app, address, shutdown, task }
}

fn client() -> reqwest::Client {
    landfall_backends::install_tls_provider();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

#[tokio::test]
async fn it_serves_and_ends_with_its_token() {
    let server = start(App::limits()).await;
    let url = format!("http://{}/v1/sites", server.address);
    let reply = client().get(&url).bearer_auth(OPERATOR).send().await.unwrap();
    assert_eq!(reply.status(), StatusCode::OK);
    assert_eq!(client().get(&url).send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    server.shutdown.cancel();
    tokio::time::timeout(Duration::from_secs(5), server.task).await.unwrap().unwrap().unwrap();
    assert!(client().get(&url).send().await.is_err());
}

#[tokio::test]
async fn event_streams_end_with_the_server_and_do_not_hold_it_up() {
    let server = start(App::limits()).await;
    server.app.operator().noop_site("probe").await;
    let id = server.app.operator().noop_migration("probe").await;
    let url = format!("http://{}/v1/migrations/{id}/events", server.address);
    let request = client().get(&url).bearer_auth(OPERATOR).header("accept", "text/event-stream");
    let mut stream = request.send().await.unwrap();
    assert!(stream.chunk().await.unwrap().is_some());
    server.shutdown.cancel();
    tokio::time::timeout(Duration::from_secs(5), server.task).await.unwrap().unwrap().unwrap();
    while let Ok(Some(_)) = stream.chunk().await {}
}

#[tokio::test]
async fn a_client_that_never_ends_its_headers_is_cut_off() {
    let server = start(Limits { header_time: Duration::from_millis(100), ..App::limits() }).await;
    let mut slow = TcpStream::connect(&server.address).await.unwrap();
    slow.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\nx-slow: ").await.unwrap();
    let mut rest = Vec::new();
    tokio::time::timeout(Duration::from_secs(5), slow.read_to_end(&mut rest))
        .await
        .expect("it is cut off")
        .unwrap();
}

#[tokio::test]
async fn connections_over_the_limit_wait_for_a_place() {
    let server = start(Limits { connections_max: 1, ..App::limits() }).await;
    let mut first = TcpStream::connect(&server.address).await.unwrap();
    first.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut answer = [0; 12];
    first.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    let url = format!("http://{}/livez", server.address);
    let waiting = tokio::spawn(async move { client().get(url).send().await.unwrap().status() });
    drop(first);
    assert_eq!(tokio::time::timeout(Duration::from_secs(5), waiting).await.unwrap().unwrap(), StatusCode::OK);
}
