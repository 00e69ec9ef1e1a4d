//! Error codes: stable, dotted, each with a class that decides what happens next and a page in `docs/errors/`.

mod catalogue;

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use catalogue::CATALOGUE;

use crate::migration::PauseReason;

/// A stable, dotted error code. Codes that this version does not know are kept as they are.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ErrorCode(Cow<'static, str>);

/// What a code means for the migration that met it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Try again by a schedule; what its end is, the schedule says.
    Retryable(Schedule),
    /// Wait for something that only others can bring about.
    Pause(PauseReason),
    /// A person has to look.
    Support,
    /// It cannot be done this way at all; the page names the way that fits.
    Reject,
}

/// Where what stops a migration comes from. Support's help with what is not the owner's or the source's doing counts
/// against the organization's allowance of assisted migrations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The site that is read, or where it is hosted.
    Source,
    /// What its owner chose, gave or did not do.
    Owner,
    /// The plugin, this system, or the platform that the site goes to.
    Platform,
}

/// How often and how long apart a failed slice runs again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// Wait before the second attempt.
    pub first: Duration,
    /// No wait is longer.
    pub longest: Duration,
    /// Failures in a row, without a new checkpoint between them, after which retrying ends.
    pub failures_max: u32,
    /// What the schedule ends in.
    pub then: ScheduleEnd,
}

/// What a schedule of retries ends in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScheduleEnd {
    /// A support case.
    Support,
    /// A pause.
    Pause(PauseReason),
}

impl Schedule {
    /// The usual one: 5 s doubling to 10 minutes, a case after 8 failures (about 21 minutes).
    pub const USUAL: Schedule = Schedule {
        first: Duration::from_secs(5),
        longest: Duration::from_secs(600),
        failures_max: 8,
        then: ScheduleEnd::Support,
    };

    /// For what may be a fault of our own: a few quick tries, then a person.
    pub const SHORT: Schedule = Schedule {
        first: Duration::from_secs(2),
        longest: Duration::from_secs(30),
        failures_max: 4,
        then: ScheduleEnd::Support,
    };

    /// The wait after the given failure in a row (1 = the first), before jitter.
    pub fn wait(&self, failure: u32) -> Duration {
        let doublings = failure.saturating_sub(1).min(16);
        self.first.saturating_mul(1 << doublings).min(self.longest)
    }
}

/// One code of the catalogue: the source of its page in `docs/errors/`.
#[derive(Debug, Clone, Copy)]
pub struct CatalogueEntry {
    /// The code.
    pub code: &'static str,
    /// What it does to the migration; none for codes that only the API answers with.
    pub class: Option<Class>,
    /// One line for people.
    pub title: &'static str,
    /// What happened.
    pub cause: &'static str,
    /// What the reader can do.
    pub remedy: &'static str,
}

/// What a worker reports of a slice that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The code.
    pub code: ErrorCode,
    /// What happened here, for people; redacted by whoever makes it, cut to 2,000 characters.
    pub detail: String,
    /// How long the other side asked to be left alone.
    pub retry_after: Option<Duration>,
}

impl Failure {
    /// Longest detail kept, in characters.
    pub const DETAIL_MAX: usize = 2000;

    /// A failure of the catalogue.
    pub fn new(code: &'static str, detail: impl Into<String>) -> Self {
        let detail: String = detail.into();
        Self {
            code: ErrorCode::new(code),
            detail: detail.chars().take(Self::DETAIL_MAX).collect(),
            retry_after: None,
        }
    }
}

impl ErrorCode {
    /// The code of that name.
    pub const fn new(code: &'static str) -> Self {
        Self(Cow::Borrowed(code))
    }

    /// The dotted text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its catalogue entry; none for a code of a newer version.
    pub fn entry(&self) -> Option<&'static CatalogueEntry> {
        CATALOGUE.iter().find(|entry| entry.code == self.0)
    }

    /// Where what it names comes from.
    pub fn origin(&self) -> Origin {
        match self.as_str() {
            "source.protocol"
            | "source.plugin_version"
            | "source.wrong_secret"
            | "source.encryption_unavailable" => Origin::Platform,
            "destination.not_empty" | "destination.table_referenced" => Origin::Owner,
            code if code.starts_with("source.") => Origin::Source,
            code if code.starts_with("migration.") => Origin::Owner,
            _ => Origin::Platform,
        }
    }

    /// Its class. A code that is unknown, or that the API alone uses, goes to a person.
    pub fn class(&self) -> Class {
        self.entry().and_then(|entry| entry.class).unwrap_or(Class::Support)
    }
}

impl std::fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_dotted_and_explained() {
        for (at, entry) in CATALOGUE.iter().enumerate() {
            assert!(entry.code.contains('.'), "{}", entry.code);
            assert!(CATALOGUE[at + 1..].iter().all(|other| other.code != entry.code), "{} twice", entry.code);
            assert!(!entry.title.is_empty() && !entry.cause.is_empty() && !entry.remedy.is_empty());
        }
    }

    #[test]
    fn waits_double_up_to_the_longest() {
        assert_eq!(Schedule::USUAL.wait(1), Duration::from_secs(5));
        assert_eq!(Schedule::USUAL.wait(3), Duration::from_secs(20));
        assert_eq!(Schedule::USUAL.wait(1000), Duration::from_secs(600));
    }
}
