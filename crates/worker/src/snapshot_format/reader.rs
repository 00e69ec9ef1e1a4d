//! Reading a sealed snapshot. Every object's hash is checked before its contents are handed out.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use landfall_common::ports::Staging;

use super::ledger::{self, read_object};
use super::{
    ContentHash, FORMAT, LedgerHead, Manifest, ObjectRef, PackedEntry, Record, RowsHash, SnapshotError,
    TableSummary, blocking, decompress, read_listing, read_pack, read_rows,
};
use crate::model::{FileEntry, RowBlock, Schema, SitePath};

/// A sealed snapshot, open for reading. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SnapshotReader {
    staging: Arc<dyn Staging>,
    manifest: Arc<Manifest>,
    segments: Arc<Vec<LedgerHead>>,
}

/// One part of a table's rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowsPart {
    /// The object.
    pub object: ObjectRef,
    /// Its number within the table, from 0.
    pub part: u32,
    /// Its rows.
    pub rows: u64,
    /// Bytes of their frames.
    pub row_bytes: u64,
    /// The hash of these rows.
    pub rows_hash: RowsHash,
}

/// One part of the inventory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InventoryPart {
    /// The object.
    pub object: ObjectRef,
    /// Its lines.
    pub entries: u64,
}

/// A piece of the site's files, in the order in which they were copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileItem {
    /// Small files, folders and links: read them with [`SnapshotReader::pack`].
    Pack {
        /// The tar.
        object: ObjectRef,
        /// Its listing.
        index: ObjectRef,
        /// Entries in it.
        entries: u64,
        /// Regular files among them.
        files: u64,
        /// Bytes of their contents.
        file_bytes: u64,
    },
    /// A piece of a large file: read it with [`SnapshotReader::chunk`]. One with offset 0 begins the file anew.
    Chunk {
        /// The object.
        object: ObjectRef,
        /// The file.
        path: SitePath,
        /// Where in the file it begins.
        offset: u64,
        /// Its length.
        length: u64,
        /// The file's modification time.
        mtime: i64,
        /// The file's permission bits.
        mode: u32,
        /// On the last chunk: the hash of the whole file.
        whole: Option<ContentHash>,
    },
    /// The chunks of this file do not count: it could not be read to its end.
    Dropped {
        /// The file.
        path: SitePath,
    },
}

impl FileItem {
    /// Bytes of the contents in it.
    pub fn plain_bytes(&self) -> u64 {
        match self {
            FileItem::Pack { file_bytes, .. } => *file_bytes,
            FileItem::Chunk { length, .. } => *length,
            FileItem::Dropped { .. } => 0,
        }
    }
}

impl SnapshotReader {
    /// Opens the snapshot that this manifest seals, and checks the whole chain of its ledger.
    pub async fn open(staging: Arc<dyn Staging>, manifest_key: &str) -> Result<Self, SnapshotError> {
        let bytes = staging.get(manifest_key).await?;
        let manifest: Manifest =
            serde_json::from_slice(&bytes).map_err(|e| SnapshotError::corrupt(manifest_key, e))?;
        if manifest.format != FORMAT {
            return Err(SnapshotError::Format { format: manifest.format });
        }
        let segments = ledger::walk(staging.as_ref(), &manifest.ledger).await?;
        Ok(Self { staging, manifest: Arc::new(manifest), segments: Arc::new(segments) })
    }

    /// The manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The tables with their row counts and hashes.
    pub fn tables(&self) -> &[TableSummary] {
        &self.manifest.tables
    }

    /// The plugin's preflight answer.
    pub async fn preflight<T: serde::de::DeserializeOwned>(&self) -> Result<T, SnapshotError> {
        self.json(&self.manifest.preflight).await
    }

    /// The schema.
    pub async fn schema(&self) -> Result<Schema, SnapshotError> {
        self.json(&self.manifest.schema).await
    }

    /// The parts of every table's rows, in order; some 200 bytes of memory for every 4 MiB of rows.
    pub async fn rows_parts(&self) -> Result<BTreeMap<String, Vec<RowsPart>>, SnapshotError> {
        let mut tables: BTreeMap<String, Vec<RowsPart>> = BTreeMap::new();
        for segment in self.segments.iter() {
            for record in ledger::records(self.staging.as_ref(), segment).await? {
                match record {
                    Record::Rows { object, table, part, rows, row_bytes, rows_hash } => {
                        let parts = tables.entry(table).or_default();
                        if part == 0 {
                            parts.clear();
                        }
                        if part as usize != parts.len() {
                            return Err(SnapshotError::corrupt(
                                &object.key,
                                "a part of the table is missing",
                            ));
                        }
                        parts.push(RowsPart { object, part, rows, row_bytes, rows_hash });
                    }
                    // A table that was read again and found empty has no part 0 that would say so.
                    Record::Table { table, parts, .. } => {
                        tables.entry(table).or_default().truncate(parts as usize);
                    }
                    Record::Inventory { .. }
                    | Record::Pack { .. }
                    | Record::Chunk { .. }
                    | Record::Dropped { .. }
                    | Record::Unread { .. }
                    | Record::LeftOut { .. } => {}
                }
            }
        }
        for table in &self.manifest.tables {
            if tables.get(&table.name).map_or(0, Vec::len) != table.parts as usize {
                let key = &self.manifest.ledger.object.key;
                return Err(SnapshotError::corrupt(key, format!("table {} lacks parts", table.name)));
            }
        }
        Ok(tables)
    }

