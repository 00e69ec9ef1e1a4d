//! Files: the listing is what is on disk, and their contents arrive whole.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::time::Duration;

use landfall_testkit::lab::wait_until;
use landfall_worker::model::{EntryKind, SitePath};
use landfall_worker::source::{FileEvent, FileProblem, FileRequest, SourceClient, default_exclusions};

use super::cutter::Cutter;
use super::site::{Site, files_of, site};

/// Reads files to their end; whatever is void is thrown away.
async fn read_all(
    client: &SourceClient,
    paths: Vec<SitePath>,
) -> (BTreeMap<Vec<u8>, Vec<u8>>, Vec<(SitePath, FileProblem)>) {
    let mut reader = client.read_files(paths.into_iter().map(FileRequest::whole));
    let mut whole = BTreeMap::new();
    let mut problems = Vec::new();
    let mut open: Option<(SitePath, u64, Vec<u8>)> = None;
    while let Some(event) = reader.next().await.expect("an event") {
        match event {
            FileEvent::Begin { path, size, offset, .. } => {
                assert!(open.is_none() && offset == 0);
                open = Some((path, size, Vec::new()));
            }
            FileEvent::Data(bytes) => open.as_mut().expect("an open file").2.extend_from_slice(&bytes),
            FileEvent::End => {
                let (path, size, bytes) = open.take().expect("an open file");
                assert_eq!(bytes.len() as u64, size);
                whole.insert(path.as_bytes().to_vec(), bytes);
            }
            FileEvent::Restarted { .. } => open = None,
            FileEvent::Problem { path, kind } => {
                open = None;
                problems.push((path, kind));
            }
        }
    }
    (whole, problems)
}

/// Names and kinds of files that real sites have.
fn plant(docroot: &Path) {
    let odd = docroot.join("wp-content/uploads/odd");
    let _ = fs::remove_dir_all(&odd);
    fs::create_dir_all(odd.join("empty folder")).unwrap();
    for name in [
        &b"\xff\xfe.txt"[..],
        b"-dash",
        b"new\nline",
        "e\u{301}.txt".as_bytes(),
        "\u{e9}.txt".as_bytes(),
        b"Case",
        b"case",
    ] {
        fs::write(odd.join(OsStr::from_bytes(name)), name).unwrap();
    }
    fs::write(odd.join("n".repeat(250)), "long").unwrap();
    fs::write(odd.join("empty"), "").unwrap();
    fs::write(odd.join("large.bin"), (0..3_000_001_u32).map(|n| ((n * 31) >> 3) as u8).collect::<Vec<_>>())
        .unwrap();
    fs::write(odd.join("secret"), "x").unwrap();
    fs::set_permissions(odd.join("secret"), fs::Permissions::from_mode(0o000)).unwrap();
    symlink("/etc", odd.join("out")).unwrap();
    symlink("..", odd.join("cycle")).unwrap();
    fs::create_dir_all(docroot.join("wp-content/cache/deep")).unwrap();
    fs::write(docroot.join("wp-content/cache/deep/x"), "x").unwrap();
}

fn own(site: &Site) {
    let owner = format!("{0}:{0}", site.source.site.account.name);
    let uploads = site.source.site.docroot.join("wp-content");
    let done = std::process::Command::new("chown").args(["-Rh", &owner]).arg(uploads).status().unwrap();
    assert!(done.success());
    // Root alone may read it, whoever owns the rest.
    let secret = site.source.site.docroot.join("wp-content/uploads/odd/secret");
    assert!(std::process::Command::new("chown").arg("root").arg(secret).status().unwrap().success());
}

/// What is on disk, links not followed, without what the default rules leave out.
fn on_disk(root: &Path) -> BTreeMap<Vec<u8>, EntryKind> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let rel = path.strip_prefix(root).unwrap().as_os_str().as_bytes().to_vec();
            if ["wp-config.php", "wp-content/cache", "wp-content/upgrade"]
                .iter()
                .any(|out| out.as_bytes() == rel)
                || rel.ends_with(b".log")
            {
                continue;
            }
            let facts = path.symlink_metadata().unwrap();
            let kind = if facts.is_symlink() {
                use base64::Engine as _;
                let target = fs::read_link(&path).unwrap();
                EntryKind::Link {
                    target: base64::engine::general_purpose::STANDARD.encode(target.as_os_str().as_bytes()),
                }
            } else if facts.is_dir() {
                folders.push(path);
                EntryKind::Folder
            } else {
                EntryKind::File { size: facts.len() }
            };
            found.insert(rel, kind);
        }
    }
    found
}

#[tokio::test]
async fn the_listing_is_what_is_on_disk_from_every_cursor() {
    let site = site().await;
    let docroot = &site.source.site.docroot;
    plant(docroot);
    own(&site);
    let client = site.client();
    let listed = site.list(&client).await;
    let expected = on_disk(docroot);
    let kinds: BTreeMap<_, _> =
        listed.iter().map(|(path, entry)| (path.clone(), entry.kind.clone())).collect();
    let missing: Vec<_> = expected.keys().filter(|path| !kinds.contains_key(*path)).collect();
    assert!(
        missing.is_empty(),
        "missing {:?}",
        missing.iter().map(|p| String::from_utf8_lossy(p)).collect::<Vec<_>>()
    );
    assert_eq!(kinds, expected);

    // Pages of one listing, each asked for anew from the cursor before it, are the same listing.
    let mut cursor = None;
    let mut paths = Vec::new();
    let mut left_out = Vec::new();
    loop {
        let Some(page) = client.list_files(cursor, &default_exclusions()).next_page().await.unwrap() else {
            break;
        };
        paths.extend(page.entries.into_iter().map(|entry| entry.path.as_bytes().to_vec()));
        left_out.extend(page.left_out.into_iter().map(|out| (out.path.display(), out.rule)));
        cursor = Some(page.next);
    }
    assert_eq!(paths.len(), listed.len());
    assert!(left_out.contains(&("wp-content/cache".into(), "cache".into())), "{left_out:?}");
    assert!(left_out.contains(&("wp-config.php".into(), "wp_config".into())), "{left_out:?}");
}

