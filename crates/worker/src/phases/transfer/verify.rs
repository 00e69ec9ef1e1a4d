//! Step `verify`: hashes again what was written through older handles.

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};

use super::place::{is_same, split, write_files};
use super::staging_area::Area;
use super::step_event;
use crate::slice::SliceError;
use crate::snapshot_format::{FileItem, PackedEntry};

const STEP: &str = "verify";

/// Looks at the files of every window again and writes those that differ. True: all windows are done.
pub(super) async fn run(area: &mut Area) -> Result<bool, SliceError> {
    let windows = area.cursor.windows.clone();
    let (mut looked_at, mut written) = (0, 0);
    for (from, to) in windows {
        if to <= area.cursor.verified {
            continue;
        }
        let mut items = area.snapshot.files(from.max(area.cursor.verified));
        while let Some((behind, item)) = items.next().await? {
            if behind > to {
                break;
            }
            if let FileItem::Pack { object, index, .. } = item {
                let entries = area.snapshot.pack(&object, &index).await?;
                let (_, files) = split(entries);
                let files: Vec<_> =
                    files.into_iter().filter(|(p, _)| area.filter.refusal(&p.entry).is_none()).collect();
                looked_at += files.len();
                let differing = differing(area, files).await?;
                written += differing.len();
                write_files(&area.workspace, differing, false).await?;
            }
            area.cursor.verified = behind;
            area.moved(STEP, 0).await?;
            if area.slice.should_end() {
                return Ok(false);
            }
        }
        area.cursor.verified = area.cursor.verified.max(to);
    }
    if looked_at > 0 {
        let message = format!(
            "Hashed {looked_at} files again that an earlier worker wrote as well; {written} differed."
        );
        area.slice.tell(step_event(STEP, message, serde_json::json!({ "written": written }))).await?;
    }
    Ok(true)
}

type Entries = Vec<(PackedEntry, Bytes)>;

/// Those of a pack's files that are not at the destination as they should be, found many at a time.
async fn differing(area: &Area, files: Entries) -> Result<Entries, SliceError> {
    let looks: Vec<_> = files.into_iter().map(|(packed, contents)| look(area, packed, contents)).collect();
    let found: Vec<Option<(PackedEntry, Bytes)>> =
        futures::stream::iter(looks).buffer_unordered(area.workspace.files().width()).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

async fn look(
    area: &Area,
    packed: PackedEntry,
    contents: Bytes,
) -> Result<Option<(PackedEntry, Bytes)>, SliceError> {
    let target = area.workspace.staged(&packed.entry.path);
    let size = contents.len() as u64;
    let is_there = is_same(area.workspace.files(), &target, size, packed.blake3).await?;
    Ok((!is_there).then_some((packed, contents)))
}
