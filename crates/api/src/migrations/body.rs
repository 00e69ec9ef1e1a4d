//! The body of a submission, and its checks.

use landfall_common::migration::{Hours, Options, PathPair, Priority, StartTimes, moment};
use landfall_common::site::{DestinationSpec, SourceSpec};
use landfall_common::{ErrorCode, OrganizationId};
use serde::{Deserialize, Serialize};

use crate::problem::Problem;
use crate::validate::{Faults, email, folder, organization, site_url, text};

/// Most units of a no-op phase.
const NOOP_UNITS_MAX: u32 = 100_000;
/// Longest unit of a no-op phase, in milliseconds.
const NOOP_UNIT_MS_MAX: u32 = 60_000;
/// Most patterns in a list.
const PATTERNS_MAX: usize = 100;
/// Longest pattern, in characters.
const PATTERN_LENGTH_MAX: usize = 500;
/// Most path pairs.
const PATHS_MAX: usize = 50;

/// A migration to be created.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewMigration)]
pub(crate) struct MigrationBody {
    /// Id or name of the site that it goes to.
    #[schema(required, nullable = false, example = "my-site")]
    site: Option<String>,
    /// Where the site comes from.
    #[schema(required, nullable = false)]
    source: Option<SourceBody>,
    /// What its submitter chooses.
    #[serde(default)]
    #[schema(required = false)]
    options: OptionsBody,
    /// For tokens that act for every organization: the site's has to be this one.
    organization: Option<String>,
    /// Where mail about it goes; the token's owner's address where absent.
    owner_email: Option<String>,
}

/// Where a migration comes from.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
#[schema(as = Source)]
pub(crate) enum SourceBody {
    /// A WordPress site; the migration waits until its plugin enrols.
    Wordpress {
        /// The site's URL. Enrolment succeeds for no other.
        #[schema(required, nullable = false, example = "https://www.example.org")]
        url: Option<String>,
    },
    /// No source: counts units. For health tests of a running installation, to sites without destination.
    Noop {
        /// Units in each phase, 1 to 100,000.
        #[schema(required, nullable = false)]
        units: Option<u32>,
        /// How long a unit takes, in milliseconds, at most 60,000.
        #[schema(required, nullable = false)]
        unit_ms: Option<u32>,
    },
}

/// What a submitter chooses.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = MigrationOptions)]
pub(crate) struct OptionsBody {
    /// Whether a site that is at the destination may be replaced.
    overwrite: bool,
    /// The URL that the site will have, where it is not the one that the destination answers at.
    destination_url: Option<String>,
    /// Patterns left out besides the usual ones; at most 100.
    exclude: Vec<String>,
    /// Patterns of the usual list that are not to be left out; at most 100.
    include: Vec<String>,
    /// Server paths that are rewritten, besides the document root's; at most 50.
    paths: Vec<PathBody>,
    /// Which of the organization's migrations go first: `high`, `normal`, `low`.
    #[schema(value_type = Option<String>, example = "normal")]
    priority: Priority,
    /// When slices may start; at any time where absent.
    start: StartBody,
    /// For tests: a no-op source fails its first slices with this code.
    noop_fail: Option<String>,
}

/// When slices may start. What runs is not stopped: a slice takes minutes at most.
#[derive(Debug, Default, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = StartTimes)]
pub(crate) struct StartBody {
    /// Not before this moment: RFC 3339.
    #[schema(format = DateTime)]
    not_before: Option<String>,
    /// Within these hours of each day alone.
    hours: Option<HoursBody>,
}

/// Hours of the day; over midnight where `from` is later than `to`.
#[derive(Debug, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Hours)]
pub(crate) struct HoursBody {
    #[schema(required, nullable = false, example = "22:00")]
    from: Option<String>,
    #[schema(required, nullable = false, example = "06:00")]
    to: Option<String>,
    /// A name of the IANA database.
    #[schema(required, nullable = false, example = "Europe/Berlin")]
    time_zone: Option<String>,
}

/// A server path at the source and what it becomes.
#[derive(Debug, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PathPair)]
pub(crate) struct PathBody {
    /// Absolute path at the source.
    #[schema(required, nullable = false)]
    from: Option<String>,
    /// Absolute path at the destination.
    #[schema(required, nullable = false)]
    to: Option<String>,
}

/// A submission whose fields are valid. Its serialised form is what an idempotency key stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Submission {
    pub(crate) site: String,
    pub(crate) source: SourceSpec,
    pub(crate) options: Options,
    pub(crate) organization: Option<OrganizationId>,
    pub(crate) owner_email: Option<String>,
}

impl MigrationBody {
    /// Checks all fields; every fault is reported at once.
    pub(crate) fn check(self) -> Result<Submission, Problem> {
        let mut faults = Faults::default();
        let site = faults.required("site", self.site, text(80));
        let source = faults.required("source", self.source, Ok);
        let has_source = matches!(source, Some(SourceBody::Wordpress { .. }));
        let source = source.and_then(|source| check_source(&mut faults, source));
        let options = check_options(&mut faults, self.options, has_source);
        let organization = faults.optional("organization", self.organization, organization);
        let owner_email = faults.optional("owner_email", self.owner_email, email);
        let submission = site.zip(source).map(|(site, source)| Submission {
            site,
            source,
            options,
            organization,
            owner_email,
        });
        faults.finish(submission)
    }
}