#[tokio::test]
async fn contents_arrive_whole_wherever_the_connection_breaks() {
    let site = site().await;
    let docroot = &site.source.site.docroot;
    plant(docroot);
    own(&site);
    let listed = site.list(&site.client()).await;
    let files: Vec<SitePath> = files_of(&listed).into_iter().map(|entry| entry.path.clone()).collect();
    let cutter = Cutter::start(site.address(), 25, 90_000).await;
    let url = format!("http://{}:{}", site.source.site.url.host_str().unwrap(), cutter.address.port());
    let client = site.client_of(site.endpoint(&url.parse().unwrap(), &super::site::SECRET));
    let (whole, problems) = read_all(&client, files.clone()).await;
    assert!(cutter.cuts() >= 15, "only {} cuts were met", cutter.cuts());
    assert_eq!(
        problems,
        [(SitePath::new("wp-content/uploads/odd/secret").unwrap(), FileProblem::Unreadable)]
    );
    let mut bytes = 0;
    for file in &files {
        if file.as_bytes().ends_with(b"odd/secret") {
            continue;
        }
        let on_disk = fs::read(docroot.join(OsStr::from_bytes(file.as_bytes()))).unwrap();
        bytes += on_disk.len() as u64;
        assert!(whole[file.as_bytes()] == on_disk, "{file:?} differs");
    }
    // What a cut costs is at most the frames that were under way.
    assert!(cutter.answered() < bytes * 11 / 10 + 25 * 1_200_000, "{} bytes for {bytes}", cutter.answered());
}

#[tokio::test]
async fn nothing_outside_of_the_site_and_no_password_is_readable() {
    let site = site().await;
    plant(&site.source.site.docroot);
    own(&site);
    let path = |text: &str| SitePath::new(text).unwrap();
    let asked = vec![
        path("wp-config.php"),
        path("wp-content/uploads/odd/out/passwd"),
        path("wp-content/uploads/odd/out"),
        path("wp-content/uploads/odd/cycle/odd/empty"),
        path("wp-content/uploads/nothing-here"),
        path("wp-content/uploads"),
        path("index.php"),
    ];
    let (whole, problems) = read_all(&site.client(), asked).await;
    assert_eq!(whole.keys().collect::<Vec<_>>(), [b"index.php"]);
    let kinds: BTreeMap<String, FileProblem> =
        problems.into_iter().map(|(path, kind)| (path.display(), kind)).collect();
    assert_eq!(kinds["wp-config.php"], FileProblem::Withheld);
    assert_eq!(kinds["wp-content/uploads/odd/out/passwd"], FileProblem::Outside);
    assert_eq!(kinds["wp-content/uploads/odd/out"], FileProblem::Changed);
    assert_eq!(kinds["wp-content/uploads/odd/cycle/odd/empty"], FileProblem::Outside);
    assert_eq!(kinds["wp-content/uploads/nothing-here"], FileProblem::Vanished);
    assert_eq!(kinds["wp-content/uploads"], FileProblem::Changed);
}

/// Waits until a change of the file would show in its time, which the plugin sees in whole seconds.
async fn settled(path: &Path) {
    wait_until("the file's time to pass", Duration::from_secs(10), || async {
        let changed = path.metadata().unwrap().modified().unwrap();
        changed.elapsed().is_ok_and(|age| age > Duration::from_millis(2100))
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_file_that_changes_is_begun_again_and_never_spliced() {
    let site = site().await;
    let path = SitePath::new("wp-content/uploads/growing.bin").unwrap();
    let on_disk = site.source.site.docroot.join("wp-content/uploads/growing.bin");
    fs::write(&on_disk, vec![1; 3_000_000]).unwrap();
    settled(&on_disk).await;
    let client = site.client();
    let mut reader = client.read_files([FileRequest::whole(path.clone())]);
    let Some(FileEvent::Begin { stamp, .. }) = reader.next().await.unwrap() else { panic!("no beginning") };
    let Some(FileEvent::Data(first)) = reader.next().await.unwrap() else { panic!("no bytes") };
    drop(reader);

    // The rest of the same file joins what came before.
    let mut rest = client.read_files([FileRequest::rest(path.clone(), first.len() as u64, stamp.clone())]);
    let Some(FileEvent::Begin { offset, .. }) = rest.next().await.unwrap() else { panic!("no beginning") };
    assert_eq!(offset, first.len() as u64);
    let mut length = first.len();
    while let Some(FileEvent::Data(bytes)) = rest.next().await.unwrap() {
        length += bytes.len();
    }
    assert_eq!(length, 3_000_000);

    // Of a file that changed meanwhile the rest is not given.
    fs::write(&on_disk, vec![2; 3_000_000]).unwrap();
    let mut rest = client.read_files([FileRequest::rest(path, first.len() as u64, stamp)]);
    let Some(FileEvent::Begin { offset, size, .. }) = rest.next().await.unwrap() else {
        panic!("no beginning")
    };
    assert_eq!((offset, size), (0, 3_000_000));
    while let Some(FileEvent::Data(bytes)) = rest.next().await.unwrap() {
        assert!(bytes.iter().all(|byte| *byte == 2));
    }
    fs::remove_file(on_disk).unwrap();
}
