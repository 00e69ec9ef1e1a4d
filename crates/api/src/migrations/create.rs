//! `POST /v1/migrations`.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use landfall_common::migration::{Goal, Phase, Position, SCHEMA, Waits};
use landfall_common::ports::{CommitError, DocumentKey, DocumentKind};
use landfall_common::records::{NewMigration, Versioned, create};
use landfall_common::site::{Site, SourceSpec};
use landfall_common::{Migration, MigrationId, StoreTime};

use super::body::{MigrationBody, Submission};
use super::view::{Accepted, MigrationView, raw};
use super::{busy_with, site_busy};
use crate::audit::audit;
use crate::auth::{Permission, Principal};
use crate::extract::{JsonBody, TraceParent, etag};
use crate::idempotency::{OnceKey, key_of, scope_of};
use crate::measures;
use crate::problem::{Problem, ProblemBody};
use crate::sites::site_named;
use crate::state::ApiState;

/// Says that an answer is the one that was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
/// How often a submission starts again when the site becomes free in the same moment.
const TRIES_MAX: usize = 5;

/// Submit a migration.
///
/// A WordPress source has to enrol through its plugin before the migration begins; a no-op one begins at once. The
/// same `Idempotency-Key` with the same body is answered with the first answer for at least 24 hours.
#[utoipa::path(
    post, path = "/v1/migrations", tag = "migrations",
    params(("Idempotency-Key" = String, Header, description = "1 to 255 characters of your own, new for each migration")),
    request_body = MigrationBody,
    responses(
        (status = 202, description = "Accepted", body = MigrationView, headers(
            ("Location" = String, description = "The migration"),
            ("ETag" = String, description = "Its version"),
        )),
        (status = "default", description = "Problem", content_type = "application/problem+json", body = ProblemBody),
    ),
)]
pub(crate) async fn create_migration(
    State(state): State<ApiState>,
    principal: Principal,
    TraceParent(traceparent): TraceParent,
    headers: HeaderMap,
    JsonBody(body): JsonBody<MigrationBody>,
) -> Result<Response, Problem> {
    principal.may(Permission::Submit)?;
    let key = key_of(&headers)?;
    let submission = body.check()?;
    let site = site_named(&state, &principal, &submission.site).await?;
    if submission.organization.is_some_and(|named| named != site.organization) {
        return Err(Problem::invalid_field("organization", "the site belongs to another organization"));
    }
    let once = OnceKey::new(&scope_of(site.organization), key, &submission);
    let _working = state.in_flight.take(&once)?;
    if let Some(earlier) = once.earlier::<Accepted>(&state).await? {
        return Ok(answer(earlier, true));
    }
    submission.check_destination(&site.destination)?;
    submit(&state, &principal, &submission, &site, &once, &traceparent).await
}

async fn submit(
    state: &ApiState,
    principal: &Principal,
    submission: &Submission,
    site: &Site,
    once: &OnceKey,
    traceparent: &str,
) -> Result<Response, Problem> {
    for _ in 0..TRIES_MAX {
        let busy = DocumentKey::new(DocumentKind::SiteBusy, site.id);
        let (now, _) = state.records.store().load(&[busy]).await?;
        let migration = migration_of(
            principal,
            submission,
            site,
            MigrationId::from_uuid(state.records.draw()),
            state.limits.waits,
            now,
        );
        let view = MigrationView::new(Versioned { version: 1, value: migration.clone() });
        let accepted = Accepted { id: migration.id, body: raw(&view) };
        let new = NewMigration { migration, traceparent: traceparent.to_owned() };
        let mut commit = create(state.records.request(), &new);
        commit.documents.push(once.store(&accepted, state.limits.idempotency_keep));
        let facts = serde_json::json!({ "migration": accepted.id, "site": site.id });
        audit(&mut commit, principal, "migration.create", facts);
        match state.records.commit(&commit).await {
            Ok(_) => {
                let source = source_label(&new.migration.source);
                metrics::counter!(measures::ACCEPTED, "source" => source).increment(1);
                tracing::info!(migration.id = %accepted.id, source, "migration accepted");
                return Ok(answer(accepted, false));
            }
            Err(CommitError::Conflict { .. }) => {
                // Another process was first: with this very request, or with another for the same site.
                if let Some(earlier) = once.earlier::<Accepted>(state).await? {
                    return Ok(answer(earlier, true));
                }
                if let Some(first) = busy_with(state, site.id).await? {
                    return Err(site_busy(first));
                }
            }
            Err(CommitError::Store(error)) => return Err(error.into()),
        }
    }
    Err(Problem::conflict("other migrations of the site come and go; try again"))
}

fn answer(accepted: Accepted, is_replay: bool) -> Response {
    let headers = [
        (header::LOCATION, format!("/v1/migrations/{}", accepted.id)),
        (header::CONTENT_TYPE, "application/json".to_owned()),
        (REPLAYED, is_replay.to_string()),
        etag(1),
    ];
    (StatusCode::ACCEPTED, headers, accepted.body.get().to_owned()).into_response()
}

fn source_label(source: &SourceSpec) -> &'static str {
    match source {
        SourceSpec::Wordpress { .. } => "wordpress",
        SourceSpec::Noop { .. } => "noop",
    }
}

fn migration_of(
    principal: &Principal,
    submission: &Submission,
    site: &Site,
    id: MigrationId,
    waits: Waits,
    now: StoreTime,
) -> Migration {
    let state = match submission.source {
        SourceSpec::Wordpress { .. } => landfall_common::State::AwaitingSource,
        SourceSpec::Noop { .. } => landfall_common::State::Queued { at: Position::first(Phase::Snapshot) },
    };
    Migration {
        schema: SCHEMA,
        id,
        organization: site.organization,
        site: site.id,
        site_name: site.name.clone(),
        source: submission.source.clone(),
        destination: site.destination.clone(),
        options: submission.options.clone(),
        owner_email: submission.owner_email.clone().unwrap_or_else(|| principal.owner_email.clone()),
        created_by: principal.actor.clone(),
        generation: 1,
        state,
        goal: Goal::Deliver,
        request: None,
        token: 0,
        lost_claims: 0,
        failures: 0,
        last_failure: None,
        case: None,
        outputs: std::collections::BTreeMap::new(),
        waits,
        created_at: now,
        changed_at: now,
        started_at: None,
        ended_at: None,
    }
}
