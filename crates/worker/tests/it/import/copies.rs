//! Snapshots made straight from a database: as the plugin reads it, without the plugin.

use std::sync::Arc;

use landfall_common::{AttemptId, MigrationId};
use landfall_testkit::lab::DatabaseAccess;
use landfall_worker::destination::database::sql::quote;
use landfall_worker::model::{Column, RowBlock, Schema, SchemaObject, Table};
use landfall_worker::snapshot_format::{
    FORMAT, Ledger, Manifest, Record, RowsHash, RowsWriter, SnapshotWriter, SourceFacts, TableSummary, Totals,
};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder, Row, Value};

use crate::support::MemoryStaging;

/// A connection that returns bytes as they are.
pub(crate) async fn connect(access: &DatabaseAccess) -> Conn {
    let opts =
        OptsBuilder::from_opts(Opts::from_url(&access.url()).unwrap()).max_allowed_packet(Some(1 << 30));
    let mut conn = Conn::new(opts).await.unwrap();
    conn.query_drop("SET SESSION sql_mode = '', time_zone = '+00:00', character_set_results = NULL")
        .await
        .unwrap();
    conn
}

/// The text protocol has nothing but bytes and NULL.
fn bytes(value: Value) -> Option<Vec<u8>> {
    if value == Value::NULL { None } else { Some(mysql_async::from_value(value)) }
}

