//! Limits that the stores share.

use std::time::Duration;

/// The greatest score: every whole number up to it is exact in a 64-bit float, which is what Redis sorts by.
pub(crate) const SCORE_MAX: u64 = 1 << 53;

/// How long a request id is remembered, and a version after its document.
pub(crate) const MEMORY: Duration = Duration::from_secs(600);

/// Lines that the feed keeps.
pub(crate) const FEED_LINES: u64 = 10_000;

/// A duration in microseconds, cut to what stays exact when a present time is added (about 140 years).
pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX).min(SCORE_MAX / 2)
}

/// A number of lines as every server reads it: more than this many come in no answer.
pub(crate) fn lines(limit: usize) -> u32 {
    u32::try_from(limit).unwrap_or(u32::MAX)
}
