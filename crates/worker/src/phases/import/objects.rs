//! Views, triggers, routines and events, made after the tables are in place. What is in their way of the old site
//! is noted first, so that it can be brought back.

use mysql_async::Conn;
use serde::{Deserialize, Serialize};

use super::plan::Plan;
use super::run::Run;
use crate::destination::database::exchange::Exchange;
use crate::destination::database::fence::Claim;
use crate::destination::database::objects::{
    self, ObjectKind, SavedObject, create_all, drop_object, restore, save, triggers_on,
};
use crate::failpoint::failpoint;
use crate::model::{Schema, SchemaObject};
use crate::slice::SliceError;

/// An object that could not be made; told in the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct NotMade {
    /// `view`, `trigger`, …
    pub(super) kind: String,
    /// Its name.
    pub(super) name: String,
    /// The server's answer.
    pub(super) why: String,
}

pub(super) async fn create(run: &mut Run<'_>) -> Result<(), SliceError> {
    let (plan, schema) = run.planned().await?;
    let exchange: Exchange = run.entry("exchange").await?;
    clear_way(run, &schema, &exchange).await?;
    failpoint("import.before_objects").await?;
    let mut not_made = Vec::new();
    for (kind, objects) in kinds(&schema) {
        run.claim.check(&mut run.conn).await?;
        not_made.extend(make(run, &plan, kind, &objects).await?);
        failpoint("import.objects_made").await?;
    }
    Ok(run.journal().put(&mut run.conn, "objects", &not_made).await?)
}

/// Functions first: views and triggers may call them.
fn kinds(schema: &Schema) -> Vec<(ObjectKind, Vec<&SchemaObject>)> {
    let routines = |kind| {
        schema.routines.iter().filter(|routine| ObjectKind::of_routine(&routine.create_sql) == kind).collect()
    };
    vec![
        (ObjectKind::Function, routines(ObjectKind::Function)),
        (ObjectKind::Procedure, routines(ObjectKind::Procedure)),
        (ObjectKind::View, schema.views.iter().collect()),
        (ObjectKind::Trigger, schema.triggers.iter().collect()),
        (ObjectKind::Event, schema.events.iter().collect()),
    ]
}

async fn make(
    run: &mut Run<'_>,
    plan: &Plan,
    kind: ObjectKind,
    objects: &[&SchemaObject],
) -> Result<Vec<NotMade>, SliceError> {
    let names = plan.live_names();
    let adapted: Vec<(&SchemaObject, String)> =
        objects.iter().map(|object| (*object, objects::adapt(&object.create_sql, &names))).collect();
    let word = kind.word().to_lowercase();
    let failed = create_all(&mut run.conn, &adapted, &word).await?;
    Ok(failed.into_iter().map(|(name, why)| NotMade { kind: word.clone(), name, why }).collect())
}

/// Triggers of the old site stay on its tables, whatever these are called; only one whose name a new one needs is
/// noted and dropped. Routines and events are the database's: one of the same name is noted and dropped as well.
async fn clear_way(run: &mut Run<'_>, schema: &Schema, exchange: &Exchange) -> Result<(), SliceError> {
    let kept: Vec<String> = exchange.kept.iter().map(|kept| kept.kept.clone()).collect();
    let old_triggers = triggers_on(&mut run.conn, &kept).await?;
    for (kind, objects) in kinds(schema) {
        for object in objects {
            let is_in_way = match kind {
                // The RENAME moved the old views away.
                ObjectKind::View => false,
                ObjectKind::Trigger => old_triggers.contains(&object.name),
                ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Event => true,
            };
            if is_in_way {
                replace(run, kind, &object.name).await?;
            }
            if kind != ObjectKind::View && kind != ObjectKind::Trigger {
                let made = SavedName { kind, name: object.name.clone() };
                run.journal()
                    .put(&mut run.conn, &format!("made/{}/{}", kind.word(), digest(&object.name)), &made)
                    .await?;
            }
        }
    }
    Ok(())
}

/// Notes and drops an object of the old site. Once ours is noted as made, what is there is not the old site's.
async fn replace(run: &mut Run<'_>, kind: ObjectKind, name: &str) -> Result<(), SliceError> {
    let journal = run.journal();
    let made: Option<SavedName> =
        journal.get(&mut run.conn, &format!("made/{}/{}", kind.word(), digest(name))).await?;
    if made.is_some() {
        return Ok(());
    }
    if let Some(saved) = save(&mut run.conn, kind, name).await? {
        journal.put(&mut run.conn, &format!("saved/{}/{}", kind.word(), digest(name)), &saved).await?;
        run.claim.check(&mut run.conn).await?;
        drop_object(&mut run.conn, kind, name).await?;
    }
    Ok(())
}

/// An object that is ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct SavedName {
    kind: ObjectKind,
    name: String,
}

/// Names can be longer than a key of the journal takes.
fn digest(name: &str) -> String {
    blake3::hash(name.as_bytes()).to_hex()[..32].to_owned()
}

/// Drops what was made and makes again what was in its way; the tables are back under their old names.
pub(super) async fn bring_back(conn: &mut Conn, claim: &Claim) -> Result<(), SliceError> {
    let journal = claim.journal();
    let made: Vec<(String, SavedName)> = journal.list(conn, "made/").await?;
    for (key, made) in made {
        claim.check(conn).await?;
        drop_object(conn, made.kind, &made.name).await?;
        journal.remove(conn, &key).await?;
    }
    let saved: Vec<(String, SavedObject)> = journal.list(conn, "saved/").await?;
    for (key, saved) in saved {
        claim.check(conn).await?;
        restore(conn, &saved).await?;
        failpoint("import.object_restored").await?;
        journal.remove(conn, &key).await?;
    }
    Ok(())
}
