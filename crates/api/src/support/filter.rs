//! Which cases: for lists, groups, and replays of many.

use landfall_common::case::{CaseState, SupportCase};
use landfall_common::migration::moment;
use landfall_common::records::index;
use landfall_common::{OrganizationId, Phase, StoreTime};
use serde::{Deserialize, Serialize};

use crate::problem::Problem;
use crate::validate::{Faults, organization};

/// Longest text that is searched for, in characters.
const SEARCH_MAX: usize = 200;

/// What a client wants of cases.
#[derive(Debug, Default, Clone, Deserialize, utoipa::IntoParams, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
#[schema(as = CaseFilter)]
pub(crate) struct FilterQuery {
    /// `open` where absent, or `all`.
    #[schema(value_type = Option<String>, example = "open")]
    #[param(value_type = Option<String>, example = "open")]
    state: Which,
    /// Only those of this organization.
    organization: Option<String>,
    /// Only those with this error code.
    code: Option<String>,
    /// Only those that stopped in this phase.
    #[schema(value_type = Option<String>, example = "import")]
    #[param(value_type = Option<String>, example = "import")]
    phase: Option<Phase>,
    /// Only those whose source is at this host.
    source_host: Option<String>,
    /// Only those of this group.
    fingerprint: Option<String>,
    /// Only those that this token works on; `nobody` for those that nobody does.
    claimed_by: Option<String>,
    /// Only those opened before this moment: RFC 3339.
    opened_before: Option<String>,
    /// Only those opened at this moment or later.
    opened_after: Option<String>,
    /// Only those outside, or inside, of their organization's allowance.
    outside_allowance: Option<bool>,
    /// Only those in whose ids, site, source, code or detail this text stands.
    q: Option<String>,
    /// Of lists: where the page begins: `next` of the page before, with the same filter.
    pub(crate) cursor: Option<String>,
    /// Of lists: most items, 1 to 200; 50 where absent.
    pub(crate) limit: Option<usize>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Which {
    #[default]
    Open,
    All,
}

/// The same, checked. Its serialised form is what a cursor is bound to.
#[derive(Debug, Serialize)]
pub(crate) struct Filter {
    which: Which,
    organization: Option<OrganizationId>,
    code: Option<String>,
    phase: Option<Phase>,
    source_host: Option<String>,
    fingerprint: Option<String>,
    claimed_by: Option<String>,
    opened_before: Option<StoreTime>,
    opened_after: Option<StoreTime>,
    outside_allowance: Option<bool>,
    q: Option<String>,
}

impl FilterQuery {
    pub(crate) fn check(self) -> Result<Filter, Problem> {
        let mut faults = Faults::default();
        let organization = faults.optional("organization", self.organization, organization);
        let opened_before = faults.optional("opened_before", self.opened_before, |text| moment(&text));
        let opened_after = faults.optional("opened_after", self.opened_after, |text| moment(&text));
        let q = faults.optional("q", self.q, crate::validate::text(SEARCH_MAX));
        faults.finish(Some(Filter {
            which: self.state,
            organization,
            code: self.code,
            phase: self.phase,
            source_host: self.source_host.map(|host| host.to_lowercase()),
            fingerprint: self.fingerprint,
            claimed_by: self.claimed_by,
            opened_before,
            opened_after,
            outside_allowance: self.outside_allowance,
            q: q.map(|text| text.to_lowercase()),
        }))
    }
}

impl Filter {
    /// The smallest index that holds them all.
    pub(crate) fn index(&self) -> String {
        match (self.which, self.organization) {
            (Which::Open, _) => index::CASES_OPEN.to_owned(),
            (Which::All, Some(organization)) => index::cases_of(organization),
            (Which::All, None) => index::CASES.to_owned(),
        }
    }

    pub(crate) fn keeps(&self, case: &SupportCase) -> bool {
        let is_wanted = match self.which {
            Which::All => true,
            Which::Open => case.state == CaseState::Open,
        };
        let is_claimed = |wanted: &String| match &case.claimed_by {
            Some(by) => by == wanted,
            None => wanted == "nobody",
        };
        is_wanted
            && self.organization.is_none_or(|organization| case.organization == organization)
            && self.code.as_ref().is_none_or(|code| case.code.as_str() == code)
            && self.phase.is_none_or(|phase| case.phase == phase)
            && self.source_host.as_ref().is_none_or(|host| case.source_host.as_ref() == Some(host))
            && self.claimed_by.as_ref().is_none_or(is_claimed)
            && self.opened_before.is_none_or(|moment| case.opened_at < moment)
            && self.opened_after.is_none_or(|moment| case.opened_at >= moment)
            && self.outside_allowance.is_none_or(|outside| case.outside_allowance == outside)
            && self.fingerprint.as_ref().is_none_or(|fingerprint| case.fingerprint() == *fingerprint)
            && self.q.as_ref().is_none_or(|text| holds(case, text))
    }
}

/// Whether a text in lower case stands anywhere in what people know of a case.
fn holds(case: &SupportCase, text: &str) -> bool {
    let host = case.source_host.as_deref().unwrap_or_default();
    let ids = [case.id.to_string(), case.migration.to_string(), case.site.to_string()];
    let words = [case.site_name.as_str(), host, case.code.as_str(), case.detail.as_str()];
    ids.iter().map(String::as_str).chain(words).any(|word| word.to_lowercase().contains(text))
}
