//! The cut-over of the files: close the door, swap, open the door; and the way back.
//!
//! At every moment PHP at the destination serves the old site, 503, or the new one. While the door is closed,
//! `index.php` and `wp-load.php` of the live root are stubs that answer 503, and a `.maintenance` is there for
//! whatever else loads WordPress. Each act is one rename, announced in the journal before it is done and told from
//! what is where afterwards, so every step may run again after a crash at any point.

mod back;
mod door;
mod entries;
mod journal;
mod whole;

pub use journal::{MemoryJournal, SwapJournal};

use super::{DestPath, FilesDestination, FilesError, SwapMode, Workspace};
use crate::slice::SliceError;

/// The file swap of one migration, under the token of one claim.
#[derive(Clone, Copy)]
pub struct FileSwap<'a> {
    workspace: &'a Workspace,
    journal: &'a dyn SwapJournal,
}

impl<'a> FileSwap<'a> {
    /// On this workspace, adopted under the present token, with this journal.
    pub fn new(workspace: &'a Workspace, journal: &'a dyn SwapJournal) -> Self {
        Self { workspace, journal }
    }

    /// Closes the door: from its end on PHP answers 503. What the stubs stand in for is kept.
    pub async fn close_door(&self) -> Result<(), SliceError> {
        door::close(self).await
    }

    /// Replaces the live root's contents by the staged ones, the door staying closed. The old ones are kept.
    pub async fn swap(&self) -> Result<(), SliceError> {
        if self.begins("swap").await? {
            door::hold_new(self).await?;
            match self.workspace.mode() {
                SwapMode::Root => whole::swap(self).await?,
                SwapMode::Sibling | SwapMode::Entries => entries::swap(self).await?,
            }
            self.ends("swap").await?;
        }
        Ok(())
    }

    /// Opens the door to the new site.
    pub async fn open_door(&self) -> Result<(), SliceError> {
        door::open_new(self).await
    }

    /// Closes the door for the way back, from wherever a cut-over stands: what has to come back besides the files comes
    /// back between this and [`FileSwap::swap_back`]. Nothing to do where the door was never closed.
    pub async fn close_for_return(&self) -> Result<(), SliceError> {
        back::close(self).await
    }

    /// Brings the old site back, from wherever a cut-over stands or after it: closes the door, puts back what was moved,
    /// opens the door to the old site. Nothing to do where the door was never closed.
    pub async fn swap_back(&self) -> Result<(), SliceError> {
        back::swap_back(self).await
    }

    /// Removes the work folder: what was staged or kept. After it there is no way back.
    pub async fn clean_up(&self) -> Result<(), SliceError> {
        Ok(self.workspace.remove().await?)
    }

    /// Announces an act in the journal; false where it is ticked off already and must not be done again.
    async fn begins(&self, step: &str) -> Result<bool, SliceError> {
        if self.journal.is_done(step).await? {
            return Ok(false);
        }
        self.journal.intend(step).await?;
        Ok(true)
    }

    async fn ends(&self, step: &str) -> Result<(), SliceError> {
        self.journal.complete(step).await
    }

    fn files(&self) -> &dyn FilesDestination {
        self.workspace.files()
    }

    fn door(&self) -> DestPath {
        self.workspace.folder().child("door")
    }
}

/// What keeps the live root from being changed is a refusal; what keeps us from the server may pass.
fn refused(error: FilesError) -> SliceError {
    match error {
        FilesError::NotFound { .. }
        | FilesError::Exists { .. }
        | FilesError::PermissionDenied { .. }
        | FilesError::BadName { .. } => SliceError::failed("destination.swap_refused", error.to_string()),
        FilesError::DiskFull { .. }
        | FilesError::BadRoot { .. }
        | FilesError::AccessDenied { .. }
        | FilesError::HostKeyMismatch { .. }
        | FilesError::Unreachable { .. }
        | FilesError::Server { .. }
        | FilesError::Fenced => error.into(),
    }
}
