//! How much of sites the slices of one process hold in memory at the same time.
//!
//! The bytes of a site flow through a worker in pieces of a few MiB, and every slot has several of them under way. What
//! bounds the process is not the number of slots but this budget, which all of them share: a piece is read only once
//! there is room for it. A piece so large that it fills the room has it to itself.
//!
//! A single row can be larger than any piece. One such row is held at a time in the whole process. Nobody waits for
//! anything while holding room, and who holds the right to a large row waits for room only; so nobody waits in a circle.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Rows, and parts that hold such a row, count as large from this size on, in bytes.
pub const LARGE_ROW_BYTES: u64 = 8 * 1024 * 1024;
/// Who holds a large row may be slow because its source is: after so long the next one goes ahead beside it. Memory is
/// then still bounded, by the slots.
const LARGE_ROW_WAIT: Duration = Duration::from_secs(60);
/// The unit in which the budget is handed out.
const UNIT_BYTES: u64 = 1024;
/// What a worker has unless it is configured otherwise.
const DEFAULT_BYTES: u64 = 32 * 1024 * 1024;

/// The budget of one process. Clones share it.
#[derive(Debug, Clone)]
pub struct MemoryBudget {
    room: Arc<Semaphore>,
    units: u32,
    large_row: Arc<Semaphore>,
}

/// Room that is taken until this is dropped.
#[derive(Debug)]
pub struct MemoryHold {
    _room: OwnedSemaphorePermit,
    _large_row: Option<OwnedSemaphorePermit>,
}

impl Default for MemoryBudget {
    fn default() -> Self {
        Self::new(DEFAULT_BYTES)
    }
}

impl MemoryBudget {
    /// A budget of so many bytes.
    pub fn new(bytes: u64) -> Self {
        const UNITS_MAX: u32 = u32::MAX >> 4;
        let units = u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(UNITS_MAX).clamp(1, UNITS_MAX);
        Self { room: Arc::new(Semaphore::new(units as usize)), units, large_row: Arc::new(Semaphore::new(1)) }
    }

    /// Waits for room for so many bytes; for the whole of it where they are more. In the order of asking, so that a
    /// large piece is not overtaken for ever. Not to be called while holding room.
    pub async fn hold(&self, bytes: u64) -> MemoryHold {
        MemoryHold { _room: self.room_for(bytes).await, _large_row: None }
    }

    /// Waits until no other large row is held (or for a minute), then for room for so many bytes.
    pub async fn hold_large_row(&self, bytes: u64) -> MemoryHold {
        let right = tokio::time::timeout(LARGE_ROW_WAIT, Arc::clone(&self.large_row).acquire_owned()).await;
        let large_row = right.ok().map(|permit| permit.expect("the semaphore is never closed"));
        MemoryHold { _room: self.room_for(bytes).await, _large_row: large_row }
    }

    async fn room_for(&self, bytes: u64) -> OwnedSemaphorePermit {
        let units = u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX).min(self.units);
        let permit = Arc::clone(&self.room).acquire_many_owned(units).await;
        permit.expect("the semaphore is never closed")
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn a_piece_waits_for_room_and_one_larger_than_all_of_it_gets_all_of_it() {
        let budget = MemoryBudget::new(1 << 20);
        let huge = budget.hold(1 << 40).await;
        assert!(budget.hold(1).now_or_never().is_none());
        drop(huge);
        let (_first, _second) = (budget.hold(1 << 19).await, budget.hold(1 << 19).await);
        assert!(budget.hold(1).now_or_never().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn large_rows_come_one_at_a_time_but_not_after_a_slow_one_for_ever() {
        let budget = MemoryBudget::new(1 << 20);
        let _row = budget.hold_large_row(1 << 19).await;
        let _piece = budget.hold(1 << 18).await;
        assert!(budget.hold_large_row(1).now_or_never().is_none());
        let _next = budget.hold_large_row(1).await;
    }
}
