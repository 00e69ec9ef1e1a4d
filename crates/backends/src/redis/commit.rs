//! A commit as one script call.

use std::sync::LazyLock;
use std::time::Duration;

use landfall_common::StoreTime;
use landfall_common::ports::{
    Commit, CommitError, Committed, DocumentKey, DocumentWrite, Expect, IndexWrite, OutboxWrite, Score,
    StoreError, Write,
};
use redis::Script;

use super::link::Link;
use crate::limits::{SCORE_MAX, micros};

static SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("commit.lua")));

pub(super) async fn commit(link: &Link, commit: &Commit) -> Result<Committed, CommitError> {
    let arguments = Arguments::of(commit)?;
    let parts: Vec<&[u8]> = arguments.0.iter().map(AsRef::as_ref).collect();
    let (outcome, what): (String, String) = link.script(&SCRIPT, &parts).await?;
    match outcome.as_str() {
        "done" => Ok(Committed { at: parse_time(&what)? }),
        "conflict" => Err(CommitError::Conflict { what }),
        other => Err(StoreError::Broken(format!("a commit ended as {other:?}")).into()),
    }
}

/// The name of a document in keys and in conflicts.
pub(super) fn document_name(key: &DocumentKey) -> String {
    format!("{}/{}", key.kind.as_str(), key.id)
}

pub(super) fn parse_time(text: &str) -> Result<StoreTime, StoreError> {
    text.parse().map(StoreTime).map_err(|_| StoreError::Broken(format!("{text:?} is no time")))
}

/// The script's arguments; bodies are not copied.
struct Arguments<'a>(Vec<Argument<'a>>);

enum Argument<'a> {
    Text(String),
    Bytes(&'a [u8]),
}

impl AsRef<[u8]> for Argument<'_> {
    fn as_ref(&self) -> &[u8] {
        match self {
            Argument::Text(text) => text.as_bytes(),
            Argument::Bytes(bytes) => bytes,
        }
    }
}

impl<'a> Arguments<'a> {
    fn of(commit: &'a Commit) -> Result<Self, StoreError> {
        let mut arguments = Arguments(Vec::with_capacity(16));
        arguments.text(commit.request.to_string());
        arguments.length(commit.documents.len());
        for document in &commit.documents {
            arguments.document(document);
        }
        arguments.length(commit.events.len());
        for event in &commit.events {
            arguments.bytes(event.stream.as_bytes());
            arguments.bytes(&event.body);
            arguments.text(event.keep.map_or_else(String::new, |keep| keep.to_string()));
        }
        arguments.length(commit.outbox.len());
        for write in &commit.outbox {
            arguments.outbox(write);
        }
        arguments.length(commit.index.len());
        for write in &commit.index {
            arguments.index(write)?;
        }
        Ok(arguments)
    }

    fn text(&mut self, text: impl Into<String>) {
        self.0.push(Argument::Text(text.into()));
    }

    fn bytes(&mut self, bytes: &'a [u8]) {
        self.0.push(Argument::Bytes(bytes));
    }

    fn length(&mut self, length: usize) {
        self.text(length.to_string());
    }

    fn duration(&mut self, duration: Duration) {
        self.text(micros(duration).to_string());
    }

    fn nothing(&mut self, count: usize) {
        for _ in 0..count {
            self.bytes(b"");
        }
    }

    fn document(&mut self, document: &'a DocumentWrite) {
        self.text(document_name(&document.key));
        self.text(match document.expect {
            Expect::Absent => "absent".to_owned(),
            Expect::Version(version) => version.to_string(),
            Expect::Any => "any".to_owned(),
        });
        match &document.write {
            Write::Keep => {
                self.bytes(b"keep");
                self.nothing(2);
            }
            Write::Put(body) => {
                self.bytes(b"put");
                self.bytes(body);
                self.text(document.expires_in.map_or_else(String::new, |keep| micros(keep).to_string()));
            }
            Write::Delete => {
                self.bytes(b"delete");
                self.nothing(2);
            }
        }
    }

    fn outbox(&mut self, write: &'a OutboxWrite) {
        match write {
            OutboxWrite::Put { id, lane, tenant, due_in, body } => {
                self.bytes(b"put");
                self.bytes(id.as_bytes());
                self.bytes(lane.as_bytes());
                self.bytes(tenant.as_bytes());
                self.duration(*due_in);
                self.bytes(body);
            }
            OutboxWrite::Claim { id, due, hide, epoch } => {
                self.bytes(b"claim");
                self.bytes(id.as_bytes());
                self.text(due.as_micros().to_string());
                self.duration(*hide);
                self.text(epoch.to_string());
                self.nothing(1);
            }
            OutboxWrite::Remove { id } => {
                self.bytes(b"remove");
                self.bytes(id.as_bytes());
                self.nothing(4);
            }
        }
    }

    fn index(&mut self, write: &'a IndexWrite) -> Result<(), StoreError> {
        match write {
            IndexWrite::Set { index, member, score } => {
                self.bytes(b"set");
                self.bytes(index.as_bytes());
                self.bytes(member.as_bytes());
                match score {
                    Score::Value(value) if *value > SCORE_MAX => {
                        return Err(StoreError::Broken(format!(
                            "score {value} in index {index} is above 2^53"
                        )));
                    }
                    Score::Value(value) => {
                        self.bytes(b"value");
                        self.text(value.to_string());
                    }
                    Score::InFromNow(duration) => {
                        self.bytes(b"from_now");
                        self.duration(*duration);
                    }
                }
            }
            IndexWrite::Remove { index, member } => {
                self.bytes(b"remove");
                self.bytes(index.as_bytes());
                self.bytes(member.as_bytes());
                self.nothing(2);
            }
        }
        Ok(())
    }
}
