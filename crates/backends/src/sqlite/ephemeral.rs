//! Values that may be lost: in memory, as one process has the file to itself.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;

/// How many puts pass between two sweeps, at least.
const SWEEP_AFTER_MIN: usize = 1_000;

#[derive(Debug, Default)]
pub(super) struct Ephemeral {
    values: Mutex<Values>,
}

#[derive(Debug, Default)]
struct Values {
    by_key: HashMap<String, (Instant, Bytes)>,
    puts: usize,
}

impl Ephemeral {
    pub(super) fn put(&self, key: &str, value: Bytes, keep: Duration) {
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        values.puts += 1;
        // As rare as the map is large: a put costs the same on average, and at most half of the map is dead.
        if values.puts >= SWEEP_AFTER_MIN.max(values.by_key.len()) {
            values.puts = 0;
            values.by_key.retain(|_, (until, _)| *until > now);
        }
        // Nothing is kept for longer than a process lives.
        let until = now.checked_add(keep).unwrap_or(now + Duration::from_secs(86_400));
        values.by_key.insert(key.to_owned(), (until, value));
    }

    pub(super) fn get(&self, key: &str) -> Option<Bytes> {
        let values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        values.by_key.get(key).filter(|(until, _)| *until > Instant::now()).map(|(_, value)| value.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_ended_does_not_pile_up() {
        let ephemeral = Ephemeral::default();
        for n in 0..10_000 {
            ephemeral.put(&n.to_string(), Bytes::new(), Duration::ZERO);
        }
        assert!(ephemeral.values.lock().unwrap().by_key.len() <= SWEEP_AFTER_MIN + 1);
    }
}
