//! The store as plain data: what the port promises, and nothing else.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use landfall_common::ports::{
    Commit, CommitError, Committed, Document, DocumentKey, DocumentWrite, DueQuery, EventWrite, Expect,
    FeedItem, IndexEntry, IndexQuery, IndexWrite, Order, OutboxEntry, OutboxWrite, Score, StoreError,
    StoredLine, Write,
};
use landfall_common::{RequestId, StoreTime};

/// How long a request id is remembered.
const MEMORY: Duration = Duration::from_secs(600);
/// Lines that the feed keeps.
const FEED_LINES: usize = 10_000;
/// The greatest score that the port allows.
const SCORE_MAX: u64 = 1 << 53;

/// Everything that a store holds. A clone of it is a backup, and putting one back is a rollback.
#[derive(Debug, Clone, Default)]
pub struct StoreModel {
    documents: BTreeMap<DocumentKey, Slot>,
    streams: BTreeMap<String, Stream>,
    outbox: BTreeMap<String, OutboxEntry>,
    indexes: BTreeMap<String, BTreeMap<String, u64>>,
    feed: VecDeque<(u64, String, u64)>,
    feed_last: u64,
    requests: BTreeMap<RequestId, StoreTime>,
    ephemeral: BTreeMap<String, (Bytes, StoreTime)>,
}

/// A document or what is left of it: versions are never used again.
#[derive(Debug, Clone, Default)]
struct Slot {
    version: u64,
    body: Option<Bytes>,
    expires: Option<StoreTime>,
}

#[derive(Debug, Clone, Default)]
struct Stream {
    last: u64,
    lines: VecDeque<StoredLine>,
}

impl StoreModel {
    /// A document that is there.
    pub fn document(&self, key: &DocumentKey, now: StoreTime) -> Option<Document> {
        let slot = self.documents.get(key)?;
        let is_over = slot.expires.is_some_and(|expires| expires <= now);
        let body = slot.body.clone().filter(|_| !is_over)?;
        Some(Document { version: slot.version, body })
    }

    /// The bodies of all documents of a kind.
    pub fn documents(
        &self,
        kind: landfall_common::ports::DocumentKind,
    ) -> impl Iterator<Item = (&str, &Bytes)> {
        self.documents
            .iter()
            .filter(move |(key, _)| key.kind == kind)
            .filter_map(|(key, slot)| Some((key.id.as_str(), slot.body.as_ref()?)))
    }

    /// Makes all of a commit true, or nothing.
    pub fn commit(&mut self, commit: &Commit, now: StoreTime) -> Result<Committed, CommitError> {
        if let Some(at) = self.requests.get(&commit.request).filter(|at| now.since(**at) < MEMORY) {
            return Ok(Committed { at: *at });
        }
        self.check(commit, now)?;
        for write in &commit.documents {
            self.write(write, now);
        }
        for event in &commit.events {
            self.append(event, now);
        }
        for write in &commit.outbox {
            self.write_outbox(write, now);
        }
        for write in &commit.index {
            self.write_index(write, now);
        }
        self.requests.insert(commit.request, now);
        Ok(Committed { at: now })
    }

    fn check(&self, commit: &Commit, now: StoreTime) -> Result<(), CommitError> {
        for write in &commit.documents {
            let version = self.document(&write.key, now).map(|document| document.version);
            let is_met = match write.expect {
                Expect::Absent => version.is_none(),
                Expect::Version(expected) => version == Some(expected),
                Expect::Any => true,
            };
            if !is_met {
                let what = format!("{}/{}", write.key.kind.as_str(), write.key.id);
                return Err(CommitError::Conflict { what });
            }
        }
        for write in &commit.outbox {
            if let OutboxWrite::Claim { id, due, .. } = write
                && self.outbox.get(id).map(|entry| entry.due) != Some(*due)
            {
                return Err(CommitError::Conflict { what: format!("outbox/{id}") });
            }
        }
        for write in &commit.index {
            if let IndexWrite::Set { index, score: Score::Value(value), .. } = write
                && *value > SCORE_MAX
            {
                return Err(StoreError::Broken(format!("score {value} in index {index}")).into());
            }
        }
        Ok(())
    }

    fn write(&mut self, write: &DocumentWrite, now: StoreTime) {
        match &write.write {
            Write::Keep => {}
            Write::Put(body) => {
                let slot = self.documents.entry(write.key.clone()).or_default();
                slot.version += 1;
                slot.body = Some(body.clone());
                slot.expires = write.expires_in.map(|keep| now.plus(keep));
            }
            Write::Delete => {
                if let Some(slot) = self.documents.get_mut(&write.key) {
                    slot.body = None;
                }
            }
        }
    }

    fn append(&mut self, event: &EventWrite, now: StoreTime) {
        let stream = self.streams.entry(event.stream.clone()).or_default();
        stream.last += 1;
        stream.lines.push_back(StoredLine { id: stream.last, at: now, body: event.body.clone() });
        if let Some(keep) = event.keep {
            let surplus = stream.lines.len().saturating_sub(keep as usize);
            stream.lines.drain(..surplus);
        }
        self.feed_last += 1;
        self.feed.push_back((self.feed_last, event.stream.clone(), stream.last));
        if self.feed.len() > FEED_LINES {
            self.feed.pop_front();
        }
    }

    fn write_outbox(&mut self, write: &OutboxWrite, now: StoreTime) {
        match write {
            OutboxWrite::Put { id, lane, tenant, due_in, body } => {
                let entry = OutboxEntry {
                    id: id.clone(),
                    lane: lane.clone(),
                    tenant: tenant.clone(),
                    due: now.plus(*due_in),
                    claims: 0,
                    epoch: 0,
                    body: body.clone(),
                };
                self.outbox.insert(id.clone(), entry);
            }
            OutboxWrite::Claim { id, due: _, hide, epoch } => {
                if let Some(entry) = self.outbox.get_mut(id) {
                    entry.due = now.plus(*hide);
                    entry.claims += 1;
                    entry.epoch = *epoch;
                }
            }
            OutboxWrite::Remove { id } => {
                self.outbox.remove(id);
            }
        }
    }

