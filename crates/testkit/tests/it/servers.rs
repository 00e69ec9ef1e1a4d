//! Each server of the lab starts, answers, and is gone when it is dropped.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use landfall_testkit::lab::{Lab, MariaDbOptions, SmtpSink, address, user_exists, wait_until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const LIMIT: Duration = Duration::from_secs(30);

fn is_running(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

/// Processes whose command line names the lab's folder.
fn processes_of(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = entries.filter_map(|entry| std::fs::read_to_string(entry.path().join("cmdline")).ok());
    lines.filter(|line| line.contains(folder.to_str().unwrap())).collect()
}

#[tokio::test]
async fn mariadb_survives_kill9_and_is_gone_after_its_drop() {
    let lab = Lab::temporary().unwrap();
    let folder = lab.folder().to_owned();
    let mut server = lab.mariadb("db", MariaDbOptions::default()).await.unwrap();
    let access = server.create_database("shop").await.unwrap();
    server.sql("CREATE TABLE shop.t (id INT PRIMARY KEY); INSERT INTO shop.t VALUES (7)").await.unwrap();
    server.daemon.kill9().unwrap();
    assert!(server.sql("SELECT 1").await.is_err());
    server.restart().await.unwrap();
    assert_eq!(server.sql("SELECT id FROM shop.t").await.unwrap().trim(), "7");
    assert!(access.url().starts_with("mysql://shop:"));
    assert!(server.daemon.peak_memory_kib().unwrap() > 1_000);
    let pid = server.daemon.pid();
    drop((server, lab));
    assert!(!is_running(pid));
    assert!(!folder.exists());
}

#[tokio::test]
async fn redis_keeps_a_write_through_kill9() {
    let lab = Lab::temporary().unwrap();
    let mut server = lab.redis("redis").await.unwrap();
    let port: u16 = server.url().trim_end_matches('/').rsplit(':').next().unwrap().parse().unwrap();
    assert_eq!(exchange(port, b"SET key value\r\n").await, b"+OK\r\n");
    server.daemon.kill9().unwrap();
    server.restart().await.unwrap();
    assert_eq!(exchange(port, b"GET key\r\n").await, b"$5\r\nvalue\r\n");
    let pid = server.daemon.pid();
    drop(server);
    assert!(!is_running(pid));
}

async fn exchange(port: u16, command: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address(port)).await.unwrap();
    stream.write_all(command).await.unwrap();
    stream.write_all(b"QUIT\r\n").await.unwrap();
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).await.unwrap();
    reply.strip_suffix(b"+OK\r\n").unwrap().to_vec()
}

#[tokio::test]
async fn rabbitmq_leaves_nothing_behind_after_kill9() {
    let lab = Lab::temporary().unwrap();
    let folder = lab.folder().to_owned();
    let mut server = lab.rabbitmq("rabbitmq").await.unwrap();
    let queues = server.ctl(&["list_queues"]).await.unwrap();
    assert!(!queues.contains("error"), "{queues}");
    let (pid, epmd) = (server.daemon.pid(), server.epmd_pid());
    server.daemon.kill9().unwrap();
    assert!(!is_running(pid));
    server.restart().await.unwrap();
    drop((server, lab));
    assert!(!is_running(epmd));
    assert_eq!(processes_of(&folder), Vec::<String>::new());
    assert!(!folder.exists());
}

