//! One value from end to end: what kind of text it is, and what is changed in it.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use crate::base64_runs;
use crate::column::ColumnRule;
use crate::edits::{Cause, Edits};
use crate::encoded;
use crate::json;
use crate::literal::{Change, Found, Matches, Rules, Suspects};
use crate::map::{BadMap, Base64Rule, RewriteMap};
use crate::serialized;
use crate::stats::Stats;

/// How often something within a text may be opened: serialized data in JSON in serialized data in base64.
/// Serialized data directly in serialized data does not count; that is bound by `serialized::DEPTH_MAX`.
const LAYERS_MAX: u32 = 8;

/// Rewrites values by a checked map. Clones share the compiled map, and any number of threads may use
/// one at a time.
#[derive(Debug, Clone)]
pub struct Rewriter {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    rules: Rules,
    sources: Vec<String>,
}

impl Rewriter {
    /// Compiles a map.
    ///
    /// # Errors
    /// Refuses pairs that are not what they claim to be, that change nothing or contradict each other.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the map is used up: later changes to it would not count"
    )]
    pub fn new(map: RewriteMap) -> Result<Self, BadMap> {
        let rules = Rules::compile(&map.checked()?);
        let sources = map.sources().map(str::to_owned).collect();
        Ok(Self { inner: Arc::new(Inner { rules, sources }) })
    }

    /// The sources as they were given: addresses first, then paths, in the order of [`Stats::replaced`].
    #[must_use]
    pub fn sources(&self) -> &[String] {
        &self.inner.sources
    }

    /// The new bytes of a value: the raw bytes of one column, not SQL text. Borrowed, and without a copy,
    /// when nothing changes.
    ///
    /// Time is linear in the length of the value, memory at most a small multiple of it, whatever it holds.
    pub fn rewrite<'a>(&self, value: &'a [u8], column: ColumnRule, stats: &mut Stats) -> Cow<'a, [u8]> {
        match column {
            ColumnRule::Skip => {
                stats.values += 1;
                stats.values_skipped += 1;
                Cow::Borrowed(value)
            }
            ColumnRule::Text => match self.edits(value, stats) {
                Some(edits) => Cow::Owned(edits.apply(value)),
                None => Cow::Borrowed(value),
            },
        }
    }

    /// The changes to a value; `None` if there are none.
    pub(crate) fn edits(&self, value: &[u8], stats: &mut Stats) -> Option<Edits> {
        stats.base64_left += self.base64_left(value);
        self.edits_beside_base64(value, stats)
    }

    /// The changes to a value of which it is known that no base64 in it is left.
    pub(crate) fn edits_beside_base64(&self, value: &[u8], stats: &mut Stats) -> Option<Edits> {
        stats.values += 1;
        let rules = &self.inner.rules;
        let Outcome { edits, damaged } = Run::start(rules, value, LAYERS_MAX)?.finish();
        stats.damaged_left += damaged;
        if edits.is_empty() {
            return None;
        }
        stats.values_changed += 1;
        edits.count(stats);
        Some(edits)
    }

    /// Where values in a text of escaped strings may change; `None` if that is anywhere.
    pub(crate) fn suspects<'t>(&self, text: &'t [u8]) -> Option<Suspects<'_, 't>> {
        self.inner.rules.suspects(text)
    }

    /// How many runs of base64 hold a source and are left.
    pub(crate) fn base64_left(&self, text: &[u8]) -> u64 {
        let rules = &self.inner.rules;
        if rules.base64 == Base64Rule::Leave { base64_runs::count(rules, text) } else { 0 }
    }

    /// Whether serialized strings may lie within a text, be it escaped or not.
    pub(crate) fn may_embed(&self, text: &[u8]) -> bool {
        self.inner.rules.may_embed(text)
    }

    /// Whether no source holds a border of windows.
    pub(crate) fn sources_fit_windows(&self) -> bool {
        self.inner.rules.fit_windows
    }

    /// Adds the changes to a plain text that stands by itself.
    pub(crate) fn plain_edits(&self, text: &[u8], edits: &mut Edits) {
        let rules = &self.inner.rules;
        let Some(mut matches) = Matches::start(rules, text, 0) else { return };
        while let Some(found) = matches.take_before(text.len()) {
            replace(rules, text, edits, found);
        }
    }
}

/// Rewrites what was found within something else; `None` if nothing changes.
pub(crate) fn rewrite_whole(rules: &Rules, bytes: &[u8], layers: u32) -> Option<(Vec<u8>, Stats)> {
    let Outcome { edits, damaged } = Run::start(rules, bytes, layers)?.finish();
    let mut stats = Stats::default();
    stats.damaged_left = damaged;
    edits.count(&mut stats);
    (!edits.is_empty()).then(|| (edits.apply(bytes), stats))
}

/// What becomes of occurrences in a text that are not within something whose length is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plain {
    Rewrite,
    /// The text may hold lengths in a format of its own.
    Leave,
}

