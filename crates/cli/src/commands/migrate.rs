//! `landfall migrate`.

use serde_json::{Map, Value, json};

use super::{once, watch};
use crate::args::{MigrateArgs, Output};
use crate::client::{Client, Migration, typed};
use crate::exit::Failure;
use crate::output;
use crate::output::say;

/// Creates a migration.
pub(super) async fn run(client: &Client, form: Output, args: &MigrateArgs) -> Result<(), Failure> {
    let key = args.idempotency_key.clone().unwrap_or_else(once);
    let answer = client.post("v1/migrations", &body(args)?, &key).await?;
    let migration: Migration = typed(answer.clone())?;
    if args.watch {
        if form == Output::Text {
            say!("{}", migration.id);
        }
        return watch::run(client, form, &migration.id).await;
    }
    super::print(form, &answer, || Ok(said(&migration)))
}

fn said(migration: &Migration) -> String {
    let state = output::fields(&[("id", migration.id.clone()), ("state", migration.state_text())]);
    let next = if migration.state == "awaiting_source" {
        format!(
            "\n\nIt begins when the plugin on {} is given a machine token and the site name {}.",
            migration.source_text(),
            migration.site_name
        )
    } else {
        String::new()
    };
    format!("{state}{next}\n\nFollow it with: landfall watch {}", migration.id)
}

fn body(args: &MigrateArgs) -> Result<Value, Failure> {
    let source = match (&args.source_url, args.noop) {
        (Some(url), _) => json!({ "kind": "wordpress", "url": url }),
        (None, Some(units)) => json!({ "kind": "noop", "units": units, "unit_ms": args.unit_ms }),
        (None, None) => return Err(Failure::Usage("give --source-url, or --noop".to_owned())),
    };
    let mut body = json!({ "site": args.site, "source": source, "options": options(args)? });
    for (name, value) in [("owner_email", &args.owner_email), ("organization", &args.organization)] {
        if let Some(value) = value {
            body[name] = value.as_str().into();
        }
    }
    Ok(body)
}

fn options(args: &MigrateArgs) -> Result<Value, Failure> {
    let mut options = Map::new();
    let mut set = |name: &str, value: Value| options.insert(name.to_owned(), value);
    set("overwrite", args.overwrite.into());
    set("exclude", args.exclude.clone().into());
    set("include", args.include.clone().into());
    if let Some(url) = &args.destination_url {
        set("destination_url", url.as_str().into());
    }
    if let Some(code) = &args.noop_fail {
        set("noop_fail", code.as_str().into());
    }
    let pairs = args.path.iter().map(|pair| {
        let (from, to) =
            pair.split_once('=').ok_or_else(|| Failure::Usage(format!("--path {pair:?} is not FROM=TO")))?;
        Ok(json!({ "from": from, "to": to }))
    });
    set("paths", pairs.collect::<Result<Vec<_>, Failure>>()?.into());
    Ok(Value::Object(options))
}
