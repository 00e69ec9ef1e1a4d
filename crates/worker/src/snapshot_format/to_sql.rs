//! Rows as SQL, for people: `landfall snapshot` and the format's tests use it, the import does not.

use std::io::Write;

use crate::model::{BadBlock, RowBlock, Schema, Table};

/// Why rows could not be written as SQL.
#[derive(Debug, thiserror::Error)]
pub enum ToSqlError {
    /// The block does not hold whole rows.
    #[error("the rows cannot be read")]
    Block(#[from] BadBlock),
    /// The output does not take it.
    #[error("the SQL cannot be written")]
    Write(#[from] std::io::Error),
}

/// Writes one INSERT for each row. Text goes out as hexadecimal literals, so that no character set, quote or backslash of
/// the reader matters; generated columns are left out.
pub fn write_inserts(table: &Table, block: &RowBlock, out: &mut dyn Write) -> Result<(), ToSqlError> {
    let kept: Vec<bool> = table.columns.iter().map(|column| !column.generated).collect();
    let names: Vec<String> =
        table.columns.iter().filter(|column| !column.generated).map(|column| quoted(&column.name)).collect();
    let head = format!("INSERT INTO {} ({}) VALUES (", quoted(&table.name), names.join(","));
    block.for_each_row::<ToSqlError>(table.columns.len(), |row| {
        out.write_all(head.as_bytes())?;
        let values = row.iter().zip(&table.columns).zip(&kept).filter(|(_, kept)| **kept);
        for (at, ((value, column), _)) in values.enumerate() {
            if at > 0 {
                out.write_all(b",")?;
            }
            write_value(*value, &column.data_type, out)?;
        }
        out.write_all(b");\n")?;
        Ok(())
    })
}

/// A name in backquotes.
pub fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

fn write_value(value: Option<&[u8]>, data_type: &str, out: &mut dyn Write) -> std::io::Result<()> {
    let Some(bytes) = value else { return out.write_all(b"NULL") };
    let is_number = matches!(
        data_type,
        "tinyint"
            | "smallint"
            | "mediumint"
            | "int"
            | "bigint"
            | "decimal"
            | "float"
            | "double"
            | "bit"
            | "year"
    );
    if is_number && !bytes.is_empty() && bytes.iter().all(|b| b.is_ascii_digit() || b"+-.eE".contains(b)) {
        return out.write_all(bytes);
    }
    if bytes.is_empty() {
        return out.write_all(b"''");
    }
    out.write_all(b"0x")?;
    bytes.iter().try_for_each(|byte| write!(out, "{byte:02X}"))
}

/// The schema as SQL, in an order in which it can be run: tables with checks of foreign keys off, then the rest.
pub fn schema_sql(schema: &Schema) -> String {
    let mut sql = String::from("SET FOREIGN_KEY_CHECKS = 0;\n");
    for table in &schema.tables {
        sql.push_str(&table.create_sql);
        sql.push_str(";\n");
    }
    let others = [
        ("view", &schema.views),
        ("trigger", &schema.triggers),
        ("routine", &schema.routines),
        ("event", &schema.events),
    ];
    for (what, objects) in others {
        for object in objects {
            let mode = object.sql_mode.replace('\'', "''");
            sql.push_str(&format!("-- {what} {}\n", object.name.replace(['\n', '\r'], " ")));
            sql.push_str(&format!(
                "SET SQL_MODE = '{mode}';\nDELIMITER ;;\n{};;\nDELIMITER ;\n",
                object.create_sql
            ));
        }
    }
    sql
}
