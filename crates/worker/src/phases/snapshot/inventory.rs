//! Step `inventory`: lists the source's tree into parts of NDJSON.

use std::collections::BTreeMap;

use super::copy::{Copy, Unread};
use super::exclusions::exclusions_of;
use super::port::failed;
use super::{SnapshotLimits, step_event};
use crate::failpoint::failpoint;
use crate::model::EntryKind;
use crate::slice::SliceError;
use crate::snapshot_format::{INVENTORY_ENTRIES, LeftOut, ListingWriter, Record};
use crate::source::{LeftOut as LeftOutEntry, ListCursor, ListPage};

const STEP: &str = "inventory";
/// Paths that the manifest gives as examples of what a rule left out.
const EXAMPLES: usize = 3;
/// Characters of such a path.
const EXAMPLE_CHARS: usize = 100;
/// Rules counted one by one; what further ones leave out is counted together.
const RULES_MAX: usize = 120;

/// A part that is being filled.
struct Part {
    entries: ListingWriter,
    left_out: ListingWriter,
    rules: BTreeMap<String, LeftOut>,
    unread: Vec<Unread>,
    file_bytes: u64,
    at: Option<ListCursor>,
}

pub(super) async fn run(copy: &Copy, limits: &SnapshotLimits) -> Result<(), SliceError> {
    let cursor = copy.cursor().await.inventory;
    if cursor.is_done {
        return Ok(());
    }
    if cursor.at.is_none() {
        copy.slice
            .tell(step_event(STEP, "Listing the source's files.".to_owned(), serde_json::json!({})))
            .await?;
    }
    let exclusions = exclusions_of(&copy.slice.migration.options);
    let mut pages = copy.source.list_files(cursor.at, &exclusions);
    let mut part = Part::new()?;
    while !copy.slice.should_end() {
        let Some(page) = pages.next_page().await.map_err(failed)? else {
            commit(copy, part, true).await?;
            return finish(copy).await;
        };
        part.take(page)?;
        if part.is_full() {
            refuse(copy, &part, limits).await?;
            commit(copy, std::mem::replace(&mut part, Part::new()?), false).await?;
        }
    }
    commit(copy, part, false).await
}

/// Stores a part and moves behind it.
async fn commit(copy: &Copy, part: Part, is_done: bool) -> Result<(), SliceError> {
    let mut records = Vec::new();
    let number = copy.cursor().await.inventory.parts;
    let (listing, entries) = part.entries.finish()?;
    let is_empty = entries == 0;
    if !is_empty {
        let object = copy.writer.put("inventory.ndjson.zst", listing).await?;
        records.push(Record::Inventory { object, part: number, entries });
    }
    let (listing, left_out) = part.left_out.finish()?;
    if left_out > 0 {
        let object = copy.writer.put("left-out.ndjson.zst", listing).await?;
        records.push(Record::LeftOut { object, entries: left_out });
    }
    failpoint("snapshot.inventory_part").await?;
    let (at, file_bytes, rules) = (part.at, part.file_bytes, part.rules);
    copy.commit(records, part.unread, STEP, |cursor| {
        let inventory = &mut cursor.inventory;
        inventory.at = at.or(inventory.at.take());
        inventory.parts += u32::from(!is_empty);
        inventory.entries += entries;
        inventory.file_bytes += file_bytes;
        inventory.is_done = is_done;
        rules.into_values().for_each(|more| add(&mut inventory.left_out, more));
    })
    .await
}

async fn finish(copy: &Copy) -> Result<(), SliceError> {
    copy.checkpoint().await?;
    let cursor = copy.cursor().await.inventory;
    let left_out: u64 = cursor.left_out.values().map(|rule| rule.entries).sum();
    let message = format!(
        "Listed {} files, folders and links of {} MB; {left_out} left out by rules.",
        cursor.entries,
        cursor.file_bytes / 1_000_000
    );
    let facts = serde_json::json!({
        "entries": cursor.entries, "file_bytes": cursor.file_bytes, "left_out": left_out,
    });
    copy.slice.tell(step_event(STEP, message, facts)).await
}

async fn refuse(copy: &Copy, part: &Part, limits: &SnapshotLimits) -> Result<(), SliceError> {
    let cursor = copy.cursor().await.inventory;
    let entries = cursor.entries + part.entries.entries();
    let bytes = cursor.file_bytes + part.file_bytes;
    if entries <= limits.entries_max && bytes <= limits.file_bytes_max {
        return Ok(());
    }
    let why = format!(
        "{entries} files and folders of {bytes} bytes so far; at most {} of {} bytes are taken",
        limits.entries_max, limits.file_bytes_max
    );
    Err(SliceError::failed("snapshot.limit_exceeded", why))
}

impl Part {
    fn new() -> Result<Self, SliceError> {
        Ok(Self {
            entries: ListingWriter::new()?,
            left_out: ListingWriter::new()?,
            rules: BTreeMap::new(),
            unread: Vec::new(),
            file_bytes: 0,
            at: None,
        })
    }

    fn is_full(&self) -> bool {
        self.entries.entries() >= INVENTORY_ENTRIES || self.left_out.entries() >= INVENTORY_ENTRIES
    }

    fn take(&mut self, page: ListPage) -> Result<(), SliceError> {
        for entry in &page.entries {
            if let EntryKind::File { size } = entry.kind {
                self.file_bytes = self.file_bytes.saturating_add(size);
            }
            self.entries.push(entry)?;
        }
        for entry in page.left_out {
            self.left_out.push(&entry)?;
            add(&mut self.rules, one(entry));
        }
        self.unread.extend(page.problems.into_iter().map(|p| Unread { path: p.path, why: p.kind }));
        self.at = Some(page.next);
        Ok(())
    }
}

fn one(entry: LeftOutEntry) -> LeftOut {
    let example = entry.path.display().chars().take(EXAMPLE_CHARS).collect();
    LeftOut { rule: entry.rule, entries: 1, examples: vec![example] }
}

fn add(rules: &mut BTreeMap<String, LeftOut>, more: LeftOut) {
    let is_known = rules.contains_key(&more.rule) || rules.len() < RULES_MAX;
    let name = if is_known { more.rule } else { "other".to_owned() };
    let rule = rules.entry(name.clone()).or_insert_with(|| LeftOut { rule: name, ..LeftOut::default() });
    rule.entries += more.entries;
    let room = EXAMPLES.saturating_sub(rule.examples.len());
    rule.examples.extend(more.examples.into_iter().take(room));
}
