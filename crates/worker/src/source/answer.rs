//! An answer of the plugin: frames that are keyed to one request, opened and checked one by one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

use super::connection::now_s;
use super::diagnosis::{Page, diagnose};
use super::error::SourceError;
use super::exchanges::Exchanges;
use super::frame::{Decoder, FLAG_DEFLATED, FLAG_SEALED, Frame, FrameKind, PAYLOAD_MAX};
use super::keys::{KeyedFrame, Keys};
use super::pace::{Pace, Permit};
use super::seal::{Cipher, Sealer};

/// Bytes of the tag before the JSON of a keyed frame.
const TAG_BYTES: usize = 32;

/// What the answer to a request has to be.
pub(crate) struct Expected {
    pub(crate) keys: Keys,
    pub(crate) nonce: String,
    pub(crate) migration: String,
    pub(crate) must_be_sealed: bool,
    pub(crate) stall: Duration,
    /// What was asked for, and where what came of it is noted.
    pub(crate) verb: &'static str,
    pub(crate) exchanges: Exchanges,
}

/// An answer whose header frame has been found genuine.
pub(crate) struct Answer {
    response: reqwest::Response,
    expected: Expected,
    decoder: Decoder,
    sealer: Option<Sealer>,
    pace: Arc<Pace>,
    began: Instant,
    first_byte: Duration,
    /// Bytes on the wire so far, and the time spent waiting for them.
    received: (u64, Duration),
    has_header: bool,
    _permit: Permit,
}

/// What comes next in an answer.
#[derive(Debug)]
pub(crate) enum Step {
    /// A data frame, decrypted and decompressed.
    Frame(FrameKind, Bytes),
    /// The end: everything that was meant to come has come.
    Complete(Value),
}

#[derive(Deserialize)]
struct Header {
    nonce: String,
    migration: String,
    salt: String,
    #[serde(default)]
    cipher: String,
    #[serde(default)]
    auth_header: bool,
}

#[derive(Deserialize)]
struct Refusal {
    code: String,
    #[serde(default)]
    detail: String,
    #[serde(default)]
    time: f64,
}

impl Answer {
    /// Reads up to the header frame, or finds out what answered instead of the plugin.
    pub(crate) async fn open(
        response: reqwest::Response,
        expected: Expected,
        permit: Permit,
        pace: Arc<Pace>,
        began: Instant,
    ) -> Result<Self, SourceError> {
        let first_byte = began.elapsed();
        let mut answer = Self {
            response,
            expected,
            decoder: Decoder::default(),
            sealer: None,
            pace,
            began,
            first_byte,
            received: (0, Duration::ZERO),
            has_header: false,
            _permit: permit,
        };
        let greeted = answer.find_header().await;
        if let Err(error) = &greeted {
            answer.note(&error.explain());
        }
        greeted.map(|()| answer)
    }

    async fn find_header(&mut self) -> Result<(), SourceError> {
        while !self.has_header {
            let frame = self.next_frame().await?;
            match frame.kind {
                FrameKind::Header => self.take_header(&frame)?,
                FrameKind::Refusal => return Err(self.refusal(&frame)),
                FrameKind::Json
                | FrameKind::FileBegin
                | FrameKind::FileData
                | FrameKind::FileEnd
                | FrameKind::FileError
                | FrameKind::Rows
                | FrameKind::RowPart
                | FrameKind::Entries
                | FrameKind::Complete => return Err(protocol("the answer has no header")),
            }
        }
        Ok(())
    }

    fn note(&self, outcome: &str) {
        let Expected { verb, exchanges, .. } = &self.expected;
        let status = self.response.status().as_u16();
        exchanges.note(verb, Some(status), self.began.elapsed(), self.received.0, outcome);
    }

    /// The next data frame, or the end.
    pub(crate) async fn next(&mut self) -> Result<Step, SourceError> {
        let step = self.next_step().await;
        match &step {
            Ok(Step::Complete(_)) => {
                self.pace.went_well(self.first_byte);
                self.pace.measured(self.received.0, self.received.1);
                self.note("complete");
            }
            Ok(Step::Frame(..)) => {}
            Err(error) => {
                self.pace.went_badly();
                self.note(&error.explain());
            }
        }
        step
    }

