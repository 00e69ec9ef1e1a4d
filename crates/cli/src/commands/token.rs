//! `landfall token`.

use serde_json::json;

use super::{list, once, organization, write_secret};
use crate::args::{CreateTokenArgs, Output, TokenCommand, TokenRole};
use crate::client::{Client, Page, Token, path, typed};
use crate::exit::Failure;
use crate::output::{fields, table, to_the_second};

/// Makes, lists and revokes machine tokens.
pub(super) async fn run(client: &Client, form: Output, command: TokenCommand) -> Result<(), Failure> {
    match command {
        TokenCommand::Create(args) => create(client, form, &args).await,
        TokenCommand::List(args) => {
            let answer = list(client, "v1/machine-tokens", &[], &args).await?;
            super::print(form, &answer, || {
                let page: Page<Token> = typed(answer.clone())?;
                let rows = page.items.into_iter().map(|token| {
                    let until = token.revoked_at.map_or_else(
                        || format!("until {}", to_the_second(&token.expires_at)),
                        |at| format!("revoked {}", to_the_second(&at)),
                    );
                    vec![token.id, token.name, token.role, token.organization, token.owner_email, until]
                });
                Ok(table(&["id", "name", "role", "organization", "owner", "valid"], rows))
            })
        }
        TokenCommand::Revoke { id } => {
            let answer = client.delete(&path(&["v1", "machine-tokens", &id])).await?;
            super::print(form, &answer, || Ok(format!("{id}: revoked")))
        }
    }
}

async fn create(client: &Client, form: Output, args: &CreateTokenArgs) -> Result<(), Failure> {
    let role = match args.role {
        TokenRole::Owner => "owner",
        TokenRole::Submitter => "submitter",
        TokenRole::Support => "support",
        TokenRole::Operator => "operator",
    };
    let mut body = json!({ "name": args.name, "owner_email": args.owner_email, "role": role });
    if let Some(organization) = organization(args.organization.as_deref()) {
        body["organization"] = organization.into();
    }
    if let Some(days) = args.expires_in_days {
        body["expires_in_days"] = days.into();
    }
    let mut answer = client.post("v1/machine-tokens", &body, &once()).await?;
    let token: Token = typed(answer.clone())?;
    let text = token.token.unwrap_or_default();
    let shown = match &args.to_file {
        Some(file) => {
            write_secret(file, &text)?;
            answer["token"] = serde_json::Value::Null;
            format!("in {}", file.display())
        }
        None => text,
    };
    super::print(form, &answer, || {
        Ok(fields(&[
            ("id", token.id),
            ("name", token.name),
            ("role", token.role),
            ("organization", token.organization),
            ("owner", token.owner_email),
            ("expires", to_the_second(&token.expires_at)),
            ("token", shown),
        ]))
    })
}
