//! What was done with a dump, on standard error.

use landfall_rewrite::{DumpReport, Stats};
use serde_json::{Value, json};

use crate::output::table;

/// For people.
pub(super) fn text(report: &DumpReport, is_dry: bool) -> String {
    let total = report.total();
    let rows = report
        .columns
        .iter()
        .filter(|(_, stats)| stats.values_changed + stats.damaged_left + stats.base64_left > 0)
        .map(|((table, column), stats)| {
            let numbers = [
                stats.values_changed,
                stats.replaced_total(),
                stats.serialized_rewritten,
                stats.damaged_left,
                stats.base64_left,
            ];
            let name = if table.is_empty() { column.clone() } else { format!("{table}.{column}") };
            std::iter::once(name).chain(numbers.iter().map(u64::to_string)).collect()
        });
    let header = ["column", "values", "replaced", "serialized", "damaged", "base64 left"];
    let mut said = table(&header, rows.collect::<Vec<Vec<String>>>());
    for (table, rows) in &report.damaged_rows {
        said += &format!("\n{table}: {rows} damaged rows were left as they are");
    }
    let done = if is_dry { "would change" } else { "changed" };
    said + &format!(
        "\n{} rows, {} values {done}, {} replacements, {} damaged pieces left, {} bytes\n",
        report.rows,
        total.values_changed,
        total.replaced_total(),
        total.damaged_left,
        report.bytes
    )
}

/// One JSON value.
pub(super) fn as_json(report: &DumpReport, is_dry: bool) -> Value {
    let counters = |stats: &Stats| {
        json!({
            "values": stats.values, "changed": stats.values_changed, "skipped": stats.values_skipped,
            "replacements": stats.replaced_total(), "serialized": stats.serialized_rewritten,
            "damaged_left": stats.damaged_left, "base64_left": stats.base64_left,
            "base64_rewritten": stats.base64_rewritten,
        })
    };
    let columns: Vec<Value> = report
        .columns
        .iter()
        .map(|((table, column), stats)| {
            let mut value = counters(stats);
            value["table"] = table.as_str().into();
            value["column"] = column.as_str().into();
            value
        })
        .collect();
    json!({
        "dry_run": is_dry, "bytes": report.bytes, "rows": report.rows, "damaged_rows": report.damaged_rows,
        "total": counters(&report.total()), "columns": columns,
    })
}
