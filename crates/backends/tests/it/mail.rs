use std::time::Duration;

use landfall_backends::mail::{FolderMailer, SmtpMailer, SmtpOptions, SmtpTls};
use landfall_common::ports::{Mail, MailError, Mailer};
use landfall_testkit::lab::SmtpSink;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

const SENDER: &str = "Landfall <landfall@example.com>";

fn mail() -> Mail {
    Mail {
        to: "owner@example.org".to_owned(),
        subject: "Ihre Website ist da: grün\r\nBcc: everybody@example.org".to_owned(),
        text: "It is at https://example.org/?a=1&b=2\n.\nEnd.".to_owned(),
        html: "<p>It is <b>there</b>.</p>".to_owned(),
        message_id: "mig_1.succeeded".to_owned(),
    }
}

fn options(port: u16, tls: SmtpTls) -> SmtpOptions {
    SmtpOptions {
        host: "127.0.0.1".to_owned(),
        port,
        tls,
        credentials: None,
        sender: SENDER.to_owned(),
        extra_roots: Vec::new(),
    }
}

#[tokio::test]
async fn a_message_has_text_and_html_and_the_same_id_each_time() {
    let sink = SmtpSink::start().await.unwrap();
    let mailer = SmtpMailer::new(&options(sink.port(), SmtpTls::None)).unwrap();
    for _ in 0..2 {
        mailer.send(&mail()).await.unwrap();
    }
    let mails = sink.mails();
    assert_eq!(mails.len(), 2);
    for sent in mails {
        assert_eq!(
            (sent.from.as_str(), sent.to.as_slice()),
            ("landfall@example.com", ["owner@example.org".to_owned()].as_slice())
        );
        assert_eq!(sent.header("Message-ID").unwrap(), "<mig_1.succeeded@example.com>");
        assert!(sent.header("Content-Type").unwrap().starts_with("multipart/alternative"));
        assert_eq!(sent.header("Bcc"), None, "a subject is one line");
        assert!(sent.header("Date").is_some());
        let body = sent.text();
        assert!(body.contains("https://example.org/?a=1&b=2") && body.contains("<b>there</b>"), "{body}");
    }
}

#[tokio::test]
async fn a_server_that_is_busy_or_away_is_asked_again_later() {
    let sink = SmtpSink::start().await.unwrap();
    let mailer = SmtpMailer::new(&options(sink.port(), SmtpTls::None)).unwrap();
    sink.refuse(true);
    let busy = mailer.send(&mail()).await;
    assert!(matches!(busy, Err(MailError::Unavailable(_))), "{busy:?}");
    sink.refuse(false);
    mailer.send(&mail()).await.unwrap();
    sink.wait_for(Duration::from_secs(5), |_| true).await.unwrap();
    drop(sink);
    let away = SmtpMailer::new(&options(landfall_testkit::lab::free_port().unwrap(), SmtpTls::None)).unwrap();
    let away = away.send(&mail()).await;
    assert!(matches!(away, Err(MailError::Unavailable(_))), "{away:?}");
}

#[tokio::test]
async fn a_server_without_tls_gets_nothing_where_tls_is_asked_for() {
    let sink = SmtpSink::start().await.unwrap();
    let mailer = SmtpMailer::new(&options(sink.port(), SmtpTls::StartTls)).unwrap();
    let refused = mailer.send(&mail()).await;
    assert!(refused.is_err());
    assert!(sink.mails().is_empty());
}

#[tokio::test]
async fn what_will_never_work_is_told_from_what_may() {
    let sink = SmtpSink::start().await.unwrap();
    let mailer = SmtpMailer::new(&options(sink.port(), SmtpTls::None)).unwrap();
    for to in ["", "nobody", "a@b@c", "x@example.org\r\nBcc: y@example.org"] {
        let refused = mailer.send(&Mail { to: to.to_owned(), ..mail() }).await;
        assert!(matches!(refused, Err(MailError::Refused(_))), "{to:?}: {refused:?}");
    }
    let port = refusing_server().await;
    let mailer = SmtpMailer::new(&options(port, SmtpTls::None)).unwrap();
    let refused = mailer.send(&mail()).await;
    assert!(matches!(refused, Err(MailError::Refused(_))), "{refused:?}");
}

/// A mail server that knows no recipient.
async fn refusing_server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let (reader, mut writer) = stream.into_split();
        writer.write_all(b"220 x\r\n").await.unwrap();
        let mut lines = BufReader::new(reader).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let reply: &[u8] =
                if line.starts_with("RCPT") { b"550 5.1.1 no such user\r\n" } else { b"250 ok\r\n" };
            writer.write_all(reply).await.unwrap();
        }
    });
    port
}

#[tokio::test]
async fn a_folder_takes_each_message_once() {
    let folder = TempDir::new().unwrap();
    let mails = folder.path().join("mail");
    let mailer = FolderMailer::new(&mails, SENDER).unwrap();
    mailer.send(&mail()).await.unwrap();
    mailer.send(&mail()).await.unwrap();
    mailer.send(&Mail { message_id: "../../escape".to_owned(), ..mail() }).await.unwrap();
    let mut names: Vec<_> = std::fs::read_dir(&mails)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["..-..-escape.eml", "mig_1.succeeded.eml"]);
    let written = std::fs::read_to_string(mails.join("mig_1.succeeded.eml")).unwrap();
    assert!(written.contains("multipart/alternative") && written.contains("owner@example.org"));
}
