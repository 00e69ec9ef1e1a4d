//! Mail to owners: due entries of the mail lane, sent and removed. A letter may be sent twice after a crash between the
//! two; it then carries the same Message-ID.

use std::sync::Arc;
use std::time::Duration;

use landfall_common::ports::{
    Commit, CommitError, DueQuery, MailError, OutboxEntry, OutboxWrite, StoreError,
};
use landfall_common::records::{MailDue, RecordError, lane};
use tokio_util::sync::CancellationToken;

use crate::relay::{claim, rest};
use crate::{SchedulerOptions, SchedulerParts, letters};

/// How long a mail under way is hidden from other schedulers, at first.
const HIDE_FIRST: Duration = Duration::from_secs(60);
/// It is never hidden for longer.
const HIDE_MAX: Duration = Duration::from_secs(3600);
/// A mail that never leaves is given up after so many tries (about two days).
const TRIES_MAX: u32 = 50;

pub(crate) async fn deliver(
    parts: SchedulerParts,
    options: Arc<SchedulerOptions>,
    shutdown: CancellationToken,
) {
    loop {
        let sent = match round(&parts, &options).await {
            Ok(sent) => sent,
            Err(error) => {
                tracing::warn!(%error, "the mail waits for the store");
                tokio::time::sleep(Duration::from_secs(1)).await;
                0
            }
        };
        if !rest(sent, options.rest.saturating_mul(4), &shutdown).await {
            return;
        }
    }
}

async fn round(parts: &SchedulerParts, options: &SchedulerOptions) -> Result<usize, StoreError> {
    let query = DueQuery {
        lane: lane::MAIL.to_owned(),
        tenants: 100,
        per_tenant: 10,
        skip_tenants: 0,
        skip_entries: 0,
        epoch: 0,
    };
    let (_, entries) = parts.records.store().due(&query).await?;
    let mut sent = 0;
    for entry in entries {
        let hide = HIDE_FIRST.saturating_mul(1 << entry.claims.min(10)).min(HIDE_MAX);
        match claim(parts, &entry.id, entry.due, hide, Vec::new()).await {
            Ok(_) => {}
            Err(CommitError::Conflict { .. }) => continue,
            Err(CommitError::Store(error)) => return Err(error),
        }
        match send(parts, options, &entry).await {
            Ok(()) => {
                remove(parts, &entry).await;
                sent += 1;
            }
            Err(why) if entry.claims >= TRIES_MAX => {
                tracing::error!(outbox.id = entry.id, why, "a mail is given up");
                remove(parts, &entry).await;
            }
            Err(why) => tracing::warn!(outbox.id = entry.id, why, "a mail did not leave yet"),
        }
    }
    Ok(sent)
}

async fn send(parts: &SchedulerParts, options: &SchedulerOptions, entry: &OutboxEntry) -> Result<(), String> {
    let due: MailDue = serde_json::from_slice(&entry.body).map_err(|error| error.to_string())?;
    let found =
        parts.records.migration(due.migration).await.map_err(|error: RecordError| error.to_string())?;
    let Some(migration) = found.1 else { return Ok(()) };
    let letter = letters::to_owner(&options.letterhead, due.kind, &migration.value);
    match parts.mailer.send(&letter).await {
        Ok(()) => {
            metrics::counter!("landfall_mail_total", "result" => "sent").increment(1);
            Ok(())
        }
        Err(MailError::Refused(error)) => {
            metrics::counter!("landfall_mail_total", "result" => "refused").increment(1);
            tracing::error!(migration.id = %due.migration, %error, "the mail server refuses a letter for good");
            Ok(())
        }
        Err(error @ MailError::Unavailable(_)) => Err(error.to_string()),
    }
}

async fn remove(parts: &SchedulerParts, entry: &OutboxEntry) {
    let mut commit = Commit::new(parts.records.request());
    commit.outbox.push(OutboxWrite::Remove { id: entry.id.clone() });
    if let Err(error) = parts.records.commit(&commit).await {
        tracing::warn!(%error, outbox.id = entry.id, "a sent mail could not be struck off; it may be sent again");
    }
}
