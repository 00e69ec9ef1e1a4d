//! The frames of an answer, found in whatever surrounds them.
//!
//! A frame is: marker (8 bytes), type (1), flags (1), sequence number (4), length (4), CRC-32 of those ten bytes and
//! the payload (4), payload. Numbers are little-endian. Before and between frames anything may stand (PHP notices, a
//! byte order mark, HTML comments): it is skipped up to a limit, and its beginning kept for the diagnosis.

use bytes::{Buf as _, Bytes, BytesMut};

/// Begins every frame. It has a byte over 127, both line ends and a control character, so a way that alters text shows.
pub(crate) const MARKER: &[u8; 8] = b"\x93LFF1\r\n\x1a";

/// Bytes before the payload.
const HEAD_BYTES: usize = 22;

/// Longest payload: a part of a file or of rows, with room for a key and a tag.
pub(crate) const PAYLOAD_MAX: usize = 8 * 1024 * 1024;

/// Most bytes between two frames that are skipped.
const GARBAGE_MAX: usize = 512 * 1024;

/// Bytes of what was skipped that are kept.
const GARBAGE_KEPT: usize = 16 * 1024;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FrameKind {
    Header,
    Json,
    FileBegin,
    FileData,
    FileEnd,
    FileError,
    Rows,
    RowPart,
    Entries,
    Refusal,
    Complete,
}

impl FrameKind {
    fn of(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::Header,
            2 => Self::Json,
            3 => Self::FileBegin,
            4 => Self::FileData,
            5 => Self::FileEnd,
            6 => Self::FileError,
            7 => Self::Rows,
            8 => Self::RowPart,
            9 => Self::Entries,
            14 => Self::Refusal,
            15 => Self::Complete,
            _other => return None,
        })
    }
}

/// A whole frame whose checksum is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: FrameKind,
    /// The byte that stands for the kind.
    pub(crate) kind_byte: u8,
    pub(crate) flags: u8,
    pub(crate) sequence: u32,
    pub(crate) payload: Bytes,
}

/// The payload is encrypted.
pub(crate) const FLAG_SEALED: u8 = 1;
/// The payload is compressed (below any encryption).
pub(crate) const FLAG_DEFLATED: u8 = 2;

/// A stream that is not one of frames.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FrameError {
    #[error("a frame's checksum is wrong")]
    Checksum,
    #[error("frame {found} came where {expected} was due")]
    Sequence { expected: u32, found: u32 },
    #[error("a frame claims {0} bytes")]
    TooLong(usize),
    #[error("a frame is of the unknown type {0}")]
    UnknownKind(u8),
    #[error("more than {GARBAGE_MAX} bytes between two frames")]
    TooMuchGarbage,
}

/// Finds frames in a stream that comes in pieces.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    buffer: BytesMut,
    garbage: Vec<u8>,
    skipped: usize,
    next_sequence: u32,
    chain: u32,
}

impl Decoder {
    /// Adds what arrived.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole frame; none until more arrives.
    pub(crate) fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        self.skip_to_marker()?;
        let Some(head) = self.buffer.get(..HEAD_BYTES) else { return Ok(None) };
        let number = |at: usize| u32::from_le_bytes(head[at..at + 4].try_into().expect("four bytes"));
        let (kind_byte, flags, sequence, crc) = (head[8], head[9], number(10), number(18));
        let length = number(14) as usize;
        if length > PAYLOAD_MAX {
            return Err(FrameError::TooLong(length));
        }
        if self.buffer.len() < HEAD_BYTES + length {
            self.buffer.reserve(HEAD_BYTES + length - self.buffer.len());
            return Ok(None);
        }
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&self.buffer[8..18]);
        hasher.update(&self.buffer[HEAD_BYTES..HEAD_BYTES + length]);
        if hasher.finalize() != crc {
            return Err(FrameError::Checksum);
        }
        if sequence != self.next_sequence {
            return Err(FrameError::Sequence { expected: self.next_sequence, found: sequence });
        }
        let kind = FrameKind::of(kind_byte).ok_or(FrameError::UnknownKind(kind_byte))?;
        if kind != FrameKind::Complete {
            self.chain = chain(self.chain, crc);
        }
        self.next_sequence += 1;
        self.skipped = 0;
        self.buffer.advance(HEAD_BYTES);
        let payload = self.buffer.split_to(length).freeze();
        Ok(Some(Frame { kind, kind_byte, flags, sequence, payload }))
    }

    /// Checksum over the checksums of all frames so far, the completion frame apart, as that frame states it.
    pub(crate) fn chain(&self) -> u32 {
        self.chain
    }

    /// The beginning of what stood between frames, and what has not become a frame yet.
    pub(crate) fn garbage(&self) -> Vec<u8> {
        let rest = self.buffer.len().min(GARBAGE_KEPT.saturating_sub(self.garbage.len()));
        [&self.garbage[..], &self.buffer[..rest]].concat()
    }

    /// Drops everything before the next marker, or before what may become one.
    fn skip_to_marker(&mut self) -> Result<(), FrameError> {
        let mut at = 0;
        while let Some(step) = self.buffer[at..].iter().position(|byte| *byte == MARKER[0]) {
            at += step;
            let seen = &self.buffer[at..self.buffer.len().min(at + MARKER.len())];
            if MARKER.starts_with(seen) {
                return self.skip(at);
            }
            at += 1;
        }
        self.skip(self.buffer.len())
    }

    fn skip(&mut self, count: usize) -> Result<(), FrameError> {
        let kept = count.min(GARBAGE_KEPT.saturating_sub(self.garbage.len()));
        self.garbage.extend_from_slice(&self.buffer[..kept]);
        self.buffer.advance(count);
        self.skipped += count;
        if self.skipped > GARBAGE_MAX { Err(FrameError::TooMuchGarbage) } else { Ok(()) }
    }
}

