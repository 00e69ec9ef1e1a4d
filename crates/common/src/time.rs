//! The store's time: the only clock that decides anything.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A moment by the store's clock, in microseconds since 1970. No worker's clock is ever trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StoreTime(pub u64);

impl StoreTime {
    /// Microseconds since 1970.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Milliseconds since 1970.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1000
    }

    /// The time from `earlier` to this moment; zero where `earlier` is later.
    pub fn since(self, earlier: StoreTime) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// This moment and `duration` more.
    #[must_use]
    pub fn plus(self, duration: Duration) -> StoreTime {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        StoreTime(self.0.saturating_add(micros))
    }
}
