//! The lines of a migration's timeline.

use serde::{Deserialize, Serialize};

use crate::StoreTime;

/// What an event tells. Readers skip kinds that they do not know: a newer role may write more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// The migration was accepted.
    Created,
    /// The source's plugin enrolled.
    SourceEnrolled,
    /// A worker took a slice.
    SliceClaimed,
    /// A slice ended with work left.
    SliceEnded,
    /// A step began or ended, or has something to say.
    Step,
    /// A phase is done.
    PhaseDone,
    /// What a failure left for support: the last exchanges with the other side.
    Evidence,
    /// A slice failed and will run again.
    RetryScheduled,
    /// A lease ran out: its worker died, hung or lost the store.
    LeaseExpired,
    /// A worker wrote with a lease that is no longer its own, and was refused.
    Fenced,
    /// Its next slice waits for the time that its submitter chose.
    Waits,
    /// It waits for something, and says for what.
    Paused,
    /// It goes on.
    Resumed,
    /// A person or service asked for a change while a slice was running.
    Requested,
    /// A support case was opened.
    NeedsSupport,
    /// A support engineer sent it round again.
    Replayed,
    /// The case was closed.
    CaseResolved,
    /// The site has arrived.
    Succeeded,
    /// It was cancelled.
    Cancelled,
    /// It cannot be done this way.
    Rejected,
    /// The old site is back.
    RolledBack,
    /// A kind that this version does not know.
    #[serde(other)]
    Unknown,
}

/// One line of the timeline, before the store numbers and stamps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// One sentence for people. Never holds a secret.
    pub message: String,
    /// Facts for programs: small, flat, no secrets.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub facts: serde_json::Value,
    /// Who asked for it: a token's id, `worker`, `scheduler`; empty where nobody did.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub by: String,
}

impl Event {
    /// An event without facts.
    pub fn new(kind: EventKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), facts: serde_json::Value::Null, by: String::new() }
    }

    /// Adds facts.
    #[must_use]
    pub fn with(mut self, facts: serde_json::Value) -> Self {
        self.facts = facts;
        self
    }

    /// Says who asked for it.
    #[must_use]
    pub fn by(mut self, who: impl Into<String>) -> Self {
        self.by = who.into();
        self
    }
}

/// An event as the store holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredEvent {
    /// Its number in its stream, from 1, without gaps.
    pub id: u64,
    /// When it was committed, by the store's clock.
    pub at: StoreTime,
    /// The event.
    #[serde(flatten)]
    pub event: Event,
}
