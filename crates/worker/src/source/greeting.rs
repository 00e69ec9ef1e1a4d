//! The first exchange with a source: its canonical URL, the way that leads to the plugin, the difference of the clocks
//! and the cipher. Everything is found with the verb `hello`, whose answer holds nothing of the site.

use std::sync::Arc;

use serde_json::{Value, json};
use url::Url;

use super::answer::{Step, protocol};
use super::connection::{Connection, Verb, first_route};
use super::error::SourceError;
use super::seal::Cipher;
use crate::net::AddressPolicy;

/// Redirects that are followed until the canonical URL is found.
const REDIRECTS_MAX: u32 = 5;

/// A way to the plugin. A firewall that blocks one often leaves another open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// A marker in the query of the home URL: answered before themes and most plugins.
    Home,
    /// `admin-ajax.php`.
    Ajax,
    /// The REST route in the query, which plain permalinks have too.
    RestQuery,
    /// The REST route in the path.
    RestPath,
}

impl Route {
    const ALL: [Route; 4] = [Self::Home, Self::Ajax, Self::RestQuery, Self::RestPath];

    /// Its URL.
    pub(crate) fn url(self, base: &Url, admin_url: Option<&Url>) -> Url {
        let mut url = base.clone();
        url.set_fragment(None);
        url.set_query(None);
        match self {
            Self::Home => url.set_query(Some("landfall=1")),
            Self::RestQuery => url.set_query(Some("rest_route=/landfall/v1/source")),
            Self::RestPath => append(&mut url, "wp-json/landfall/v1/source"),
            Self::Ajax => {
                match admin_url.filter(|admin| admin.host_str() == base.host_str()) {
                    Some(admin) => url.set_path(admin.path()),
                    None => append(&mut url, "wp-admin/"),
                }
                append(&mut url, "admin-ajax.php");
                url.set_query(Some("action=landfall_source"));
            }
        }
        url
    }
}

/// What the first exchange found.
#[derive(Debug, Clone)]
pub(crate) struct Greeting {
    /// The canonical home URL.
    pub(crate) base: Url,
    pub(crate) route: Route,
    /// Seconds to add to this machine's clock for the source's.
    pub(crate) clock_offset_s: i64,
    /// The cipher for sources on plain http.
    pub(crate) cipher: Option<Cipher>,
}

impl Connection {
    /// The greeting, made when there is none yet.
    pub(super) async fn greeted(&self) -> Result<Arc<Greeting>, SourceError> {
        let mut slot = self.greeting.lock().await;
        if let Some(greeting) = slot.as_ref() {
            return Ok(Arc::clone(greeting));
        }
        let greeting = Arc::new(self.greet().await?);
        *slot = Some(Arc::clone(&greeting));
        Ok(greeting)
    }