    async fn next_step(&mut self) -> Result<Step, SourceError> {
        let frame = self.next_frame().await?;
        match frame.kind {
            FrameKind::Header => Err(protocol("the answer has two headers")),
            FrameKind::Refusal => Err(self.refusal(&frame)),
            FrameKind::Complete => self.complete(&frame).map(Step::Complete),
            FrameKind::Json
            | FrameKind::FileBegin
            | FrameKind::FileData
            | FrameKind::FileEnd
            | FrameKind::FileError
            | FrameKind::Rows
            | FrameKind::RowPart
            | FrameKind::Entries => Ok(Step::Frame(frame.kind, self.unwrap(frame)?)),
        }
    }

    async fn next_frame(&mut self) -> Result<Frame, SourceError> {
        loop {
            match self.decoder.next_frame() {
                Ok(Some(frame)) => return Ok(frame),
                Ok(None) => {}
                Err(_) if !self.has_header => return Err(self.diagnose()),
                Err(error) => return Err(protocol(&error.to_string())),
            }
            let waiting = Instant::now();
            let piece = tokio::time::timeout(self.expected.stall, self.response.chunk())
                .await
                .map_err(|_| SourceError::Stalled(self.expected.stall))?;
            match piece {
                Ok(Some(bytes)) => {
                    self.received.0 += bytes.len() as u64;
                    self.received.1 += waiting.elapsed();
                    self.decoder.push(&bytes);
                }
                Ok(None) if self.has_header => return Err(self.cut_off()),
                Ok(None) => return Err(self.diagnose()),
                Err(_) => return Err(self.cut_off()),
            }
        }
    }

    /// What answered, when there is no header frame.
    fn diagnose(&self) -> SourceError {
        let body = self.decoder.garbage();
        diagnose(&Page { status: self.response.status(), headers: self.response.headers(), body: &body })
    }

    /// Why a stream ended early: a fatal error of PHP says so in clear between the frames.
    fn cut_off(&self) -> SourceError {
        let fatal = self.diagnose();
        if matches!(fatal, SourceError::PhpFatal { .. }) { fatal } else { SourceError::CutOff }
    }

    fn take_header(&mut self, frame: &Frame) -> Result<(), SourceError> {
        let json = self
            .keyed(KeyedFrame::Header, frame)
            .ok_or_else(|| protocol("the answer is not one to this request (a cache, or another site)"))?;
        let header: Header =
            serde_json::from_slice(json).map_err(|_| protocol("the header cannot be read"))?;
        if header.nonce != self.expected.nonce || header.migration != self.expected.migration {
            return Err(protocol("the header is that of another request"));
        }
        if header.cipher.is_empty() {
            if self.expected.must_be_sealed {
                return Err(protocol("the answer is not encrypted"));
            }
        } else {
            let cipher = Cipher::of(&header.cipher).ok_or_else(|| protocol("the cipher is unknown"))?;
            let key = self.expected.keys.sealing_key("frames", &header.nonce, &header.salt);
            self.sealer = Some(Sealer::new(cipher, &key));
        }
        if !header.auth_header {
            tracing::debug!("a proxy strips the source's authentication header; the body's copy arrived");
        }
        self.has_header = true;
        Ok(())
    }

    fn complete(&self, frame: &Frame) -> Result<Value, SourceError> {
        let json = self.keyed(KeyedFrame::Complete, frame).ok_or_else(|| protocol("the end is not keyed"))?;
        let facts: Value = serde_json::from_slice(json).map_err(|_| protocol("the end cannot be read"))?;
        let is_whole = facts["frames"].as_u64() == Some(u64::from(frame.sequence))
            && facts["chain"].as_str() == Some(&format!("{:08x}", self.decoder.chain()));
        if is_whole { Ok(facts) } else { Err(protocol("frames were changed on the way")) }
    }