    fn write_index(&mut self, write: &IndexWrite, now: StoreTime) {
        match write {
            IndexWrite::Set { index, member, score } => {
                let score = match score {
                    Score::Value(value) => *value,
                    Score::InFromNow(more) => now.plus(*more).as_micros().min(SCORE_MAX),
                };
                self.indexes.entry(index.clone()).or_default().insert(member.clone(), score);
            }
            IndexWrite::Remove { index, member } => {
                if let Some(members) = self.indexes.get_mut(index) {
                    members.remove(member);
                }
            }
        }
    }

    /// Events of a stream above `after`.
    pub fn events(&self, stream: &str, after: u64, limit: usize) -> Vec<StoredLine> {
        let lines = self.streams.get(stream).into_iter().flat_map(|stream| &stream.lines);
        lines.filter(|line| line.id > after).take(limit).cloned().collect()
    }

    /// A page of an index.
    pub fn index(&self, query: &IndexQuery) -> Vec<IndexEntry> {
        let members = self.indexes.get(&query.index).into_iter().flatten();
        let mut all: Vec<(u64, &String)> = members.map(|(member, score)| (*score, member)).collect();
        all.sort_unstable();
        if query.order == Order::Descending {
            all.reverse();
        }
        let is_within = |score: u64| match (query.until, query.order) {
            (None, _) => true,
            (Some(until), Order::Ascending) => score <= until,
            (Some(until), Order::Descending) => score >= until,
        };
        let is_behind = |entry: (u64, &String)| match (&query.after, query.order) {
            (None, _) => true,
            (Some(after), Order::Ascending) => entry > (after.score, &after.member),
            (Some(after), Order::Descending) => entry < (after.score, &after.member),
        };
        all.into_iter()
            .filter(|entry| is_within(entry.0) && is_behind(*entry))
            .take(query.limit)
            .map(|(score, member)| IndexEntry { member: member.clone(), score })
            .collect()
    }

    /// The score of a member of an index.
    pub fn score(&self, index: &str, member: &str) -> Option<u64> {
        self.indexes.get(index)?.get(member).copied()
    }

    /// The names of the indexes that hold a member.
    pub fn indexes_with<'a>(&'a self, member: &'a str) -> impl Iterator<Item = &'a str> {
        self.indexes
            .iter()
            .filter(move |(_, members)| members.contains_key(member))
            .map(|(name, _)| name.as_str())
    }

    /// How many members each index has.
    pub fn count(&self, indexes: &[String]) -> Vec<u64> {
        indexes
            .iter()
            .map(|index| self.indexes.get(index).map_or(0, |members| members.len() as u64))
            .collect()
    }

    /// An entry of the outbox.
    pub fn outbox(&self, id: &str) -> Option<&OutboxEntry> {
        self.outbox.get(id)
    }

    /// The whole outbox.
    pub fn outbox_entries(&self) -> impl Iterator<Item = &OutboxEntry> {
        self.outbox.values()
    }

    /// Due entries of a lane: the tenants that wait longest, the longest due entries of each.
    pub fn due(&self, query: &DueQuery, now: StoreTime) -> Vec<OutboxEntry> {
        let is_first = query.skip_tenants == 0 && query.skip_entries == 0;
        let mut tenants: BTreeMap<&str, Vec<&OutboxEntry>> = BTreeMap::new();
        for entry in self.outbox.values().filter(|entry| entry.lane == query.lane) {
            let is_of_another =
                is_first && query.epoch != 0 && entry.epoch != 0 && entry.epoch != query.epoch;
            if entry.due <= now || is_of_another {
                tenants.entry(&entry.tenant).or_default().push(entry);
            }
        }
        let mut shares: Vec<Vec<&OutboxEntry>> = tenants.into_values().collect();
        for share in &mut shares {
            share.sort_by_key(|entry| (entry.due, &entry.id));
        }
        shares.sort_by_key(|share| share[0].due);
        let shares = shares.into_iter().skip(query.skip_tenants).take(query.tenants);
        shares
            .flat_map(|share| share.into_iter().skip(query.skip_entries).take(query.per_tenant))
            .cloned()
            .collect()
    }

    /// When the earliest entry of a lane is due.
    pub fn next_due(&self, lane: &str) -> Option<StoreTime> {
        self.outbox.values().filter(|entry| entry.lane == lane).map(|entry| entry.due).min()
    }

    /// The position behind the newest line of the feed.
    pub fn feed_position(&self) -> u64 {
        self.feed_last
    }

    /// Lines of the feed behind a position.
    pub fn feed(&self, after: u64, limit: usize) -> Vec<FeedItem> {
        let lines = self.feed.iter().filter(|(position, _, _)| *position > after).take(limit);
        lines
            .map(|(position, stream, event)| FeedItem {
                position: position.to_string(),
                stream: stream.clone(),
                event: *event,
            })
            .collect()
    }

    /// Sets an ephemeral value.
    pub fn put_ephemeral(&mut self, key: &str, value: Bytes, until: StoreTime) {
        self.ephemeral.insert(key.to_owned(), (value, until));
    }

    /// An ephemeral value that has not ended.
    pub fn ephemeral(&self, key: &str, now: StoreTime) -> Option<Bytes> {
        self.ephemeral.get(key).filter(|(_, until)| *until > now).map(|(value, _)| value.clone())
    }
}
