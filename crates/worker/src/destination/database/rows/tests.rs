use std::borrow::Cow;

use landfall_rewrite::{RewriteMap, Rewriter};

use super::*;
use crate::destination::database::DatabaseError;
use crate::model::RowBlock;

struct All;

impl RowRules for All {
    fn keeps(&self, _values: &[Option<Cow<'_, [u8]>>]) -> bool {
        true
    }

    fn set(&self, _values: &mut [Option<Cow<'_, [u8]>>]) -> Vec<usize> {
        Vec::new()
    }
}

fn column(name: &str, data_type: &str, charset: Option<&str>, generated: bool) -> Column {
    Column {
        name: name.to_owned(),
        data_type: data_type.to_owned(),
        column_type: data_type.to_owned(),
        charset: charset.map(str::to_owned),
        generated,
    }
}

fn table() -> Table {
    Table {
        name: "wp_t".to_owned(),
        create_sql: String::new(),
        engine: "innodb".to_owned(),
        columns: vec![
            column("id", "bigint", None, false),
            column("g", "varchar", Some("utf8mb4"), true),
            column("b", "blob", None, false),
            column("t", "text", Some("utf8mb4"), false),
        ],
        key: vec!["id".to_owned()],
        rows_estimate: 0,
        bytes_estimate: 0,
    }
}

fn block(rows: &[[&[u8]; 4]]) -> RowBlock {
    let mut bytes = Vec::new();
    for row in rows {
        row.iter().for_each(|value| RowBlock::push_value(&mut bytes, Some(value)));
    }
    RowBlock { rows: rows.len() as u64, bytes: bytes.into() }
}

fn encode(
    table: &LoadTable,
    block: &RowBlock,
    rewriter: Option<&Rewriter>,
) -> Result<(Vec<Statement>, PartDone), DatabaseError> {
    let mut encoder = PartEncoder::new(block.clone());
    let mut statements = Vec::new();
    while let Some(statement) = encoder.next(table, rewriter, &All)? {
        statements.push(statement);
    }
    Ok((statements, encoder.done().clone()))
}

const ROOMY: PacketLimits = PacketLimits { packet_max: 16 << 20, local_infile: true };

#[test]
fn text_is_rewritten_binary_is_not_and_generated_columns_stay_out() {
    let rewriter =
        Rewriter::new(RewriteMap::new().url("http://old.example", "https://new-site.example")).unwrap();
    let table = LoadTable::new(&table(), "lf_7_0001", "wp_", ROOMY);
    let block = block(&[[b"1", b"g", b"http://old.example/", b"http://old.example/"]]);
    let (statements, done) = encode(&table, &block, Some(&rewriter)).unwrap();
    let [Statement::Insert(sql)] = statements.as_slice() else { panic!("{statements:?}") };
    assert_eq!(
        String::from_utf8_lossy(sql),
        "INSERT INTO `lf_7_0001` (`id`, `b`, `t`) VALUES \
         ('1',_binary'http://old.example/',_binary'https://new-site.example/')"
    );
    assert_eq!(done.rewrite.values_changed, 1);
    assert_eq!(done.rows, 1);
}

#[test]
fn rows_fill_statements_up_to_their_limit() {
    let large = vec![b'x'; 200 * 1024];
    let rows: Vec<[&[u8]; 4]> = (0..10).map(|_| [&b"1"[..], b"", b"", large.as_slice()]).collect();
    let (statements, done) =
        encode(&LoadTable::new(&table(), "t", "wp_", ROOMY), &block(&rows), None).unwrap();
    assert_eq!(done.rows, 10);
    assert!(statements.len() > 2, "{}", statements.len());
    for statement in &statements {
        let Statement::Insert(sql) = statement else { panic!("no row here is that large") };
        assert!(sql.len() <= STATEMENT_MAX + 1024, "{}", sql.len());
    }
}

#[test]
fn a_row_beyond_the_packet_is_streamed_or_refused() {
    let huge = vec![b'x'; 20 << 20];
    let block = block(&[[b"1", b"", b"", &huge]]);
    let (statements, _) = encode(&LoadTable::new(&table(), "t", "wp_", ROOMY), &block, None).unwrap();
    assert!(matches!(statements.as_slice(), [Statement::Streamed(values)] if values.len() == 3));
    let strict = PacketLimits { local_infile: false, ..ROOMY };
    let error = encode(&LoadTable::new(&table(), "t", "wp_", strict), &block, None).unwrap_err();
    assert_eq!(error.code(), Some("destination.row_too_large"));
}

#[test]
fn one_number_in_two_spellings_has_one_hash() {
    let framed = |canon, text: &str| {
        let mut frame = Vec::new();
        push_canonical(&mut frame, canon, Some(text.as_bytes()));
        frame
    };
    assert_eq!(framed(Canon::Single, "0.1"), framed(Canon::Single, "0.10000000149011612"));
    assert_eq!(framed(Canon::Double, "1e20"), framed(Canon::Double, "100000000000000000000"));
    assert_eq!(framed(Canon::Json, "{\"a\": 1}"), framed(Canon::Json, "{\"a\":1}"));
    assert_ne!(framed(Canon::Raw, "1.0"), framed(Canon::Raw, "1"));
}
