//! Keys derived from the secret of a migration, and what is signed with them. The other half is
//! `class-landfall-migrate-keys.php`.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::hex::hex;

/// The secret that a source was given when it enrolled. One key is derived for each use.
#[derive(Clone)]
pub(crate) struct Keys {
    secret: std::sync::Arc<secrecy::SecretSlice<u8>>,
}

/// What a request's signature covers, in its order.
pub(crate) struct Signed<'a> {
    pub(crate) host: &'a str,
    pub(crate) verb: &'a str,
    pub(crate) migration: &'a str,
    pub(crate) time: i64,
    pub(crate) nonce: &'a str,
    pub(crate) cipher: &'a str,
    pub(crate) body_hash: &'a str,
}

/// The keyed frames of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyedFrame {
    Header,
    Refusal,
    Complete,
}

impl Keys {
    /// Takes the raw secret.
    pub(crate) fn new(secret: Vec<u8>) -> Self {
        Self { secret: std::sync::Arc::new(secret.into()) }
    }

    /// Signature of a request, in lower-case hex.
    pub(crate) fn sign_request(&self, signed: &Signed<'_>) -> String {
        let text = format!(
            "landfall-source-v1\nPOST\n{}\n{}\n{}\n{}\n{}\n{}\n{}",
            signed.host,
            signed.verb,
            signed.migration,
            signed.time,
            signed.nonce,
            signed.cipher,
            signed.body_hash
        );
        hex(&mac(&self.derive("landfall/request"), text.as_bytes()).finalize().into_bytes())
    }

    /// Whether a keyed frame answers the request with this nonce.
    pub(crate) fn is_answer(&self, kind: KeyedFrame, nonce: &str, json: &[u8], tag: &[u8]) -> bool {
        let name = match kind {
            KeyedFrame::Header => "header",
            KeyedFrame::Refusal => "refusal",
            KeyedFrame::Complete => "complete",
        };
        let mut mac = mac(&self.derive("landfall/answer"), format!("{name}\n{nonce}\n").as_bytes());
        mac.update(json);
        mac.verify_slice(tag).is_ok()
    }

    /// Encryption key of one request (`params`, without a salt) or one answer (`frames`).
    pub(crate) fn sealing_key(&self, usage: &str, nonce: &str, salt: &str) -> [u8; 32] {
        self.derive(&format!("landfall/seal/{usage}/{nonce}/{salt}"))
    }

    fn derive(&self, usage: &str) -> [u8; 32] {
        use secrecy::ExposeSecret as _;
        mac(self.secret.expose_secret(), usage.as_bytes()).finalize().into_bytes().into()
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys")
    }
}

fn mac(key: &[u8], text: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of every length");
    mac.update(text);
    mac
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex::sha256_hex;

    /// The same values are in `plugin/tests/run.php`: both halves must make them.
    #[test]
    fn signatures_are_those_of_the_plugin() {
        let keys = Keys::new(vec![7; 32]);
        let signature = keys.sign_request(&Signed {
            host: "example.com",
            verb: "hello",
            migration: "mig_1",
            time: 1_700_000_000,
            nonce: "00112233445566778899aabbccddeeff",
            cipher: "",
            body_hash: &sha256_hex(b"e30"),
        });
        assert_eq!(signature, VECTOR_REQUEST);
        assert_eq!(hex(&keys.sealing_key("frames", "n", "s")), VECTOR_SEAL);
        let tag = mac(&keys.derive("landfall/answer"), b"complete\nn\n{}").finalize().into_bytes();
        assert_eq!(hex(&tag), VECTOR_ANSWER);
        assert!(keys.is_answer(KeyedFrame::Complete, "n", b"{}", &tag));
        assert!(!keys.is_answer(KeyedFrame::Header, "n", b"{}", &tag));
        assert!(!keys.is_answer(KeyedFrame::Complete, "m", b"{}", &tag));
    }

    const VECTOR_REQUEST: &str = "6e02d8f37eeb97099ee3a399bca6e63b035664ec1b8a563f01e86fb75d68cb4d";
    const VECTOR_SEAL: &str = "13038692dae43c454219faaf64da8de4a4c325fb8f6c7410fe1105399ce369f3";
    const VECTOR_ANSWER: &str = "3eabdb28ffe624e6346d147d6359ee061b9a3681336078c47bc5c8580891ae63";

    #[test]
    fn the_secret_is_not_in_debug_output() {
        assert_eq!(format!("{:?}", Keys::new(vec![7; 32])), "Keys");
    }
}
