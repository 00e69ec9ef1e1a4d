//! Which columns are rewritten at all.

/// What is done with the values of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ColumnRule {
    /// The value stays as it is, unread: identifiers and binary values.
    Skip,
    /// The value is text, and may hold serialized data or JSON.
    Text,
}

/// The rule for a column, unless the operator asked for another.
///
/// The table is named without the site's prefix, so that the rule of a core table would hold under any
/// prefix; no table needs a rule of its own at present. A `guid` identifies a post for feed readers for ever and is not an address, in any table that has one;
/// changed bytes in a binary column are damage.
#[must_use]
pub fn column_rule(_table: &str, column: &str, is_binary: bool) -> ColumnRule {
    if is_binary || column.eq_ignore_ascii_case("guid") { ColumnRule::Skip } else { ColumnRule::Text }
}
