//! A site owner's browser: cookies, redirects and forms against a site of the lab.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use url::Url;

use super::forms::{Form, forms, unescape};
use super::ports::address;

const REDIRECTS_MAX: usize = 10;
const REQUEST_LIMIT: Duration = Duration::from_secs(60);

/// An HTTP client that finds the lab's host names on 127.0.0.1 by itself; no resolver is asked.
pub fn http_client(urls: &[&Url]) -> Result<reqwest::Client> {
    // A second provider is refused, and the first serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder().no_proxy().redirect(Policy::none()).timeout(REQUEST_LIMIT);
    for url in urls {
        let host = url.host_str().context("a URL without a host")?;
        let port = url.port_or_known_default().context("a URL without a port")?;
        builder = builder.resolve(host, address(port));
    }
    Ok(builder.build()?)
}

/// One browser session with one site.
#[derive(Debug)]
pub struct Browser {
    client: reqwest::Client,
    base: Url,
    cookies: Mutex<BTreeMap<String, String>>,
}

/// What a request ended at, redirects followed.
#[derive(Clone, Debug)]
pub struct Page {
    /// The address of the last answer.
    pub url: Url,
    /// Its HTTP status.
    pub status: u16,
    /// Its body; bytes that are no UTF-8 are replaced.
    pub body: String,
}

impl Browser {
    /// A browser without cookies at `base`, the site's address.
    pub fn new(base: &Url) -> Result<Self> {
        let mut base = base.clone();
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        Ok(Self { client: http_client(&[&base])?, base, cookies: Mutex::default() })
    }

    /// Opens an address, relative to the site's.
    pub async fn get(&self, target: &str) -> Result<Page> {
        let url = self.base.join(target)?;
        self.request(url, None).await
    }

    /// Posts fields to an address, relative to the site's.
    pub async fn post(&self, target: &str, fields: &[(String, String)]) -> Result<Page> {
        let url = self.base.join(target)?;
        self.request(url, Some(fields)).await
    }

    /// Sends a form of `page`.
    pub async fn submit(&self, page: &Page, form: &Form) -> Result<Page> {
        let url = if form.action.is_empty() { page.url.clone() } else { page.url.join(&form.action)? };
        ensure!(form.is_post, "only forms sent by POST are known here");
        self.request(url, Some(&form.fields)).await
    }

    /// Logs in to wp-admin as this user.
    pub async fn log_in(&self, user: &str, password: &str) -> Result<()> {
        let page = self.get("wp-login.php").await?;
        let mut form = page.form_with("log")?;
        form.fill("log", user);
        form.fill("pwd", password);
        let page = self.submit(&page, &form).await?;
        let is_logged_in = self.lock().keys().any(|name| name.starts_with("wordpress_logged_in_"));
        ensure!(is_logged_in, "the log-in was refused: {:?}", page.notices());
        Ok(())
    }

    async fn request(&self, url: Url, fields: Option<&[(String, String)]>) -> Result<Page> {
        let (mut url, mut fields) = (url, fields);
        for _ in 0..REDIRECTS_MAX {
            let request = match fields {
                Some(fields) => self.client.post(url.clone()).form(fields),
                None => self.client.get(url.clone()),
            };
            let cookies: Vec<String> =
                self.lock().iter().map(|(name, value)| format!("{name}={value}")).collect();
            let response = request.header(COOKIE, cookies.join("; ")).send().await?;
            for cookie in response.headers().get_all(SET_COOKIE) {
                self.keep_cookie(cookie.to_str().unwrap_or(""));
            }
            let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
            let next =
                location.filter(|_| response.status().is_redirection()).map(|to| url.join(to)).transpose()?;
            match next {
                Some(next) if next.origin() == url.origin() => (url, fields) = (next, None),
                Some(_) | None => {
                    let status = response.status().as_u16();
                    let body = String::from_utf8_lossy(&response.bytes().await?).into_owned();
                    return Ok(Page { url, status, body });
                }
            }
        }
        bail!("{url} redirects without end")
    }

    fn keep_cookie(&self, line: &str) {
        let pair = line.split(';').next().unwrap_or("");
        let Some((name, value)) = pair.split_once('=') else { return };
        let is_expired = line.to_ascii_lowercase().contains("max-age=0") || value.trim().is_empty();
        let mut cookies = self.lock();
        if is_expired {
            cookies.remove(name.trim());
        } else {
            cookies.insert(name.trim().to_owned(), value.trim().to_owned());
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, String>> {
        self.cookies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Page {
    /// The form that has a field of this name.
    pub fn form_with(&self, field: &str) -> Result<Form> {
        let found = forms(&self.body).into_iter().find(|form| form.has(field));
        found.with_context(|| {
            format!("no form with {field} on {} ({}): {:?}", self.url, self.status, self.notices())
        })
    }

    /// The text of the page's notices, as wp-admin and the log-in page show them.
    pub fn notices(&self) -> Vec<String> {
        let starts = self.body.match_indices("<div").filter(|(at, _)| {
            let tag = &self.body[*at..];
            let tag = &tag[..tag.find('>').unwrap_or(0)];
            tag.contains("notice") || tag.contains("login_error")
        });
        let texts = starts.map(|(at, _)| {
            let end = self.body[at..].find("</div>").map_or(self.body.len(), |end| at + end);
            text_of(&self.body[at..end])
        });
        texts.filter(|text| !text.is_empty()).collect()
    }
}

fn text_of(html: &str) -> String {
    let pieces: Vec<&str> =
        html.split('<').filter_map(|piece| piece.split_once('>')).map(|(_, text)| text).collect();
    let text = unescape(&pieces.join(" "));
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
