//! Looking at the destination over HTTP, as its visitors do: whether the door is closed, and whether the site lives.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use ipnet::IpNet;
use reqwest::header::{HOST, LOCATION};
use reqwest::{Client, Method, Response, redirect};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::net::AddressPolicy;

/// Longest wait for one answer. Hosts cut requests off after 60 s; a page that takes longer than this is down.
const REQUEST_LIMIT: Duration = Duration::from_secs(30);
/// So much of a body is looked at.
const BODY_MAX: usize = 1024 * 1024;
/// The header by which the closed door of ours is known from a site's own 503.
pub const DOOR_HEADER: &str = "X-Landfall-Door";
/// How often the closed door is looked at.
const DOOR_EVERY: Duration = Duration::from_millis(200);

/// Sends requests to a destination.
#[derive(Debug, Clone)]
pub struct Prober {
    client: Client,
    base: Url,
    host: Option<String>,
}

/// A page that is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Page {
    /// The front page.
    Home,
    /// The form to log in.
    Login,
    /// REST.
    Rest,
}

/// What came of one look at one page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageProbe {
    /// The page.
    pub page: Page,
    /// The address that was asked for.
    pub url: String,
    /// The status; none where no answer came.
    pub status: Option<u16>,
    /// How long it took, in milliseconds.
    pub ms: u64,
    /// Bytes of the body, as far as it was read.
    pub bytes: u64,
    /// The page's title, where it has one.
    pub title: Option<String>,
    /// What is wrong with it; none: it is as it should be.
    pub fault: Option<String>,
}

/// Why the door was not seen to be closed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DoorError {
    /// The site kept answering something other than 503.
    #[error("{url} still answered {status} after {waited_s} s")]
    StillOpen {
        /// What was asked for.
        url: String,
        /// The last other status.
        status: u16,
        /// How long it was tried.
        waited_s: u64,
    },
    /// The site did not answer at all.
    #[error("the destination's web server does not answer: {why}")]
    Unreachable {
        /// What happened.
        why: String,
    },
}

/// What an answer was.
struct Answer {
    status: u16,
    is_our_door: bool,
    location: Option<String>,
    body: String,
    bytes: u64,
}

impl Page {
    const ALL: [Page; 3] = [Page::Home, Page::Login, Page::Rest];
}

