//! A source in memory, with files that change while they are read.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use base64::Engine as _;
use bytes::Bytes;
use landfall_worker::model::{Column, EntryKind, FileEntry, RowBlock, Schema, SitePath, Table};
use landfall_worker::phases::snapshot::{EntryPages, FileEvents, RowPages, SourceSite};
use landfall_worker::source::{
    Exchange, Exclusion, FileEvent, FileProblem, FileRequest, LeftOut, ListCursor, ListPage, Preflight,
    RowCursor, RowPage, RowsEnd, SourceError, SourceSchema, TableMark,
};

const PAGE: usize = 40;
const PIECE: usize = 100_000;

/// One entry of the tree.
#[derive(Debug, Clone)]
pub(crate) struct MadeFile {
    pub(crate) entry: FileEntry,
    pub(crate) contents: Bytes,
    /// How often it changes while it is read.
    pub(crate) changes: u32,
    pub(crate) problem: Option<FileProblem>,
}

/// One table.
#[derive(Debug, Clone)]
pub(crate) struct MadeTable {
    pub(crate) table: Table,
    pub(crate) rows: Vec<Vec<Option<Vec<u8>>>>,
}

/// The source.
#[derive(Debug, Default)]
pub(crate) struct MadeUp {
    pub(crate) files: Vec<MadeFile>,
    pub(crate) tables: Vec<MadeTable>,
    pub(crate) left_out: Vec<LeftOut>,
    pub(crate) multisite: bool,
    /// Table whose marks differ at the end.
    pub(crate) moving: Option<String>,
    pub(crate) marks_asked: AtomicU32,
    pub(crate) changed: std::sync::Mutex<std::collections::BTreeMap<SitePath, u32>>,
}

impl MadeUp {
    pub(crate) fn file(&mut self, path: &[u8], contents: impl Into<Bytes>) -> &mut MadeFile {
        let contents = contents.into();
        let kind = EntryKind::File { size: contents.len() as u64 };
        self.add(path, kind, contents)
    }

    pub(crate) fn folder(&mut self, path: &[u8]) {
        self.add(path, EntryKind::Folder, Bytes::new()).entry.mode = 0o755;
    }

    pub(crate) fn link(&mut self, path: &[u8], target: &[u8]) {
        let target = base64::engine::general_purpose::STANDARD.encode(target);
        self.add(path, EntryKind::Link { target }, Bytes::new());
    }

    fn add(&mut self, path: &[u8], kind: EntryKind, contents: Bytes) -> &mut MadeFile {
        let entry = FileEntry {
            path: SitePath::new(path).unwrap(),
            kind,
            mtime: 1_600_000_000 + self.files.len() as i64,
            mode: 0o644,
        };
        self.files.push(MadeFile { entry, contents, changes: 0, problem: None });
        self.files.last_mut().unwrap()
    }

    pub(crate) fn table(&mut self, name: &str, rows: Vec<Vec<Option<Vec<u8>>>>) {
        let column = |name: &str, data_type: &str| Column {
            name: name.to_owned(),
            data_type: data_type.to_owned(),
            column_type: data_type.to_owned(),
            charset: None,
            generated: false,
        };
        let table = Table {
            name: name.to_owned(),
            create_sql: format!("CREATE TABLE `{name}` (`id` bigint, `value` longblob)"),
            engine: "innodb".to_owned(),
            columns: vec![column("id", "bigint"), column("value", "longblob")],
            key: vec!["id".to_owned()],
            rows_estimate: rows.len() as u64,
            bytes_estimate: 0,
        };
        self.tables.push(MadeTable { table, rows });
    }

    /// The stamp that the file has now, and whether it changes while it is read: its stamp is another one then.
    fn change(&self, path: &SitePath, changes: u32) -> (String, bool) {
        let mut changed = self.changed.lock().unwrap();
        let times = changed.entry(path.clone()).or_default();
        *times += 1;
        if *times <= changes { (format!("before change {times}"), true) } else { ("same".to_owned(), false) }
    }
}

/// A shared source, as the phase takes it.
#[derive(Debug, Clone)]
pub(crate) struct Shared(pub(crate) Arc<MadeUp>);

