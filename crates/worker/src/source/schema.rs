//! The schema of a source's database, and marks that tell whether tables moved.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::answer::{Answer, Step, protocol};
use super::connection::{Connection, Verb};
use super::error::SourceError;
use super::frame::FrameKind;
use super::pace::Repeats;
use crate::model::{Schema, SchemaObject, Table};

/// What the source's database is made of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceSchema {
    /// What is taken.
    pub schema: Schema,
    /// What is not, and why.
    pub left_out: Vec<LeftOutObject>,
}

/// Something in the database that is not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOutObject {
    /// Its name.
    pub name: String,
    /// `base table`, `view`, `sequence`, `trigger`, `routine`, `event`, …
    pub what: String,
    /// `prefix` (of another application), `unsupported`, or `unreadable` (no permission, or damaged).
    pub reason: String,
}

/// What tells whether a table moved between two looks at it: compare for equality.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableMark {
    /// The table.
    pub name: String,
    /// Its exact count of rows; none when it is gone.
    pub rows: Option<u64>,
    /// When the server last saw it change; many servers forget this at a restart.
    #[serde(default)]
    pub update_time: Option<String>,
    /// Its next automatic id.
    #[serde(default)]
    pub next_id: Option<String>,
}

/// Reads the whole schema.
pub(super) async fn read(
    connection: &Arc<Connection>,
    all_tables: bool,
) -> Result<SourceSchema, SourceError> {
    let mut found = SourceSchema::default();
    let mut after = String::new();
    let mut repeats = Repeats::new(Arc::clone(&connection.limits));
    loop {
        let params = json!({ "after": after, "all_tables": all_tables });
        match read_page(connection, params, &mut found, &mut after, &mut repeats).await {
            Ok(true) => return Ok(found),
            Ok(false) => {}
            Err(error) => repeats.after(error).await?,
        }
    }
}

/// Reads one answer; true at the end.
async fn read_page(
    connection: &Connection,
    params: Value,
    found: &mut SourceSchema,
    after: &mut String,
    repeats: &mut Repeats,
) -> Result<bool, SourceError> {
    // What comes behind the last table comes again if the answer breaks off there.
    found.schema.views.clear();
    found.schema.triggers.clear();
    found.schema.routines.clear();
    found.schema.events.clear();
    found.left_out.retain(|object| object.what.contains("table") || object.what == "sequence");
    let mut answer = connection.ask(Verb::Schema, params).await?;
    loop {
        let Some(facts) = next_json(&mut answer).await? else {
            return Err(protocol("a frame of another verb"));
        };
        let facts = match facts {
            Item::Facts(facts) => facts,
            Item::Complete(facts) => return Ok(facts["done"].as_bool() == Some(true)),
        };
        if let Some(name) = take(facts, found)? {
            *after = name;
            repeats.progress();
        }
    }
}

enum Item {
    Facts(Value),
    Complete(Value),
}

async fn next_json(answer: &mut Answer) -> Result<Option<Item>, SourceError> {
    Ok(match answer.next().await? {
        Step::Complete(facts) => Some(Item::Complete(facts)),
        Step::Frame(FrameKind::Json, payload) => {
            Some(Item::Facts(serde_json::from_slice(&payload).map_err(|_| protocol("a frame is not JSON"))?))
        }
        Step::Frame(..) => None,
    })
}

/// Files one thing; the name of a table, behind which the next request goes on.
fn take(facts: Value, found: &mut SourceSchema) -> Result<Option<String>, SourceError> {
    let bad = |_| protocol("a definition cannot be read");
    let kind = facts["kind"].as_str().unwrap_or_default().to_owned();
    let objects = match kind.as_str() {
        "table" => {
            let table: Table = serde_json::from_value(facts).map_err(bad)?;
            let name = table.name.clone();
            found.schema.tables.push(table);
            return Ok(Some(name));
        }
        "left_out" => {
            let object: LeftOutObject = serde_json::from_value(facts).map_err(bad)?;
            let after =
                (object.what.contains("table") || object.what == "sequence").then(|| object.name.clone());
            found.left_out.push(object);
            return Ok(after);
        }
        "view" => &mut found.schema.views,
        "trigger" => &mut found.schema.triggers,
        "routine" => &mut found.schema.routines,
        "event" => &mut found.schema.events,
        _unknown => return Err(protocol("a definition of an unknown kind")),
    };
    objects.push(serde_json::from_value::<SchemaObject>(facts).map_err(bad)?);
    Ok(None)
}

/// Looks at tables.
pub(super) async fn read_marks(
    connection: &Arc<Connection>,
    tables: &[String],
) -> Result<Vec<TableMark>, SourceError> {
    let mut marks: Vec<TableMark> = Vec::with_capacity(tables.len());
    let mut repeats = Repeats::new(Arc::clone(&connection.limits));
    while marks.len() < tables.len() {
        let rest: Vec<Value> =
            tables[marks.len()..].iter().take(400).map(|name| json!({ "name": name })).collect();
        match read_some_marks(connection, json!({ "tables": rest }), &mut marks).await {
            Ok(()) => repeats.progress(),
            Err(error) => repeats.after(error).await?,
        }
    }
    Ok(marks)
}

async fn read_some_marks(
    connection: &Connection,
    params: Value,
    marks: &mut Vec<TableMark>,
) -> Result<(), SourceError> {
    let before = marks.len();
    let mut answer = connection.ask(Verb::TableMarks, params).await?;
    loop {
        match next_json(&mut answer).await? {
            Some(Item::Facts(facts)) => {
                marks.push(serde_json::from_value(facts).map_err(|_| protocol("a mark cannot be read"))?);
            }
            Some(Item::Complete(_)) if marks.len() == before => return Err(protocol("no mark came")),
            Some(Item::Complete(_)) => return Ok(()),
            None => return Err(protocol("a frame of another verb")),
        }
    }
}
