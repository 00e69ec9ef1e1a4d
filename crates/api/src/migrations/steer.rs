//! `POST /v1/migrations/{id}/cancel|pause|resume|rollback`.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use landfall_common::migration::{Command, Transition};
use landfall_common::ports::Commit;
use landfall_common::records::{Applied, ApplyError, Versioned};
use landfall_common::{Migration, MigrationId};

use super::view::MigrationView;
use super::{busy_with, site_busy, visible};
use crate::audit::audit;
use crate::auth::{Permission, Principal};
use crate::extract::{IfMatch, PathId, TraceParent, etag};
use crate::problem::{Problem, ProblemBody};
use crate::state::ApiState;
use crate::support;

/// How often a command starts again when something else changed the migration in between.
const TRIES_MAX: usize = 50;

macro_rules! steering {
    ($(#[$doc:meta])* $name:ident, $path:literal, $action:literal, $command:ident) => {
        $(#[$doc])*
        #[utoipa::path(
            post, path = $path, tag = "migrations",
            params(
                ("id" = String, Path, description = "The migration"),
                ("If-Match" = Option<String>, Header, description = "The ETag that the migration has to have"),
            ),
            responses(
                (status = 200, description = "The migration as it is now", body = MigrationView),
                (status = "default", description = "Problem", content_type = "application/problem+json", body = ProblemBody),
            ),
        )]
        pub(crate) async fn $name(
            State(state): State<ApiState>,
            principal: Principal,
            PathId(id): PathId<MigrationId>,
            if_match: IfMatch,
            TraceParent(traceparent): TraceParent,
        ) -> Result<Response, Problem> {
            let command = Command::$command { by: principal.actor.clone() };
            let order = Order { id, if_match, command, action: $action, traceparent };
            steer(&state, &principal, order).await
        }
    };
}

steering!(
    /// Cancel a migration. What runs ends its slice first; what was begun at the destination is cleaned up.
    cancel_migration, "/v1/migrations/{id}/cancel", "migration.cancel", Cancel
);
steering!(
    /// Pause a migration. What runs ends its slice first.
    pause_migration, "/v1/migrations/{id}/pause", "migration.pause", Pause
);
steering!(
    /// Let a paused migration go on.
    resume_migration, "/v1/migrations/{id}/resume", "migration.resume", Resume
);
steering!(
    /// Bring the old site back after a migration that succeeded.
    roll_back_migration, "/v1/migrations/{id}/rollback", "migration.rollback", RollBack
);

/// A command of a person or service.
struct Order {
    id: MigrationId,
    if_match: IfMatch,
    command: Command,
    action: &'static str,
    traceparent: String,
}

async fn steer(state: &ApiState, principal: &Principal, order: Order) -> Result<Response, Problem> {
    let found = carry_out(state, principal, &order).await?;
    let tag = etag(found.version);
    let view = MigrationView::live(state, found).await?;
    Ok(([tag], Json(view)).into_response())
}

/// Loads, checks, applies, and starts again where the migration changed: `If-Match` is looked at with each load.
async fn carry_out(
    state: &ApiState,
    principal: &Principal,
    order: &Order,
) -> Result<Versioned<Migration>, Problem> {
    for _ in 0..TRIES_MAX {
        let (now, before) = visible(state, principal, order.id).await?;
        principal.may(Permission::Steer)?;
        order.if_match.check(before.version)?;
        // A migration that is cancelled is stopped by its case no more.
        let closed = match order.command {
            Command::Cancel { .. } => support::cancelled_with(state, &before.value).await?,
            Command::Enrol { .. }
            | Command::Claim { .. }
            | Command::Heartbeat { .. }
            | Command::SaveCheckpoint { .. }
            | Command::EndSlice { .. }
            | Command::ExpireLease { .. }
            | Command::Wake { .. }
            | Command::Pause { .. }
            | Command::Resume { .. }
            | Command::CredentialsReplaced { .. }
            | Command::RollBack { .. }
            | Command::Replay { .. } => None,
        };
        let facts = serde_json::json!({ "migration": order.id, "state": before.value.state.name() });
        let site = before.value.site;
        let amend = |_: &Transition, commit: &mut Commit| {
            audit(commit, principal, order.action, facts.clone());
            support::close_cancelled(commit, closed.as_ref());
        };
        let applied =
            state.records.apply_once(before, now, order.command.clone(), &order.traceparent, amend).await;
        match applied {
            Ok(Applied { before, transition, .. }) => {
                tracing::info!(migration.id = %order.id, action = order.action, "migration steered");
                // What was asked for before is noted again in the audit, and changes nothing.
                let is_changed = transition.migration != before.value;
                let version = before.version + u64::from(is_changed);
                return Ok(Versioned { version, value: transition.migration });
            }
            Err(ApplyError::Overtaken { .. }) => {}
            Err(ApplyError::Conflict { .. }) => {
                // A roll-back makes the site busy again, unless another migration was faster.
                if let Some(other) = busy_with(state, site).await?.filter(|busy| *busy != order.id) {
                    return Err(site_busy(other));
                }
            }
            Err(ApplyError::Refused(refusal)) => return Err(refusal.into()),
            Err(ApplyError::Missing(_)) => return Err(Problem::not_found("migration")),
            Err(ApplyError::Record(error)) => return Err(error.into()),
        }
    }
    Err(Problem::conflict("the migration changes all the time; try again"))
}
