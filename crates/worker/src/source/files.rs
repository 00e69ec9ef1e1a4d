//! Contents of files: many in one request, large ones in parts, resumed in the middle.

use std::collections::VecDeque;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::answer::{Answer, Step, protocol};
use super::connection::{Connection, Verb};
use super::error::SourceError;
use super::frame::FrameKind;
use super::pace::Repeats;
use crate::model::SitePath;

/// Files in one request at most.
const BATCH_FILES: usize = 400;

/// Bytes of paths in one request at most: common firewalls refuse bodies over 128 KiB.
const BATCH_PATH_BYTES: usize = 24 * 1024;

/// A file to be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRequest {
    /// Where it is.
    pub path: SitePath,
    /// Bytes that the caller has already; together with `stamp` only.
    pub offset: u64,
    /// The stamp that came with those bytes.
    pub stamp: Option<String>,
}

impl FileRequest {
    /// The whole file.
    pub fn whole(path: SitePath) -> Self {
        Self { path, offset: 0, stamp: None }
    }

    /// The rest of a file of which the caller has `offset` bytes.
    pub fn rest(path: SitePath, offset: u64, stamp: String) -> Self {
        Self { path, offset, stamp: Some(stamp) }
    }
}

/// What a reader tells of its files, in order: `Begin`, `Data`…, then `End`, `Problem` or `Restarted`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileEvent {
    /// A file begins (or goes on at `offset`, where the caller asked for the rest of it).
    Begin {
        /// Which.
        path: SitePath,
        /// Its size now; exactly so many bytes come before `End`, counted from 0.
        size: u64,
        /// Its time of change now, seconds since 1970.
        mtime: i64,
        /// Its permission bits.
        mode: u32,
        /// The first byte that comes.
        offset: u64,
        /// What has to stay the same; kept by a caller that may go on in the middle later.
        stamp: String,
    },
    /// The next bytes of the file that began last.
    Data(Bytes),
    /// The file is whole, and was the same at its end as at its beginning.
    End,
    /// The file changed while it was read: what came of it is void. It begins again later.
    Restarted {
        /// Which.
        path: SitePath,
    },
    /// The file is not read; what came of it is void. The others go on.
    Problem {
        /// Which.
        path: SitePath,
        /// Why.
        kind: FileProblem,
    },
}

/// Why a file is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileProblem {
    /// No permission, or an error of the disk.
    Unreadable,
    /// It is not there any more.
    Vanished,
    /// It changed each time it was read, or is not a file any more.
    Changed,
    /// The plugin withholds it (`wp-config.php`).
    Withheld,
    /// Its real path is not below the site's root.
    Outside,
}

/// Reads files one after the other. Goes on by itself within a file when an answer breaks off.
#[derive(Debug)]
pub struct FileReader {
    connection: Arc<Connection>,
    /// Files that are not whole yet. The first `batch` of them are in the request under way.
    pending: VecDeque<Pending>,
    batch: usize,
    /// Files of the request that have ended.
    ended: usize,
    answer: Option<Answer>,
    repeats: Repeats,
    queued: VecDeque<FileEvent>,
}

#[derive(Debug)]
struct Pending {
    path: SitePath,
    /// Bytes that the caller has.
    offset: u64,
    stamp: Option<String>,
    size: u64,
    /// `Begin` was given and neither an end nor a restart.
    has_begun: bool,
    /// This answer has sent the file's begin frame.
    is_open: bool,
    restarts: u32,
}

#[derive(Deserialize)]
struct Begin {
    i: usize,
    size: u64,
    mtime: i64,
    mode: u32,
    offset: u64,
    stamp: String,
}

#[derive(Deserialize)]
struct Ended {
    i: usize,
    #[serde(default)]
    kind: String,
}

impl FileReader {
    pub(super) fn new(connection: Arc<Connection>, requests: Vec<FileRequest>) -> Self {
        let pending = requests.into_iter().map(Pending::of).collect();
        let repeats = Repeats::new(Arc::clone(&connection.limits));
        Self { connection, pending, batch: 0, ended: 0, answer: None, repeats, queued: VecDeque::new() }
    }

    /// The next event; none when every file has ended.
    pub async fn next(&mut self) -> Result<Option<FileEvent>, SourceError> {
        loop {
            if let Some(event) = self.queued.pop_front() {
                return Ok(Some(event));
            }
            if self.pending.is_empty() {
                return Ok(None);
            }
            match self.step().await {
                Ok(()) => {}
                Err(error) => {
                    self.answer = None;
                    self.repeats.after(error).await?;
                }
            }
        }
    }

