//! The connection: calls with a limit of time, tried again through short outages.

use std::future::Future;
use std::time::Duration;

use landfall_common::ports::StoreError;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::io::tcp::{TcpSettings, socket2::TcpKeepalive};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, FromRedisValue, IntoConnectionInfo, Pipeline, RedisError,
    RedisResult, Script, ServerErrorKind,
};
use secrecy::ExposeSecret;

use super::RedisOptions;

const CONNECT_LIMIT: Duration = Duration::from_secs(2);
const RETRY_DELAY_MIN: Duration = Duration::from_millis(50);
const RETRY_DELAY_MAX: Duration = Duration::from_millis(500);
/// A peer that acknowledges nothing for so long is gone, whatever the kernel's patience.
const PEER_SILENCE_MAX: Duration = Duration::from_secs(10);
/// Commands that wait for the socket; the crate's own 50 throttle a relay that works on hundreds of entries at a time.
const PIPELINE_BUFFER: usize = 1_000;

/// A connection that mends itself. Scripts and keys are named below its root.
pub(super) struct Link {
    client: Client,
    manager: ConnectionManager,
    root: String,
    limit: Duration,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The client's own output would show the password.
        f.debug_struct("Link").field("root", &self.root).field("limit", &self.limit).finish_non_exhaustive()
    }
}

impl Link {
    pub(super) fn open(options: &RedisOptions) -> Result<Self, StoreError> {
        let malformed = |_| StoreError::Broken("the Redis URL is malformed".to_owned());
        let info = options.url.expose_secret().into_connection_info().map_err(malformed)?;
        let keepalive = TcpKeepalive::new().with_time(PEER_SILENCE_MAX);
        let tcp = TcpSettings::default().set_nodelay(true).set_keepalive(keepalive);
        #[cfg(target_os = "linux")]
        let tcp = tcp.set_user_timeout(PEER_SILENCE_MAX);
        let client = Client::open(info.set_tcp_settings(tcp)).map_err(malformed)?;
        let manager = lazy_manager(&client, options.call_limit)?;
        Ok(Self {
            client,
            manager,
            root: format!("{}{{landfall}}", options.prefix),
            limit: options.call_limit,
        })
    }

    /// Another connection to the same server, for calls that block.
    pub(super) fn separate(&self, response_limit: Duration) -> Result<ConnectionManager, StoreError> {
        lazy_manager(&self.client, response_limit)
    }

    pub(super) fn key(&self, kind: &str, name: &str) -> String {
        format!("{}:{kind}:{name}", self.root)
    }

    pub(super) fn root(&self) -> &str {
        &self.root
    }

    pub(super) fn limit(&self) -> Duration {
        self.limit
    }

    /// Runs a script. It may run more than once.
    pub(super) async fn script<T: FromRedisValue + Send>(
        &self,
        script: &Script,
        args: &[&[u8]],
    ) -> Result<T, StoreError> {
        let mut invocation = script.key(&self.root);
        for arg in args {
            invocation.arg(*arg);
        }
        let invocation = &invocation;
        self.retry(|mut manager| async move { invocation.invoke_async(&mut manager).await }).await
    }

    /// Sends a command. It may run more than once.
    pub(super) async fn command<T: FromRedisValue + Send>(&self, command: &Cmd) -> Result<T, StoreError> {
        self.retry(|mut manager| async move { command.query_async(&mut manager).await }).await
    }

    /// Sends commands together. They may run more than once.
    pub(super) async fn pipeline<T: FromRedisValue + Send>(
        &self,
        pipeline: &Pipeline,
    ) -> Result<T, StoreError> {
        self.retry(|mut manager| async move { pipeline.query_async(&mut manager).await }).await
    }

    /// What a connection made now fails with: a wrong password, a refused connection. The mending connection only says
    /// that its time was up.
    pub(super) async fn why_unreachable(&self) -> Option<StoreError> {
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT_LIMIT.min(self.limit / 2)));
        self.client.get_multiplexed_async_connection_with_config(&config).await.err().map(store_error)
    }

    /// Tries until it works, until trying again is no use, or until the limit.
    async fn retry<T, F, R>(&self, attempt: F) -> Result<T, StoreError>
    where
        F: Fn(ConnectionManager) -> R + Send,
        R: Future<Output = RedisResult<T>> + Send,
    {
        let attempts = async {
            let mut delay = RETRY_DELAY_MIN;
            loop {
                match attempt(self.manager.clone()).await {
                    Ok(value) => return Ok(value),
                    Err(error) if is_passing(&error) => {
                        tracing::debug!(%error, "Redis call failed, trying again")
                    }
                    Err(error) => return Err(store_error(error)),
                }
                tokio::time::sleep(delay.mul_f64(0.5 + 0.5 * rand::random::<f64>())).await;
                delay = (delay * 2).min(RETRY_DELAY_MAX);
            }
        };
        match tokio::time::timeout(self.limit, attempts).await {
            Ok(result) => result,
            Err(elapsed) => Err(StoreError::Unavailable(Box::new(elapsed))),
        }
    }
}

fn lazy_manager(client: &Client, response_limit: Duration) -> Result<ConnectionManager, StoreError> {
    let config = ConnectionManagerConfig::new()
        .set_connection_timeout(Some(CONNECT_LIMIT))
        .set_response_timeout(Some(response_limit))
        .set_min_delay(RETRY_DELAY_MIN)
        .set_max_delay(RETRY_DELAY_MAX)
        .set_pipeline_buffer_size(PIPELINE_BUFFER)
        // Calls give up by themselves; what reconnects goes on until it is connected.
        .set_number_of_retries(usize::MAX);
    ConnectionManager::new_lazy_with_config(client.clone(), config).map_err(store_error)
}

/// Whether the same call may work in a moment.
fn is_passing(error: &RedisError) -> bool {
    error.is_io_error()
        || [
            ServerErrorKind::BusyLoading,
            ServerErrorKind::TryAgain,
            ServerErrorKind::ClusterDown,
            ServerErrorKind::MasterDown,
            ServerErrorKind::ReadOnly,
        ]
        .into_iter()
        .any(|kind| error.kind() == ErrorKind::Server(kind))
}

/// Sorts what will not pass within the limit into "later" and "never".
pub(super) fn store_error(error: RedisError) -> StoreError {
    let is_nonsense = matches!(error.kind(), ErrorKind::Parse | ErrorKind::UnexpectedReturnType)
        || matches!(error.code(), Some("WRONGTYPE" | "NOPERM" | "CROSSSLOT"));
    if is_nonsense { StoreError::Broken(error.to_string()) } else { StoreError::Unavailable(Box::new(error)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_errors_nor_debug_output_show_the_password() {
        let options = RedisOptions::new("redis://user:hunter2@127.0.0.1:0/x");
        let error = Link::open(&options).unwrap_err();
        assert!(!format!("{error:?} {options:?}").contains("hunter2"));
    }
}
