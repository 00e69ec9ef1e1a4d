//! `landfall cancel`, `pause`, `resume`, `rollback`.

use serde_json::json;

use super::once;
use crate::args::Output;
use crate::client::{Client, Migration, path, typed};
use crate::exit::Failure;

/// Asks for a change of a migration's course.
pub(super) async fn run(client: &Client, form: Output, id: &str, action: &str) -> Result<(), Failure> {
    let answer = client.post(&path(&["v1", "migrations", id, action]), &json!({}), &once()).await?;
    let migration: Migration = typed(answer.clone())?;
    super::print(form, &answer, || Ok(format!("{}: {}", migration.id, migration.state_text())))
}
