//! The audit: what people and services changed. Never trimmed, written in the commit of the change itself.

use landfall_common::event::{Event, EventKind};
use landfall_common::ports::{Commit, EventWrite};
use landfall_common::records::stream;
use serde_json::Value;

use crate::auth::Principal;

/// Adds a line to the audit. `action` is `thing.verb`; `facts` name what was changed, without secrets.
pub(crate) fn audit(commit: &mut Commit, principal: &Principal, action: &str, mut facts: Value) {
    if let Value::Object(members) = &mut facts {
        members.insert("action".to_owned(), action.into());
        members.insert("organization".to_owned(), principal.organization.to_string().into());
    }
    let event = Event::new(EventKind::Requested, action).with(facts).by(principal.actor.clone());
    commit.events.push(line(stream::AUDIT.to_owned(), &event, None));
}

/// One event of a stream.
pub(crate) fn line(stream: String, event: &Event, keep: Option<u32>) -> EventWrite {
    EventWrite { stream, body: serde_json::to_vec(event).expect("events are plain data").into(), keep }
}
