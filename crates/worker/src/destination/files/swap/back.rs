//! The way back to the old site.

use super::door::{self, Side};
use super::{FileSwap, entries, whole};
use crate::destination::files::SwapMode;
use crate::slice::SliceError;

/// Brings the old site back and leaves the staged one as it was before the cut-over, so that it can be tried again.
pub(super) async fn swap_back(swap: &FileSwap<'_>) -> Result<(), SliceError> {
    if !swap.journal.is_done("door.prepare").await? {
        return Ok(());
    }
    close(swap).await?;
    match swap.workspace.mode() {
        SwapMode::Root => whole::back(swap).await?,
        SwapMode::Sibling | SwapMode::Entries => entries::back(swap).await?,
    }
    for name in door::OPENING {
        let step = format!("back.open.{name}");
        if swap.begins(&step).await? {
            door::put_back(swap, Side::Old, name).await?;
            swap.ends(&step).await?;
        }
    }
    swap.journal.clear().await
}

/// Closes the door on either site.
pub(super) async fn close(swap: &FileSwap<'_>) -> Result<(), SliceError> {
    if !swap.journal.is_done("door.prepare").await? {
        return Ok(());
    }
    // Finishing what was begun is simpler to tell apart than undoing it: now the old site's files are all kept.
    door::close(swap).await?;
    close_new(swap).await
}

/// Closes the door where it was opened to the new site, whose files are kept for another try.
async fn close_new(swap: &FileSwap<'_>) -> Result<(), SliceError> {
    if swap.begins("back.prepare").await? {
        door::prepare(swap, "back").await?;
        swap.ends("back.prepare").await?;
    }
    for name in door::NAMES {
        let step = format!("back.close.{name}");
        if swap.begins(&step).await? {
            let was_held = swap.journal.is_done(&format!("swap.hold.{name}")).await?;
            let is_open = was_held && !door::is_kept(swap, Side::New, name).await?;
            door::put_stub(swap, "back", name, is_open.then_some(Side::New)).await?;
            swap.ends(&step).await?;
        }
    }
    Ok(())
}