#[tokio::test]
async fn sftp_takes_key_and_password_within_the_chroot_and_the_user_goes_with_the_lab() {
    let lab = Lab::temporary().unwrap();
    let account = lab.account().await.unwrap();
    let chroot = lab.folder().join("chroot");
    std::fs::create_dir_all(chroot.join("inside")).unwrap();
    let server = lab.sshd("sshd", &chroot, &account).await.unwrap();
    assert!(server.host_key_fingerprint().await.unwrap().starts_with("SHA256:"));
    assert!(server.host_key().unwrap().starts_with("ssh-ed25519 "));
    let known = lab.folder().join("known_hosts");
    let entry = format!("[127.0.0.1]:{} {}\n", server.port(), server.host_key().unwrap());
    std::fs::write(&known, entry).unwrap();
    let batch = lab.folder().join("batch");
    std::fs::write(&batch, "ls /\n").unwrap();
    let askpass = lab.folder().join("askpass");
    std::fs::write(&askpass, format!("#!/bin/sh\necho {}\n", account.password)).unwrap();
    std::fs::set_permissions(&askpass, std::fs::Permissions::from_mode(0o700)).unwrap();
    for way in ["publickey", "password"] {
        let output = Command::new("sftp")
            .args([
                "-q",
                "-P",
                &server.port().to_string(),
                "-o",
                "BatchMode=no",
                "-b",
                batch.to_str().unwrap(),
            ])
            .args([
                "-o",
                &format!("UserKnownHostsFile={}", known.display()),
                "-o",
                "StrictHostKeyChecking=yes",
            ])
            .args(["-o", &format!("PreferredAuthentications={way}"), "-o", "IdentitiesOnly=yes"])
            .args(["-i", server.client_key().to_str().unwrap()])
            .arg(format!("{}@127.0.0.1", account.name))
            .env("SSH_ASKPASS", &askpass)
            .env("SSH_ASKPASS_REQUIRE", "force")
            .output()
            .unwrap();
        assert!(output.status.success(), "{way}: {output:?}\n{}", server.daemon.log_tail());
        let listing = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(listing.contains("/inside"), "{listing}");
    }
    assert!(user_exists(&account.name));
    drop((server, lab));
    assert!(!user_exists(&account.name));
}

#[tokio::test]
async fn the_mail_server_keeps_what_it_is_given_and_can_refuse() {
    let sink = SmtpSink::start().await.unwrap();
    let session = b"EHLO me\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n\
        Subject: It\r\n works\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=\r\n=C3=9Fe\r\n..dot\r\n.\r\nQUIT\r\n";
    let mut stream = TcpStream::connect(address(sink.port())).await.unwrap();
    stream.write_all(session).await.unwrap();
    let mail = sink.wait_for(LIMIT, |mail| mail.to == ["b@example.org"]).await.unwrap();
    assert_eq!(mail.from, "a@example.org");
    assert_eq!(mail.header("subject").unwrap(), "It works");
    assert_eq!(mail.text(), "Grüße\r\n.dot\r\n");
    sink.refuse(true);
    let mut stream = TcpStream::connect(address(sink.port())).await.unwrap();
    stream.write_all(b"EHLO me\r\nMAIL FROM:<a@example.org>\r\nQUIT\r\n").await.unwrap();
    let mut replies = String::new();
    stream.read_to_string(&mut replies).await.unwrap();
    assert!(replies.contains("451 "), "{replies}");
}

#[tokio::test]
async fn a_frozen_server_goes_on_after_sigcont() {
    let lab = Lab::temporary().unwrap();
    let server = lab.redis("redis").await.unwrap();
    let status = PathBuf::from(format!("/proc/{}/stat", server.daemon.pid()));
    let state = || std::fs::read_to_string(&status).unwrap().rsplit_once(") ").unwrap().1[..1].to_owned();
    server.daemon.sigstop();
    wait_until("frozen", LIMIT, || async { state() == "T" }).await.unwrap();
    server.daemon.sigcont();
    wait_until("awake", LIMIT, || async { state() != "T" }).await.unwrap();
}

#[tokio::test]
async fn a_lab_that_was_kept_is_ended_by_its_script_and_by_the_next_lab_in_its_folder() {
    let parent = Lab::temporary().unwrap();
    let folder = parent.folder().join("kept");
    for is_by_script in [true, false] {
        let lab = Lab::new(&folder).unwrap();
        let server = lab.redis("redis").await.unwrap();
        let account = lab.account().await.unwrap();
        let pid = server.daemon.pid();
        let stop = lab.keep();
        drop((server, lab));
        assert!(is_running(pid) && user_exists(&account.name));
        if is_by_script {
            assert!(Command::new("sh").arg(stop).status().unwrap().success());
            assert!(!folder.exists());
        } else {
            drop(Lab::new(&folder).unwrap());
        }
        let is_over =
            || std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "));
        assert!(!is_running(pid) || is_over());
        assert!(!user_exists(&account.name));
    }
}

#[tokio::test]
async fn a_folder_that_no_lab_made_is_refused() {
    let parent = Lab::temporary().unwrap();
    let folder = parent.folder().join("mine");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("precious"), "keep me").unwrap();
    assert!(Lab::new(&folder).unwrap_err().to_string().contains("not made by a lab"));
    assert!(folder.join("precious").exists());
}