#[async_trait]
impl SourceSite for Shared {
    async fn preflight(&self, _exclusions: &[Exclusion]) -> Result<Preflight, SourceError> {
        let mut found = Preflight::default();
        found.wordpress.version = "6.1.9".to_owned();
        found.wordpress.multisite = self.0.multisite;
        found.wordpress.home = "http://source.localhost".to_owned();
        found.database.prefix = "wp_".to_owned();
        found.paths.root = "/srv/old".to_owned();
        found.paths.places.insert("content".to_owned(), "wp-content".to_owned());
        Ok(found)
    }

    async fn schema(&self) -> Result<SourceSchema, SourceError> {
        let tables = self.0.tables.iter().map(|table| table.table.clone()).collect();
        Ok(SourceSchema { schema: Schema { tables, ..Schema::default() }, left_out: Vec::new() })
    }

    async fn table_marks(&self, tables: &[String]) -> Result<Vec<TableMark>, SourceError> {
        let asked = self.0.marks_asked.fetch_add(1, Ordering::Relaxed);
        Ok(tables
            .iter()
            .map(|name| {
                let rows = self.0.tables.iter().find(|t| t.table.name == *name).map(|t| t.rows.len() as u64);
                let next_id = (self.0.moving.as_ref() == Some(name)).then(|| asked.to_string());
                TableMark { name: name.clone(), rows, update_time: None, next_id }
            })
            .collect())
    }

    fn list_files(&self, cursor: Option<ListCursor>, _exclusions: &[Exclusion]) -> Box<dyn EntryPages> {
        Box::new(Lister { source: self.clone(), at: position(cursor) })
    }

    fn read_files(&self, requests: Vec<FileRequest>) -> Box<dyn FileEvents> {
        Box::new(Reader { source: self.clone(), requests: requests.into(), events: VecDeque::new() })
    }

    fn last_exchanges(&self) -> Vec<Exchange> {
        Vec::new()
    }

    fn read_rows(&self, table: &Table, cursor: Option<RowCursor>) -> Box<dyn RowPages> {
        let rows = self.0.tables.iter().find(|t| t.table.name == table.name).unwrap().rows.clone();
        Box::new(Rows { rows, at: position(cursor), is_done: false })
    }
}

/// The cursors are opaque; here they are numbers in text.
fn position(cursor: Option<impl serde::Serialize>) -> usize {
    let Some(cursor) = cursor else { return 0 };
    serde_json::to_value(cursor).unwrap().as_str().unwrap().parse().unwrap()
}

fn cursor<T: serde::de::DeserializeOwned>(at: usize) -> T {
    serde_json::from_value(serde_json::Value::String(at.to_string())).unwrap()
}

struct Lister {
    source: Shared,
    at: usize,
}

#[async_trait]
impl EntryPages for Lister {
    async fn next_page(&mut self) -> Result<Option<ListPage>, SourceError> {
        tokio::task::yield_now().await;
        let files = &self.source.0.files;
        if self.at >= files.len() {
            return Ok(None);
        }
        let end = (self.at + PAGE).min(files.len());
        let left_out = if self.at == 0 { self.source.0.left_out.clone() } else { Vec::new() };
        let entries = files[self.at..end].iter().map(|file| file.entry.clone()).collect();
        self.at = end;
        Ok(Some(ListPage { entries, left_out, problems: Vec::new(), next: cursor(end) }))
    }
}

struct Reader {
    source: Shared,
    requests: VecDeque<FileRequest>,
    events: VecDeque<FileEvent>,
}

impl Reader {
    fn begin(&mut self, request: FileRequest) {
        let file = self.source.0.files.iter().find(|file| file.entry.path == request.path).unwrap().clone();
        let path = request.path.clone();
        if let Some(kind) = file.problem {
            self.events.push_back(FileEvent::Problem { path, kind });
            return;
        }
        let (stamp, is_changing) = self.source.0.change(&path, file.changes);
        let offset = if request.stamp.as_ref() == Some(&stamp) { request.offset } else { 0 };
        self.events.push_back(FileEvent::Begin {
            path: path.clone(),
            size: file.contents.len() as u64,
            mtime: file.entry.mtime,
            mode: file.entry.mode,
            offset,
            stamp,
        });
        let rest = file.contents.slice(usize::try_from(offset).unwrap()..);
        if is_changing {
            for piece in rest[..rest.len() * 3 / 4].chunks(PIECE) {
                self.events.push_back(FileEvent::Data(Bytes::from(vec![0xEE; piece.len()])));
            }
            self.events.push_back(FileEvent::Restarted { path: path.clone() });
            self.requests.push_back(FileRequest::whole(path));
            return;
        }
        for start in (0..rest.len()).step_by(PIECE) {
            self.events.push_back(FileEvent::Data(rest.slice(start..(start + PIECE).min(rest.len()))));
        }
        self.events.push_back(FileEvent::End);
    }
}

