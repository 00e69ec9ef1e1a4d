//! `landfall report`.

use crate::args::{Output, ReportArgs};
use crate::client::{Client, path};
use crate::exit::Failure;
use crate::output;
use crate::output::say;

/// Prints the proof of a finished migration.
pub(super) async fn run(client: &Client, form: Output, args: &ReportArgs) -> Result<(), Failure> {
    let path = path(&["v1", "migrations", &args.id, "report"]);
    let as_json = !args.text && (args.json || form == Output::Json);
    if as_json {
        say!("{}", output::json(&client.get(&path, &[]).await?));
    } else {
        say!("{}", output::printable(client.text(&path).await?.trim_end()));
    }
    Ok(())
}
