//! What follows the definitions: engine, row format, collation, comment, partitions.

use super::parse::Parts;
use super::stand_in_for;
use crate::destination::database::facts::ServerFacts;
use crate::destination::database::lexer::{self, Edit, Kind, Token};

/// Options that change nothing that anybody could miss at another server.
const UNREMARKABLE: [&str; 14] = [
    "ENGINE",
    "TYPE",
    "ROW_FORMAT",
    "PAGE_CHECKSUM",
    "TRANSACTIONAL",
    "CHECKSUM",
    "DELAY_KEY_WRITE",
    "PACK_KEYS",
    "MIN_ROWS",
    "MAX_ROWS",
    "AVG_ROW_LENGTH",
    "STATS_PERSISTENT",
    "STATS_AUTO_RECALC",
    "STATS_SAMPLE_PAGES",
];

/// One option: its name in upper case, and the tokens of its value.
struct TableOption {
    name: String,
    value: Vec<Token>,
}

/// The tail of the adapted statement: always InnoDB, always DYNAMIC (its rows and keys take what others do not).
pub(super) fn adapt(parts: &Parts<'_>, server: &ServerFacts, notes: &mut Vec<String>) -> String {
    let sql = parts.sql;
    let partitions = parts.tail.iter().position(|token| token.is(sql, "PARTITION"));
    let (options, partitions) = parts.tail.split_at(partitions.unwrap_or(parts.tail.len()));
    let mut tail = vec!["ENGINE=InnoDB".to_owned(), "ROW_FORMAT=DYNAMIC".to_owned()];
    for option in read(sql, options) {
        let value = |option: &TableOption| spelled(sql, &option.value);
        match option.name.as_str() {
            "ENGINE" if !value(&option).eq_ignore_ascii_case("innodb") => {
                notes.push(format!("engine {} becomes InnoDB", value(&option)));
            }
            "AUTO_INCREMENT" | "COMMENT" | "SEQUENCE" => {
                tail.push(format!("{}={}", option.name, value(&option)))
            }
            "CHARSET" | "CHARACTER SET" => {
                tail.push(named("DEFAULT CHARSET", &value(&option), false, server, notes))
            }
            "COLLATE" => tail.push(named("COLLATE", &value(&option), true, server, notes)),
            "WITH SYSTEM VERSIONING" => tail.push("WITH SYSTEM VERSIONING".to_owned()),
            name if UNREMARKABLE.contains(&name) => {}
            name => notes.push(format!("table option {name} is left out")),
        }
    }
    tail.extend(partition_clause(sql, partitions, notes));
    tail.join(" ")
}

fn named(
    option: &str,
    value: &str,
    is_collation: bool,
    server: &ServerFacts,
    notes: &mut Vec<String>,
) -> String {
    let name = stand_in_for(value, is_collation, server, notes).unwrap_or_else(|| value.to_owned());
    format!("{option}={name}")
}

fn spelled(sql: &str, value: &[Token]) -> String {
    match (value.first(), value.last()) {
        (Some(first), Some(last)) => sql.get(first.start..last.end).unwrap_or_default().to_owned(),
        _ => String::new(),
    }
}

/// `NAME=value`, `TWO WORDS=value`, `NAME=(…)`, or words without a value.
fn read(sql: &str, tokens: &[Token]) -> Vec<TableOption> {
    let mut options = Vec::new();
    let mut name: Vec<String> = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        at += 1;
        match token.kind {
            Kind::Sign(b'=') => {
                let start = at;
                at = value_end(tokens, at);
                options.push(TableOption { name: option_name(&name), value: tokens[start..at].to_vec() });
                name.clear();
            }
            Kind::Word | Kind::Identifier => {
                name.extend(token.name(sql).map(|word| word.to_ascii_uppercase()));
                if name.join(" ") == "WITH SYSTEM VERSIONING" {
                    options.push(TableOption { name: name.join(" "), value: Vec::new() });
                    name.clear();
                }
            }
            Kind::Sign(_) | Kind::Text => name.clear(),
        }
    }
    options
}

fn option_name(words: &[String]) -> String {
    words.iter().filter(|word| *word != "DEFAULT").cloned().collect::<Vec<_>>().join(" ")
}

fn value_end(tokens: &[Token], start: usize) -> usize {
    if tokens.get(start).map(|token| token.kind) != Some(Kind::Sign(b'(')) {
        return (start + 1).min(tokens.len());
    }
    let close = tokens[start..].iter().position(|token| token.kind == Kind::Sign(b')'));
    close.map_or(tokens.len(), |at| start + at + 1)
}

/// Partitions stay, without folders of the source's server and with InnoDB as their engine.
fn partition_clause(sql: &str, tokens: &[Token], notes: &mut Vec<String>) -> Option<String> {
    let (first, last) = (tokens.first()?, tokens.last()?);
    let mut edits = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let past_sign = |from: usize| {
            let is_sign = tokens.get(from).is_some_and(|next| next.kind == Kind::Sign(b'='));
            tokens.get(from + usize::from(is_sign))
        };
        if token.is(sql, "ENGINE")
            && let Some(value) = past_sign(at + 1)
        {
            edits.push(Edit { start: value.start, end: value.end, text: "InnoDB".to_owned() });
        }
        let is_folder = (token.is(sql, "DATA") || token.is(sql, "INDEX"))
            && tokens.get(at + 1).is_some_and(|next| next.is(sql, "DIRECTORY"));
        if is_folder && let Some(value) = past_sign(at + 2) {
            edits.push(Edit { start: token.start, end: value.end, text: String::new() });
            notes.push("a partition's folder is left out".to_owned());
        }
    }
    let moved =
        |edit: Edit| Edit { start: edit.start - first.start, end: edit.end - first.start, text: edit.text };
    Some(lexer::apply(sql.get(first.start..last.end)?, edits.into_iter().map(moved).collect()))
}
