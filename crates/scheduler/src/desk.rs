//! The support desk: consumes `landfall.support`. A message only wakes it; it reads the truth before it acts.

use std::sync::Arc;

use landfall_common::case::SupportCase;
use landfall_common::migration::Migration;
use landfall_common::ports::{
    Commit, CommitError, DocumentKey, DocumentKind, DocumentWrite, Expect, MailError, OutboxWrite, Write,
};
use landfall_common::records::{RecordError, Versioned, outbox_id};
use landfall_common::wire::{CaseTicket, QueueName, Ticket};
use tokio_util::sync::CancellationToken;

use crate::{SchedulerOptions, SchedulerParts, letters};

/// Why a case was not announced this time; its outbox entry brings it back.
#[derive(Debug, thiserror::Error)]
enum NotAnnounced {
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error(transparent)]
    Mail(#[from] MailError),
    #[error(transparent)]
    Commit(#[from] CommitError),
}

pub(crate) async fn run(parts: SchedulerParts, options: Arc<SchedulerOptions>, shutdown: CancellationToken) {
    let mut consumer = loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            opened = parts.queue.consume(QueueName::Support) => match opened {
                Ok(consumer) => break consumer,
                Err(error) => tracing::warn!(%error, "the support desk waits for the broker"),
            },
        }
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    };
    loop {
        let delivery = tokio::select! {
            () = shutdown.cancelled() => return,
            delivery = consumer.next() => delivery,
        };
        match Ticket::decode(delivery.body()) {
            Ok(Ticket::Case(ticket)) => {
                if let Err(error) = announce(&parts, &options, &ticket).await {
                    tracing::warn!(case.id = %ticket.case, %error, "a case is not announced yet");
                }
            }
            // The broker's backstop dead-letters here. The outbox knows what is due, so nothing is lost.
            Ok(Ticket::Slice(ticket)) => {
                tracing::warn!(migration.id = %ticket.migration, "a slice's ticket was dead-lettered; dropped");
            }
            Err(error) => tracing::warn!(%error, "a message on the support queue cannot be read; dropped"),
        }
        delivery.ack().await;
    }
}

/// Mails the support address about a case, once, and takes the case off the outbox.
async fn announce(
    parts: &SchedulerParts,
    options: &SchedulerOptions,
    ticket: &CaseTicket,
) -> Result<(), NotAnnounced> {
    let (_, case) = parts.records.read::<SupportCase>(DocumentKind::Case, ticket.case).await?;
    let (_, migration) = parts.records.migration(ticket.migration).await?;
    let (Some(case), Some(migration)) = (case, migration) else {
        tracing::warn!(case.id = %ticket.case, "the case does not exist; dropped");
        return Ok(());
    };
    if case.value.announced {
        return Ok(());
    }
    send(parts, options, &case.value, &migration.value).await?;
    settle(parts, case).await?;
    Ok(())
}

async fn send(
    parts: &SchedulerParts,
    options: &SchedulerOptions,
    case: &SupportCase,
    migration: &Migration,
) -> Result<(), MailError> {
    let Some(letter) = letters::case_opened(&options.letterhead, case, migration) else { return Ok(()) };
    match parts.mailer.send(&letter).await {
        // An address that the server refuses will be refused again; the case is there for all that.
        Err(MailError::Refused(error)) => {
            tracing::error!(%error, case.id = %case.id, "the mail server refuses the support address");
            Ok(())
        }
        other => other,
    }
}

async fn settle(parts: &SchedulerParts, mut case: Versioned<SupportCase>) -> Result<(), CommitError> {
    case.value.announced = true;
    let mut commit = Commit::new(parts.records.request());
    commit.documents.push(DocumentWrite {
        key: DocumentKey::new(DocumentKind::Case, case.value.id),
        expect: Expect::Version(case.version),
        write: Write::Put(serde_json::to_vec(&case.value).expect("a case is plain data").into()),
        expires_in: None,
    });
    commit.outbox.push(OutboxWrite::Remove { id: outbox_id::case(case.value.id) });
    parts.records.commit(&commit).await?;
    tracing::info!(case.id = %case.value.id, "the support desk has announced a case");
    metrics::counter!("landfall_support_cases_total").increment(1);
    Ok(())
}