    /// The rows of one part.
    pub async fn rows(&self, part: &RowsPart) -> Result<RowBlock, SnapshotError> {
        let bytes = read_object(self.staging.as_ref(), &part.object).await?;
        let (key, rows, row_bytes) = (part.object.key.clone(), part.rows, part.row_bytes);
        blocking(move || read_rows(&key, &bytes, rows, row_bytes).map(|(_, block)| block)).await
    }

    /// The rows of these parts one after the other, the next one read ahead. To go on from part `n`, give `&parts[n..]`.
    pub fn rows_stream<'a>(
        &'a self,
        parts: &'a [RowsPart],
    ) -> impl Stream<Item = Result<(&'a RowsPart, RowBlock), SnapshotError>> + 'a {
        futures::stream::iter(parts.iter().map(move |part| async move { Ok((part, self.rows(part).await?)) }))
            .buffered(2)
    }

    /// The pieces of the site's files from a position on: 0, or one that [`FileItems::next`] gave.
    pub fn files(&self, from: u64) -> FileItems {
        FileItems { reader: self.clone(), at: from, loaded: None }
    }

    /// The entries of a pack with their contents, each checked against its hash.
    pub async fn pack(
        &self,
        tar: &ObjectRef,
        index: &ObjectRef,
    ) -> Result<Vec<(PackedEntry, Bytes)>, SnapshotError> {
        let (tar_bytes, index_bytes) = tokio::try_join!(
            read_object(self.staging.as_ref(), tar),
            read_object(self.staging.as_ref(), index)
        )?;
        let key = tar.key.clone();
        blocking(move || read_pack(&key, &tar_bytes, &index_bytes)).await
    }

    /// The listing of a pack, without the contents.
    pub async fn pack_index(&self, index: &ObjectRef) -> Result<Vec<PackedEntry>, SnapshotError> {
        self.listing(index).await
    }

    /// The plain bytes of a chunk of that length.
    pub async fn chunk(&self, object: &ObjectRef, length: u64) -> Result<Bytes, SnapshotError> {
        let bytes = read_object(self.staging.as_ref(), object).await?;
        let key = object.key.clone();
        blocking(move || {
            let plain = decompress(&key, &bytes, length)?;
            if plain.len() as u64 != length {
                return Err(SnapshotError::corrupt(&key, "its plain length differs"));
            }
            Ok(plain.into())
        })
        .await
    }

    /// The inventory: every entry of the source's file tree that was not left out, as it was listed.
    pub fn inventory(&self) -> impl Stream<Item = Result<Vec<FileEntry>, SnapshotError>> + '_ {
        futures::stream::once(inventory_parts(self.staging.as_ref(), &self.manifest.ledger))
            .map_ok(move |parts| {
                futures::stream::iter(parts).then(move |part| async move { self.listing(&part.object).await })
            })
            .try_flatten()
    }

    /// Reads every object and checks its hash; returns how many there are.
    pub async fn verify(&self) -> Result<u64, SnapshotError> {
        let manifest = &self.manifest;
        let mut objects = 0;
        for object in [&manifest.preflight, &manifest.schema, &manifest.schema_sql] {
            read_object(self.staging.as_ref(), object).await?;
            objects += 1;
        }
        for segment in self.segments.iter() {
            for record in ledger::records(self.staging.as_ref(), segment).await? {
                for object in record.objects() {
                    read_object(self.staging.as_ref(), object).await?;
                    objects += 1;
                }
            }
            objects += 1;
        }
        Ok(objects)
    }

    async fn json<T: serde::de::DeserializeOwned>(&self, object: &ObjectRef) -> Result<T, SnapshotError> {
        read_json(self.staging.as_ref(), object).await
    }

    async fn listing<T>(&self, object: &ObjectRef) -> Result<Vec<T>, SnapshotError>
    where
        T: serde::de::DeserializeOwned + Send + 'static,
    {
        read_entries(self.staging.as_ref(), object).await
    }
}

