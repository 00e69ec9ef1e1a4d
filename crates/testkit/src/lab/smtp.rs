//! A mail server that keeps what it is given, for tests of what Landfall mails.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::daemon::wait_until;

const MAILS_MAX: usize = 1_000;
const MESSAGE_BYTES_MAX: usize = 1 << 20;
const LINE_BYTES_MAX: u64 = 8 << 10;

/// A running SMTP server on 127.0.0.1 that delivers nothing. It ends when it is dropped.
#[derive(Debug)]
pub struct SmtpSink {
    port: u16,
    mailbox: Arc<Mailbox>,
    listener: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Mailbox {
    mails: Mutex<Vec<Mail>>,
    is_refusing: AtomicBool,
}

/// One message as it came over the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The envelope's sender.
    pub from: String,
    /// The envelope's recipients.
    pub to: Vec<String>,
    /// Headers and body, encoded as they were sent.
    pub message: String,
}

impl SmtpSink {
    /// Listens on a free port.
    pub async fn start() -> Result<Self> {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = socket.local_addr()?.port();
        let mailbox = Arc::new(Mailbox::default());
        let shared = Arc::clone(&mailbox);
        let listener = tokio::spawn(async move {
            let mut sessions = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = socket.accept().await {
                while sessions.try_join_next().is_some() {}
                sessions.spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Ok(Self { port, mailbox, listener })
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Everything received so far, oldest first.
    pub fn mails(&self) -> Vec<Mail> {
        self.mailbox.mails.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Answers every message with a temporary failure, or stops doing so.
    pub fn refuse(&self, is_refusing: bool) {
        self.mailbox.is_refusing.store(is_refusing, Ordering::SeqCst);
    }

    /// Waits for a message that `is_wanted` accepts.
    pub async fn wait_for(&self, limit: Duration, is_wanted: impl Fn(&Mail) -> bool) -> Result<Mail> {
        let find = || self.mails().into_iter().find(&is_wanted);
        wait_until("the expected mail", limit, || async { find().is_some() }).await?;
        find().context("the mail is there")
    }
}

impl Drop for SmtpSink {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

impl Mail {
    /// A header's value, unfolded but not decoded further.
    pub fn header(&self, name: &str) -> Option<String> {
        let (head, _) = self.message.split_once("\r\n\r\n").unwrap_or((&self.message, ""));
        let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
        unfolded.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    }

    /// The body, with quoted-printable undone. Parts of a multipart message follow one another.
    pub fn text(&self) -> String {
        let (_, body) = self.message.split_once("\r\n\r\n").unwrap_or(("", &self.message));
        if self.message.to_ascii_lowercase().contains("content-transfer-encoding: quoted-printable") {
            String::from_utf8_lossy(&from_quoted_printable(body.as_bytes())).into_owned()
        } else {
            body.to_owned()
        }
    }
}

fn from_quoted_printable(encoded: &[u8]) -> Vec<u8> {
    let digit = |at: usize| encoded.get(at).and_then(|&byte| char::from(byte).to_digit(16));
    let mut decoded = Vec::with_capacity(encoded.len());
    let mut at = 0;
    while let Some(&byte) = encoded.get(at) {
        if byte == b'=' && encoded[at + 1..].starts_with(b"\r\n") {
            at += 3;
        } else if let (b'=', Some(high), Some(low)) = (byte, digit(at + 1), digit(at + 2)) {
            decoded.push(u8::try_from(high * 16 + low).expect("two hexadecimal digits are one byte"));
            at += 3;
        } else {
            decoded.push(byte);
            at += 1;
        }
    }
    decoded
}

/// One session, to its end or to the first broken line. A client's fault ends its own session only.
async fn serve(stream: TcpStream, mailbox: Arc<Mailbox>) {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    let (mut from, mut to) = (String::new(), Vec::new());
    if writer.write_all(b"220 lab ESMTP\r\n").await.is_err() {
        return;
    }
    while let Some(line) = read_line(&mut reader).await {
        let verb = line.get(..4).unwrap_or("").to_ascii_uppercase();
        let reply: &[u8] = match verb.as_str() {
            "EHLO" => b"250-lab\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n",
            "MAIL" if mailbox.is_refusing.load(Ordering::SeqCst) => b"451 4.3.0 not now\r\n",
            "MAIL" => {
                (from, to) = (address_in(&line), Vec::new());
                b"250 ok\r\n"
            }
            "RCPT" => {
                to.push(address_in(&line));
                b"250 ok\r\n"
            }
            "DATA" => {
                if writer.write_all(b"354 go on\r\n").await.is_err() {
                    return;
                }
                let Some(message) = read_message(&mut reader).await else { return };
                keep(&mailbox, Mail { from: from.clone(), to: std::mem::take(&mut to), message });
                b"250 kept\r\n"
            }
            "HELO" | "RSET" | "NOOP" => b"250 ok\r\n",
            "QUIT" => {
                let _ = writer.write_all(b"221 bye\r\n").await;
                return;
            }
            _ => b"502 no such command\r\n",
        };
        if writer.write_all(reply).await.is_err() {
            return;
        }
    }
}

fn keep(mailbox: &Mailbox, mail: Mail) {
    let mut mails = mailbox.mails.lock().unwrap_or_else(PoisonError::into_inner);
    if mails.len() < MAILS_MAX {
        mails.push(mail);
    }
}

fn address_in(line: &str) -> String {
    let address = line.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    address.map_or("", |(address, _)| address).to_owned()
}

async fn read_line(reader: &mut (impl AsyncBufReadExt + Unpin)) -> Option<String> {
    let mut line = Vec::new();
    let read = (&mut *reader).take(LINE_BYTES_MAX).read_until(b'\n', &mut line).await.ok()?;
    (read > 0 && line.ends_with(b"\n")).then(|| String::from_utf8_lossy(&line).into_owned())
}

async fn read_message(reader: &mut (impl AsyncBufReadExt + Unpin)) -> Option<String> {
    let mut message = String::new();
    loop {
        let line = read_line(reader).await?;
        if line == ".\r\n" {
            return Some(message);
        }
        if message.len() + line.len() > MESSAGE_BYTES_MAX {
            return None;
        }
        message.push_str(line.strip_prefix('.').unwrap_or(&line));
    }
}
