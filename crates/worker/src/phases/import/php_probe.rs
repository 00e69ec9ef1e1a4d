//! Looks at the destination's PHP by a file that answers once and is gone again: where it sees the document root, and
//! whether it looks at changed files at all.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::platform_plugins::path;
use super::run::Run;
use crate::destination::files::Meta;
use crate::failpoint::failpoint;
use crate::hex::{random_hex, sha256_hex};
use crate::slice::SliceError;

const HEADER: &str = "X-Landfall-Probe";
const MARK: &str = "LANDFALL-PHP ";
/// An opcache that looks at files less often than this, in seconds, would keep the door open for longer than a site
/// should be closed.
const REVALIDATE_MAX_S: u64 = 60;

/// What the destination's PHP says of itself; in the journal as `php`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PhpFacts {
    /// Its version.
    pub version: String,
    /// The document root as it sees it.
    pub folder: String,
    /// Loaded extensions.
    pub extensions: Vec<String>,
    /// Whether compiled files are kept.
    pub opcache: bool,
    /// Whether changed files are looked at.
    pub validates: bool,
    /// How often they are looked at, in seconds.
    pub revalidate_s: u64,
    /// Its memory limit.
    pub memory_limit: String,
}

/// What opcache looks at changed files after, unless it is configured otherwise.
const REVALIDATE_DEFAULT_S: u64 = 2;

/// For how long PHP may still serve a file as it was before it was changed. `known`: what it said of itself, if it did.
pub(super) fn stale_for(known: Option<&PhpFacts>) -> Duration {
    let seconds = match known {
        Some(php) if php.opcache => php.revalidate_s,
        Some(_) => 0,
        None => REVALIDATE_DEFAULT_S,
    };
    // opcache counts in whole seconds, so it may look one later; and some time has to be left for seeing it.
    Duration::from_secs(seconds.min(REVALIDATE_MAX_S)) + Duration::from_millis(1500)
}

/// Asks the destination's PHP; none where it does not answer, as before a first site: then the closed door itself must
/// show what it does.
pub(super) async fn look(run: &mut Run<'_>) -> Result<Option<PhpFacts>, SliceError> {
    let journal = run.journal();
    if let Some(left) = journal.get::<String>(&mut run.conn, "php_probe").await? {
        run.workspace.remove_live(&path(&left)?).await?;
    }
    let (name, token) = (format!("landfall-probe-{}.php", random_hex::<16>()), random_hex::<32>());
    journal.put(&mut run.conn, "php_probe", &name).await?;
    let file = path(&name)?;
    run.workspace.place_live(&file, Bytes::from(php(&token)), Meta { mode: 0o644, mtime: 0 }).await?;
    failpoint("import.php_probe_placed").await?;
    let answer = run.prober.fetch(&name, (HEADER, &token)).await;
    run.workspace.remove_live(&file).await?;
    if run.workspace.files().stat(&run.workspace.live(&file)).await?.is_some() {
        let detail = format!("{name} is still there after it was removed");
        return Err(SliceError::failed("destination.changed_underfoot", detail));
    }
    journal.remove(&mut run.conn, "php_probe").await?;
    Ok(answer.ok().and_then(|(_, body)| parse(&body)))
}

/// Refuses an opcache that would never, or only after minutes, see the door.
pub(super) fn check(facts: &PhpFacts) -> Result<(), SliceError> {
    if facts.opcache && !facts.validates {
        let detail = "opcache.validate_timestamps is off: PHP would never see the new site's files";
        return Err(SliceError::failed("destination.opcache_frozen", detail));
    }
    if facts.opcache && facts.revalidate_s > REVALIDATE_MAX_S {
        let detail = format!(
            "opcache.revalidate_freq is {} s, at most {REVALIDATE_MAX_S} s are waited",
            facts.revalidate_s
        );
        return Err(SliceError::failed("destination.opcache_frozen", detail));
    }
    Ok(())
}

fn parse(body: &str) -> Option<PhpFacts> {
    let answer = body.lines().find_map(|line| line.trim().strip_prefix(MARK))?;
    serde_json::from_str(answer).ok()
}

fn php(token: &str) -> String {
    let hash = sha256_hex(token);
    format!(
        "<?php
// Landfall looks at this server's PHP for a moment and removes this file again.
if ( ! isset( $_SERVER['HTTP_X_LANDFALL_PROBE'] ) || ! is_string( $_SERVER['HTTP_X_LANDFALL_PROBE'] )
\t|| ! hash_equals( '{hash}', hash( 'sha256', $_SERVER['HTTP_X_LANDFALL_PROBE'] ) ) ) {{
\thttp_response_code( 404 );
\texit;
}}
header( 'Cache-Control: no-store' );
echo \"\\n{MARK}\" . json_encode(
\tarray(
\t\t'version'      => PHP_VERSION,
\t\t'folder'       => __DIR__,
\t\t'extensions'   => get_loaded_extensions(),
\t\t'opcache'      => (bool) ini_get( 'opcache.enable' ),
\t\t'validates'    => (bool) ini_get( 'opcache.validate_timestamps' ),
\t\t'revalidate_s' => (int) ini_get( 'opcache.revalidate_freq' ),
\t\t'memory_limit' => (string) ini_get( 'memory_limit' ),
\t)
) . \"\\n\";
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_opcache_that_does_not_look_is_refused() {
        let looks = PhpFacts { opcache: true, validates: true, revalidate_s: 2, ..PhpFacts::default() };
        assert!(check(&looks).is_ok());
        assert!(check(&PhpFacts { validates: false, ..looks.clone() }).is_err());
        assert!(check(&PhpFacts { revalidate_s: 3600, ..looks.clone() }).is_err());
        assert!(check(&PhpFacts { opcache: false, validates: false, ..looks }).is_ok());
    }

    #[test]
    fn the_answer_is_found_among_noise_and_the_token_stays_out_of_the_file() {
        let facts =
            parse("<br>\nLANDFALL-PHP {\"version\":\"8.2.1\",\"folder\":\"/srv/x\",\"new\":1}\n").unwrap();
        assert_eq!((facts.version.as_str(), facts.folder.as_str()), ("8.2.1", "/srv/x"));
        assert!(parse("404").is_none());
        assert!(!php("the-token").contains("the-token"));
    }
}
