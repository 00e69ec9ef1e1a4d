//! The store's clock: the machine's, kept from going back by little.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A step back by less than this is held still; a greater one was somebody's intention and is followed, as Redis does.
const STEP_BACK_HELD: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub(super) struct Clock {
    last: Duration,
}

impl Clock {
    /// The present time in microseconds since 1970.
    pub(super) fn now(&mut self) -> i64 {
        // A machine whose clock stands before 1970 works on as well.
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.last = held(self.last, wall);
        i64::try_from(self.last.as_micros()).unwrap_or(i64::MAX)
    }
}

fn held(last: Duration, wall: Duration) -> Duration {
    if wall < last && last - wall < STEP_BACK_HELD { last } else { wall }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_steps_back_are_held_and_great_ones_followed() {
        let second = Duration::from_secs;
        assert_eq!(held(second(100), second(101)), second(101));
        assert_eq!(held(second(100), second(41)), second(100));
        assert_eq!(held(second(100), second(40)), second(40));
    }
}
