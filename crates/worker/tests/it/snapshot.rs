//! The snapshot phase and its format.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures::TryStreamExt as _;
use landfall_common::migration::Migration;
use landfall_common::site::{DestinationSpec, SiteCredentials};
use landfall_worker::model::{EntryKind, FileEntry};
use landfall_worker::phases::snapshot::{SnapshotLimits, SnapshotOutput, run_with};
use landfall_worker::slice::{PhaseRun, SliceError};
use landfall_worker::snapshot_format::{FileItem, SnapshotReader};
use rand::{Rng as _, SeedableRng as _};

use crate::support::made_up::{MadeUp, Shared, usual_site};
use crate::support::{FreeSlice, MemoryStaging, kill_after, migration};

/// Runs the phase to its end, killing each slice after a number of polls drawn from `seed`; none: undisturbed.
pub(crate) async fn copy(
    site: &Arc<MadeUp>,
    seed: Option<u64>,
    saves_max: u64,
) -> (Migration, Arc<MemoryStaging>, Arc<FreeSlice>, SnapshotOutput) {
    let migration = migration(DestinationSpec::Noop);
    let staging = Arc::new(MemoryStaging::default());
    let lease = Arc::new(FreeSlice::default());
    lease.saves_max.store(saves_max, Ordering::Relaxed);
    let mut random = rand::rngs::StdRng::seed_from_u64(seed.unwrap_or(0));
    let mut kills = 0;
    for token in 1..2000 {
        let slice = lease.claim(&migration, &staging, SiteCredentials::default(), token);
        let limits = SnapshotLimits::default();
        let source = Arc::new(Shared(Arc::clone(site)));
        let run = run_with(&slice, lease.checkpoint(), source, &limits);
        let polls_max = if kills < 4 { 300 } else { 1500 };
        let polls = seed.map_or(u64::MAX, |_| random.random_range(1..polls_max));
        match kill_after(polls, run).await {
            Some(Ok(PhaseRun::Done { output, .. })) => {
                assert!(seed.is_none() || kills >= 3, "only {kills} kills");
                return (migration, staging, lease, serde_json::from_value(output).unwrap());
            }
            Some(Ok(PhaseRun::More)) => {}
            None => kills += 1,
            Some(Err(error)) => panic!("{error}"),
        }
    }
    panic!("the copy does not come to its end");
}

pub(crate) async fn open(staging: &Arc<MemoryStaging>, output: &SnapshotOutput) -> SnapshotReader {
    SnapshotReader::open(Arc::clone(staging) as _, &output.manifest).await.unwrap()
}

/// All that a snapshot says, independent of how it is cut into objects.
#[derive(Debug, PartialEq)]
struct Said {
    files: BTreeMap<Vec<u8>, (FileEntry, Option<String>)>,
    tables: Vec<(String, u64, String)>,
    inventory: Vec<FileEntry>,
    left_out: Vec<(String, u64)>,
    counts: [u64; 6],
}

