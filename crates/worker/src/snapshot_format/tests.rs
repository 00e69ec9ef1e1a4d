use super::*;
use crate::model::{Column, EntryKind, FileEntry, RowBlock, SitePath, Table};

fn table() -> Table {
    let column = |name: &str, data_type: &str, generated| Column {
        name: name.to_owned(),
        data_type: data_type.to_owned(),
        column_type: data_type.to_owned(),
        charset: None,
        generated,
    };
    Table {
        name: "wp_`odd`".to_owned(),
        create_sql: String::new(),
        engine: "innodb".to_owned(),
        columns: vec![
            column("id", "bigint", false),
            column("text", "longtext", false),
            column("g", "int", true),
        ],
        key: vec!["id".to_owned()],
        rows_estimate: 0,
        bytes_estimate: 0,
    }
}

fn block(rows: &[[Option<&[u8]>; 3]]) -> RowBlock {
    let mut bytes = Vec::new();
    rows.iter().flatten().for_each(|value| RowBlock::push_value(&mut bytes, *value));
    RowBlock { rows: rows.len() as u64, bytes: bytes.into() }
}

#[test]
fn a_large_file_hashes_like_the_whole_of_it_and_across_a_checkpoint() {
    let chunk = usize::try_from(CHUNK_BYTES).unwrap();
    let bytes: Vec<u8> = (0..chunk * 5 + 12_345).map(|n| u8::try_from(n % 251).unwrap()).collect();
    for length in
        [0, 1, chunk - 1, chunk, chunk + 1, 2 * chunk, 3 * chunk + 7, 4 * chunk, 5 * chunk, bytes.len()]
    {
        let mut hash = LargeFileHash::default();
        for piece in bytes[..length].chunks(chunk) {
            hash.push(piece).unwrap();
            let kept = serde_json::to_string(&hash).unwrap();
            assert!(kept.len() < 2000);
            hash = serde_json::from_str(&kept).unwrap();
        }
        assert_eq!(hash.finish(), ContentHash::of(&bytes[..length]), "{length} bytes");
    }
}

#[test]
fn chunks_that_cannot_follow_are_refused() {
    let mut hash = LargeFileHash::default();
    assert!(hash.push(b"").is_err());
    assert!(hash.push(&vec![0; usize::try_from(CHUNK_BYTES).unwrap() + 1]).is_err());
    hash.push(b"short").unwrap();
    assert!(hash.push(b"after the last").is_err());
}

#[test]
fn the_hash_of_rows_does_not_depend_on_their_order_but_counts_them() {
    let rows: [[Option<&[u8]>; 3]; 3] =
        [[Some(b"1"), Some(b"a"), None], [Some(b"2"), None, None], [Some(b"1"), Some(b"a"), None]];
    let hash = |rows: &[[Option<&[u8]>; 3]]| {
        let mut hash = RowsHash::default();
        hash.add_block(3, &block(rows)).unwrap();
        hash
    };
    assert_eq!(hash(&[rows[0], rows[1]]), hash(&[rows[1], rows[0]]));
    assert_ne!(hash(&rows), hash(&rows[..2]), "duplicates count");
    let mut parts = hash(&rows[..1]);
    parts.add(hash(&rows[1..]));
    assert_eq!(parts, hash(&rows));
    let text = serde_json::to_string(&parts).unwrap();
    assert_eq!(serde_json::from_str::<RowsHash>(&text).unwrap(), parts);
    assert!(
        RowsHash::default()
            .add_block(3, &RowBlock { rows: 1, bytes: bytes::Bytes::from_static(b"x") })
            .is_err()
    );
}

#[test]
fn rows_come_back_from_their_part_and_become_sql() {
    let mut writer = RowsWriter::new(&table(), 3).unwrap();
    let first = block(&[[Some(b"-1"), Some(b"it's"), Some(b"7")]]);
    let second = block(&[[Some(b"2"), None, None], [Some(b"3"), Some(b""), None]]);
    writer.push(&first).unwrap();
    writer.push(&second).unwrap();
    let part = writer.finish().unwrap();
    let (columns, rows) = read_rows("key", &part.bytes, part.rows, part.row_bytes).unwrap();
    assert_eq!(columns, ["id", "text", "g"]);
    assert_eq!(rows.bytes, [first.bytes, second.bytes].concat());
    let mut sql = Vec::new();
    to_sql::write_inserts(&table(), &rows, &mut sql).unwrap();
    let expected = "INSERT INTO `wp_``odd```(`id`,`text`) VALUES (-1,0x69742773);\n\
                    INSERT INTO `wp_``odd```(`id`,`text`) VALUES (2,NULL);\n\
                    INSERT INTO `wp_``odd```(`id`,`text`) VALUES (3,'');\n";
    assert_eq!(String::from_utf8(sql).unwrap().replace("` (", "`("), expected);
}

#[test]
fn packs_hold_every_kind_of_entry_and_refuse_a_changed_listing() {
    let entry =
        |path: &[u8], kind| FileEntry { path: SitePath::new(path).unwrap(), kind, mtime: 5, mode: 0o640 };
    let long = [b"d/".as_slice(), &[b'n'; 250]].concat();
    let mut pack = PackWriter::new().unwrap();
    pack.push(&entry(b"d", EntryKind::Folder), b"").unwrap();
    pack.push(&entry(b"d/\xff\n", EntryKind::File { size: 9 }), b"abc").unwrap();
    pack.push(&entry(&long, EntryKind::File { size: 0 }), b"").unwrap();
    pack.push(&entry(b"l", EntryKind::Link { target: "Li4vLi4veA==".to_owned() }), b"").unwrap();
    let pack = pack.finish().unwrap();
    let entries = read_pack("key", &pack.tar, &pack.index).unwrap();
    assert_eq!(entries.len(), 4);
    assert_eq!(entries[1].0.entry.kind, EntryKind::File { size: 3 }, "the size is what was read");
    assert_eq!(&entries[1].1[..], b"abc");
    let mut listing = ListingWriter::new().unwrap();
    for (number, (packed, _)) in entries.iter().enumerate() {
        let mut packed = packed.clone();
        if number == 1 {
            packed.blake3 = Some(ContentHash::of(b"abd"));
        }
        listing.push(&packed).unwrap();
    }
    let (changed, _) = listing.finish().unwrap();
    assert!(matches!(read_pack("key", &pack.tar, &changed), Err(SnapshotError::Corrupt { .. })));
    assert!(read_pack("key", &pack.tar[..pack.tar.len() / 2], &pack.index).is_err());
    assert!(read_pack("key", b"garbage", &pack.index).is_err());
}
