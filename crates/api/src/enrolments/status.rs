//! `GET /v1/enrolments/{migration}`: what the plugin's page shows.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use landfall_common::migration::{Goal, Phase, StateName};
use landfall_common::progress::Progress;
use landfall_common::{Migration, MigrationId};
use serde::Serialize;
use subtle::ConstantTimeEq;

use super::{StatusToken, status_key};
use crate::auth::{bearer, hash};
use crate::extract::PathId;
use crate::migrations::view::progress_of;
use crate::problem::{Problem, ProblemBody};
use crate::state::ApiState;

/// How a migration goes, for the owner at the source.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = EnrolmentStatus)]
pub(crate) struct StatusView {
    #[schema(value_type = String, example = "running")]
    state: StateName,
    #[schema(value_type = Option<String>)]
    phase: Option<Phase>,
    step: Option<String>,
    /// Percentage of the whole.
    percent: u8,
    /// One sentence for people.
    message: String,
    /// The site on the platform.
    site_dashboard_url: String,
}

/// How the migration goes that a source enrolled for.
#[utoipa::path(
    get, path = "/v1/enrolments/{migration}", tag = "enrolments",
    params(("migration" = String, Path, description = "The migration")),
    responses(
        (status = 200, description = "How it goes", body = StatusView),
        (status = "default", description = "Problem", content_type = "application/problem+json", body = ProblemBody),
    ),
)]
pub(crate) async fn enrolment_status(
    State(state): State<ApiState>,
    PathId(id): PathId<MigrationId>,
    headers: HeaderMap,
) -> Result<Json<StatusView>, Problem> {
    let token = bearer(&headers).ok_or_else(Problem::unauthorized)?;
    let key = status_key(id);
    let (_, kept) = state.records.read::<StatusToken>(key.kind, &key.id).await?;
    let kept = kept.ok_or_else(Problem::unauthorized)?.value;
    if !bool::from(hash(token).as_bytes().ct_eq(kept.hash.as_bytes())) {
        return Err(Problem::unauthorized());
    }
    let (_, found) = state.records.migration(id).await?;
    let migration = found.ok_or_else(|| Problem::not_found("migration"))?.value;
    let progress = progress_of(&state, &migration).await?;
    Ok(Json(StatusView {
        state: migration.state.name(),
        phase: migration.state.position().map(|at| at.phase),
        step: progress.as_ref().map(|progress| progress.step.clone()),
        percent: percent_of_all(&migration, progress.as_ref()),
        message: message(&migration),
        site_dashboard_url: state.url(&format!("/sites/{}", migration.site)),
    }))
}

/// Each phase counts for a third.
fn percent_of_all(migration: &Migration, progress: Option<&Progress>) -> u8 {
    if migration.state.name() == StateName::Succeeded {
        return 100;
    }
    let Some(at) = migration.state.position().filter(|_| migration.goal == Goal::Deliver) else { return 0 };
    let before = match at.phase {
        Phase::Snapshot => 0,
        Phase::Transfer => 100,
        Phase::Import => 200,
    };
    let within = progress.filter(|progress| progress.phase == at.phase).and_then(Progress::percent);
    u8::try_from((before + u16::from(within.unwrap_or(0))) / 3).unwrap_or(100)
}

fn message(migration: &Migration) -> String {
    let code = migration.last_failure.as_ref().map(|failure| &failure.code);
    let title = code.and_then(|code| code.entry()).map(|entry| format!("{}. {}", entry.title, entry.remedy));
    match migration.state.name() {
        StateName::AwaitingSource => "The migration waits for this site.".to_owned(),
        StateName::Queued => "The migration is about to go on.".to_owned(),
        StateName::Running => match migration.goal {
            Goal::Deliver => "The migration is running. You may close this page.".to_owned(),
            Goal::CleanUp => "The migration is being cancelled.".to_owned(),
            Goal::RollBack => "The old site is being brought back.".to_owned(),
        },
        StateName::Paused => title.unwrap_or_else(|| "The migration is paused.".to_owned()),
        StateName::NeedsSupport => {
            "The migration met a problem; support looks at it and will be in touch.".to_owned()
        }
        StateName::Succeeded => "The site has arrived.".to_owned(),
        StateName::Cancelled => "The migration was cancelled.".to_owned(),
        StateName::Rejected => title.unwrap_or_else(|| "The site cannot be migrated this way.".to_owned()),
        StateName::RolledBack => "The migration was rolled back.".to_owned(),
    }
}
