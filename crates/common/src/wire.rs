//! Messages on the queues. They carry no secrets and no state: a ticket only says where to look.

use serde::{Deserialize, Serialize};

use crate::{CaseId, MigrationId, Phase};

/// The schema that this version writes. Readers accept it and older ones; newer ones are parked.
pub const TICKET_SCHEMA: u16 = 1;

/// A queue of Landfall's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum QueueName {
    /// Slices of one phase.
    Phase(Phase),
    /// Wakes the support desk.
    Support,
}

impl QueueName {
    /// All queues.
    pub const ALL: [QueueName; 4] = [
        QueueName::Phase(Phase::Snapshot),
        QueueName::Phase(Phase::Transfer),
        QueueName::Phase(Phase::Import),
        QueueName::Support,
    ];

    /// The queue's name at the broker, before any prefix.
    pub const fn as_str(self) -> &'static str {
        match self {
            QueueName::Phase(Phase::Snapshot) => "landfall.snapshot",
            QueueName::Phase(Phase::Transfer) => "landfall.transfer",
            QueueName::Phase(Phase::Import) => "landfall.import",
            QueueName::Support => "landfall.support",
        }
    }
}

/// What a message names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Ticket {
    /// A slice that is due.
    Slice(SliceTicket),
    /// A support case that was opened.
    Case(CaseTicket),
}

/// Names one slice of one migration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SliceTicket {
    /// The message's schema.
    pub schema: u16,
    /// The migration.
    pub migration: MigrationId,
    /// Its generation.
    pub generation: u32,
    /// The phase.
    pub phase: Phase,
    /// The slice's number within the generation and phase.
    pub slice: u32,
    /// W3C trace context of the commit that made the slice due; empty where tracing is off.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub traceparent: String,
}

/// Names one support case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseTicket {
    /// The message's schema.
    pub schema: u16,
    /// The case.
    pub case: CaseId,
    /// Its migration.
    pub migration: MigrationId,
}

/// Why a message could not be read.
#[derive(Debug, thiserror::Error)]
pub enum BadTicket {
    /// Not a ticket at all.
    #[error("the message is not a ticket")]
    Malformed(#[source] serde_json::Error),
    /// Written by a newer version: park it, do not drop it.
    #[error("the ticket has schema {found}, this version reads up to {TICKET_SCHEMA}")]
    Newer {
        /// The schema that it carries.
        found: u16,
    },
}

impl Ticket {
    /// The message's bytes.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a ticket is plain data")
    }

    /// Reads a message. The schema is looked at first, so that a newer ticket is told from garbage.
    pub fn decode(bytes: &[u8]) -> Result<Self, BadTicket> {
        #[derive(Deserialize)]
        struct Head {
            schema: u16,
        }
        let head: Head = serde_json::from_slice(bytes).map_err(BadTicket::Malformed)?;
        if head.schema > TICKET_SCHEMA {
            return Err(BadTicket::Newer { found: head.schema });
        }
        serde_json::from_slice(bytes).map_err(BadTicket::Malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_reads_back_and_a_newer_one_is_told_from_garbage() {
        let ticket = Ticket::Slice(SliceTicket {
            schema: TICKET_SCHEMA,
            migration: MigrationId::from_uuid(uuid::Uuid::from_u128(1)),
            generation: 1,
            phase: Phase::Import,
            slice: 3,
            traceparent: String::new(),
        });
        assert_eq!(Ticket::decode(&ticket.encode()).unwrap(), ticket);
        assert!(matches!(Ticket::decode(br#"{"schema":9,"kind":"x"}"#), Err(BadTicket::Newer { found: 9 })));
        assert!(matches!(Ticket::decode(b"hello"), Err(BadTicket::Malformed(_))));
    }
}
