//! The body of an enrolment, and its checks.

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::problem::Problem;
use crate::validate::{Faults, site_url, text};

/// Longest version text that is kept.
const VERSION_MAX: usize = 64;

/// What the plugin sends. Unknown fields are taken and left: plugins live longer than APIs.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = Enrolment)]
pub(crate) struct EnrolmentBody {
    /// The machine token that the owner pasted.
    #[schema(required, nullable = false, value_type = String, write_only)]
    token: Option<SecretString>,
    /// The site's name on the platform.
    #[schema(required, nullable = false)]
    site: Option<String>,
    /// The source's URL (`home_url()`).
    #[schema(required, nullable = false)]
    url: Option<String>,
    /// The source's wp-admin (`admin_url()`).
    admin_url: Option<String>,
    #[serde(default)]
    #[schema(required = false)]
    wordpress: WordpressBody,
    #[serde(default)]
    #[schema(required = false)]
    php: PhpBody,
    plugin_version: Option<String>,
    /// New for each enrolment; the same again is answered with the same.
    #[schema(required, nullable = false)]
    nonce: Option<String>,
}

/// The source's WordPress.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[schema(as = WordpressFacts)]
pub(crate) struct WordpressBody {
    version: Option<String>,
    /// Whether it is a site network.
    #[serde(default)]
    multisite: bool,
}

/// The source's PHP.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[schema(as = PhpFacts)]
pub(crate) struct PhpBody {
    version: Option<String>,
}

/// An enrolment whose fields are valid.
#[derive(Debug)]
pub(crate) struct Introduction {
    pub(crate) token: SecretString,
    pub(crate) nonce: String,
    pub(crate) claim: Claim,
    pub(crate) versions: Versions,
}

/// What an enrolment claims; with a nonce that was used before it has to be the same.
#[derive(Debug, Serialize)]
pub(crate) struct Claim {
    pub(crate) site: String,
    pub(crate) url: Url,
    pub(crate) admin_url: Option<Url>,
    pub(crate) is_network: bool,
}

/// Versions, for the timeline.
#[derive(Debug, Serialize)]
pub(crate) struct Versions {
    wordpress: Option<String>,
    php: Option<String>,
    plugin: Option<String>,
}

impl EnrolmentBody {
    /// Checks all fields; every fault is reported at once.
    pub(crate) fn check(self) -> Result<Introduction, Problem> {
        let mut faults = Faults::default();
        let token = faults.required("token", self.token, Ok);
        let site = faults.required("site", self.site, text(80));
        let url = faults.required("url", self.url, site_url);
        let admin_url = faults.optional("admin_url", self.admin_url, site_url);
        let nonce = faults.required("nonce", self.nonce, nonce);
        let version = text(VERSION_MAX);
        let versions = Versions {
            wordpress: faults.optional("wordpress.version", self.wordpress.version, &version),
            php: faults.optional("php.version", self.php.version, &version),
            plugin: faults.optional("plugin_version", self.plugin_version, &version),
        };
        let introduction = (|| {
            let claim = Claim { site: site?, url: url?, admin_url, is_network: self.wordpress.multisite };
            Some(Introduction { token: token?, nonce: nonce?, claim, versions })
        })();
        faults.finish(introduction)
    }
}

fn nonce(nonce: String) -> Result<String, String> {
    let is_good = (16..=128).contains(&nonce.len()) && nonce.bytes().all(|b| b.is_ascii_graphic());
    if is_good { Ok(nonce) } else { Err("has to be 16 to 128 printable ASCII characters".to_owned()) }
}
