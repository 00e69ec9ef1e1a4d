use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use bytes::Bytes;
use landfall_backends::staging::{ObjectStaging, StagingKeys, generate_identity, recipient_of};
use landfall_common::ports::{Staging, StagingError};
use object_store::memory::InMemory;
use secrecy::{ExposeSecret, SecretString};
use tempfile::TempDir;

fn keys(identity: &SecretString) -> StagingKeys {
    StagingKeys::new(std::slice::from_ref(identity), &[]).unwrap()
}

mod folder {
    use super::*;

    async fn fresh() -> (Arc<dyn Staging>, TempDir) {
        let folder = TempDir::new().unwrap();
        let staging =
            ObjectStaging::folder(&folder.path().join("staging"), keys(&generate_identity())).unwrap();
        (Arc::new(staging), folder)
    }

    landfall_testkit::staging_conformance!(fresh);
}

/// An object store that streams, below a prefix: what a cloud's does, without the cloud.
mod prefixed {
    use super::*;

    async fn fresh() -> (Arc<dyn Staging>, ()) {
        let prefix = "cell/one".into();
        (Arc::new(ObjectStaging::new(Arc::new(InMemory::new()), prefix, keys(&generate_identity()))), ())
    }

    landfall_testkit::staging_conformance!(fresh);
}

/// Runs the stock `age` with these arguments and returns what it prints.
fn age(arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("age").args(arguments).output().expect("age is installed (scripts/setup)");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test]
async fn stock_age_opens_what_landfall_wrote_and_landfall_what_age_wrote() {
    let folder = TempDir::new().unwrap();
    let [first, second] = [generate_identity(), generate_identity()];
    let recipients = [&first, &second].map(|identity| recipient_of(identity).unwrap());
    let both = StagingKeys::new(std::slice::from_ref(&first), &recipients).unwrap();
    let staging = ObjectStaging::folder(&folder.path().join("staging"), both).unwrap();
    let large: Bytes = (0..=255).cycle().take(20_000_000).collect();
    for (key, body) in [("small", Bytes::from("hello")), ("large", large), ("empty", Bytes::new())] {
        staging.put(key, body.clone()).await.unwrap();
        let object = folder.path().join("staging").join(key);
        assert!(std::fs::read(&object).unwrap().starts_with(b"age-encryption.org/v1\n"));
        for identity in [&first, &second] {
            let file = folder.path().join("identity");
            std::fs::write(&file, identity.expose_secret()).unwrap();
            assert!(age(&["-d", "-i", text(&file), text(&object)]) == body, "{key}");
        }
        let from_age = folder.path().join("staging/from-age");
        std::fs::write(folder.path().join("plain"), &body).unwrap();
        let plain = folder.path().join("plain");
        age(&["-r", &recipients[0], "-o", text(&from_age), text(&plain)]);
        assert!(staging.get("from-age").await.unwrap() == body, "{key}");
    }
}

#[tokio::test]
async fn whatever_is_done_to_an_object_shows() {
    let folder = TempDir::new().unwrap();
    let identity = generate_identity();
    let staging = ObjectStaging::folder(folder.path(), keys(&identity)).unwrap();
    let object = folder.path().join("a");
    staging.put("a", Bytes::from(vec![7; 200_000])).await.unwrap();
    let whole = std::fs::read(&object).unwrap();
    let mut damages = vec![Vec::new(), b"hello".to_vec(), [&whole[..], b"more"].concat()];
    for at in [0, 60, 150, 5_000, whole.len() - 1] {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        damages.push(damaged);
        damages.push(whole[..at].to_vec());
    }
    // Cut where a chunk of the encryption ends.
    damages.push(whole[..whole.len() - (200_000 % 65_536) - 16].to_vec());
    for (n, damaged) in damages.into_iter().enumerate() {
        std::fs::write(&object, damaged).unwrap();
        let found = staging.get("a").await;
        assert!(matches!(&found, Err(StagingError::Corrupt { key }) if key == "a"), "damage {n}");
    }
    std::fs::write(&object, whole).unwrap();
    staging.get("a").await.unwrap();
    let stranger = ObjectStaging::folder(folder.path(), keys(&generate_identity())).unwrap();
    assert!(matches!(stranger.get("a").await, Err(StagingError::Corrupt { .. })));
    let writer = StagingKeys::new(&[], &[recipient_of(&identity).unwrap()]).unwrap();
    let writer = ObjectStaging::folder(folder.path(), writer).unwrap();
    writer.put("b", "x".into()).await.unwrap();
    assert!(matches!(writer.get("b").await, Err(StagingError::Corrupt { .. })));
    assert_eq!(staging.get("b").await.unwrap(), "x");
}

#[tokio::test]
async fn no_key_leads_out_of_the_folder() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("outside"), "x").unwrap();
    let staging = ObjectStaging::folder(&folder.path().join("staging"), keys(&generate_identity())).unwrap();
    for key in ["../outside", "a/../../outside", "./a", "a//b", "", "a\u{0}b"] {
        assert!(staging.get(key).await.is_err(), "{key:?}");
        assert!(staging.put(key, "y".into()).await.is_err(), "{key:?}");
    }
    assert_eq!(std::fs::read(folder.path().join("outside")).unwrap(), b"x");
}

#[tokio::test]
async fn a_place_is_named_by_a_url() {
    let folder = TempDir::new().unwrap();
    let url = url::Url::from_directory_path(folder.path().join("staging")).unwrap();
    let identity = generate_identity();
    let staging = ObjectStaging::url(&url, &[], keys(&identity)).unwrap();
    staging.put("a", "x".into()).await.unwrap();
    assert!(folder.path().join("staging/a").exists());
    let unknown = ObjectStaging::url(&"ftp://host/x".parse().unwrap(), &[], keys(&identity));
    assert!(matches!(unknown, Err(StagingError::Unavailable(_))), "{unknown:?}");
}