#[async_trait]
impl FileEvents for Reader {
    async fn next_event(&mut self) -> Result<Option<FileEvent>, SourceError> {
        tokio::task::yield_now().await;
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(Some(event));
            }
            let Some(request) = self.requests.pop_front() else { return Ok(None) };
            self.begin(request);
        }
    }
}

struct Rows {
    rows: Vec<Vec<Option<Vec<u8>>>>,
    at: usize,
    is_done: bool,
}

#[async_trait]
impl RowPages for Rows {
    async fn next_page(&mut self) -> Result<Option<RowPage>, SourceError> {
        tokio::task::yield_now().await;
        let mut block = RowBlock::default();
        let mut bytes = Vec::new();
        while self.at < self.rows.len() && bytes.len() < 256 * 1024 {
            for value in &self.rows[self.at] {
                RowBlock::push_value(&mut bytes, value.as_deref());
            }
            block.rows += 1;
            self.at += 1;
        }
        if block.rows == 0 {
            self.is_done = true;
            return Ok(None);
        }
        block.bytes = bytes.into();
        Ok(Some(RowPage { block, next: cursor(self.at), large: None }))
    }

    fn end(&self) -> Option<RowsEnd> {
        self.is_done.then_some(RowsEnd { rows: self.rows.len() as u64, counted: None })
    }
}

/// Bytes that do not compress and can be told apart.
pub(crate) fn noise(seed: u64, length: usize) -> Bytes {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    let mut out = vec![0; length];
    hasher.finalize_xof().fill(&mut out);
    out.into()
}

/// A site with every kind of entry: 500 files, three large ones, odd names, links, empty folders, four tables.
pub(crate) fn usual_site() -> MadeUp {
    let mut site = MadeUp::default();
    site.file(b"index.php", "<?php // new index");
    site.file(b"wp-load.php", "<?php // new load");
    site.file(b"empty.txt", "");
    for folder in ["wp-admin", "wp-content", "wp-content/empty folder", "wp-content/uploads"] {
        site.folder(folder.as_bytes());
    }
    site.file(b"wp-content/object-cache.php", "<?php // old host");
    site.file(b".user.ini", "auto_prepend_file=/srv/old/waf.php");
    for number in 0..500u64 {
        let length = 200 + usize::try_from(number * 37 % 40_000).unwrap();
        let name = format!("wp-content/uploads/file-{number}.jpg");
        site.file(name.as_bytes(), noise(number, length)).changes = u32::from(number % 97 == 0);
    }
    site.file(b"wp-content/uploads/\xff\xe9 \n-odd", "odd");
    site.file("wp-content/uploads/é".as_bytes(), "nfc");
    site.file("wp-content/uploads/e\u{301}".as_bytes(), "nfd");
    site.file(&[b"wp-content/uploads/".as_slice(), &[b'n'; 250]].concat(), "long");
    site.file(b"big-exact.bin", noise(1001, 16 * 1024 * 1024));
    site.file(b"big-odd.bin", noise(1002, 20_000_001)).changes = 2;
    site.file(b"gone.bin", noise(1003, 9_000_000)).problem = Some(FileProblem::Vanished);
    site.file(b"script.sh", "#!/bin/sh\n").entry.mode = 0o755;
    site.link(b"wp-content/link", b"uploads/file-1.jpg");
    site.link(b"escape", b"../../etc/passwd");
    site.link(b"absolute", b"/srv/old/wp-content/uploads");
    site.left_out.push(LeftOut { path: SitePath::new("wp-content/cache").unwrap(), rule: "cache".into() });
    let row = |id: u64, value: Option<Vec<u8>>| vec![Some(id.to_string().into_bytes()), value];
    site.table("wp_posts", (0..3000).map(|id| row(id, Some(noise(id, 3000).to_vec()))).collect());
    site.table("wp_empty", Vec::new());
    site.table(
        "wp_huge",
        vec![row(1, Some(noise(5, 20_000_000).to_vec())), row(2, None), row(3, Some(vec![]))],
    );
    site.table("wp_small", vec![row(1, None), row(1, None)]);
    site
}
