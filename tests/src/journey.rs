//! The owner's way: a site, a token, a migration that waits, the plugin in wp-admin, Migrate.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use landfall_testkit::lab::{Destination, Lab, Source};
use serde_json::{Value, json};

use crate::api::{Api, text_of};

/// A migration that was started through the plugin.
#[derive(Debug, Clone)]
pub struct Journey {
    /// The site's id.
    pub site: String,
    /// The site's name, which the owner gives to the plugin.
    pub name: String,
    /// The migration's id.
    pub migration: String,
    /// The owner's own caller: what follows the migration is scoped by the token's organization.
    pub owner: Api,
}

/// How the destination's files are reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// By SFTP, as an ordinary account.
    Sftp,
    /// As a folder of this machine.
    Local,
}

/// The destination as `POST /v1/sites` takes it.
pub fn destination_spec(destination: &Destination, reach: Reach) -> Result<Value> {
    let site = &destination.site;
    let files = match reach {
        Reach::Sftp => json!({
            "kind": "sftp", "host": "127.0.0.1", "port": destination.sshd.port(), "user": site.account.name,
            "root": destination.sftp_docroot(), "host_key": destination.sshd.host_key()?,
        }),
        Reach::Local => json!({ "kind": "local", "root": site.docroot }),
    };
    Ok(json!({
        "kind": "hosted",
        "url": site.url,
        "files": files,
        "database": {
            "host": site.database.host, "port": site.database.port, "user": site.database.user,
            "name": site.database.database, "table_prefix": site.prefix,
        },
        "document_root": site.docroot,
    }))
}

/// The secrets of the destination as the API takes them.
pub fn credentials(destination: &Destination) -> Value {
    json!({
        "database_password": destination.site.database.password,
        "sftp_password": destination.site.account.password,
    })
}

/// Creates site, token and migration as the dashboard would; the site is called `new-shop`.
pub async fn prepare(
    operator: &Api,
    source: &Source,
    destination: &Destination,
    reach: Reach,
) -> Result<(Journey, String)> {
    prepare_as("new-shop", operator, source, destination, reach).await
}

/// As [`prepare`], with a name for the site: names are the platform's, so two sites cannot share one.
pub async fn prepare_as(
    name: &str,
    operator: &Api,
    source: &Source,
    destination: &Destination,
    reach: Reach,
) -> Result<(Journey, String)> {
    let spec = destination_spec(destination, reach)?;
    prepare_to(name, operator, source, spec, credentials(destination)).await
}

/// As [`prepare_as`], with a destination as `POST /v1/sites` takes it.
pub async fn prepare_to(
    name: &str,
    operator: &Api,
    source: &Source,
    destination: Value,
    credentials: Value,
) -> Result<(Journey, String)> {
    let owner_token = json!({ "name": "the owner's", "owner_email": "owner@example.org", "role": "owner" });
    let owner_token = operator.post("/v1/machine-tokens", &owner_token).await?.success()?;
    let token = text_of(&owner_token, "token")?;
    let owner = operator.with_token(&token);
    let site = json!({ "name": name, "destination": destination, "credentials": credentials });
    let site = text_of(&owner.post("/v1/sites", &site).await?.success()?, "id")?;
    let migration = submit(&owner, &site, source).await?;
    Ok((Journey { site, name: name.to_owned(), migration, owner }, token))
}

/// Creates a migration to that site, which waits for its source; its id.
pub async fn submit(owner: &Api, site: &str, source: &Source) -> Result<String> {
    let body = json!({
        "site": site,
        "source": { "kind": "wordpress", "url": source.site.url },
        "options": { "overwrite": true },
    });
    text_of(&owner.post("/v1/migrations", &body).await?.success()?, "id")
}

/// Installs the plugin that the API hands out, and fills in its page in wp-admin as the owner does.
pub async fn start_through_plugin(lab: &Lab, source: &Source, journey: &Journey, token: &str) -> Result<()> {
    let zip = plugin_zip(lab, &journey.owner).await?;
    source.site.install_plugin(&zip).await.context("the plugin is installed in the source")?;
    let page = source.site.start_migration_through_plugin(token, &journey.name).await?;
    let state = journey.owner.state(&journey.migration).await?;
    anyhow::ensure!(
        state != "awaiting_source",
        "the plugin did not enrol; its page says {:?}",
        page.notices()
    );
    Ok(())
}

async fn plugin_zip(lab: &Lab, api: &Api) -> Result<PathBuf> {
    let path = lab.folder().join("landfall-migrate.zip");
    fs::write(&path, api.bytes("/v1/plugin.zip").await.context("the API hands out the plugin")?)?;
    Ok(path)
}
