//! Step `verify`: hashes again what was written through older handles.

use super::place::{is_same, split, write_files};
use super::staging_area::Area;
use super::step_event;
use crate::model::EntryKind;
use crate::slice::SliceError;
use crate::snapshot_format::FileItem;

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
                let mut differing = Vec::new();
                for (packed, contents) in area.snapshot.pack(&object, &index).await? {
                    let EntryKind::File { size } = packed.entry.kind else { continue };
                    if area.filter.refusal(&packed.entry).is_some() {
                        continue;
                    }
                    looked_at += 1;
                    let target = area.workspace.staged(&packed.entry.path);
                    if !is_same(area.workspace.files(), &target, size, packed.blake3).await? {
                        differing.push((packed, contents));
                    }
                }
                let (_, files) = split(differing);
                written += files.len();
                write_files(&area.workspace, files, false).await?;
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
        let message = format!("Hashed {looked_at} files again that an earlier worker wrote as well; {written} differed.");
        area.slice.tell(step_event(STEP, message, serde_json::json!({ "written": written }))).await?;
    }
    Ok(true)
}
