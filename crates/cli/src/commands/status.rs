//! `landfall status`.

use super::list;
use crate::args::{Output, StatusArgs};
use crate::client::{Client, Migration, Page, typed};
use crate::exit::Failure;
use crate::output::{fields, table, to_the_second};
use crate::progress;

/// Shows one migration, or lists them.
pub(super) async fn run(client: &Client, form: Output, args: &StatusArgs) -> Result<(), Failure> {
    if let Some(id) = &args.id {
        let (answer, migration) = client.migration(id).await?;
        return super::print(form, &answer, || Ok(one(&migration)));
    }
    let query =
        [("state", args.state.clone().unwrap_or_default()), ("site", args.site.clone().unwrap_or_default())];
    let answer = list(client, "v1/migrations", &query, &args.list).await?;
    super::print(form, &answer, || {
        let page: Page<Migration> = typed(answer.clone())?;
        let rows = page.items.iter().map(|migration| {
            vec![
                migration.id.clone(),
                migration.site_name.clone(),
                migration.state_text(),
                migration.phase.clone().unwrap_or_default(),
                migration.source_text(),
                to_the_second(&migration.created_at),
            ]
        });
        Ok(table(&["id", "site", "state", "phase", "from", "created"], rows))
    })
}

/// A migration for people.
pub(super) fn one(migration: &Migration) -> String {
    let moment = |moment: &Option<String>| moment.as_deref().map(to_the_second).unwrap_or_default();
    let failure = migration
        .last_failure
        .as_ref()
        .map(|failure| format!("{}: {}", failure.code, failure.detail))
        .unwrap_or_default();
    fields(&[
        ("id", migration.id.clone()),
        ("site", migration.site_name.clone()),
        ("from", migration.source_text()),
        ("to", migration.destination_url.clone().unwrap_or_default()),
        ("state", migration.state_text()),
        ("phase", migration.phase.clone().unwrap_or_default()),
        ("progress", migration.progress.as_ref().map(progress::line).unwrap_or_default()),
        ("goal", if migration.goal == "deliver" { String::new() } else { migration.goal.replace('_', " ") }),
        ("generation", migration.generation.to_string()),
        ("code", migration.code.clone().unwrap_or_default()),
        ("last failure", failure),
        ("case", migration.case.clone().unwrap_or_default()),
        ("owner", migration.owner_email.clone()),
        ("created", to_the_second(&migration.created_at)),
        ("started", moment(&migration.started_at)),
        ("ended", moment(&migration.ended_at)),
    ])
}
