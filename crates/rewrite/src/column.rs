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
/// `table` is the name without the site's prefix, so that the rule of a core table holds under any prefix.
/// A `guid` identifies a post for feed readers for ever and is not an address, in any table that has one;
/// changed bytes in a binary column are damage.
#[must_use]
pub fn column_rule(table: &str, column: &str, is_binary: bool) -> ColumnRule {
    // The hashes of the Action Scheduler and of object caches are keys that were computed over the old
    // values: harmless to rewrite. So no table needs a rule of its own at present.
    let _ = table;
    if is_binary || column.eq_ignore_ascii_case("guid") { ColumnRule::Skip } else { ColumnRule::Text }
}
