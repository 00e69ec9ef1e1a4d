//! What commands print: tables and lines for people, the API's JSON for programs.

use std::io::Write as _;

use comfy_table::{ContentArrangement, Table, TableStyle};
use serde_json::Value;

/// Prints a line, like `println!`, and ends the command in silence where nobody reads any more.
macro_rules! say {
    ($($text:tt)*) => { $crate::output::print_line(format_args!($($text)*)) };
}

pub(crate) use say;

/// What [`say!`] calls.
pub(crate) fn print_line(text: std::fmt::Arguments<'_>) {
    let mut out = std::io::stdout().lock();
    if let Err(error) = writeln!(out, "{text}").and_then(|()| out.flush()) {
        // `landfall status | head` has seen what it wanted; any other fault of standard output is one of the command.
        std::process::exit(i32::from(error.kind() != std::io::ErrorKind::BrokenPipe));
    }
}

/// A table without borders, as wide as the terminal.
pub(crate) fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(TableStyle::new()).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header.iter().map(|name| name.to_uppercase()).collect::<Vec<_>>());
    for row in rows {
        table.add_row(row.into_iter().map(|cell| printable(&cell)).collect::<Vec<_>>());
    }
    let lines: Vec<_> =
        table.lines().map(|line| line.trim_end().strip_prefix(' ').unwrap_or_default().to_owned()).collect();
    lines.join("\n")
}

/// Lines of a name and a value; empty values are left out.
pub(crate) fn fields(fields: &[(&str, String)]) -> String {
    let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0) + 1;
    let shown = fields.iter().filter(|(_, value)| !value.is_empty());
    let lines: Vec<_> =
        shown.map(|(name, value)| format!("{:width$} {}", format!("{name}:"), printable(value))).collect();
    lines.join("\n")
}

/// JSON for programs.
pub(crate) fn json(value: &Value) -> String {
    serde_json::to_string_pretty(value).expect("a JSON value is serialisable")
}

/// A text from elsewhere for a terminal: without the characters that would steer it.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' && c != '\t' { '\u{fffd}' } else { c }).collect()
}

/// A moment of the API's without date where it is only for reading along, else to the second.
pub(crate) fn to_the_second(moment: &str) -> String {
    match moment.split_once('.') {
        Some((seconds, _)) => format!("{}Z", seconds.replace('T', " ")),
        None => moment.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_elsewhere_cannot_steer_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\r"), "a\u{fffd}[2Jb\u{fffd}");
    }

    #[test]
    fn fields_line_up_and_empty_ones_are_left_out() {
        let text = fields(&[("id", "mig_1".into()), ("phase", String::new()), ("state", "running".into())]);
        assert_eq!(text, "id:    mig_1\nstate: running");
    }
}
