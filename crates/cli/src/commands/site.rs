//! `landfall site`.

use std::path::Path;

use serde_json::{Value, json};

use super::{json_file, list, once, organization};
use crate::args::{CreateSiteArgs, CredentialsArgs, Output, SiteCommand};
use crate::client::{Client, Page, Site, path, typed};
use crate::exit::Failure;
use crate::output::{fields, table, to_the_second};

/// Creates and shows sites, and gives them credentials.
pub(super) async fn run(client: &Client, form: Output, command: SiteCommand) -> Result<(), Failure> {
    match command {
        SiteCommand::Create(args) => {
            let answer = client.post("v1/sites", &body(&args)?, &once()).await?;
            show(form, &answer)
        }
        SiteCommand::List(args) => {
            let answer = list(client, "v1/sites", &[], &args).await?;
            super::print(form, &answer, || {
                let page: Page<Site> = typed(answer.clone())?;
                let rows = page.items.into_iter().map(|site| {
                    let to = destination(&site);
                    vec![site.id, site.name, to, site.organization, to_the_second(&site.created_at)]
                });
                Ok(table(&["id", "name", "answers at", "organization", "created"], rows))
            })
        }
        SiteCommand::Show { site } => show(form, &client.get(&path(&["v1", "sites", &site]), &[]).await?),
        SiteCommand::Credentials(args) => credentials(client, form, &args).await,
    }
}

fn show(form: Output, answer: &Value) -> Result<(), Failure> {
    super::print(form, answer, || {
        let site: Site = typed(answer.clone())?;
        let has = |field: &str| answer[field].as_bool().map(|has| if has { "given" } else { "missing" });
        let credentials = match site.destination["kind"].as_str() {
            Some("hosted") => has("has_credentials").unwrap_or_default(),
            _ => "",
        };
        Ok(fields(&[
            ("id", site.id.clone()),
            ("name", site.name.clone()),
            ("organization", site.organization.clone()),
            ("answers at", destination(&site)),
            ("files", files(&site.destination["files"])),
            ("database", database(&site.destination["database"])),
            ("credentials", credentials.to_owned()),
            ("migration", answer["migration"].as_str().unwrap_or_default().to_owned()),
            ("created", to_the_second(&site.created_at)),
        ]))
    })
}

fn destination(site: &Site) -> String {
    site.destination["url"].as_str().unwrap_or("nowhere (noop)").to_owned()
}

fn files(files: &Value) -> String {
    let text = |field: &str| files[field].as_str().unwrap_or_default();
    match files["kind"].as_str() {
        Some("sftp") => format!("sftp {}@{}:{} {}", text("user"), text("host"), files["port"], text("root")),
        Some("local") => format!("folder {}", text("root")),
        _ => String::new(),
    }
}

fn database(database: &Value) -> String {
    let text = |field: &str| database[field].as_str().unwrap_or_default();
    if database.is_null() {
        return String::new();
    }
    format!("{} at {}:{} as {}", text("name"), text("host"), database["port"], text("user"))
}

async fn credentials(client: &Client, form: Output, args: &CredentialsArgs) -> Result<(), Failure> {
    let secrets = json_file(&args.file)?;
    // The site may be given by its name; secrets go to an id alone.
    let site: Site = typed(client.get(&path(&["v1", "sites", &args.site]), &[]).await?)?;
    let answer = client.put(&path(&["v1", "sites", &site.id, "credentials"]), &secrets).await?;
    super::print(form, &answer, || Ok(format!("{}: credentials replaced", site.name)))
}

fn body(args: &CreateSiteArgs) -> Result<Value, Failure> {
    let destination = match (&args.file, &args.url) {
        (Some(file), _) => json_file(file)?,
        (None, Some(url)) => hosted(args, url)?,
        (None, None) => json!({ "kind": "noop" }),
    };
    let mut body = json!({ "name": args.name, "destination": destination });
    if let Some(file) = &args.credentials_file {
        if args.file.as_deref() == Some(Path::new("-")) && file == Path::new("-") {
            return Err(Failure::Usage(
                "standard input cannot be both the destination and its credentials".to_owned(),
            ));
        }
        body["credentials"] = json_file(file)?;
    }
    if let Some(organization) = organization(args.organization.as_deref()) {
        body["organization"] = organization.into();
    }
    Ok(body)
}

fn hosted(args: &CreateSiteArgs, url: &str) -> Result<Value, Failure> {
    let files = match (&args.local_root, &args.sftp) {
        (Some(root), _) => json!({ "kind": "local", "root": root }),
        (None, Some(account)) => {
            let form = || Failure::Usage(format!("--sftp {account:?} is not user@host or user@host:port"));
            let (user, host) = account.rsplit_once('@').ok_or_else(form)?;
            let (host, port) = host_and_port(host, 22)?;
            json!({
                "kind": "sftp", "host": host, "port": port, "user": user,
                "root": args.sftp_root, "host_key": args.sftp_host_key,
            })
        }
        (None, None) => return Err(Failure::Usage("give --local-root, or --sftp".to_owned())),
    };
    let (host, port) = host_and_port(args.db_host.as_deref().unwrap_or_default(), 3306)?;
    let mut database = json!({ "host": host, "port": port, "user": args.db_user, "name": args.db_name });
    for (name, value) in [("host_from_php", &args.db_host_from_php), ("table_prefix", &args.table_prefix)] {
        if let Some(value) = value {
            database[name] = value.as_str().into();
        }
    }
    Ok(json!({ "kind": "hosted", "url": url, "files": files, "database": database }))
}

/// `host`, `host:port`, `[v6]` or `[v6]:port`.
fn host_and_port(text: &str, usual: u16) -> Result<(String, u16), Failure> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let port = match port {
        Some(port) => port.parse().map_err(|_| Failure::Usage(format!("{text:?} does not end in a port")))?,
        None => usual,
    };
    Ok((host.trim_matches(['[', ']']).to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::host_and_port;

    #[test]
    fn hosts_are_told_from_ports() {
        for (text, expected) in [
            ("db.example.org", ("db.example.org", 3306)),
            ("db.example.org:3307", ("db.example.org", 3307)),
            ("::1", ("::1", 3306)),
            ("[::1]:3307", ("::1", 3307)),
        ] {
            assert_eq!(host_and_port(text, 3306).unwrap(), (expected.0.to_owned(), expected.1), "{text}");
        }
        assert!(host_and_port("db:port", 3306).is_err());
    }
}
