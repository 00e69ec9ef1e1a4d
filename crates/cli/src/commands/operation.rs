//! `landfall hold` and `landfall organization`.

use serde_json::json;

use super::list;
use crate::args::{HoldCommand, OrganizationCommand, Output};
use crate::client::{Client, path};
use crate::exit::Failure;
use crate::output::{fields, table, to_the_second};

/// Holds back, and lets go.
pub(super) async fn hold(client: &Client, form: Output, command: HoldCommand) -> Result<(), Failure> {
    match command {
        HoldCommand::Set { scope, reason } => {
            let answer = client.put(&path(&["v1", "holds", &scope]), &json!({ "reason": reason })).await?;
            super::print(form, &answer, || Ok(format!("{scope}: held; what runs ends its slice")))
        }
        HoldCommand::Lift { scope } => {
            let answer = client.delete(&path(&["v1", "holds", &scope])).await?;
            super::print(form, &answer, || Ok(format!("{scope}: let go")))
        }
        HoldCommand::List(args) => {
            let answer = list(client, "v1/holds", &[], &args).await?;
            super::print(form, &answer, || {
                let items = answer["items"].as_array().cloned().unwrap_or_default();
                let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
                let rows = items.iter().map(|hold| {
                    let since = to_the_second(&text(&hold["since"]));
                    vec![text(&hold["scope"]), since, text(&hold["by"]), text(&hold["reason"])]
                });
                Ok(table(&["scope", "since", "by", "reason"], rows))
            })
        }
    }
}

/// Shows and sets what organizations get.
pub(super) async fn organization(
    client: &Client,
    form: Output,
    command: OrganizationCommand,
) -> Result<(), Failure> {
    let at = |id: &str| path(&["v1", "organizations", id, "settings"]);
    let answer = match command {
        OrganizationCommand::Show { id } => client.get(&at(&id), &[]).await?,
        OrganizationCommand::Set { id, weight, slices_max, assisted_max } => {
            let mut body =
                json!({ "weight": weight, "slices_max": slices_max, "assisted_max": assisted_max });
            if let Some(members) = body.as_object_mut() {
                members.retain(|_, value| !value.is_null());
            }
            client.put(&at(&id), &body).await?
        }
    };
    super::print(form, &answer, || {
        let text = |name: &str| answer[name].to_string().trim_matches('"').to_owned();
        let slices =
            if answer["slices_max"].is_null() { "as for all".to_owned() } else { text("slices_max") };
        Ok(fields(&[
            ("organization", text("organization")),
            ("weight", text("weight")),
            ("slices at once", slices),
            (
                "assisted",
                format!("{} of {}, {} left", text("assisted"), text("assisted_max"), text("assisted_left")),
            ),
        ]))
    })
}