impl Prober {
    /// Looks at `base`, saying that it wants `final_url` where the site is to be known by another name.
    pub fn new(base: &Url, final_url: Option<&Url>) -> Result<Self, reqwest::Error> {
        // Whoever composes the process installs a provider first; in a test of this module nobody does.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let everywhere = ["0.0.0.0/0", "::/0"].map(|network| network.parse::<IpNet>().expect("a network"));
        // The destination is the operator's own: any address will do, but names of this machine stay on it.
        let policy = AddressPolicy::public_only().with_loopback().with_networks(everywhere);
        let client = Client::builder()
            .no_proxy()
            .dns_resolver(policy.resolver(HashMap::new()))
            .redirect(redirect::Policy::none())
            .timeout(REQUEST_LIMIT)
            .connect_timeout(Duration::from_secs(10))
            .http1_only()
            .user_agent("Landfall-Probe/1")
            .build()?;
        let host = final_url.and_then(|url| {
            let host = url.host_str()?;
            Some(url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
        });
        let mut base = base.clone();
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        Ok(Self { client, base, host })
    }

    /// Looks at every page once. `core` is WordPress' own folder below the document root, or empty.
    pub async fn look(&self, core: &str) -> Vec<PageProbe> {
        let mut probes = Vec::new();
        for page in Page::ALL {
            probes.push(self.look_at(page, core).await);
        }
        probes
    }

    async fn look_at(&self, page: Page, core: &str) -> PageProbe {
        let path = match page {
            Page::Home => String::new(),
            Page::Login if core.is_empty() => "wp-login.php".to_owned(),
            Page::Login => format!("{core}/wp-login.php"),
            Page::Rest => "?rest_route=/".to_owned(),
        };
        let begun = Instant::now();
        let answer = self.get(&path).await;
        let ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let url = self.url(&path).to_string();
        match answer {
            Ok(answer) => PageProbe {
                page,
                url,
                status: Some(answer.status),
                ms,
                bytes: answer.bytes,
                title: title(&answer.body),
                fault: fault(page, &answer),
            },
            Err(error) => PageProbe {
                page,
                url,
                status: None,
                ms,
                bytes: 0,
                title: None,
                fault: Some(describe(&error)),
            },
        }
    }

    /// Waits until only 503 was seen for so long; gives up after `limit`.
    pub async fn wait_closed(&self, quiet: Duration, limit: Duration) -> Result<(), DoorError> {
        let begun = Instant::now();
        let mut closed_since: Option<Instant> = None;
        let mut last = DoorError::Unreachable { why: "no answer".to_owned() };
        for number in 0_u64.. {
            // What caches keep must not be what is seen; every way into WordPress is tried in turn.
            let path = ["", "index.php", "wp-login.php"][usize::try_from(number % 3).unwrap_or(0)];
            let path = format!("{path}?landfall-door={}", rand::random::<u64>());
            match self.get(&path).await {
                Ok(answer) if answer.status == 503 => {
                    let since = *closed_since.get_or_insert_with(Instant::now);
                    if since.elapsed() >= quiet {
                        return Ok(());
                    }
                }
                Ok(answer) => {
                    closed_since = None;
                    let waited_s = begun.elapsed().as_secs();
                    last =
                        DoorError::StillOpen { url: self.base.to_string(), status: answer.status, waited_s };
                }
                Err(error) => {
                    closed_since = None;
                    last = DoorError::Unreachable { why: describe(&error) };
                }
            }
            if begun.elapsed() > limit {
                return Err(last);
            }
            tokio::time::sleep(DOOR_EVERY).await;
        }
        Err(last)
    }

    /// Waits until the closed door was not seen for so long: PHP may serve it from its cache for a moment after it is
    /// gone. Returns false where it still was there after `limit`, or nothing answers.
    pub async fn wait_open(&self, quiet: Duration, limit: Duration) -> bool {
        let begun = Instant::now();
        let mut open_since: Option<Instant> = None;
        while begun.elapsed() <= limit {
            match self.get(&format!("?landfall-door={}", rand::random::<u64>())).await {
                Ok(answer) if !answer.is_our_door => {
                    if open_since.get_or_insert_with(Instant::now).elapsed() >= quiet {
                        return true;
                    }
                }
                Ok(_) | Err(_) => open_since = None,
            }
            tokio::time::sleep(DOOR_EVERY).await;
        }
        false
    }

    /// Gets a page with one more header; returns status and body.
    pub async fn fetch(&self, path: &str, header: (&str, &str)) -> Result<(u16, String), reqwest::Error> {
        let request = self.client.get(self.url(path)).header(header.0, header.1);
        let answer = read(self.with_host(request).send().await?).await?;
        Ok((answer.status, answer.body))
    }

    /// Posts to the front page with one more header; returns status and body.
    pub async fn post(&self, header: (&str, &str)) -> Result<(u16, String), reqwest::Error> {
        let request = self.client.request(Method::POST, self.url("")).header(header.0, header.1);
        let response = self.with_host(request).send().await?;
        let answer = read(response).await?;
        Ok((answer.status, answer.body))
    }

    async fn get(&self, path: &str) -> Result<Answer, reqwest::Error> {
        let request = self.client.get(self.url(path)).header("Cache-Control", "no-cache");
        read(self.with_host(request).send().await?).await
    }

    fn with_host(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        match &self.host {
            Some(host) => request.header(HOST, host),
            None => request,
        }
    }

    fn url(&self, path: &str) -> Url {
        self.base.join(path).unwrap_or_else(|_| self.base.clone())
    }
}

async fn read(mut response: Response) -> Result<Answer, reqwest::Error> {
    let status = response.status().as_u16();
    let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let is_our_door = response.headers().contains_key(DOOR_HEADER);
    let mut body = Vec::new();
    while body.len() < BODY_MAX {
        let Some(chunk) = response.chunk().await? else { break };
        body.extend_from_slice(&chunk);
    }
    body.truncate(BODY_MAX);
    Ok(Answer {
        status,
        is_our_door,
        location,
        bytes: body.len() as u64,
        body: String::from_utf8_lossy(&body).into_owned(),
    })
}

/// The address stays out: it is told beside it, and redirects may hold secrets.
fn describe(error: &reqwest::Error) -> String {
    let mut text = if error.is_timeout() {
        "no answer in time".to_owned()
    } else if error.is_connect() {
        "no connection".to_owned()
    } else {
        "the answer broke off".to_owned()
    };
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

fn title(body: &str) -> Option<String> {
    let start = body.find("<title")?;
    let start = start + body[start..].find('>')? + 1;
    let end = start + body[start..].find("</title>")?;
    Some(body[start..end].trim().chars().take(200).collect())
}

/// Texts of WordPress that stand for a broken site whatever the status is.
const BROKEN: [&str; 3] = [
    "Error establishing a database connection",
    "There has been a critical error on this website",
    "<b>Fatal error</b>:",
];

/// What a page's fault is called that still is the closed door, out of PHP's cache.
const STILL_CLOSED: &str = "the closed door is still there";

fn fault(page: Page, answer: &Answer) -> Option<String> {
    if answer.is_our_door {
        return Some(STILL_CLOSED.to_owned());
    }
    if let Some(text) = BROKEN.iter().find(|text| answer.body.contains(**text)) {
        return Some(format!("the page says {text:?}"));
    }
    if let Some(location) = answer.location.as_ref().filter(|_| (300..400).contains(&answer.status)) {
        let is_install = location.contains("wp-admin/install.php") || location.contains("setup-config.php");
        return is_install.then(|| "WordPress wants to be installed".to_owned());
    }
    match (page, answer.status) {
        (Page::Login, 200) if answer.body.contains("loginform") || answer.body.contains("user_login") => None,
        (Page::Login, 200) => Some("it holds no form to log in".to_owned()),
        (Page::Rest, 200) if answer.body.contains("\"namespaces\"") => None,
        (Page::Rest, 200) => Some("it is not WordPress' REST".to_owned()),
        (Page::Home, 200) if answer.body.trim().is_empty() => Some("the page is empty".to_owned()),
        (Page::Home, 200) => None,
        (_, status) => Some(format!("status {status}")),
    }
}

/// Why a site counts as dead; none where it lives. A site owner may have switched REST off, hide the form to log in or
/// show a page of their own with status 503 to visitors (our closed door is not theirs): one of front page and login that
/// is as it should be is a sign of life, but no error of PHP or of the database may be in sight.
pub fn dead_because(probes: &[PageProbe]) -> Option<String> {
    let faults: Vec<&PageProbe> = probes.iter().filter(|probe| probe.fault.is_some()).collect();
    let is_broken = |probe: &&&PageProbe| {
        let text = probe.fault.as_deref().unwrap_or_default();
        text == STILL_CLOSED
            || text.starts_with("the page says")
            || text == "WordPress wants to be installed"
            || probe.status == Some(500)
    };
    let is_gate = |probe: &PageProbe| matches!(probe.page, Page::Home | Page::Login);
    let gates_down = probes.iter().filter(|probe| is_gate(probe)).all(|probe| probe.fault.is_some());
    let broken: Vec<&PageProbe> =
        faults.iter().filter(is_broken).copied().filter(|probe| is_gate(probe)).collect();
    let why = if gates_down { faults } else { broken };
    if why.is_empty() {
        return None;
    }
    let why: Vec<String> = why
        .iter()
        .map(|probe| format!("{}: {}", probe.url, probe.fault.as_deref().unwrap_or_default()))
        .collect();
    Some(why.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, is_our_door: false, location: None, body: body.to_owned(), bytes: body.len() as u64 }
    }

    fn probe(page: Page, status: u16, body: &str) -> PageProbe {
        let fault = fault(page, &answer(status, body));
        PageProbe { page, url: "u".into(), status: Some(status), ms: 1, bytes: 1, title: None, fault }
    }

    #[test]
    fn a_living_site_may_have_one_odd_page() {
        let login = probe(Page::Login, 200, "<form id=loginform>");
        let home = probe(Page::Home, 503, "coming soon");
        let rest = probe(Page::Rest, 401, "");
        assert_eq!(dead_because(&[home, login, rest]), None);
    }

    #[test]
    fn our_closed_door_is_no_page_of_the_site() {
        let login = probe(Page::Login, 200, "<form id=loginform>");
        let closed = Answer { is_our_door: true, ..answer(503, "One moment") };
        let home = PageProbe { fault: fault(Page::Home, &closed), ..probe(Page::Home, 503, "") };
        assert_eq!(dead_because(&[home, login]).unwrap(), "u: the closed door is still there");
    }

    #[test]
    fn a_database_error_or_no_page_at_all_is_death() {
        let login = probe(Page::Login, 200, "<form id=loginform>");
        let home = probe(Page::Home, 200, "<h1>Error establishing a database connection</h1>");
        assert!(dead_because(&[home, login.clone()]).is_some());
        assert!(dead_because(&[probe(Page::Home, 500, "x"), login]).is_some());
        assert!(dead_because(&[probe(Page::Home, 404, ""), probe(Page::Login, 404, "")]).is_some());
    }

    #[test]
    fn titles_are_found() {
        assert_eq!(title("<html><title lang=x> My site </title>").as_deref(), Some("My site"));
        assert_eq!(title("<title>never closed"), None);
    }
}
