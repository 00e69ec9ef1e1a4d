//! Staging over any object store: a local folder, or S3, GCS and Azure where their features are built in.
//!
//! Every object is an age file to the operator's recipients: what this module wrote, `age -d -i key` opens. Large objects
//! are encrypted and decrypted while they move, so that of the two forms only the plain one is ever whole in memory.

mod crypt;
mod keys;

use std::collections::BinaryHeap;
use std::path::Path as FilePath;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use landfall_common::ports::{ObjectKey, Staging, StagingError};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

pub use self::keys::{StagingKeyError, StagingKeys, generate_identity, recipient_of};

/// The largest object, plain. Packs and chunks have some 32 MiB.
const OBJECT_BYTES_MAX: u64 = 256 << 20;
/// Objects up to this size are written in one request, larger ones in parts of this size.
const PART_BYTES: usize = 8 << 20;

/// A staging storage in an object store.
#[derive(Debug)]
pub struct ObjectStaging {
    objects: Arc<dyn ObjectStore>,
    prefix: Path,
    keys: Arc<StagingKeys>,
}

impl ObjectStaging {
    /// A staging storage in a local folder, which is made where it is missing. Objects are on the disk when a write
    /// returns.
    pub fn folder(folder: &FilePath, keys: StagingKeys) -> Result<Self, StagingError> {
        std::fs::create_dir_all(folder).map_err(unavailable)?;
        let objects = LocalFileSystem::new_with_prefix(folder).map_err(unavailable)?.with_fsync(true);
        Ok(Self::new(Arc::new(objects), Path::default(), keys))
    }

    /// A staging storage at a URL: `file:///folder`, `s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix`.
    /// Settings are the object store's own (`aws_access_key_id`, `google_service_account_key`, …); without them a cloud's
    /// credentials come from the machine's role. A store that is not built in is an error.
    pub fn url(
        url: &Url,
        settings: &[(String, SecretString)],
        keys: StagingKeys,
    ) -> Result<Self, StagingError> {
        if url.scheme() == "file" {
            let folder = url.to_file_path().map_err(|()| unavailable("the URL names no folder"))?;
            return Self::folder(&folder, keys);
        }
        crate::install_tls_provider();
        let settings = settings.iter().map(|(name, value)| (name, value.expose_secret()));
        let (objects, prefix) = object_store::parse_url_opts(url, settings).map_err(unavailable)?;
        Ok(Self::new(Arc::from(objects), prefix, keys))
    }

    /// A staging storage below a prefix of any object store.
    pub fn new(objects: Arc<dyn ObjectStore>, prefix: Path, keys: StagingKeys) -> Self {
        Self { objects, prefix, keys: Arc::new(keys) }
    }

    fn path(&self, key: &str) -> Result<Path, StagingError> {
        let full = format!("{}/{key}", self.prefix);
        Path::parse(full.trim_start_matches('/')).map_err(unavailable)
    }

    async fn write_whole(&self, key: &str, plain: Bytes, mode: PutMode) -> Result<(), StagingError> {
        let path = self.path(key)?;
        let ciphertext = crypt::encrypt(Arc::clone(&self.keys), plain).await?;
        let options = PutOptions { mode, ..PutOptions::default() };
        match self.objects.put_opts(&path, PutPayload::from(ciphertext), options).await {
            Ok(_) => Ok(()),
            Err(object_store::Error::AlreadyExists { .. }) => {
                Err(StagingError::Exists { key: key.to_owned() })
            }
            Err(error) => Err(unavailable(error)),
        }
    }

    async fn write_in_parts(&self, key: &str, plain: Bytes) -> Result<(), StagingError> {
        let mut parts = crypt::encrypt_in_parts(Arc::clone(&self.keys), plain, PART_BYTES);
        let mut upload = self.objects.put_multipart(&self.path(key)?).await.map_err(unavailable)?;
        let written = async {
            while let Some(part) = parts.recv().await {
                upload.put_part(PutPayload::from(part?)).await.map_err(unavailable)?;
            }
            upload.complete().await.map_err(unavailable)
        };
        match written.await {
            Ok(_) => Ok(()),
            Err(error) => {
                // The parts would cost money until somebody notices. What is left after this too, the bucket's own rule
                // for unfinished uploads removes.
                let _ = upload.abort().await;
                Err(error)
            }
        }
    }
}

#[async_trait]
impl Staging for ObjectStaging {
    async fn put(&self, key: &str, plain: Bytes) -> Result<(), StagingError> {
        check_size(&plain)?;
        if plain.len() <= PART_BYTES {
            self.write_whole(key, plain, PutMode::Overwrite).await
        } else {
            self.write_in_parts(key, plain).await
        }
    }

    async fn create(&self, key: &str, plain: Bytes) -> Result<(), StagingError> {
        check_size(&plain)?;
        self.write_whole(key, plain, PutMode::Create).await
    }

    async fn get(&self, key: &str) -> Result<Bytes, StagingError> {
        let found = match self.objects.get(&self.path(key)?).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => {
                return Err(StagingError::Missing { key: key.to_owned() });
            }
            Err(error) => return Err(unavailable(error)),
        };
        crypt::decrypt(Arc::clone(&self.keys), key, found).await
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ObjectKey>, StagingError> {
        let folder = match prefix.rsplit_once('/') {
            Some((folder, _)) => self.path(folder)?,
            None => self.prefix.clone(),
        };
        // Stores list by folder and promise no order: of all keys that fit, the smallest are kept.
        let mut keys: BinaryHeap<String> = BinaryHeap::new();
        let mut objects = match after {
            Some(after) => self.objects.list_with_offset(Some(&folder), &self.path(after)?),
            None => self.objects.list(Some(&folder)),
        };
        while let Some(object) = objects.next().await {
            let location = object.map_err(unavailable)?.location;
            let Some(key) = key_below(&self.prefix, &location) else { continue };
            if key.starts_with(prefix) && after.is_none_or(|after| key > after) {
                keys.push(key.to_owned());
                if keys.len() > limit {
                    keys.pop();
                }
            }
        }
        Ok(keys.into_sorted_vec())
    }

    async fn delete(&self, key: &str) -> Result<(), StagingError> {
        match self.objects.delete(&self.path(key)?).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(unavailable(error)),
        }
    }
}

fn key_below<'a>(prefix: &Path, location: &'a Path) -> Option<&'a str> {
    let location = location.as_ref();
    if prefix.as_ref().is_empty() {
        return Some(location);
    }
    location.strip_prefix(prefix.as_ref())?.strip_prefix('/')
}

fn check_size(plain: &Bytes) -> Result<(), StagingError> {
    if plain.len() as u64 > OBJECT_BYTES_MAX {
        return Err(unavailable(format!(
            "an object of {} bytes: {OBJECT_BYTES_MAX} is the most",
            plain.len()
        )));
    }
    Ok(())
}

fn unavailable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StagingError {
    StagingError::Unavailable(error.into())
}
