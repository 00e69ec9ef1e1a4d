//! Live progress: an ephemeral value, written at most once a second, never an event.

use serde::{Deserialize, Serialize};

use crate::Phase;

/// How far a running migration is. All counts are of the current phase.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// The phase that runs.
    pub phase: Phase,
    /// The step that runs.
    pub step: String,
    /// Files done, and how many there are as far as known.
    pub files: Count,
    /// Bytes done, and how many there are as far as known.
    pub bytes: Count,
    /// Rows done, and how many there are as far as known (an estimate while the source is read).
    pub rows: Count,
    /// Bytes per second over the last seconds.
    pub bytes_per_second: u64,
    /// Seconds left in this phase by the present rate.
    pub eta_s: Option<u64>,
}

/// So many of so many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// Done.
    pub done: u64,
    /// Known or estimated total; none while it is unknown.
    pub total: Option<u64>,
}

impl Progress {
    /// Progress at the beginning of a step.
    pub fn at(phase: Phase, step: impl Into<String>) -> Self {
        Self {
            phase,
            step: step.into(),
            files: Count::default(),
            bytes: Count::default(),
            rows: Count::default(),
            bytes_per_second: 0,
            eta_s: None,
        }
    }

    /// A percentage of the current phase, 0 to 100, by bytes, else files, else rows; none while no total is known.
    pub fn percent(&self) -> Option<u8> {
        [self.bytes, self.files, self.rows].into_iter().find_map(|count| {
            let total = count.total.filter(|total| *total > 0)?;
            u8::try_from((count.done.min(total) * 100) / total).ok()
        })
    }
}
