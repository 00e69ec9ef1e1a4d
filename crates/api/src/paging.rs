//! Lists in pages, newest first, with opaque cursors that are bound to their filter.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use landfall_common::ports::{DocumentKind, IndexEntry, IndexQuery, Order};
use landfall_common::records::Versioned;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::problem::Problem;
use crate::state::ApiState;

/// Items of a page where the client does not say.
const LIMIT_USUAL: usize = 50;
/// Most items of a page.
const LIMIT_MAX: usize = 200;
/// Most entries of an index that one request looks at; a rare match is then found on a later page.
const SCAN_MAX: usize = 2000;
/// Highest score of an index entry: stores count exactly up to here.
const SCORE_MAX: u64 = 1 << 53;
/// Longest cursor that is looked at.
const CURSOR_MAX: usize = 512;

/// A page of a list.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Page<T> {
    /// The items, newest first.
    pub(crate) items: Vec<T>,
    /// Where the next page begins; absent on the last one. A page may be short, even empty, and not be the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
}

/// What is asked for.
#[derive(Debug)]
pub(crate) struct Walk {
    kind: DocumentKind,
    index: String,
    filter: String,
    after: Option<IndexEntry>,
    limit: usize,
}

#[derive(Serialize, Deserialize)]
struct Cursor {
    filter: String,
    member: String,
    score: u64,
}

impl Walk {
    /// A walk through `index`. `filter` is everything that decides what the list holds: a cursor of another
    /// filter is refused.
    pub(crate) fn new(
        kind: DocumentKind,
        index: String,
        filter: &impl Serialize,
        cursor: Option<&str>,
        limit: Option<usize>,
    ) -> Result<Self, Problem> {
        let limit = limit.unwrap_or(LIMIT_USUAL);
        if !(1..=LIMIT_MAX).contains(&limit) {
            return Err(Problem::bad_request(format!("limit has to be 1 to {LIMIT_MAX}")));
        }
        let filter = serde_json::to_vec(&(&index, filter)).expect("filters are plain data");
        let filter = blake3::hash(&filter).to_hex().as_str()[..16].to_owned();
        let after = cursor.map(|cursor| read_cursor(cursor, &filter)).transpose()?;
        Ok(Self { kind, index, filter, after, limit })
    }

    /// The page of those documents that `keep` keeps.
    pub(crate) async fn page<T: DeserializeOwned>(
        mut self,
        state: &ApiState,
        keep: impl Fn(&T) -> bool + Send,
    ) -> Result<Page<Versioned<T>>, Problem> {
        let mut items = Vec::new();
        let mut scanned = 0;
        loop {
            let query = IndexQuery {
                index: self.index.clone(),
                order: Order::Descending,
                until: None,
                after: self.after.clone(),
                limit: LIMIT_MAX,
            };
            let (_, entries) = state.records.store().index(&query).await?;
            let is_last = entries.len() < LIMIT_MAX;
            let ids: Vec<String> = entries.iter().map(|entry| entry.member.clone()).collect();
            let (_, documents) = state.records.read_all::<T>(self.kind, &ids).await?;
            let count = entries.len();
            for (at, (entry, document)) in entries.into_iter().zip(documents).enumerate() {
                scanned += 1;
                self.after = Some(entry);
                items.extend(document.filter(|document| keep(&document.value)));
                if items.len() == self.limit || scanned == SCAN_MAX {
                    let is_end = is_last && at + 1 == count;
                    return Ok(Page { items, next: if is_end { None } else { self.cursor() } });
                }
            }
            if is_last {
                return Ok(Page { items, next: None });
            }
        }
    }

    fn cursor(&self) -> Option<String> {
        let entry = self.after.as_ref()?;
        let cursor = Cursor { filter: self.filter.clone(), member: entry.member.clone(), score: entry.score };
        Some(URL_SAFE_NO_PAD.encode(serde_json::to_vec(&cursor).expect("a cursor is plain data")))
    }
}

fn read_cursor(text: &str, filter: &str) -> Result<IndexEntry, Problem> {
    let bad = || Problem::bad_request("the cursor is not one of this list and filter");
    if text.len() > CURSOR_MAX {
        return Err(bad());
    }
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| bad())?;
    let cursor: Cursor = serde_json::from_slice(&bytes).map_err(|_| bad())?;
    if cursor.filter != filter || cursor.score > SCORE_MAX {
        return Err(bad());
    }
    Ok(IndexEntry { member: cursor.member, score: cursor.score })
}

impl<T> Page<T> {
    /// The page with its items seen another way.
    pub(crate) fn map<U>(self, view: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(view).collect(), next: self.next }
    }
}
