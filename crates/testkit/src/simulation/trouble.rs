//! What can go wrong on the way, and what must never go wrong: servers that break their contracts.

/// What goes wrong on the way, each as a probability.
#[derive(Debug, Clone, Copy, Default)]
pub struct Trouble {
    /// A request does not arrive.
    pub request_lost: f64,
    /// What was asked for is done, and the answer does not arrive.
    pub reply_lost: f64,
    /// The connection is refused at once.
    pub refused: f64,
    /// Request or answer take up to 3 s.
    pub slow: f64,
    /// The broker takes a message, and loses it.
    pub message_lost: f64,
    /// The broker delivers a message twice.
    pub message_twice: f64,
    /// A message is not ready for up to a minute.
    pub message_late: f64,
    /// The broker takes a message, and says that it did not, or could not.
    pub message_refused: f64,
    /// A consumer gets another message than the oldest.
    pub reordered: f64,
}

/// A server that does not keep its contract: what the invariants are for has to be found by them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sabotage {
    /// Destinations take writes of whoever once held them.
    NoFence,
    /// The store does not look at versions.
    NoVersions,
    /// The store forgets one in 50 entries for the outbox.
    ForgetfulOutbox,
    /// What was published once is never due again.
    PublishedOnce,
    /// Readers are told a time that stands still, so that tokens are only counted.
    StandingClock,
}

impl Sabotage {
    /// All of them.
    pub const ALL: [Sabotage; 5] = [
        Sabotage::NoFence,
        Sabotage::NoVersions,
        Sabotage::ForgetfulOutbox,
        Sabotage::PublishedOnce,
        Sabotage::StandingClock,
    ];
}
