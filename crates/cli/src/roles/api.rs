//! The HTTP API.

use anyhow::Context as _;
use landfall_api::{ApiOptions, ApiState};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::Parts;
use super::telemetry::Telemetry;
use crate::config::{Config, local_url};
use crate::exit::Failure;
use crate::plugin;

/// Listens, and serves until `shutdown`.
pub(super) async fn run(
    config: &Config,
    parts: &Parts,
    telemetry: &Telemetry,
    shutdown: CancellationToken,
) -> Result<(), Failure> {
    let (listener, url) = listen(config).await?;
    serve(config, parts, telemetry, (listener, url), shutdown).await
}

/// The listener, and the URL that clients reach it at.
pub(super) async fn listen(config: &Config) -> Result<(TcpListener, Url), Failure> {
    let address = config.api.listen;
    let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen at {address}"))?;
    let url = match &config.api.public_url {
        Some(url) => url.clone(),
        None => local_url(listener.local_addr()?),
    };
    Ok((listener, url))
}

/// Serves until `shutdown`.
pub(super) async fn serve(
    config: &Config,
    parts: &Parts,
    telemetry: &Telemetry,
    (listener, public_url): (TcpListener, Url),
    shutdown: CancellationToken,
) -> Result<(), Failure> {
    let address = listener.local_addr()?;
    let plugin_zip = plugin::zip(&public_url, &config.brand).context("the plugin cannot be packed")?;
    let options = ApiOptions {
        records: parts.records.clone(),
        queue: Some(parts.queue.clone()),
        sealer: parts.sealer()?,
        bootstrap_token: config.api.operator_token.clone(),
        public_url: public_url.clone(),
        metrics: Some(telemetry.metrics.clone()),
        plugin_zip: Some(plugin_zip.into()),
        limits: config.api.limits.clone(),
    };
    tracing::info!(%address, %public_url, "the API is ready");
    landfall_api::serve(listener, ApiState::new(options), shutdown).await.context("the API cannot go on")?;
    tracing::info!("the API has stopped");
    Ok(())
}
