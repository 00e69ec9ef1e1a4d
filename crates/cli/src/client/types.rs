//! What the commands need of the API's JSON. Fields that a newer server adds are skipped; `-o json` prints the answer itself.

use serde::Deserialize;
use serde_json::Value;

/// A page of a list.
#[derive(Debug, Deserialize)]
pub(crate) struct Page<T> {
    /// The items.
    pub(crate) items: Vec<T>,
}

/// A migration.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Migration {
    pub(crate) id: String,
    pub(crate) site_name: String,
    pub(crate) source: Value,
    pub(crate) destination_url: Option<String>,
    pub(crate) state: String,
    pub(crate) is_terminal: bool,
    pub(crate) phase: Option<String>,
    pub(crate) reason: Option<String>,
    pub(crate) code: Option<String>,
    pub(crate) case: Option<String>,
    pub(crate) requested: Option<String>,
    pub(crate) goal: String,
    pub(crate) generation: u32,
    pub(crate) last_failure: Option<LastFailure>,
    pub(crate) owner_email: String,
    pub(crate) created_at: String,
    pub(crate) started_at: Option<String>,
    pub(crate) ended_at: Option<String>,
    pub(crate) progress: Option<Progress>,
}

/// The last failure of a migration.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct LastFailure {
    pub(crate) code: String,
    pub(crate) detail: String,
}

/// Live progress of the phase that runs.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Progress {
    pub(crate) phase: String,
    pub(crate) step: String,
    pub(crate) files: Count,
    pub(crate) bytes: Count,
    pub(crate) rows: Count,
    pub(crate) bytes_per_second: u64,
    pub(crate) eta_s: Option<u64>,
}

/// So many of so many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Count {
    pub(crate) done: u64,
    pub(crate) total: Option<u64>,
}

/// A line of the timeline.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Event {
    pub(crate) id: u64,
    pub(crate) at: String,
    pub(crate) kind: String,
    pub(crate) message: String,
}

/// A support case.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Case {
    pub(crate) id: String,
    pub(crate) migration: String,
    pub(crate) state: String,
    pub(crate) phase: String,
    pub(crate) code: String,
    pub(crate) detail: String,
    pub(crate) opened_at: String,
    pub(crate) site_name: String,
    pub(crate) claimed_by: Option<String>,
    pub(crate) outside_allowance: bool,
    pub(crate) resolution: Option<String>,
}

/// A site.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Site {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) organization: String,
    pub(crate) destination: Value,
    pub(crate) created_at: String,
}

/// A machine token.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Token {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) organization: String,
    pub(crate) role: String,
    pub(crate) owner_email: String,
    pub(crate) expires_at: String,
    pub(crate) revoked_at: Option<String>,
    /// Its text; only in the answer to its making.
    pub(crate) token: Option<String>,
}

impl Progress {
    /// Percentage of the phase: by bytes, else files, else rows; none while no total is known.
    pub(crate) fn percent(&self) -> Option<u64> {
        [self.bytes, self.files, self.rows].into_iter().find_map(|count| {
            let total = count.total.filter(|total| *total > 0)?;
            Some(u64::try_from(u128::from(count.done.min(total)) * 100 / u128::from(total)).unwrap_or(100))
        })
    }
}

impl Migration {
    /// Whether it moves on without a person's decision, so that watching makes sense.
    pub(crate) fn is_over(&self) -> bool {
        self.is_terminal || self.state == "needs_support"
    }

    /// Where it comes from, for people.
    pub(crate) fn source_text(&self) -> String {
        match self.source["kind"].as_str() {
            Some("noop") => format!("noop, {} units", self.source["units"]),
            _ => self.source["url"].as_str().unwrap_or("unknown").to_owned(),
        }
    }

    /// Its state with the reason, for people.
    pub(crate) fn state_text(&self) -> String {
        let mut text = self.state.replace('_', " ");
        if let Some(why) = self.reason.as_ref().or(self.code.as_ref()) {
            text = format!("{text} ({})", why.replace('_', " "));
        }
        match &self.requested {
            Some(requested) => format!("{text}, {requested} requested"),
            None => text,
        }
    }
}
