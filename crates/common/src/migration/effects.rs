//! What a transition brings about, as data. [`crate::records`] turns it into one commit.

use std::time::Duration;

use bytes::Bytes;

use super::Migration;
use crate::case::SupportCase;
use crate::event::Event;

/// A wait, with the jitter already in it: drawn from the slice's name, so that `apply` stays pure.
pub type Delay = Duration;

/// What becomes of the slice's outbox entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dispatch {
    /// Nothing.
    Keep,
    /// The migration's present slice is due after this long.
    Due(Delay),
    /// No slice is due.
    Withdraw,
}

/// What becomes of the lease's expiry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseEffect {
    /// Nothing.
    Keep,
    /// It runs out after this long.
    Renew(Duration),
    /// There is none.
    Drop,
}

/// What becomes of the timer that wakes a waiting migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimerEffect {
    /// Nothing.
    Keep,
    /// It fires after this long.
    Set(Duration),
    /// There is none.
    Clear,
}

/// What becomes of the checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckpointEffect {
    /// Nothing.
    Keep,
    /// This is the new one.
    Put(Bytes),
    /// There is none: the next slice begins its phase.
    Clear,
}

/// A mail that becomes due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailKind {
    /// To the owner: the site has arrived.
    Completed,
    /// To the owner: support has taken over.
    Failed,
}

/// Everything that a transition brings about besides the new document.
#[derive(Debug, Clone, PartialEq)]
pub struct Effects {
    /// Lines for the timeline.
    pub events: Vec<Event>,
    /// The slice's outbox entry.
    pub dispatch: Dispatch,
    /// The lease.
    pub lease: LeaseEffect,
    /// The timer.
    pub timer: TimerEffect,
    /// The checkpoint.
    pub checkpoint: CheckpointEffect,
    /// A case to open.
    pub case: Option<Box<SupportCase>>,
    /// A mail to the owner.
    pub mail: Option<MailKind>,
}

impl Effects {
    /// No effects.
    pub const fn none() -> Self {
        Self {
            events: Vec::new(),
            dispatch: Dispatch::Keep,
            lease: LeaseEffect::Keep,
            timer: TimerEffect::Keep,
            checkpoint: CheckpointEffect::Keep,
            case: None,
            mail: None,
        }
    }
}

/// A migration as it will be, and what comes with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Transition {
    /// The new document.
    pub migration: Migration,
    /// What the commit must bring about.
    pub effects: Effects,
}
