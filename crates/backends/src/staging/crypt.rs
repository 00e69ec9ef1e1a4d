//! Encryption and decryption, off the runtime's threads.

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};

use age::stream::StreamWriter;
use age::{Decryptor, Encryptor};
use bytes::Bytes;
use futures::stream::{StreamExt, TryStreamExt};
use landfall_common::ports::StagingError;
use object_store::{GetResult, GetResultPayload};
use tokio::sync::mpsc;
use tokio_util::io::{StreamReader, SyncIoBridge};

use super::keys::StagingKeys;
use super::{OBJECT_BYTES_MAX, unavailable};

/// What age adds to a small object: the header with a stanza for each recipient, and a tag for each 64 KiB.
const OVERHEAD_BYTES: usize = 4096;
const FILE_BUFFER_BYTES: usize = 256 << 10;

/// The object as one piece.
pub(super) async fn encrypt(keys: Arc<StagingKeys>, plain: Bytes) -> Result<Bytes, StagingError> {
    let work = move || {
        let ciphertext = Vec::with_capacity(plain.len() + plain.len() / 4096 + OVERHEAD_BYTES);
        write_all(&keys, ciphertext, &plain).map(Bytes::from)
    };
    tokio::task::spawn_blocking(work).await.map_err(unavailable)?.map_err(unavailable)
}

/// The object in pieces of `part_bytes` (the last is shorter), made as they are taken.
pub(super) fn encrypt_in_parts(
    keys: Arc<StagingKeys>,
    plain: Bytes,
    part_bytes: usize,
) -> mpsc::Receiver<Result<Bytes, StagingError>> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::task::spawn_blocking(move || {
        let parts = Parts { sender: sender.clone(), part: Vec::with_capacity(part_bytes), part_bytes };
        let sent = write_all(&keys, parts, &plain).and_then(|mut parts| parts.send());
        if let Err(error) = sent {
            // Where nobody listens any more, nobody needs to know.
            let _ = sender.blocking_send(Err(unavailable(error)));
        }
    });
    receiver
}

fn write_all<W: Write>(keys: &StagingKeys, out: W, plain: &[u8]) -> io::Result<W> {
    let recipients = keys.recipients.iter().map(|recipient| recipient as &dyn age::Recipient);
    let encryptor = Encryptor::with_recipients(recipients).map_err(io::Error::other)?;
    let mut writer: StreamWriter<W> = encryptor.wrap_output(out)?;
    writer.write_all(plain)?;
    writer.finish()
}

/// Cuts what is written into parts.
struct Parts {
    sender: mpsc::Sender<Result<Bytes, StagingError>>,
    part: Vec<u8>,
    part_bytes: usize,
}

impl Parts {
    fn send(&mut self) -> io::Result<()> {
        if self.part.is_empty() {
            return Ok(());
        }
        let part = std::mem::replace(&mut self.part, Vec::with_capacity(self.part_bytes));
        self.sender.blocking_send(Ok(part.into())).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for Parts {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(self.part_bytes - self.part.len());
        self.part.extend_from_slice(&bytes[..taken]);
        if self.part.len() == self.part_bytes {
            self.send()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Decrypts an object while it arrives.
pub(super) async fn decrypt(
    keys: Arc<StagingKeys>,
    key: &str,
    found: GetResult,
) -> Result<Bytes, StagingError> {
    let size = found.meta.size;
    let failed: Arc<Mutex<Option<object_store::Error>>> = Arc::default();
    let failure = Arc::clone(&failed);
    let plain = match found.payload {
        // Read by the thread that decrypts: a stream of a file costs a hop between threads for every few KiB.
        GetResultPayload::File(file, _) => {
            let reader = io::BufReader::with_capacity(FILE_BUFFER_BYTES, file);
            tokio::task::spawn_blocking(move || read_all(&keys, size, reader)).await
        }
        GetResultPayload::Stream(stream) => {
            let stream = stream.map_err(move |error| {
                // The reader hides it behind an error of its own; what the storage failed at is no damage to the object.
                *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                io::Error::other("the staging storage failed")
            });
            let reader = SyncIoBridge::new(StreamReader::new(stream.boxed()));
            tokio::task::spawn_blocking(move || read_all(&keys, size, reader)).await
        }
    };
    if let Some(error) = failed.lock().unwrap_or_else(PoisonError::into_inner).take() {
        return Err(unavailable(error));
    }
    plain.map_err(unavailable)?.map(Bytes::from).map_err(|error| {
        tracing::warn!(staging.key = key, %error, "an object does not decrypt");
        StagingError::Corrupt { key: key.to_owned() }
    })
}

fn read_all(keys: &StagingKeys, size: u64, reader: impl io::BufRead) -> io::Result<Vec<u8>> {
    if size > OBJECT_BYTES_MAX + OBJECT_BYTES_MAX / 1024 {
        return Err(io::Error::other("it is larger than anything that was written here"));
    }
    let decryptor = Decryptor::new_buffered(reader).map_err(io::Error::other)?;
    let identities = keys.identities.iter().map(|identity| identity as &dyn age::Identity);
    let reader = decryptor.decrypt(identities).map_err(io::Error::other)?;
    let mut plain = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
    reader.take(OBJECT_BYTES_MAX + 1).read_to_end(&mut plain)?;
    Ok(plain)
}