    /// Follows redirects to the canonical URL and tries the routes in turn.
    async fn greet(&self) -> Result<Greeting, SourceError> {
        let mut greeting = Greeting {
            base: self.endpoint.url.clone(),
            route: first_route(),
            clock_offset_s: 0,
            cipher: None,
        };
        let mut first_error = None;
        let mut redirects = 0;
        for route in Route::ALL {
            greeting.route = route;
            loop {
                match self.hello(&mut greeting).await {
                    Ok(()) => return Ok(greeting),
                    Err(SourceError::Redirected { location }) if route == Route::Home => {
                        redirects += 1;
                        if redirects > REDIRECTS_MAX {
                            return Err(SourceError::Redirected { location });
                        }
                        greeting.base = follow(&greeting.base, &location, &self.policy)?;
                    }
                    Err(error) if error.is_of_the_route() || route != Route::Home => {
                        first_error.get_or_insert(error);
                        break;
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Err(first_error.unwrap_or_else(|| protocol("no route was tried")))
    }

    /// Says hello once, twice where the clocks differ.
    async fn hello(&self, greeting: &mut Greeting) -> Result<(), SourceError> {
        match self.hello_once(greeting).await {
            Err(SourceError::ClockSkew(offset)) if greeting.clock_offset_s == 0 => {
                greeting.clock_offset_s = offset;
                self.hello_once(greeting).await
            }
            other => other,
        }
    }

    async fn hello_once(&self, greeting: &mut Greeting) -> Result<(), SourceError> {
        // The caller holds a permit already; a hello is small and must not wait for a second one.
        let permit = self.pace.spare_permit();
        let mut answer = self.send(permit, Verb::Hello, json!({}), greeting).await?;
        let facts = loop {
            match answer.next().await? {
                Step::Frame(..) => {}
                Step::Complete(facts) => break facts,
            }
        };
        greeting.cipher = offered(&facts["ciphers"]);
        if greeting.cipher.is_none() && self.must_seal(&greeting.base) {
            return Err(SourceError::EncryptionUnavailable);
        }
        Ok(())
    }
}

/// The first cipher of the plugin's list that this client knows.
fn offered(names: &Value) -> Option<Cipher> {
    names.as_array()?.iter().filter_map(Value::as_str).find_map(Cipher::of)
}

/// The new base URL after a redirect of the home URL. Only the same site is followed to: another scheme (never back to
/// plain http), `www.` or not, another path.
fn follow(base: &Url, location: &str, policy: &AddressPolicy) -> Result<Url, SourceError> {
    let elsewhere = || SourceError::Redirected { location: location.to_owned() };
    let mut target = Url::parse(location).map_err(|_| elsewhere())?;
    let is_downgrade = base.scheme() == "https" && target.scheme() != "https";
    let is_web = matches!(target.scheme(), "http" | "https");
    if !is_web || is_downgrade || bare(base.host_str()) != bare(target.host_str()) {
        return Err(elsewhere());
    }
    policy.check_url(&target).map_err(SourceError::AddressRefused)?;
    target.set_query(None);
    target.set_fragment(None);
    if target == *base { Err(elsewhere()) } else { Ok(target) }
}

fn bare(host: Option<&str>) -> Option<&str> {
    host.map(|host| host.strip_prefix("www.").unwrap_or(host))
}

fn append(url: &mut Url, rest: &str) {
    let path = format!("{}/{rest}", url.path().trim_end_matches('/'));
    url.set_path(&path);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn routes_lead_below_the_home_url_and_keep_its_folder() {
        let base = url("https://example.com/blog?x=1");
        let urls = Route::ALL.map(|route| route.url(&base, None).to_string());
        assert_eq!(urls[0], "https://example.com/blog?landfall=1");
        assert_eq!(urls[1], "https://example.com/blog/wp-admin/admin-ajax.php?action=landfall_source");
        assert_eq!(urls[2], "https://example.com/blog?rest_route=/landfall/v1/source");
        assert_eq!(urls[3], "https://example.com/blog/wp-json/landfall/v1/source");
        let admin = url("http://example.com/core/wp-admin/");
        let ajax = Route::Ajax.url(&base, Some(&admin)).to_string();
        assert_eq!(ajax, "https://example.com/core/wp-admin/admin-ajax.php?action=landfall_source");
    }

    #[test]
    fn only_redirects_within_the_site_are_followed() {
        let policy = AddressPolicy::public_only();
        let base = url("http://example.com/");
        let good = follow(&base, "https://www.example.com/?landfall=1", &policy).unwrap();
        assert_eq!(good, url("https://www.example.com/"));
        for bad in ["https://evil.test/", "ftp://example.com/", "http://example.com/?landfall=1", "nowhere"] {
            assert!(follow(&base, bad, &policy).is_err(), "{bad}");
        }
        assert!(follow(&url("https://example.com/"), "http://example.com/x", &policy).is_err());
        let inner = follow(&url("http://10.0.0.1/"), "http://10.0.0.1/x", &policy);
        assert!(matches!(inner, Err(SourceError::AddressRefused(_))));
    }
}
