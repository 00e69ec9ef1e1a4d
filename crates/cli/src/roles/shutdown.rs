//! SIGTERM and SIGINT: the first drains, the second ends.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Cancelled at the first signal. A second one ends the process at once: what it had under way is found again through
/// leases and the outbox, as after any crash.
pub(super) fn on_signals() -> std::io::Result<CancellationToken> {
    let token = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let shutdown = token.clone();
    tokio::spawn(async move {
        let mut next = async || {
            tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            }
        };
        let name = next().await;
        tracing::info!(signal = name, "draining; a second signal ends at once");
        shutdown.cancel();
        let name = next().await;
        tracing::warn!(signal = name, "ending at once");
        std::process::exit(130);
    });
    Ok(token)
}