    /// The JSON of a frame, if it is keyed to this request.
    fn keyed<'a>(&self, kind: KeyedFrame, frame: &'a Frame) -> Option<&'a [u8]> {
        let (tag, json) = frame.payload.split_at_checked(TAG_BYTES)?;
        self.expected.keys.is_answer(kind, &self.expected.nonce, json, tag).then_some(json)
    }

    fn refusal(&self, frame: &Frame) -> SourceError {
        let is_keyed = self.keyed(KeyedFrame::Refusal, frame).is_some();
        let json = frame.payload.get(TAG_BYTES..).unwrap_or_default();
        match serde_json::from_slice::<Refusal>(json) {
            Ok(refusal) => refused(refusal, is_keyed),
            Err(_) => protocol("a refusal cannot be read"),
        }
    }

    /// The payload as the plugin meant it.
    fn unwrap(&self, frame: Frame) -> Result<Bytes, SourceError> {
        let is_sealed = frame.flags & FLAG_SEALED != 0;
        let payload = match (&self.sealer, is_sealed) {
            (Some(sealer), true) => sealer
                .open(frame.payload, &[frame.kind_byte, frame.flags], frame.sequence)
                .map_err(|error| protocol(&error.to_string()))?,
            (None, false) => frame.payload,
            (Some(_), false) | (None, true) => {
                return Err(protocol("a frame is not encrypted as the header says"));
            }
        };
        if frame.flags & FLAG_DEFLATED == 0 { Ok(payload) } else { inflate(&payload) }
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer").field("has_header", &self.has_header).finish_non_exhaustive()
    }
}

/// Decompresses a payload, up to a limit.
fn inflate(payload: &[u8]) -> Result<Bytes, SourceError> {
    use std::io::Read as _;
    let mut plain = Vec::new();
    flate2::read::ZlibDecoder::new(payload)
        .take(PAYLOAD_MAX as u64 + 1)
        .read_to_end(&mut plain)
        .map_err(|_| protocol("a compressed frame cannot be read"))?;
    if plain.len() > PAYLOAD_MAX { Err(protocol("a compressed frame is too long")) } else { Ok(plain.into()) }
}

/// What a refusal means. One that is not keyed is believed only where the plugin had no key to use.
fn refused(refusal: Refusal, is_keyed: bool) -> SourceError {
    let detail: String = refusal.detail.chars().filter(|c| !c.is_control()).take(300).collect();
    match refusal.code.as_str() {
        "signature_missing" => SourceError::AuthStripped,
        "body_altered" => SourceError::BodyAltered,
        "version_unknown" => SourceError::PluginVersion { detail },
        "not_enrolled" | "wrong_migration" | "wrong_secret" => SourceError::WrongSecret { detail },
        _other if !is_keyed => protocol("a refusal is not keyed to this request"),
        "clock_skew" => SourceError::ClockSkew(refusal.time as i64 - now_s()),
        "wrong_host" => SourceError::Redirected { location: "another host name than its own".to_owned() },
        "unknown_verb" => SourceError::PluginVersion { detail },
        "no_cipher" => SourceError::EncryptionUnavailable,
        "database" | "database_unsupported" => SourceError::Database { detail },
        "table_unknown" => SourceError::TableUnknown { table: detail },
        "table_changed" => SourceError::TableChanged,
        "row_changed" => SourceError::RowChanging,
        "php_fatal" => SourceError::PhpFatal { detail },
        other => {
            SourceError::Protocol(format!("the plugin refuses with `{}`: {detail}", other.escape_debug()))
        }
    }
}

/// An answer that breaks the protocol.
pub(super) fn protocol(what: &str) -> SourceError {
    SourceError::Protocol(what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn deflate(plain: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn compressed_frames_are_opened_up_to_a_limit() {
        assert_eq!(inflate(&deflate(b"rows")).unwrap(), &b"rows"[..]);
        assert!(inflate(b"no zlib").is_err());
        assert!(inflate(&deflate(&vec![0; PAYLOAD_MAX + 1])).is_err(), "a bomb does not go off");
    }

    #[test]
    fn a_refusal_without_a_key_is_believed_only_where_the_plugin_had_none() {
        let refusal = |code: &str| Refusal { code: code.to_owned(), detail: "why\n".to_owned(), time: 0.0 };
        assert_eq!(refused(refusal("not_enrolled"), false).code(), "source.wrong_secret");
        assert_eq!(refused(refusal("signature_missing"), false).code(), "source.auth_stripped");
        assert_eq!(refused(refusal("clock_skew"), false).code(), "source.protocol");
        assert!(
            matches!(refused(refusal("clock_skew"), true), SourceError::ClockSkew(skew) if skew < -1_000_000)
        );
        assert_eq!(refused(refusal("no_cipher"), true).code(), "source.encryption_unavailable");
        assert!(matches!(refused(refusal("of the future"), true), SourceError::Protocol(_)));
    }
}
