//! Adds to the staged files what the platform brings: its plugins, and the one-use must-use plugin that activates them.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::layout::join;
use super::platform_plugins::path;
use super::run::Run;
use super::wp_config::php_string;
use super::{ImportOptions, StepEnd};
use crate::destination::files::Meta;
use crate::failpoint::failpoint;
use crate::hex::{random_hex, sha256_hex};
use crate::slice::SliceError;

/// The header that carries the token.
pub(super) const HEADER: &str = "X-Landfall-Activate";
/// Comes before the activator's answer, whatever else the page prints.
pub(super) const MARK: &str = "LANDFALL-ACTIVATED ";

/// The activator; in the journal as `activator`.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Activator {
    /// Where it is in the tree.
    pub(super) path: String,
    /// The token that it answers to. Worth nothing but the activation of plugins that are to be active anyway.
    pub(super) token: String,
    /// Whether the folder of must-use plugins was made for it.
    pub(super) made_folder: bool,
}

pub(super) async fn run(run: &mut Run<'_>) -> Result<StepEnd, SliceError> {
    if run.options.platform_plugins.is_empty() {
        return Ok(StepEnd::Done);
    }
    let plugins = run.source.paths.place("plugins");
    for plugin in &run.options.platform_plugins {
        plugin.install(&run.workspace, &plugins).await?;
        failpoint("import.plugin_staged").await?;
    }
    let activator = activator(run).await?;
    let (contents, meta) = activator_file(run.options, &activator);
    run.workspace.write_staged(&path(&activator.path)?, contents, meta).await?;
    Ok(StepEnd::Done)
}

/// The activator's file.
pub(super) fn activator_file(options: &ImportOptions, activator: &Activator) -> (Bytes, Meta) {
    let files: Vec<&str> = options.platform_plugins.iter().map(|plugin| plugin.file.as_str()).collect();
    (Bytes::from(activator_php(&activator.token, &files)), Meta { mode: 0o644, mtime: 0 })
}

/// Drawn once and noted before it is written, so that no copy under another name can be left behind.
async fn activator(run: &mut Run<'_>) -> Result<Activator, SliceError> {
    let journal = run.journal();
    if let Some(activator) = journal.get(&mut run.conn, "activator").await? {
        return Ok(activator);
    }
    let folder = run.source.paths.place("mu_plugins");
    let made_folder = run.workspace.files().stat(&run.workspace.staged(&path(&folder)?)).await?.is_none();
    let activator = Activator {
        path: join(&folder, &format!("landfall-activate-{}.php", random_hex::<8>())),
        token: random_hex::<32>(),
        made_folder,
    };
    journal.put(&mut run.conn, "activator", &activator).await?;
    Ok(activator)
}

/// WordPress' own `activate_plugin()` runs the activation hooks, which an edited option would not.
fn activator_php(token: &str, files: &[&str]) -> String {
    let hash = sha256_hex(token);
    let list = files.iter().map(|file| php_string(file)).collect::<Vec<_>>().join(", ");
    format!(
        "<?php
/**
 * Plugin Name: Landfall activation
 * Description: Activates the platform's plugins once after the move. Landfall removes this file right after.
 */
if ( ! defined( 'ABSPATH' ) ) {{
\texit;
}}
if ( isset( $_SERVER['HTTP_X_LANDFALL_ACTIVATE'] ) && is_string( $_SERVER['HTTP_X_LANDFALL_ACTIVATE'] )
\t&& hash_equals( '{hash}', hash( 'sha256', $_SERVER['HTTP_X_LANDFALL_ACTIVATE'] ) ) ) {{
\tadd_action(
\t\t'wp_loaded',
\t\tfunction () {{
\t\t\trequire_once ABSPATH . 'wp-admin/includes/plugin.php';
\t\t\t$landfall_answer = array();
\t\t\tforeach ( array( {list} ) as $landfall_plugin ) {{
\t\t\t\t$landfall_result = activate_plugin( $landfall_plugin );
\t\t\t\t$landfall_answer[ $landfall_plugin ] = is_plugin_active( $landfall_plugin ) ? 'active'
\t\t\t\t\t: ( is_wp_error( $landfall_result ) ? $landfall_result->get_error_message() : 'not active' );
\t\t\t}}
\t\t\tnocache_headers();
\t\t\techo \"\\n{MARK}\" . wp_json_encode( $landfall_answer ) . \"\\n\";
\t\t\texit;
\t\t}},
\t\t0
\t);
}}
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_activator_holds_no_token_and_quotes_its_list() {
        let php = activator_php("secret-token", &["a/a.php", "b'/b.php"]);
        assert!(!php.contains("secret-token"));
        assert!(php.contains("array( 'a/a.php', 'b\\'/b.php' )"), "{php}");
    }
}