fn text(row: &Row, at: usize) -> String {
    bytes(row[at].clone()).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// The definition of one table.
pub(crate) async fn definition(conn: &mut Conn, name: &str) -> Table {
    let query = format!(
        "SELECT COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, CHARACTER_SET_NAME, GENERATION_EXPRESSION \
         FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = '{name}' \
         ORDER BY ORDINAL_POSITION"
    );
    let rows: Vec<Row> = conn.query(query).await.unwrap();
    let columns = rows.iter().map(|row| Column {
        name: text(row, 0),
        data_type: text(row, 1),
        column_type: text(row, 2),
        charset: Some(text(row, 3)).filter(|charset| !charset.is_empty()),
        generated: !text(row, 4).is_empty(),
    });
    let create: Row = conn.query_first(format!("SHOW CREATE TABLE `{name}`")).await.unwrap().unwrap();
    Table {
        name: name.to_owned(),
        create_sql: text(&create, 1),
        engine: "innodb".to_owned(),
        columns: columns.collect(),
        key: Vec::new(),
        rows_estimate: 0,
        bytes_estimate: 0,
    }
}

/// The whole schema.
pub(crate) async fn schema(conn: &mut Conn) -> Schema {
    let names = |kind: &str| {
        format!(
            "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() \
             AND TABLE_TYPE = '{kind}' ORDER BY TABLE_NAME"
        )
    };
    let mut schema = Schema::default();
    for name in conn.query::<String, _>(names("BASE TABLE")).await.unwrap() {
        schema.tables.push(definition(conn, &name).await);
    }
    for name in conn.query::<String, _>(names("VIEW")).await.unwrap() {
        let row: Row = conn.query_first(format!("SHOW CREATE VIEW `{name}`")).await.unwrap().unwrap();
        schema.views.push(SchemaObject {
            name,
            table: None,
            create_sql: text(&row, 1),
            sql_mode: String::new(),
        });
    }
    for row in conn.query::<Row, _>("SHOW TRIGGERS").await.unwrap() {
        let name = text(&row, 0);
        let create: Row = conn.query_first(format!("SHOW CREATE TRIGGER `{name}`")).await.unwrap().unwrap();
        schema.triggers.push(SchemaObject {
            name,
            table: Some(text(&row, 2)),
            create_sql: text(&create, 2),
            sql_mode: text(&create, 1),
        });
    }
    schema
}

/// All rows of a table, framed, some hundred a block.
pub(crate) async fn blocks(conn: &mut Conn, table: &Table) -> Vec<RowBlock> {
    let list: Vec<String> = table
        .columns
        .iter()
        .map(|column| match column.data_type.as_str() {
            "bit" => format!("CAST({} AS UNSIGNED)", quote(&column.name)),
            "float" => format!("({} * 1e0)", quote(&column.name)),
            _ => quote(&column.name),
        })
        .collect();
    let mut result =
        conn.query_iter(format!("SELECT {} FROM `{}`", list.join(", "), table.name)).await.unwrap();
    let mut blocks = Vec::new();
    let (mut frames, mut rows) = (Vec::new(), 0);
    while let Some(row) = result.next().await.unwrap() {
        for value in row.unwrap() {
            RowBlock::push_value(&mut frames, bytes(value).as_deref());
        }
        rows += 1;
        if frames.len() > 256 * 1024 {
            blocks.push(RowBlock { rows, bytes: std::mem::take(&mut frames).into() });
            rows = 0;
        }
    }
    if rows > 0 {
        blocks.push(RowBlock { rows, bytes: frames.into() });
    }
    blocks
}

/// Seals a snapshot of a database; returns its manifest's key. `small_parts`: a part for each block.
pub(crate) async fn snapshot(
    access: &DatabaseAccess,
    staging: &Arc<MemoryStaging>,
    migration: MigrationId,
    source: SourceFacts,
    small_parts: bool,
) -> String {
    let mut conn = connect(access).await;
    let schema = schema(&mut conn).await;
    let attempt = AttemptId::from_uuid(uuid::Uuid::new_v4());
    let writer = SnapshotWriter::new(staging.clone(), migration, 1, attempt, 0);
    let mut ledger = Ledger::resume(staging.as_ref(), None).await.unwrap();
    let mut tables = Vec::new();
    for table in &schema.tables {
        tables.push(copy_table(&mut conn, &writer, &mut ledger, table, small_parts).await);
    }
    let totals = Totals {
        tables: tables.len() as u64,
        rows: tables.iter().map(|table| table.rows).sum(),
        row_bytes: tables.iter().map(|table| table.row_bytes).sum(),
        ..Totals::default()
    };
    let root = source.paths.get("root").cloned().unwrap_or_default();
    let preflight = serde_json::json!({
        "paths": { "root": root, "abspath": root },
        "constants": { "DISABLE_WP_CRON": true, "WP_HOME": "http://elsewhere.example" },
        "wordpress": { "title": "The old shop" },
    });
    let manifest = Manifest {
        format: FORMAT,
        migration,
        generation: 1,
        preflight: writer.put_json("preflight.json.zst", &preflight).await.unwrap(),
        schema: writer.put_json("schema.json.zst", &schema).await.unwrap(),
        schema_sql: writer.put_text("schema.sql.zst", Vec::new()).await.unwrap(),
        source,
        totals,
        tables,
        moved_tables: Vec::new(),
        consistency: "Read at rest.".to_owned(),
        left_out: Vec::new(),
        left_out_objects: Vec::new(),
        ledger: writer.flush(&mut ledger).await.unwrap().expect("a database has tables"),
    };
    writer.seal(&manifest).await.unwrap()
}

async fn copy_table(
    conn: &mut Conn,
    writer: &SnapshotWriter,
    ledger: &mut Ledger,
    table: &Table,
    small_parts: bool,
) -> TableSummary {
    let mut summary = TableSummary {
        name: table.name.clone(),
        rows: 0,
        row_bytes: 0,
        rows_hash: RowsHash::default(),
        parts: 0,
    };
    let mut open = None;
    let mut blocks = blocks(conn, table).await.into_iter().peekable();
    while let Some(block) = blocks.next() {
        let mut rows = open.take().unwrap_or_else(|| RowsWriter::new(table, summary.parts).unwrap());
        rows.push(&block).unwrap();
        if !small_parts && !rows.is_full() && blocks.peek().is_some() {
            open = Some(rows);
            continue;
        }
        let done = rows.finish().unwrap();
        let object = writer.put("rows.zst", done.bytes).await.unwrap();
        ledger.push(Record::Rows {
            object,
            table: table.name.clone(),
            part: summary.parts,
            rows: done.rows,
            row_bytes: done.row_bytes,
            rows_hash: done.rows_hash,
        });
        summary.parts += 1;
        summary.rows += done.rows;
        summary.row_bytes += done.row_bytes;
        summary.rows_hash.add(done.rows_hash);
    }
    summary
}

/// Every row of every table and the definition of everything, to be compared.
pub(crate) async fn dump(access: &DatabaseAccess) -> Vec<String> {
    let mut conn = connect(access).await;
    let schema = schema(&mut conn).await;
    let mut lines = Vec::new();
    for table in &schema.tables {
        lines.push(table.create_sql.clone());
        let mut hash = RowsHash::default();
        let mut rows = 0;
        for block in blocks(&mut conn, table).await {
            hash.add_block(table.columns.len(), &block).unwrap();
            rows += block.rows;
        }
        lines.push(format!("{}: {rows} rows, {hash}", table.name));
    }
    for object in schema.views.iter().chain(&schema.triggers) {
        lines.push(object.create_sql.clone());
    }
    lines
}
