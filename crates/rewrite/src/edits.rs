//! The changes to one value, collected while it is read and written out once at the end.

use std::ops::Range;

use crate::stats::Stats;

/// Why a range is replaced.
#[derive(Debug, Clone)]
pub(crate) enum Cause {
    /// The source of this pair stood there.
    Pair(usize),
    /// The length of a serialized string or payload whose content changed.
    Length,
    /// A run of base64; what was replaced within it.
    Base64(Box<Stats>),
}

#[derive(Debug, Clone)]
pub(crate) struct Edit {
    /// The replaced range of the original.
    pub(crate) range: Range<usize>,
    /// The new bytes, as a range of the text arena.
    pub(crate) text: Range<usize>,
    pub(crate) cause: Cause,
}

/// Edits of one buffer in ascending order, without overlaps.
#[derive(Debug, Default)]
pub(crate) struct Edits {
    list: Vec<Edit>,
    text: Vec<u8>,
    /// Bytes that the output is longer than the input, by the edits so far.
    delta: isize,
}

/// A state to go back to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    edits: usize,
    text: usize,
    delta: isize,
}

/// A length that is written when the content behind it has been read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OpenLength {
    mark: Mark,
}

impl Edits {
    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.rewind(Mark { edits: 0, text: 0, delta: 0 });
    }

    /// The replaced ranges of the original in ascending order, and what takes their place.
    pub(crate) fn replacements(&self) -> impl Iterator<Item = (&Range<usize>, &[u8])> {
        self.list.iter().map(|edit| (&edit.range, &self.text[edit.text.clone()]))
    }

    /// The edits, and the text that they refer to.
    pub(crate) fn into_parts(self) -> (Vec<Edit>, Vec<u8>) {
        (self.list, self.text)
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark { edits: self.list.len(), text: self.text.len(), delta: self.delta }
    }

    pub(crate) fn rewind(&mut self, mark: Mark) {
        self.list.truncate(mark.edits);
        self.text.truncate(mark.text);
        self.delta = mark.delta;
    }

    /// Replaces `range` of `original` by what `write` appends. A replacement by the very same bytes is
    /// no edit: a pair that only changes the scheme has nothing to do in a `//host` address.
    pub(crate) fn replace(
        &mut self,
        original: &[u8],
        range: Range<usize>,
        cause: Cause,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        let from = self.text.len();
        write(&mut self.text);
        if self.text[from..] == original[range.clone()] {
            self.text.truncate(from);
            return;
        }
        self.delta += signed(self.text.len() - from) - signed(range.len());
        self.list.push(Edit { range, text: from..self.text.len(), cause });
    }

    /// Adds an edit that was found in another form of the same text.
    pub(crate) fn push(&mut self, range: Range<usize>, cause: Cause, new: &[u8]) {
        let from = self.text.len();
        self.text.extend_from_slice(new);
        self.delta += signed(new.len()) - signed(range.len());
        self.list.push(Edit { range, text: from..self.text.len(), cause });
    }

    /// Announces that the decimal number at `digits` is the length of what the next edits change.
    pub(crate) fn open_length(&mut self, digits: Range<usize>) -> OpenLength {
        let mark = self.mark();
        self.list.push(Edit { range: digits, text: mark.text..mark.text, cause: Cause::Length });
        OpenLength { mark }
    }

    /// Writes the length announced by `open`; `content` is the range that it counts in the original.
    pub(crate) fn close_length(&mut self, original: &[u8], open: OpenLength, content: &Range<usize>) {
        let place = open.mark.edits;
        if self.list.len() == place + 1 {
            self.rewind(open.mark);
            return;
        }
        let grown = self.delta - open.mark.delta;
        let from = self.text.len();
        let digits = self.list[place].range.clone();
        if grown == 0 {
            self.text.extend_from_slice(&original[digits.clone()]);
        } else {
            let length = content.len().saturating_add_signed(grown);
            self.text.extend_from_slice(length.to_string().as_bytes());
        }
        self.delta += signed(self.text.len() - from) - signed(digits.len());
        self.list[place].text = from..self.text.len();
    }

    /// Drops an announced length together with everything edited since.
    pub(crate) fn abandon_length(&mut self, open: OpenLength) {
        self.rewind(open.mark);
    }

    /// The edited copy of `original`.
    pub(crate) fn apply(&self, original: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(original.len().saturating_add_signed(self.delta));
        let mut copied = 0;
        for edit in &self.list {
            out.extend_from_slice(&original[copied..edit.range.start]);
            out.extend_from_slice(&self.text[edit.text.clone()]);
            copied = edit.range.end;
        }
        out.extend_from_slice(&original[copied..]);
        out
    }

    /// Adds what the edits did to `stats`.
    pub(crate) fn count(&self, stats: &mut Stats) {
        let mut has_length = false;
        for edit in &self.list {
            match &edit.cause {
                Cause::Pair(pair) => stats.count_pair(*pair),
                Cause::Length => has_length = true,
                Cause::Base64(inner) => {
                    stats.base64_rewritten += 1;
                    stats.merge(inner);
                }
            }
        }
        stats.serialized_rewritten += u64::from(has_length);
    }
}

fn signed(length: usize) -> isize {
    isize::try_from(length).expect("no buffer is longer than isize::MAX")
}