impl Submission {
    /// A source goes to a destination, and no source to none.
    pub(crate) fn check_destination(&self, destination: &DestinationSpec) -> Result<(), Problem> {
        match (&self.source, destination) {
            (SourceSpec::Wordpress { .. }, DestinationSpec::Hosted(_))
            | (SourceSpec::Noop { .. }, DestinationSpec::Noop) => Ok(()),
            (SourceSpec::Wordpress { .. }, DestinationSpec::Noop) => {
                Err(Problem::invalid_field("source.kind", "the site has no destination: only noop fits"))
            }
            (SourceSpec::Noop { .. }, DestinationSpec::Hosted(_)) => {
                Err(Problem::invalid_field("source.kind", "the site has a destination: noop does not fit"))
            }
        }
    }
}

fn check_source(faults: &mut Faults, source: SourceBody) -> Option<SourceSpec> {
    match source {
        SourceBody::Wordpress { url } => {
            let url = faults.required("source.url", url, site_url)?;
            Some(SourceSpec::Wordpress { url })
        }
        SourceBody::Noop { units, unit_ms } => {
            let units = faults.required("source.units", units, range(1, NOOP_UNITS_MAX));
            let unit_ms = faults.required("source.unit_ms", unit_ms, range(0, NOOP_UNIT_MS_MAX));
            let (units, unit_ms) = units.zip(unit_ms)?;
            Some(SourceSpec::Noop { units, unit_ms })
        }
    }
}

fn range(least: u32, most: u32) -> impl Fn(u32) -> Result<u32, String> {
    move |number| {
        if (least..=most).contains(&number) {
            Ok(number)
        } else {
            Err(format!("has to be {least} to {most}"))
        }
    }
}

/// What a submitter, or support at a replay, chooses. `has_source`: it is not a no-op.
pub(crate) fn check_options(faults: &mut Faults, body: OptionsBody, has_source: bool) -> Options {
    let destination_url = faults.optional("options.destination_url", body.destination_url, site_url);
    check_patterns(faults, "options.exclude", &body.exclude);
    check_patterns(faults, "options.include", &body.include);
    let paths = check_paths(faults, body.paths);
    let start = check_start(faults, body.start);
    let noop_fail = faults.optional("options.noop_fail", body.noop_fail, error_code);
    if noop_fail.is_some() && has_source {
        faults.add("options.noop_fail", "is for no-op sources alone");
    }
    Options {
        overwrite: body.overwrite,
        destination_url,
        exclude: body.exclude,
        include: body.include,
        paths,
        priority: body.priority,
        start,
        noop_fail,
    }
}

fn check_start(faults: &mut Faults, body: StartBody) -> StartTimes {
    let not_before = faults.optional("options.start.not_before", body.not_before, |text| moment(&text));
    let hours = body.hours.and_then(|hours| {
        let from = faults.required("options.start.hours.from", hours.from, Ok);
        let to = faults.required("options.start.hours.to", hours.to, Ok);
        let time_zone = faults.required("options.start.hours.time_zone", hours.time_zone, Ok);
        let (from, to, time_zone) = (from?, to?, time_zone?);
        let hours = Hours { from, to, time_zone };
        let checked = hours.check().map(|()| hours).map_err(|bad| bad.to_string());
        faults.check("options.start.hours", checked)
    });
    StartTimes { not_before, hours }
}

fn check_patterns(faults: &mut Faults, field: &str, patterns: &[String]) {
    if patterns.len() > PATTERNS_MAX {
        faults.add(field, format!("has more than {PATTERNS_MAX} patterns"));
        return;
    }
    for (at, pattern) in patterns.iter().enumerate() {
        faults.check(&format!("{field}[{at}]"), text(PATTERN_LENGTH_MAX)(pattern.clone()));
    }
}

fn check_paths(faults: &mut Faults, paths: Vec<PathBody>) -> Vec<PathPair> {
    if paths.len() > PATHS_MAX {
        faults.add("options.paths", format!("has more than {PATHS_MAX} pairs"));
        return Vec::new();
    }
    let mut pairs = Vec::new();
    for (at, pair) in paths.into_iter().enumerate() {
        let from = faults.required(&format!("options.paths[{at}].from"), pair.from, folder);
        let to = faults.required(&format!("options.paths[{at}].to"), pair.to, folder);
        pairs.extend(from.zip(to).map(|(from, to)| PathPair { from, to }));
    }
    pairs
}

/// A code of the catalogue, so that a misspelt test does not test something else.
fn error_code(text: String) -> Result<ErrorCode, String> {
    landfall_common::codes::CATALOGUE
        .iter()
        .find(|entry| entry.code == text && entry.class.is_some())
        .map(|entry| ErrorCode::new(entry.code))
        .ok_or_else(|| "is not the code of a failure".to_owned())
}
