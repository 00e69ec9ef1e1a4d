//! The effective configuration, without its secrets.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use config::{Value, ValueKind};

use super::reader::Reader;

/// The merged layers as TOML; a secret that is set is shown as `[redacted]`.
pub(super) fn toml(reader: &Reader) -> String {
    let (merged, secrets) = reader.shown();
    let mut text = String::new();
    section(merged, "", secrets, &mut text);
    text.trim_start().to_owned()
}

fn section(value: &Value, name: &str, secrets: &BTreeSet<String>, text: &mut String) {
    let ValueKind::Table(table) = &value.kind else { return };
    let mut names: Vec<_> = table.keys().collect();
    names.sort();
    let (sections, leaves): (Vec<_>, Vec<_>) =
        names.into_iter().partition(|name| matches!(table[*name].kind, ValueKind::Table(_)));
    let dotted = |leaf: &str| if name.is_empty() { leaf.to_owned() } else { format!("{name}.{leaf}") };
    if !leaves.is_empty() && !name.is_empty() {
        let _ = writeln!(text, "\n[{name}]");
    }
    for leaf in leaves {
        let value = &table[leaf];
        let is_hidden = secrets.contains(&dotted(leaf)) && !is_empty(value) && value.origin().is_some();
        let shown = if is_hidden { "\"[redacted]\"".to_owned() } else { literal(value) };
        let _ = writeln!(text, "{leaf} = {shown}");
    }
    for inner in sections {
        section(&table[inner], &dotted(inner), secrets, text);
    }
}

fn is_empty(value: &Value) -> bool {
    match &value.kind {
        ValueKind::Nil => true,
        ValueKind::String(text) => text.is_empty(),
        ValueKind::Array(items) => items.is_empty(),
        ValueKind::Table(table) => table.is_empty(),
        ValueKind::Boolean(_)
        | ValueKind::I64(_)
        | ValueKind::I128(_)
        | ValueKind::U64(_)
        | ValueKind::U128(_)
        | ValueKind::Float(_) => false,
    }
}

fn literal(value: &Value) -> String {
    match &value.kind {
        ValueKind::Nil => "\"\"".to_owned(),
        ValueKind::Boolean(is_so) => is_so.to_string(),
        ValueKind::I64(number) => number.to_string(),
        ValueKind::I128(number) => number.to_string(),
        ValueKind::U64(number) => number.to_string(),
        ValueKind::U128(number) => number.to_string(),
        ValueKind::Float(number) => number.to_string(),
        // JSON's escapes are among TOML's.
        ValueKind::String(text) => serde_json::Value::from(text.as_str()).to_string(),
        ValueKind::Array(items) => format!("[{}]", items.iter().map(literal).collect::<Vec<_>>().join(", ")),
        ValueKind::Table(table) => {
            let mut names: Vec<_> = table.keys().collect();
            names.sort();
            let pairs: Vec<_> =
                names.iter().map(|name| format!("{name} = {}", literal(&table[*name]))).collect();
            format!("{{ {} }}", pairs.join(", "))
        }
    }
}
