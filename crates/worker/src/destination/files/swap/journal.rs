//! Where the swap notes what it is about to do.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;

use crate::slice::SliceError;

/// The journal of a cut-over. The import keeps it in a table beside its fence; every write fails with
/// [`SliceError::LeaseLost`] once a later token is there, which is what keeps a stale worker from the live root.
///
/// Step names are ASCII, at most 100 bytes.
#[async_trait]
pub trait SwapJournal: Send + Sync {
    /// Whether [`SwapJournal::complete`] was committed for this step.
    async fn is_done(&self, step: &str) -> Result<bool, SliceError>;

    /// Commits that the step is about to be done. Called again for the same step after a crash.
    async fn intend(&self, step: &str) -> Result<(), SliceError>;

    /// Commits that the step is done.
    async fn complete(&self, step: &str) -> Result<(), SliceError>;

    /// Forgets all steps: the old site is back, and the cut-over may be tried again.
    async fn clear(&self) -> Result<(), SliceError>;
}

/// A journal in memory, for tests and for cut-overs that nothing interrupts.
#[derive(Debug, Default)]
pub struct MemoryJournal {
    steps: Mutex<BTreeMap<String, bool>>,
}

impl MemoryJournal {
    /// Every step announced, and whether it is done.
    pub fn steps(&self) -> BTreeMap<String, bool> {
        self.steps.lock().expect("no holder of this lock panics").clone()
    }
}

#[async_trait]
impl SwapJournal for MemoryJournal {
    async fn is_done(&self, step: &str) -> Result<bool, SliceError> {
        Ok(self.steps().get(step).copied().unwrap_or(false))
    }

    async fn intend(&self, step: &str) -> Result<(), SliceError> {
        self.steps.lock().expect("no holder of this lock panics").entry(step.to_owned()).or_insert(false);
        Ok(())
    }

    async fn complete(&self, step: &str) -> Result<(), SliceError> {
        self.steps.lock().expect("no holder of this lock panics").insert(step.to_owned(), true);
        Ok(())
    }

    async fn clear(&self) -> Result<(), SliceError> {
        self.steps.lock().expect("no holder of this lock panics").clear();
        Ok(())
    }
}
