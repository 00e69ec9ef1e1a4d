//! The last exchanges with a source, as evidence for whoever looks into a failure.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;

/// So many are kept.
const KEPT: usize = 10;
/// Characters of an outcome.
const OUTCOME_CHARS: usize = 300;

/// One request and what came of it. Holds no parameters and no body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exchange {
    /// What was asked for: `preflight`, `read_rows`, …
    pub verb: &'static str,
    /// The status of the answer; none where none came.
    pub status: Option<u16>,
    /// From the request to the end of the answer.
    pub ms: u64,
    /// Bytes of the answer.
    pub bytes: u64,
    /// `complete`, or what went wrong.
    pub outcome: String,
}

/// The log of one connection. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Exchanges(Arc<Mutex<VecDeque<Exchange>>>);

impl Exchanges {
    pub(crate) fn note(
        &self,
        verb: &'static str,
        status: Option<u16>,
        took: Duration,
        bytes: u64,
        outcome: &str,
    ) {
        let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let outcome = outcome.chars().take(OUTCOME_CHARS).collect();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(Exchange { verb, status, ms, bytes, outcome });
    }

    /// Oldest first.
    pub(crate) fn last(&self) -> Vec<Exchange> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_exchanges_are_kept_and_long_outcomes_are_cut() {
        let log = Exchanges::default();
        for bytes in 0..25 {
            log.clone().note("read_rows", Some(200), Duration::from_millis(5), bytes, &"é".repeat(1000));
        }
        let last = log.last();
        assert_eq!(
            last.iter().map(|exchange| exchange.bytes).collect::<Vec<_>>(),
            (15..25).collect::<Vec<_>>()
        );
        assert_eq!(last[0].outcome.chars().count(), OUTCOME_CHARS);
    }
}
