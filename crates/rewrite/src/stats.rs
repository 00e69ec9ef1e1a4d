//! What a rewrite did, counted.

use std::iter;

/// Counters over any number of values; the caller keeps one per table and column, or one for all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// Values looked at, skipped ones included.
    pub values: u64,
    /// Values that came out with other bytes.
    pub values_changed: u64,
    /// Values of columns that are not rewritten.
    pub values_skipped: u64,
    /// Values in which the length of serialized data was counted anew.
    pub serialized_rewritten: u64,
    /// Damaged or unsafe pieces that hold a source and were left byte-identical.
    pub damaged_left: u64,
    /// Runs of base64 that hold a source and were left, because rewriting them was not asked for.
    pub base64_left: u64,
    /// Runs of base64 that were decoded, rewritten and encoded again.
    pub base64_rewritten: u64,
    replaced: Vec<u64>,
}

impl Stats {
    /// Replacements per pair, in the order of [`crate::Rewriter::sources`]; pairs past the end have none.
    #[must_use]
    pub fn replaced(&self) -> &[u64] {
        &self.replaced
    }

    /// Replacements of all pairs together.
    #[must_use]
    pub fn replaced_total(&self) -> u64 {
        self.replaced.iter().sum()
    }

    /// Adds what another counter saw, for example that of another thread.
    pub fn merge(&mut self, other: &Self) {
        self.values += other.values;
        self.values_changed += other.values_changed;
        self.values_skipped += other.values_skipped;
        self.serialized_rewritten += other.serialized_rewritten;
        self.damaged_left += other.damaged_left;
        self.base64_left += other.base64_left;
        self.base64_rewritten += other.base64_rewritten;
        self.make_room(other.replaced.len());
        for (mine, theirs) in iter::zip(&mut self.replaced, &other.replaced) {
            *mine += theirs;
        }
    }

    pub(crate) fn count_pair(&mut self, pair: usize) {
        self.make_room(pair + 1);
        self.replaced[pair] += 1;
    }

    fn make_room(&mut self, pairs: usize) {
        if self.replaced.len() < pairs {
            self.replaced.resize(pairs, 0);
        }
    }
}