fn chain(before: u32, crc: u32) -> u32 {
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&before.to_le_bytes());
    bytes[4..].copy_from_slice(&crc.to_le_bytes());
    crc32fast::hash(&bytes)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A frame as the plugin writes it.
    pub(crate) fn encode(kind: u8, flags: u8, sequence: u32, payload: &[u8]) -> Vec<u8> {
        let mut head = vec![kind, flags];
        head.extend(sequence.to_le_bytes());
        head.extend(u32::try_from(payload.len()).unwrap().to_le_bytes());
        let crc = crc32fast::hash(&[&head[..], payload].concat());
        [&MARKER[..], &head, &crc.to_le_bytes(), payload].concat()
    }

    fn decode_all(pieces: &[&[u8]]) -> Result<Vec<Bytes>, FrameError> {
        let mut decoder = Decoder::default();
        let mut payloads = Vec::new();
        for piece in pieces {
            decoder.push(piece);
            while let Some(frame) = decoder.next_frame()? {
                payloads.push(frame.payload);
            }
        }
        Ok(payloads)
    }

    #[test]
    fn notices_around_and_between_frames_do_not_matter() {
        let stream = [
            b"\xef\xbb\xbf<br />\n<b>Notice</b>: \x93LF nothing".to_vec(),
            encode(1, 0, 0, b"one"),
            b"\x93LFF1\r\n<!-- almost -->".to_vec(),
            encode(2, 0, 1, &MARKER.repeat(3)),
            b"<!-- cached by X -->".to_vec(),
        ]
        .concat();
        assert_eq!(decode_all(&[&stream]).unwrap(), [Bytes::from("one"), Bytes::from(MARKER.repeat(3))]);
    }

    #[test]
    fn a_changed_byte_a_lost_and_a_doubled_frame_are_noticed() {
        let first = encode(1, 0, 0, b"one");
        let second = encode(2, 0, 1, b"two");
        let mut changed = first.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert_eq!(decode_all(&[&changed]), Err(FrameError::Checksum));
        assert_eq!(decode_all(&[&second]), Err(FrameError::Sequence { expected: 0, found: 1 }));
        assert_eq!(decode_all(&[&first, &first]), Err(FrameError::Sequence { expected: 1, found: 0 }));
    }

    #[test]
    fn endless_garbage_and_huge_claims_are_refused() {
        assert_eq!(decode_all(&[&vec![b'x'; GARBAGE_MAX + 1]]), Err(FrameError::TooMuchGarbage));
        let mut huge = encode(1, 0, 0, b"");
        huge[14..18].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(decode_all(&[&huge]), Err(FrameError::TooLong(u32::MAX as usize)));
        assert_eq!(decode_all(&[&encode(77, 0, 0, b"")]), Err(FrameError::UnknownKind(77)));
    }

    proptest! {
        #[test]
        fn whatever_the_pieces_every_whole_frame_before_the_cut_is_found(
            payloads in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 1..6),
            noise in "[ -~]{0,40}",
            piece in 1_usize..50,
            cut in 0.0..1.0_f64,
        ) {
            let mut stream = Vec::new();
            let mut ends = Vec::new();
            for (at, payload) in payloads.iter().enumerate() {
                stream.extend(noise.as_bytes());
                stream.extend(encode(4, 0, u32::try_from(at).unwrap(), payload));
                ends.push(stream.len());
            }
            let cut = (stream.len() as f64 * cut) as usize;
            let pieces: Vec<&[u8]> = stream[..cut].chunks(piece).collect();
            let found = decode_all(&pieces).unwrap();
            prop_assert_eq!(found.len(), ends.iter().filter(|end| **end <= cut).count());
            for (frame, payload) in found.iter().zip(&payloads) {
                prop_assert_eq!(&frame[..], &payload[..]);
            }
        }

        #[test]
        fn no_input_makes_the_decoder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let mut marked = MARKER.to_vec();
            marked.extend(&bytes);
            let _ = decode_all(&[&bytes, &marked]);
        }
    }
}
