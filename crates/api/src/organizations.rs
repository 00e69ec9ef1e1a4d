//! `GET` and `PUT /v1/organizations/{id}/settings`: an organization's share of the slots, and its allowance of assisted
//! migrations.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use landfall_common::OrganizationId;
use landfall_common::organization::{OrganizationSettings, WEIGHT_MAX};
use landfall_common::ports::{
    Commit, CommitError, DocumentKey, DocumentKind, DocumentWrite, Expect, IndexWrite, Score, Write,
};
use landfall_common::records::{Versioned, index};
use serde::{Deserialize, Serialize};

use crate::audit::audit;
use crate::auth::{Permission, Principal};
use crate::extract::{IfMatch, JsonBody, PathId, etag};
use crate::problem::{Problem, ProblemBody};
use crate::state::ApiState;
use crate::validate::Faults;

/// The most slices that an organization can be given.
const SLICES_MAX: u64 = 100_000;
/// The largest allowance.
const ASSISTED_MAX: u32 = 1_000;

/// An organization's settings.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = OrganizationSettings)]
pub(crate) struct SettingsView {
    organization: String,
    /// Its share of the slots beside others'.
    weight: u32,
    /// Slices published or running at once; absent: as configured for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    slices_max: Option<u64>,
    /// Migrations that support helps with where what stopped them came from the plugin or the platform.
    assisted_max: u32,
    /// Those that it was helped with.
    assisted: u32,
    /// Those that it can still be helped with. Beyond, cases are opened all the same, and say that they are outside.
    assisted_left: u32,
}

impl SettingsView {
    fn new(settings: &OrganizationSettings) -> Self {
        Self {
            organization: settings.organization.to_string(),
            weight: settings.weight,
            slices_max: settings.slices_max,
            assisted_max: settings.assisted_max(),
            assisted: u32::try_from(settings.assisted.len()).unwrap_or(u32::MAX),
            assisted_left: settings.assisted_left(),
        }
    }
}

/// What is to change; what is absent stays.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = OrganizationChange)]
pub(crate) struct SettingsBody {
    /// 1 to 100.
    weight: Option<u32>,
    /// 1 to 100,000.
    slices_max: Option<u64>,
    /// 0 to 1,000.
    assisted_max: Option<u32>,
}

/// Show an organization's settings and what is left of its allowance.
#[utoipa::path(
    get, path = "/v1/organizations/{id}/settings", tag = "operation",
    params(("id" = String, Path, description = "The organization")),
    responses(
        (status = 200, description = "The settings", body = SettingsView),
        (status = "default", description = "Problem", content_type = "application/problem+json", body = ProblemBody),
    ),
)]
pub(crate) async fn show_settings(
    State(state): State<ApiState>,
    principal: Principal,
    PathId(id): PathId<OrganizationId>,
) -> Result<Response, Problem> {
    principal.may(Permission::ReadSites)?;
    if !principal.sees(id) {
        return Err(Problem::not_found("organization"));
    }
    let found = settings_of(&state, id).await?;
    Ok(([etag(found.version)], Json(SettingsView::new(&found.value))).into_response())
}

/// Change an organization's settings. The relay knows within two seconds.
#[utoipa::path(
    put, path = "/v1/organizations/{id}/settings", tag = "operation", request_body = SettingsBody,
    params(
        ("id" = String, Path, description = "The organization"),
        ("If-Match" = Option<String>, Header, description = "The ETag that the settings have to have"),
    ),
    responses(
        (status = 200, description = "The settings as they are now", body = SettingsView),
        (status = "default", description = "Problem", content_type = "application/problem+json", body = ProblemBody),
    ),
)]
pub(crate) async fn change_settings(
    State(state): State<ApiState>,
    principal: Principal,
    PathId(id): PathId<OrganizationId>,
    if_match: IfMatch,
    JsonBody(body): JsonBody<SettingsBody>,
) -> Result<Response, Problem> {
    principal.may(Permission::Operate)?;
    let mut faults = Faults::default();
    let weight = faults.optional("weight", body.weight, within(1, WEIGHT_MAX));
    let slices_max = faults.optional("slices_max", body.slices_max, within(1, SLICES_MAX));
    let assisted_max = faults.optional("assisted_max", body.assisted_max, within(0, ASSISTED_MAX));
    faults.finish(Some(()))?;
    let found = settings_of(&state, id).await?;
    if_match.check(found.version)?;
    let mut settings = found.value;
    settings.weight = weight.unwrap_or(settings.weight);
    settings.slices_max = slices_max.or(settings.slices_max);
    settings.assisted_max = assisted_max.or(settings.assisted_max);
    let mut commit = Commit::new(state.records.request());
    let expect = if found.version == 0 { Expect::Absent } else { Expect::Version(found.version) };
    commit.documents.push(DocumentWrite {
        key: DocumentKey::new(DocumentKind::Organization, id),
        expect,
        write: Write::Put(serde_json::to_vec(&settings).expect("documents are plain data").into()),
        expires_in: None,
    });
    commit.index.push(IndexWrite::Set {
        index: index::ORGANIZATIONS.to_owned(),
        member: id.to_string(),
        score: Score::Value(settings.changed_at.as_micros()),
    });
    let facts = serde_json::json!({
        "organization": id, "weight": weight, "slices_max": slices_max, "assisted_max": assisted_max,
    });
    audit(&mut commit, &principal, "organization.settings", facts);
    match state.records.commit(&commit).await {
        Ok(_) => Ok(([etag(found.version + 1)], Json(SettingsView::new(&settings))).into_response()),
        Err(CommitError::Conflict { .. }) => {
            Err(Problem::conflict("the settings changed at the same time; try again"))
        }
        Err(CommitError::Store(error)) => Err(error.into()),
    }
}

/// The settings; with version 0 the usual ones.
async fn settings_of(
    state: &ApiState,
    id: OrganizationId,
) -> Result<Versioned<OrganizationSettings>, Problem> {
    let (now, found) = state.records.read(DocumentKind::Organization, id).await?;
    Ok(found.unwrap_or_else(|| Versioned { version: 0, value: OrganizationSettings::usual(id, now) }))
}

fn within<N: PartialOrd + std::fmt::Display + Copy>(least: N, most: N) -> impl Fn(N) -> Result<N, String> {
    move |number| {
        if least <= number && number <= most {
            Ok(number)
        } else {
            Err(format!("has to be {least} to {most}"))
        }
    }
}
