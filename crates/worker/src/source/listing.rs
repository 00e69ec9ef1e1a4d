//! The walk through a source's tree, page by page.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::answer::{Answer, Step, protocol};
use super::client::split_cursor;
use super::connection::{Connection, Verb};
use super::error::SourceError;
use super::exclusions::Exclusion;
use super::frame::FrameKind;
use super::pace::Repeats;
use crate::model::{EntryKind, FileEntry, SitePath};

/// Where a listing stands: the last path that was listed. Opaque, small, fit for checkpoints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ListCursor(String);

/// Some hundred entries of the tree, depth first, the names of each folder in byte order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListPage {
    /// Files, folders and links.
    pub entries: Vec<FileEntry>,
    /// What a rule leaves out; a folder stands for all that is in it.
    pub left_out: Vec<LeftOut>,
    /// What could not be listed.
    pub problems: Vec<ListProblem>,
    /// Where to go on behind this page.
    pub next: ListCursor,
}

/// Something that is left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Where it is.
    pub path: SitePath,
    /// Id of the rule; `wp_config` for the file with the passwords.
    pub rule: String,
}

/// Something that could not be listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListProblem {
    /// Where it is.
    pub path: SitePath,
    /// `unreadable`, `vanished`, `special` (a socket or device), `too_deep`, or `bad_name`.
    pub kind: String,
}

/// Lists a tree. Goes on by itself from the last whole page when an answer breaks off.
#[derive(Debug)]
pub struct Lister {
    connection: Arc<Connection>,
    exclude: serde_json::Value,
    cursor: Option<ListCursor>,
    answer: Option<Answer>,
    repeats: Repeats,
    is_done: bool,
}

#[derive(Deserialize)]
struct Item {
    p: String,
    t: String,
    #[serde(default)]
    s: u64,
    #[serde(default)]
    m: i64,
    #[serde(default)]
    o: u32,
    #[serde(default)]
    l: String,
    #[serde(default)]
    r: String,
}

impl Lister {
    pub(super) fn new(
        connection: Arc<Connection>,
        cursor: Option<ListCursor>,
        exclusions: &[Exclusion],
    ) -> Self {
        let repeats = Repeats::new(Arc::clone(&connection.limits));
        Self { connection, exclude: json!(exclusions), cursor, answer: None, repeats, is_done: false }
    }

    /// The next page; none at the end of the tree.
    pub async fn next_page(&mut self) -> Result<Option<ListPage>, SourceError> {
        while !self.is_done {
            match self.step().await {
                Ok(Some(page)) => {
                    self.repeats.progress();
                    return Ok(Some(page));
                }
                Ok(None) => {}
                Err(error) => {
                    self.answer = None;
                    self.repeats.after(error).await?;
                }
            }
        }
        Ok(None)
    }

    async fn step(&mut self) -> Result<Option<ListPage>, SourceError> {
        let answer = match &mut self.answer {
            Some(answer) => answer,
            empty => {
                let params = json!({ "exclude": self.exclude, "cursor": self.cursor });
                empty.insert(self.connection.ask(Verb::ListFiles, params).await?)
            }
        };
        match answer.next().await? {
            Step::Frame(FrameKind::Entries, payload) => {
                let page = read_page(&payload)?;
                if self.cursor.as_ref() == Some(&page.next) {
                    return Err(protocol("the listing does not move"));
                }
                self.cursor = Some(page.next.clone());
                Ok(Some(page))
            }
            Step::Frame(..) => Err(protocol("a frame of another verb")),
            Step::Complete(facts) => {
                self.answer = None;
                self.is_done = facts["done"].as_bool() == Some(true);
                Ok(None)
            }
        }
    }
}

fn read_page(payload: &[u8]) -> Result<ListPage, SourceError> {
    let (cursor, at) = split_cursor(payload)?;
    let items: Vec<Item> = serde_json::from_slice(&payload[at..])
        .map_err(|_| protocol("a page of the listing cannot be read"))?;
    let mut page = ListPage {
        entries: Vec::with_capacity(items.len()),
        left_out: Vec::new(),
        problems: Vec::new(),
        next: ListCursor(STANDARD.encode(cursor)),
    };
    for item in items {
        let bytes = STANDARD.decode(&item.p).map_err(|_| protocol("a path is not base64"))?;
        let path = SitePath::new(bytes).map_err(|_| protocol("a path leaves the tree"))?;
        let kind = match item.t.as_str() {
            "f" => EntryKind::File { size: item.s },
            "d" => EntryKind::Folder,
            "l" => EntryKind::Link { target: item.l },
            "x" => {
                page.left_out.push(LeftOut { path, rule: item.r });
                continue;
            }
            _problem => {
                page.problems.push(ListProblem { path, kind: item.r });
                continue;
            }
        };
        page.entries.push(FileEntry { path, kind, mtime: item.m, mode: item.o });
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(cursor: &[u8], json: &str) -> Vec<u8> {
        [&u32::try_from(cursor.len()).unwrap().to_le_bytes()[..], cursor, json.as_bytes()].concat()
    }

    #[test]
    fn a_page_holds_entries_what_is_left_out_and_problems() {
        let json = r#"[{"p":"YQ==","t":"f","m":5,"o":420,"s":9},{"p":"Yg==","t":"x","r":"cache"},
            {"p":"Yw==","t":"e","r":"unreadable"},{"p":"ZP8=","t":"l","m":1,"o":511,"l":"eA=="}]"#;
        let page = read_page(&payload(b"d\xff", json)).unwrap();
        assert_eq!(page.entries.len(), 2);
        assert_eq!(page.entries[0].kind, EntryKind::File { size: 9 });
        assert_eq!((page.entries[0].mode, page.entries[0].mtime), (0o644, 5));
        assert_eq!(page.left_out[0].rule, "cache");
        assert_eq!(page.problems[0].kind, "unreadable");
    }

    #[test]
    fn paths_that_leave_the_tree_and_cut_payloads_are_refused() {
        assert!(read_page(&payload(b"x", r#"[{"p":"Li4veA==","t":"f"}]"#)).is_err());
        assert!(read_page(&payload(b"x", "[{")).is_err());
        assert!(read_page(&[9, 0, 0, 0, 1]).is_err());
        assert!(read_page(&[]).is_err());
    }
}