async fn said(reader: &SnapshotReader) -> Said {
    let mut files = BTreeMap::new();
    let mut large: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    let mut items = reader.files(0);
    while let Some((_, item)) = items.next().await.unwrap() {
        match item {
            FileItem::Pack { object, index, .. } => {
                for (packed, contents) in reader.pack(&object, &index).await.unwrap() {
                    let hash = packed.blake3.map(|hash| hash.to_string());
                    assert_eq!(hash.is_some(), matches!(packed.entry.kind, EntryKind::File { .. }));
                    if let Some(hash) = &hash {
                        assert_eq!(*hash, blake3::hash(&contents).to_hex().to_string());
                    }
                    files.insert(packed.entry.path.as_bytes().to_vec(), (packed.entry, hash));
                }
            }
            FileItem::Chunk { object, path, offset, length, mtime, mode, whole } => {
                let bytes = reader.chunk(&object, length).await.unwrap();
                let so_far = large.entry(path.as_bytes().to_vec()).or_default();
                so_far.truncate(usize::try_from(offset).unwrap());
                assert_eq!(so_far.len() as u64, offset);
                so_far.extend_from_slice(&bytes);
                if let Some(whole) = whole {
                    assert_eq!(whole.to_string(), blake3::hash(so_far).to_hex().to_string());
                    let kind = EntryKind::File { size: so_far.len() as u64 };
                    let entry = FileEntry { path: path.clone(), kind, mtime, mode };
                    files.insert(path.as_bytes().to_vec(), (entry, Some(whole.to_string())));
                }
            }
            FileItem::Dropped { path } => {
                large.remove(path.as_bytes());
            }
        }
    }
    let manifest = reader.manifest();
    let totals = manifest.totals;
    let parts = reader.rows_parts().await.unwrap();
    for table in reader.tables() {
        let mut rows = 0;
        let empty = Vec::new();
        let parts = parts.get(&table.name).unwrap_or(&empty);
        let mut stream = std::pin::pin!(reader.rows_stream(parts));
        while let Some((_, block)) = stream.try_next().await.unwrap() {
            rows += block.rows;
            block.for_each_row::<landfall_worker::model::BadBlock>(2, |_| Ok(())).unwrap();
        }
        assert_eq!(rows, table.rows, "{}", table.name);
    }
    let inventory: Vec<Vec<FileEntry>> = reader.inventory().try_collect().await.unwrap();
    Said {
        files,
        tables: manifest.tables.iter().map(|t| (t.name.clone(), t.rows, t.rows_hash.to_string())).collect(),
        inventory: inventory.into_iter().flatten().collect(),
        left_out: manifest.left_out.iter().map(|rule| (rule.rule.clone(), rule.entries)).collect(),
        counts: [totals.files, totals.folders, totals.links, totals.file_bytes, totals.rows, totals.unread],
    }
}

#[tokio::test]
async fn a_snapshot_holds_the_whole_site() {
    let site = Arc::new(usual_site());
    let (_, staging, lease, output) = copy(&site, None, 0).await;
    let reader = open(&staging, &output).await;
    let said = said(&reader).await;
    for file in &site.files {
        let found = said.files.get(file.entry.path.as_bytes());
        if file.problem.is_some() {
            assert!(found.is_none());
            continue;
        }
        let (entry, hash) = found.unwrap_or_else(|| panic!("{:?} is missing", file.entry.path));
        assert_eq!(*entry, file.entry);
        if let Some(hash) = hash {
            assert_eq!(*hash, blake3::hash(&file.contents).to_hex().to_string(), "{:?}", file.entry.path);
        }
    }
    assert_eq!(said.inventory.len(), site.files.len());
    assert_eq!(said.left_out, [("cache".to_owned(), 1)]);
    assert_eq!(said.counts[5], 1, "the file that vanished is counted");
    assert_eq!(said.tables.len(), 4);
    assert!(reader.manifest().moved_tables.is_empty());
    assert!(reader.verify().await.unwrap() > 10);
    assert!(lease.messages().iter().any(|m| m.contains("sealed")), "{:?}", lease.messages());
}

#[tokio::test]
async fn a_copy_killed_at_random_equals_an_undisturbed_one() {
    let undisturbed = {
        let site = Arc::new(usual_site());
        let (_, staging, _, output) = copy(&site, None, 0).await;
        said(&open(&staging, &output).await).await
    };
    for seed in 1..=6 {
        let site = Arc::new(usual_site());
        let (_, staging, _, output) = copy(&site, Some(seed), 0).await;
        let reader = open(&staging, &output).await;
        assert_eq!(said(&reader).await, undisturbed, "seed {seed}");
        reader.verify().await.unwrap();
    }
}

#[tokio::test]
async fn a_copy_cut_into_slices_equals_an_undisturbed_one() {
    let site = Arc::new(usual_site());
    let (_, staging, _, output) = copy(&site, None, 1).await;
    let (_, other_staging, _, other) = copy(&Arc::new(usual_site()), None, 0).await;
    let said_in_slices = said(&open(&staging, &output).await).await;
    assert_eq!(said_in_slices, said(&open(&other_staging, &other).await).await);
}

#[tokio::test]
async fn a_table_that_moved_is_named() {
    let mut site = usual_site();
    site.moving = Some("wp_posts".to_owned());
    let (_, staging, _, output) = copy(&Arc::new(site), None, 0).await;
    assert_eq!(output.moved_tables, ["wp_posts"]);
    assert!(open(&staging, &output).await.manifest().consistency.contains("moved"));
}