/// A JSON object of a snapshot, also of one not yet sealed.
pub async fn read_json<T: serde::de::DeserializeOwned>(
    staging: &dyn Staging,
    object: &ObjectRef,
) -> Result<T, SnapshotError> {
    let bytes = read_object(staging, object).await?;
    let plain = decompress(&object.key, &bytes, 0)?;
    serde_json::from_slice(&plain).map_err(|e| SnapshotError::corrupt(&object.key, e))
}

/// The lines of a listing, also of a snapshot not yet sealed.
pub async fn read_entries<T>(staging: &dyn Staging, object: &ObjectRef) -> Result<Vec<T>, SnapshotError>
where
    T: serde::de::DeserializeOwned + Send + 'static,
{
    let bytes = read_object(staging, object).await?;
    let key = object.key.clone();
    blocking(move || read_listing(&key, &bytes)).await
}

/// The tables that a ledger says were read to their end, by name, and those among them that moved too often meanwhile.
pub async fn tables_of(
    staging: &dyn Staging,
    head: &LedgerHead,
) -> Result<(Vec<TableSummary>, Vec<String>), SnapshotError> {
    let mut tables = BTreeMap::new();
    for segment in ledger::walk(staging, head).await? {
        for record in ledger::records(staging, &segment).await? {
            if let Record::Table { table, parts, rows, row_bytes, rows_hash, is_unsteady } = record {
                let summary = TableSummary { name: table.clone(), rows, row_bytes, rows_hash, parts };
                tables.insert(table, (summary, is_unsteady));
            }
        }
    }
    let unsteady = tables.iter().filter(|(_, (_, is_unsteady))| *is_unsteady).map(|(name, _)| name.clone());
    let unsteady = unsteady.collect();
    Ok((tables.into_values().map(|(summary, _)| summary).collect(), unsteady))
}

/// The parts of the inventory that a ledger names, also of a snapshot not yet sealed.
pub async fn inventory_parts(
    staging: &dyn Staging,
    head: &LedgerHead,
) -> Result<Vec<InventoryPart>, SnapshotError> {
    let mut parts = Vec::new();
    for segment in ledger::walk(staging, head).await? {
        for record in ledger::records(staging, &segment).await? {
            if let Record::Inventory { object, part, entries } = record {
                if part == 0 {
                    parts.clear();
                }
                parts.push(InventoryPart { object, entries });
            }
        }
    }
    Ok(parts)
}

/// Walks over the pieces of a site's files.
#[derive(Debug)]
pub struct FileItems {
    reader: SnapshotReader,
    at: u64,
    /// The segment in memory: the number of its first record, and its records.
    loaded: Option<(u64, Vec<Record>)>,
}

impl FileItems {
    /// The next piece, with the position behind it, to go on from later; none at the end.
    pub async fn next(&mut self) -> Result<Option<(u64, FileItem)>, SnapshotError> {
        loop {
            let Some(record) = self.record().await? else { return Ok(None) };
            self.at += 1;
            let item = match record {
                Record::Pack { object, index, entries, files, file_bytes } => {
                    FileItem::Pack { object, index, entries, files, file_bytes }
                }
                Record::Chunk { object, path, offset, length, mtime, mode, whole } => {
                    FileItem::Chunk { object, path, offset, length, mtime, mode, whole }
                }
                Record::Dropped { path } => FileItem::Dropped { path },
                Record::Inventory { .. }
                | Record::Rows { .. }
                | Record::Table { .. }
                | Record::Unread { .. }
                | Record::LeftOut { .. } => continue,
            };
            return Ok(Some((self.at, item)));
        }
    }

    async fn record(&mut self) -> Result<Option<Record>, SnapshotError> {
        loop {
            if let Some((first, records)) = &self.loaded {
                let at = self.at.checked_sub(*first).and_then(|at| usize::try_from(at).ok());
                if let Some(record) = at.and_then(|at| records.get(at)) {
                    return Ok(Some(record.clone()));
                }
            }
            let segments = &self.reader.segments;
            let number = segments.partition_point(|segment| segment.records <= self.at);
            let Some(segment) = segments.get(number) else { return Ok(None) };
            let records = ledger::records(self.reader.staging.as_ref(), segment).await?;
            let first = segment.records.checked_sub(records.len() as u64).filter(|first| *first <= self.at);
            let first =
                first.ok_or_else(|| SnapshotError::corrupt(&segment.object.key, "it lacks records"))?;
            self.loaded = Some((first, records));
        }
    }
}

impl Record {
    /// The objects that a record names.
    pub(crate) fn objects(&self) -> Vec<&ObjectRef> {
        match self {
            Record::Pack { object, index, .. } => vec![object, index],
            Record::Inventory { object, .. }
            | Record::Chunk { object, .. }
            | Record::Rows { object, .. }
            | Record::Unread { object, .. }
            | Record::LeftOut { object, .. } => vec![object],
            Record::Dropped { .. } | Record::Table { .. } => Vec::new(),
        }
    }
}