/// The reading of one buffer.
#[derive(Debug)]
pub(crate) struct Run<'r, 'v> {
    pub(crate) rules: &'r Rules,
    pub(crate) text: &'v [u8],
    pub(crate) matches: Matches<'r, 'v>,
    pub(crate) edits: Edits,
    pub(crate) damaged: u64,
    /// How many more times something within a text may be opened.
    pub(crate) layers: u32,
    /// Serialized strings in a foreign spelling that are still ahead, the next one last; none before they are looked for.
    encoded: Option<Vec<Range<usize>>>,
}

pub(crate) struct Outcome {
    pub(crate) edits: Edits,
    pub(crate) damaged: u64,
}

impl<'r, 'v> Run<'r, 'v> {
    /// `None` if no source occurs: nothing needs to be read then.
    pub(crate) fn start(rules: &'r Rules, text: &'v [u8], layers: u32) -> Option<Self> {
        let matches = Matches::start(rules, text, layers)?;
        Some(Self { rules, text, matches, edits: Edits::default(), damaged: 0, layers, encoded: None })
    }

    /// Reads the whole buffer as one value.
    pub(crate) fn finish(mut self) -> Outcome {
        let end = self.text.len();
        let start = self.text.iter().position(|byte| !serialized::is_blank(*byte)).unwrap_or(end);
        if serialized::is_announced(&self.text[start..]) {
            match self.serialized(start, end) {
                // What stands behind the serialized value is not read by PHP, and not ours to judge.
                Ok(read_to) => {
                    self.matches.skip_to(read_to);
                    self.leave(end);
                }
                Err(_) => self.damaged += 1,
            }
        } else {
            self.text(0, end, Plain::Rewrite);
        }
        Outcome { edits: self.edits, damaged: self.damaged }
    }

    /// Rewrites a text that is not serialized data as a whole, but may hold some.
    pub(crate) fn text(&mut self, start: usize, end: usize, plain: Plain) {
        let may_embed = self.rules.may_embed(&self.text[start..end]);
        if !may_embed {
            self.plain(start, end, plain);
        } else if self.layers == 0 {
            self.leave(end);
        } else {
            self.layers -= 1;
            self.embedded(start, end, plain);
            self.layers += 1;
        }
    }

    /// Rewrites what occurs between `start` and `end`.
    pub(crate) fn plain(&mut self, start: usize, end: usize, plain: Plain) {
        self.matches.skip_to(start);
        match plain {
            Plain::Leave => self.leave(end),
            Plain::Rewrite => {
                while let Some(found) = self.matches.take_before(end) {
                    if let Some(behind) = self.encoded_around(found.range.start) {
                        self.damaged += 1;
                        self.matches.skip_to(behind);
                    } else if found.range.end <= end {
                        replace(self.rules, self.text, &mut self.edits, found);
                    }
                }
            }
        }
    }

    /// Passes over what is damaged or unsafe up to `end`, and counts it if it holds a source.
    pub(crate) fn leave(&mut self, end: usize) {
        self.damaged += u64::from(self.matches.starts_before(end));
        self.matches.skip_to(end);
    }

    /// The end of the serialized string in a foreign spelling that `at` lies in.
    fn encoded_around(&mut self, at: usize) -> Option<usize> {
        let text = self.text;
        let ahead = self.encoded.get_or_insert_with(|| {
            let mut strings = encoded::strings(text);
            strings.reverse();
            strings
        });
        while ahead.last().is_some_and(|string| string.end <= at) {
            ahead.pop();
        }
        ahead.last().filter(|string| string.contains(&at)).map(|string| string.end)
    }

    /// A text in which serialized data may begin anywhere: a PHP session, a string literal of JSON, an
    /// example in an article. Serialized data is rewritten as such, with its lengths; the rest plainly.
    fn embedded(&mut self, start: usize, end: usize, plain: Plain) {
        let mut literals = json::Literals::new(self.text, start, end);
        // All before `done` is dealt with.
        let (mut done, mut at) = (start, start);
        while let Some(sign) = literals.next_sign(at) {
            self.matches.skip_to(done);
            if !self.matches.starts_before(end) {
                return;
            }
            at = sign + 1;
            if let Some(from) = serialized::announced_before(&self.text[..=sign], done) {
                self.plain(done, from, plain);
                let first = self.matches.peek();
                done = self.serialized(from, end).unwrap_or_else(|failed| {
                    let read_to = serialized::damage_end(&self.text[..end], failed).max(at);
                    self.damaged += u64::from(first.is_some_and(|first| first < read_to));
                    read_to
                });
                at = done;
            } else if let Some(literal) = literals.opened_at(sign) {
                self.plain(done, literal.start, plain);
                match json::rewrite(self, &literal) {
                    Ok(()) => self.matches.skip_to(literal.end),
                    Err(json::Unreadable) => self.leave(literal.end),
                }
                done = literal.end;
                at = done;
            }
        }
        self.plain(done, end, plain);
    }
}

fn replace(rules: &Rules, text: &[u8], edits: &mut Edits, found: Found) {
    let cause = match &found.change {
        Change::Url(url) => Cause::Pair(url.pair),
        Change::Path(path) => Cause::Pair(path.pair),
        Change::Base64 { stats, .. } => Cause::Base64(stats.clone()),
    };
    edits.replace(text, found.range.clone(), cause, |out| rules.write(&found, text, out));
}