    /// Takes one frame.
    async fn step(&mut self) -> Result<(), SourceError> {
        if self.answer.is_none() {
            let params = self.next_request();
            self.answer = Some(self.connection.ask(Verb::ReadFiles, params).await?);
        }
        let answer = self.answer.as_mut().expect("the line above has set it");
        match answer.next().await? {
            Step::Frame(FrameKind::FileBegin, payload) => self.begin(read(&payload)?),
            Step::Frame(FrameKind::FileData, payload) => self.take(payload),
            Step::Frame(FrameKind::FileEnd, payload) => self.end(&read::<Ended>(&payload)?),
            Step::Frame(FrameKind::FileError, payload) => self.error(&read::<Ended>(&payload)?),
            Step::Frame(..) => Err(protocol("a frame of another verb")),
            Step::Complete(facts) => {
                self.answer = None;
                if facts["done"].as_bool() == Some(true) && self.ended < self.batch {
                    return Err(protocol("files are missing in the answer"));
                }
                Ok(())
            }
        }
    }

    fn next_request(&mut self) -> Value {
        let mut path_bytes = 0;
        let mut files = Vec::new();
        for file in self.pending.iter_mut().take(BATCH_FILES) {
            path_bytes += file.path.as_bytes().len() + 40;
            if !files.is_empty() && path_bytes > BATCH_PATH_BYTES {
                break;
            }
            file.is_open = false;
            files.push(json!({
                "path": STANDARD.encode(file.path.as_bytes()),
                "offset": file.offset,
                "stamp": file.stamp.as_deref().unwrap_or_default(),
            }));
        }
        self.batch = files.len();
        self.ended = 0;
        json!({ "files": files })
    }

    /// The file that a frame with this index speaks of: always the first that is pending.
    fn current(&mut self, index: usize) -> Result<&mut Pending, SourceError> {
        if index != self.ended || index >= self.batch {
            return Err(protocol("a frame of another file"));
        }
        self.pending.front_mut().ok_or_else(|| protocol("a frame of no file"))
    }

    fn begin(&mut self, begin: Begin) -> Result<(), SourceError> {
        let file = self.current(begin.i)?;
        if file.is_open || begin.offset != file.offset || begin.offset > begin.size {
            return Err(protocol("a file begins where it should not"));
        }
        file.is_open = true;
        file.size = begin.size;
        file.stamp = Some(begin.stamp.clone());
        if !file.has_begun {
            file.has_begun = true;
            let event = FileEvent::Begin {
                path: file.path.clone(),
                size: begin.size,
                mtime: begin.mtime,
                mode: begin.mode,
                offset: begin.offset,
                stamp: begin.stamp,
            };
            self.queued.push_back(event);
        }
        Ok(())
    }

    fn take(&mut self, payload: Bytes) -> Result<(), SourceError> {
        let file = self.current(self.ended)?;
        let offset = file.offset + payload.len() as u64;
        if !file.is_open || offset > file.size {
            return Err(protocol("bytes of no file"));
        }
        file.offset = offset;
        self.repeats.progress();
        self.queued.push_back(FileEvent::Data(payload));
        Ok(())
    }

    fn end(&mut self, ended: &Ended) -> Result<(), SourceError> {
        let file = self.current(ended.i)?;
        if !file.is_open || file.offset != file.size {
            return Err(protocol("a file ends before its end"));
        }
        self.pop();
        self.queued.push_back(FileEvent::End);
        Ok(())
    }

    fn error(&mut self, ended: &Ended) -> Result<(), SourceError> {
        let restarts_max = self.connection.limits.restarts;
        let kind = match ended.kind.as_str() {
            "unreadable" => FileProblem::Unreadable,
            "vanished" => FileProblem::Vanished,
            "changed" => FileProblem::Changed,
            "withheld" => FileProblem::Withheld,
            "outside" => FileProblem::Outside,
            _unknown => return Err(protocol("a file fails for an unknown reason")),
        };
        self.current(ended.i)?;
        let Some(mut file) = self.pop() else { return Ok(()) };
        let path = file.path.clone();
        if kind == FileProblem::Changed && file.restarts < restarts_max {
            file.restarts += 1;
            file.offset = 0;
            file.stamp = None;
            let was_begun = std::mem::take(&mut file.has_begun);
            self.pending.push_back(file);
            if was_begun {
                self.queued.push_back(FileEvent::Restarted { path });
            }
        } else {
            self.queued.push_back(FileEvent::Problem { path, kind });
        }
        Ok(())
    }

    fn pop(&mut self) -> Option<Pending> {
        self.ended += 1;
        self.repeats.progress();
        self.pending.pop_front()
    }
}

impl Pending {
    fn of(request: FileRequest) -> Self {
        let FileRequest { path, offset, stamp } = request;
        let offset = if stamp.is_some() { offset } else { 0 };
        Self { path, offset, stamp, size: 0, has_begun: false, is_open: false, restarts: 0 }
    }
}

fn read<'a, T: Deserialize<'a>>(payload: &'a [u8]) -> Result<T, SourceError> {
    serde_json::from_slice(payload).map_err(|_| protocol("a frame of a file cannot be read"))
}
