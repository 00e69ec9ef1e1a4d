//! The support desk: consumes `landfall.support`. A message only wakes it; it reads the truth before it acts.

use std::sync::Arc;

use landfall_common::case::SupportCase;
use landfall_common::codes::Origin;
use landfall_common::migration::Migration;
use landfall_common::organization::{Allowance, OrganizationSettings};
use landfall_common::ports::{
    Commit, CommitError, DocumentKey, DocumentKind, DocumentWrite, Expect, IndexWrite, MailError,
    OutboxWrite, Score, Write,
};
use landfall_common::records::{RecordError, Versioned, index, outbox_id};
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
            biased;
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
            biased;
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
    let assisted = assisted(parts, case).await?;
    send(parts, options, &assisted.case.value, &assisted.settings.value, &migration.value).await?;
    settle(parts, assisted).await?;
    Ok(())
}

/// A case, and the organization's allowance with it counted in.
struct Assisted {
    case: Versioned<SupportCase>,
    settings: Versioned<OrganizationSettings>,
    /// The settings were changed by it.
    is_counted: bool,
}

/// Counts the case against its organization's allowance where what stopped the migration came from the plugin or the
/// platform.
async fn assisted(parts: &SchedulerParts, mut case: Versioned<SupportCase>) -> Result<Assisted, RecordError> {
    let organization = case.value.organization;
    let (now, found) =
        parts.records.read::<OrganizationSettings>(DocumentKind::Organization, organization).await?;
    let mut settings = found
        .unwrap_or_else(|| Versioned { version: 0, value: OrganizationSettings::usual(organization, now) });
    let allowance = match case.value.code.origin() {
        Origin::Platform => settings.value.assist(case.value.migration),
        Origin::Source | Origin::Owner => Allowance::Counted,
    };
    case.value.outside_allowance = allowance == Allowance::Outside;
    Ok(Assisted { case, settings, is_counted: allowance == Allowance::Taken })
}

async fn send(
    parts: &SchedulerParts,
    options: &SchedulerOptions,
    case: &SupportCase,
    settings: &OrganizationSettings,
    migration: &Migration,
) -> Result<(), MailError> {
    let Some(letter) = letters::case_opened(&options.letterhead, case, settings, migration) else {
        return Ok(());
    };
    match parts.mailer.send(&letter).await {
        // An address that the server refuses will be refused again; the case is there for all that.
        Err(MailError::Refused(error)) => {
            tracing::error!(%error, case.id = %case.id, "the mail server refuses the support address");
            Ok(())
        }
        other => other,
    }
}

/// The case is announced, and counted. Where the case or the allowance changed meanwhile, its entry brings it again.
async fn settle(parts: &SchedulerParts, assisted: Assisted) -> Result<(), CommitError> {
    let Assisted { mut case, settings, is_counted } = assisted;
    case.value.announced = true;
    let mut commit = Commit::new(parts.records.request());
    commit.documents.push(put(DocumentKind::Case, case.value.id, Expect::Version(case.version), &case.value));
    if is_counted {
        let organization = settings.value.organization;
        let expect = if settings.version == 0 { Expect::Absent } else { Expect::Version(settings.version) };
        commit.documents.push(put(DocumentKind::Organization, organization, expect, &settings.value));
        commit.index.push(IndexWrite::Set {
            index: index::ORGANIZATIONS.to_owned(),
            member: organization.to_string(),
            score: Score::Value(settings.value.changed_at.as_micros()),
        });
    }
    commit.outbox.push(OutboxWrite::Remove { id: outbox_id::case(case.value.id) });
    parts.records.commit(&commit).await?;
    tracing::info!(case.id = %case.value.id, "the support desk has announced a case");
    let outside = if case.value.outside_allowance { "true" } else { "false" };
    metrics::counter!("landfall_support_cases_total", "outside_allowance" => outside).increment(1);
    Ok(())
}

fn put(
    kind: DocumentKind,
    id: impl std::fmt::Display,
    expect: Expect,
    value: &impl serde::Serialize,
) -> DocumentWrite {
    let body = serde_json::to_vec(value).expect("documents are plain data");
    DocumentWrite {
        key: DocumentKey::new(kind, id),
        expect,
        write: Write::Put(body.into()),
        expires_in: None,
    }
}
