//! The letters that leave: plain text, and the same as HTML.

use landfall_common::case::SupportCase;
use landfall_common::codes::Origin;
use landfall_common::migration::{MailKind, Migration};
use landfall_common::organization::OrganizationSettings;
use landfall_common::ports::Mail;
use landfall_common::site::{DestinationSpec, SourceSpec};

/// What letters say about the platform.
#[derive(Debug, Clone)]
pub struct Letterhead {
    /// The platform's name.
    pub brand: String,
    /// The address that takes over failed migrations (migrations@…); empty: no mail to support.
    pub support_address: String,
    /// The site's dashboard; `{site}` and `{migration}` stand for the ids.
    pub dashboard_url: String,
    /// Plugins that the platform installs, by name: a letter about an arrived site names them.
    pub platform_plugins: Vec<String>,
}

impl Letterhead {
    fn dashboard(&self, migration: &Migration) -> String {
        self.dashboard_url
            .replace("{site}", &migration.site.to_string())
            .replace("{migration}", &migration.id.to_string())
    }
}

/// A letter to the migration's owner.
pub(crate) fn to_owner(head: &Letterhead, kind: MailKind, migration: &Migration) -> Mail {
    let (site, brand) = (&migration.site_name, &head.brand);
    let (subject, mut lines) = match kind {
        MailKind::Completed => (
            format!("Your site {site} has arrived on {brand}"),
            vec![
                format!("The migration of {} to {site} on {brand} is complete.", source(migration)),
                format!("Your site answers at {}.", destination(migration)),
            ],
        ),
        MailKind::Failed => (
            format!("The migration of your site {site} needs help"),
            vec![
                format!(
                    "The migration of {} to {site} on {brand} could not be completed.",
                    source(migration)
                ),
                "Your present site was not changed. Our support team has been told and takes a look."
                    .to_owned(),
                migration.case.map_or_else(String::new, |case| {
                    format!("If you write to us about it, please give this reference: {case}.")
                }),
            ],
        ),
    };
    if kind == MailKind::Completed && !head.platform_plugins.is_empty() {
        lines.push(format!(
            "These plugins were installed for the platform: {}.",
            head.platform_plugins.join(", ")
        ));
    }
    let lines = with_dashboard(lines, head, migration);
    let name = match kind {
        MailKind::Completed => "completed",
        MailKind::Failed => "failed",
    };
    letter(
        &migration.owner_email,
        subject,
        &lines,
        format!("{}.{}.{name}", migration.id, migration.generation),
    )
}

/// A letter to the support address; none where no address is configured.
pub(crate) fn case_opened(
    head: &Letterhead,
    case: &SupportCase,
    settings: &OrganizationSettings,
    migration: &Migration,
) -> Option<Mail> {
    if head.support_address.is_empty() {
        return None;
    }
    let subject =
        format!("[{}] {} stopped at {}: {}", head.brand, migration.site_name, case.phase, case.code);
    let help = case.code.entry().map_or("", |entry| entry.remedy);
    let lines = vec![
        format!("Case {} was opened for migration {}.", case.id, migration.id),
        format!("Site: {} of organization {}.", migration.site_name, migration.organization),
        format!("It comes from {} and goes to {}.", source(migration), destination(migration)),
        format!("It stopped at phase {} with {}: {}", case.phase, case.code, case.detail),
        format!("Hint: {help}"),
        format!(
            "Owner: {}.",
            if migration.owner_email.is_empty() { "unknown" } else { &migration.owner_email }
        ),
        assisted(case, settings),
        format!("Replay it with: landfall support replay {} --reason …", case.id),
    ];
    Some(letter(&head.support_address, subject, &with_dashboard(lines, head, migration), case.id.to_string()))
}

/// What is left of the organization's allowance.
fn assisted(case: &SupportCase, settings: &OrganizationSettings) -> String {
    let (used, most) = (settings.assisted.len(), settings.assisted_max());
    if case.outside_allowance {
        return format!(
            "OUTSIDE the allowance: the organization was helped with {used} of {most} migrations already."
        );
    }
    match case.code.origin() {
        Origin::Platform => {
            format!("Assisted migrations of the organization, this one included: {used} of {most}.")
        }
        Origin::Source | Origin::Owner => {
            format!(
                "It does not count against the organization's allowance ({used} of {most} used): it comes from the source or its owner."
            )
        }
    }
}

fn with_dashboard(mut lines: Vec<String>, head: &Letterhead, migration: &Migration) -> Vec<String> {
    if !head.dashboard_url.is_empty() {
        lines.push(format!("Visit the Site Dashboard: {}", head.dashboard(migration)));
    }
    lines
}

fn source(migration: &Migration) -> String {
    match &migration.source {
        SourceSpec::Wordpress { url } => url.to_string(),
        SourceSpec::Noop { .. } => "a no-op source".to_owned(),
    }
}

fn destination(migration: &Migration) -> String {
    match (&migration.options.destination_url, &migration.destination) {
        (Some(url), _) => url.to_string(),
        (None, DestinationSpec::Hosted(site)) => site.url.to_string(),
        (None, DestinationSpec::Noop) => "a no-op destination".to_owned(),
    }
}

fn letter(to: &str, subject: String, lines: &[String], message_id: String) -> Mail {
    let lines: Vec<String> = lines.iter().filter(|line| !line.is_empty()).cloned().collect();
    let html: String = lines.iter().map(|line| format!("<p>{}</p>\n", linked(line))).collect();
    Mail {
        to: to.to_owned(),
        // One line, whatever a site is called.
        subject: subject.replace(['\r', '\n'], " "),
        text: lines.join("\n\n") + "\n",
        html: format!("<!doctype html>\n<html lang=\"en\"><body>\n{html}</body></html>\n"),
        message_id,
    }
}

/// The line as HTML: escaped, and what is a URL is a link.
fn linked(line: &str) -> String {
    let words = line.split(' ').map(|word| {
        let safe = escape(word);
        let address = word.trim_end_matches(['.', ',']);
        if address.starts_with("https://") || address.starts_with("http://") {
            let shown = escape(address);
            format!("<a href=\"{shown}\">{shown}</a>{}", &safe[shown.len()..])
        } else {
            safe
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_becomes_a_link_and_everything_is_escaped() {
        assert_eq!(
            linked("See https://example.com/?a=1&b=2. <b>"),
            "See <a href=\"https://example.com/?a=1&amp;b=2\">https://example.com/?a=1&amp;b=2</a>. &lt;b&gt;"
        );
    }
}
