//! One supervised connection: made when first asked for, watched, and made again whenever it is lost.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::StreamExt;
use landfall_common::ports::QueueError;
use lapin::uri::AMQPUri;
use lapin::{Connection, ConnectionProperties};
use secrecy::ExposeSecret;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::RabbitOptions;

/// How long a connection may take from the first packet until it is open.
pub(super) const CONNECT_LIMIT: Duration = Duration::from_secs(10);
const CLOSE_LIMIT: Duration = Duration::from_secs(3);
const DELAY_MIN: Duration = Duration::from_millis(200);
const DELAY_MAX: Duration = Duration::from_secs(2);
/// Seconds between heartbeats unless the URL says otherwise: a dead peer is noticed within twice as long.
const HEARTBEAT_SECONDS: u16 = 10;
/// The connection's own events say when it is lost; this is for the case that they do not.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// A connection that works, as far as is known.
pub(super) struct Live {
    pub(super) connection: Connection,
    given_up: CancellationToken,
}

impl Live {
    /// Says that this connection is of no use, whatever it says itself; a new one is made.
    pub(super) fn give_up(&self) {
        self.given_up.cancel();
    }
}

/// The connection. Clones share it; it ends with the last.
#[derive(Clone)]
pub(super) struct Link {
    shared: Arc<Shared>,
}

/// Makes connections of one name to one broker.
#[derive(Clone)]
pub(super) struct Connector {
    uri: AMQPUri,
    name: String,
}

impl Connector {
    pub(super) fn new(options: &RabbitOptions, purpose: &str) -> Result<Self, QueueError> {
        let mut uri: AMQPUri = options
            .url
            .expose_secret()
            .parse()
            .map_err(|_| QueueError::Unavailable("the RabbitMQ URL is malformed".into()))?;
        uri.query.heartbeat.get_or_insert(HEARTBEAT_SECONDS);
        Ok(Self { uri, name: format!("{} {purpose}", options.connection_name) })
    }

    /// One attempt, without a limit of its own.
    pub(super) async fn connect(&self) -> lapin::Result<Connection> {
        // Recovery within the client stays off: after it, nobody knows which deliveries and confirms still count.
        let properties = ConnectionProperties::default().with_connection_name(self.name.as_str().into());
        Connection::connect_uri(self.uri.clone(), properties).await
    }
}

struct Shared {
    connector: Connector,
    live: watch::Sender<Option<Arc<Live>>>,
    started: OnceLock<()>,
    stop: CancellationToken,
    _stop_on_drop: DropGuard,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The URI holds the password.
        let is_live = self.shared.live.borrow().is_some();
        f.debug_struct("Link")
            .field("name", &self.shared.connector.name)
            .field("is_live", &is_live)
            .finish_non_exhaustive()
    }
}

impl Link {
    pub(super) fn new(options: &RabbitOptions, purpose: &str) -> Result<Self, QueueError> {
        let stop = CancellationToken::new();
        Ok(Self {
            shared: Arc::new(Shared {
                connector: Connector::new(options, purpose)?,
                live: watch::Sender::new(None),
                started: OnceLock::new(),
                _stop_on_drop: stop.clone().drop_guard(),
                stop,
            }),
        })
    }

    /// The connection, once there is one.
    pub(super) async fn live(&self) -> Arc<Live> {
        self.shared.started.get_or_init(|| {
            let supervisor = Supervisor {
                connector: self.shared.connector.clone(),
                live: self.shared.live.clone(),
                stop: self.shared.stop.clone(),
            };
            tokio::spawn(supervisor.run());
        });
        let mut live = self.shared.live.subscribe();
        let found = live.wait_for(Option::is_some).await.expect("the sender lives as long as the link");
        found.clone().expect("waited for")
    }

    pub(super) async fn close(&self) {
        self.shared.stop.cancel();
        // The supervisor takes it back once it is closed, or gives up on that.
        let mut live = self.shared.live.subscribe();
        let _ = live.wait_for(Option::is_none).await;
    }
}

struct Supervisor {
    connector: Connector,
    live: watch::Sender<Option<Arc<Live>>>,
    stop: CancellationToken,
}

impl Supervisor {
    async fn run(self) {
        let mut delay = DELAY_MIN;
        while !self.stop.is_cancelled() {
            match tokio::time::timeout(CONNECT_LIMIT, self.connector.connect()).await {
                Ok(Ok(connection)) => {
                    tracing::info!(connection.name = self.connector.name, "connected to RabbitMQ");
                    delay = DELAY_MIN;
                    self.hold(connection).await;
                }
                Ok(Err(error)) => {
                    tracing::warn!(connection.name = self.connector.name, %error, "RabbitMQ cannot be reached")
                }
                Err(_) => tracing::warn!(connection.name = self.connector.name, "RabbitMQ does not answer"),
            }
            // Full jitter: what lost its connection together does not come back together.
            let pause = delay.mul_f64(rand::random());
            let _ = tokio::time::timeout(pause, self.stop.cancelled()).await;
            delay = (delay * 2).min(DELAY_MAX);
        }
    }

    /// Lends the connection out until it is lost, given up or no longer wanted.
    async fn hold(&self, connection: Connection) {
        let given_up = CancellationToken::new();
        let live = Arc::new(Live { connection, given_up: given_up.clone() });
        self.live.send_replace(Some(Arc::clone(&live)));
        let mut events = Box::pin(live.connection.events_listener());
        while live.connection.status().connected() {
            tokio::select! {
                () = self.stop.cancelled() => break,
                () = given_up.cancelled() => break,
                // Whatever the event: the status tells what it comes to.
                event = events.next() => match event {
                    Some(event) => tracing::debug!(connection.name = self.connector.name, ?event, "RabbitMQ event"),
                    None => break,
                },
                () = tokio::time::sleep(LOOK_INTERVAL) => {}
            }
        }
        if !self.stop.is_cancelled() {
            tracing::warn!(connection.name = self.connector.name, "lost the connection to RabbitMQ");
            self.live.send_replace(None);
        }
        let _ = tokio::time::timeout(CLOSE_LIMIT, live.connection.close(200, "OK".into())).await;
        self.live.send_replace(None);
    }
}