#[tokio::test]
async fn a_site_network_is_refused_before_anything_is_read() {
    let site = MadeUp { multisite: true, ..usual_site() };
    let staging = Arc::new(MemoryStaging::default());
    let lease = Arc::new(FreeSlice::default());
    let slice = lease.claim(&migration(DestinationSpec::Noop), &staging, SiteCredentials::default(), 1);
    let run = run_with(&slice, None, Arc::new(Shared(Arc::new(site))), &SnapshotLimits::default()).await;
    let Err(SliceError::Failed(failure)) = run else { panic!("it went on") };
    assert_eq!(failure.code.as_str(), "source.site_network");
    assert!(staging.objects().is_empty());
}

#[tokio::test]
async fn every_object_carries_the_attempt_and_a_changed_one_is_refused() {
    let site = Arc::new(usual_site());
    let (_, staging, _, output) = copy(&site, None, 0).await;
    let objects = staging.objects();
    assert!(objects.keys().all(|key| key.contains("/att_") || key.ends_with("/manifest.json")));
    let reader = open(&staging, &output).await;
    let (key, bytes) = objects.iter().find(|(key, _)| key.contains("pack.tar")).unwrap();
    let mut changed = bytes.to_vec();
    changed[20] ^= 1;
    landfall_common::ports::Staging::put(staging.as_ref(), key, changed.into()).await.unwrap();
    let error = reader.verify().await.unwrap_err();
    assert_eq!(error.code(), "staging.corrupt");
}

#[tokio::test]
async fn the_stock_tools_open_packs_chunks_rows_and_listings() {
    let site = Arc::new(usual_site());
    let (_, staging, _, output) = copy(&site, None, 0).await;
    let folder = tempfile::tempdir().unwrap();
    let (mut packs, mut chunks) = (0, Vec::new());
    let reader = open(&staging, &output).await;
    let mut items = reader.files(0);
    while let Some((_, item)) = items.next().await.unwrap() {
        match item {
            FileItem::Pack { object, .. } => {
                let archive = folder.path().join("pack.tar.zst");
                std::fs::write(&archive, &staging.objects()[&object.key]).unwrap();
                let mut tar = Command::new("tar");
                tar.arg("--zstd").arg("-xf").arg(&archive).arg("-C").arg(folder.path());
                assert!(tar.status().unwrap().success());
                packs += 1;
            }
            FileItem::Chunk { object, path, offset, .. } if path.as_bytes() == b"big-odd.bin" => {
                if offset == 0 {
                    chunks.clear();
                }
                chunks.extend_from_slice(&staging.objects()[&object.key]);
            }
            FileItem::Chunk { .. } | FileItem::Dropped { .. } => {}
        }
    }
    assert!(packs > 1);
    let odd =
        site.files.iter().find(|f| f.entry.path.as_bytes().starts_with(b"wp-content/uploads/\xff")).unwrap();
    let odd_path = std::os::unix::ffi::OsStrExt::from_bytes(odd.entry.path.as_bytes());
    assert_eq!(std::fs::read(folder.path().join::<&std::ffi::OsStr>(odd_path)).unwrap(), odd.contents);
    assert_eq!(std::fs::read_link(folder.path().join("escape")).unwrap().to_str(), Some("../../etc/passwd"));
    let big = site.files.iter().find(|f| f.entry.path.as_bytes() == b"big-odd.bin").unwrap();
    assert_eq!(unzstd(&chunks, folder.path()), big.contents);
    let rows = &reader.rows_parts().await.unwrap()["wp_small"][0];
    let plain = unzstd(&staging.objects()[&rows.object.key], folder.path());
    assert!(plain.starts_with(b"LANDFALL-ROWS 1\n{\"table\":\"wp_small\""));
}

fn unzstd(bytes: &[u8], folder: &std::path::Path) -> Vec<u8> {
    let packed = folder.join("joined.zst");
    std::fs::write(&packed, bytes).unwrap();
    Command::new("zstd").arg("-dcq").arg(packed).stderr(Stdio::null()).output().unwrap().stdout
}
