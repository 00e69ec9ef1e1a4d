//! Destinations: what a site serves, and who may write to it.
//!
//! The rules are those of the real fence (`worker::destination::database::fence`): a claim takes over by its token, a
//! lower token is refused, and whatever an older claim still sends names things that are not there any more.

use std::collections::BTreeMap;
use std::time::Duration;

use landfall_common::{AttemptId, MigrationId, SiteId};

use super::trouble::Sabotage;
use super::world::{Inner, Lost, Network};

/// How long a worker waits for its destination.
const LIMIT: Duration = Duration::from_secs(60);

/// A site: what it serves, and what migrations hold there.
#[derive(Debug, Default)]
pub struct Destination {
    /// The units that visitors see, in order; each names its migration, snapshot and number.
    pub live: Vec<String>,
    /// What was there before the cut-over of a migration.
    pub saved: BTreeMap<MigrationId, Vec<String>>,
    claims: BTreeMap<MigrationId, Claim>,
}

impl Destination {
    /// One that serves this.
    pub fn with(live: Vec<String>) -> Self {
        Self { live, ..Self::default() }
    }
}

#[derive(Debug)]
struct Claim {
    token: u64,
    attempt: AttemptId,
    snapshot: String,
    is_cut_over: bool,
    staged: Vec<String>,
    loaded: Vec<String>,
}

/// Who writes: the same in every call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Writer {
    /// The migration.
    pub migration: MigrationId,
    /// The site.
    pub site: SiteId,
    /// The fencing token.
    pub token: u64,
    /// The attempt.
    pub attempt: AttemptId,
}

/// Why a destination did not do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DestinationError {
    /// A newer claim holds it.
    #[error("a newer claim holds the destination")]
    Fenced,
    /// What is there is not what was asked for to be there: units are missing.
    #[error("the destination does not hold every unit")]
    Incomplete,
    /// There is nothing to bring back.
    #[error("what was there before is gone")]
    NothingSaved,
    /// No answer.
    #[error(transparent)]
    Lost(#[from] Lost),
}

/// Which of the two kinds of units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Files, put beside the live ones.
    Staged,
    /// Rows, loaded under other names.
    Loaded,
}

impl Inner {
    /// The destination, where the writer holds it.
    fn claimed(&mut self, writer: &Writer) -> Result<&mut Destination, DestinationError> {
        let destination = self.destinations.get(&writer.site);
        let claim = destination.and_then(|destination| destination.claims.get(&writer.migration));
        let is_anybody = self.sabotage == Some(Sabotage::NoFence);
        let is_other = |claim: &Claim| claim.token != writer.token || claim.attempt != writer.attempt;
        if claim.is_none_or(|claim| is_other(claim) && !is_anybody) {
            self.history.fenced += 1;
            self.note("destination", &format_args!("refuses {} of {}", writer.token, writer.migration));
            return Err(DestinationError::Fenced);
        }
        Ok(self.destinations.entry(writer.site).or_default())
    }

    fn take_over(&mut self, writer: &Writer, snapshot: &str) -> Result<bool, DestinationError> {
        let destination = self.destinations.entry(writer.site).or_default();
        let fresh = Claim {
            token: 0,
            attempt: writer.attempt,
            snapshot: snapshot.to_owned(),
            is_cut_over: false,
            staged: Vec::new(),
            loaded: Vec::new(),
        };
        let claim = destination.claims.entry(writer.migration).or_insert(fresh);
        let is_same = claim.token == writer.token && claim.attempt == writer.attempt;
        if claim.token >= writer.token && !is_same {
            let found = claim.token;
            self.history.fenced += 1;
            self.note("destination", &format_args!("refuses to give {} to {}", found, writer.token));
            return Err(DestinationError::Fenced);
        }
        (claim.token, claim.attempt) = (writer.token, writer.attempt);
        if claim.snapshot != snapshot && !snapshot.is_empty() {
            // Another snapshot: what was brought of the former does not count.
            claim.snapshot = snapshot.to_owned();
            claim.staged.clear();
            claim.loaded.clear();
            if std::mem::take(&mut claim.is_cut_over) {
                destination.live = destination.saved.remove(&writer.migration).unwrap_or_default();
            }
        }
        let is_cut_over = claim.is_cut_over;
        self.note("destination", &format_args!("taken by {} of {}", writer.token, writer.migration));
        Ok(is_cut_over)
    }

    fn bring(
        &mut self,
        writer: &Writer,
        kind: Kind,
        number: usize,
        unit: String,
    ) -> Result<(), DestinationError> {
        let migration = writer.migration;
        let destination = self.claimed(writer)?;
        let claim = destination.claims.get_mut(&migration).expect("it was looked at");
        let units = match kind {
            Kind::Staged => &mut claim.staged,
            Kind::Loaded => &mut claim.loaded,
        };
        let outcome = match units.get(number) {
            Some(there) if *there == unit => Ok(()),
            Some(there) => Err(format!("{migration}: unit {number} is {there}, and {unit} came")),
            None if units.len() == number => {
                units.push(unit);
                Ok(())
            }
            // The checkpoint is ahead of what is there.
            None => Err(format!("{migration}: unit {number} came, {} are there", units.len())),
        };
        self.note("destination", &format_args!("{kind:?} {number} of {migration} with {}", writer.token));
        if let Err(what) = outcome {
            self.violated(what);
        }
        self.history.wrote(writer);
        Ok(())
    }

    fn cut_over(&mut self, writer: &Writer, units: usize) -> Result<(), DestinationError> {
        let destination = self.claimed(writer)?;
        let claim = destination.claims.get_mut(&writer.migration).expect("it was looked at");
        if claim.is_cut_over {
            return Ok(());
        }
        if claim.staged.len() != units || claim.loaded.len() != units {
            return Err(DestinationError::Incomplete);
        }
        claim.is_cut_over = true;
        let new = claim.loaded.clone();
        let old = std::mem::replace(&mut destination.live, new);
        destination.saved.insert(writer.migration, old);
        self.note("destination", &format_args!("{} is live", writer.migration));
        self.history.wrote(writer);
        Ok(())
    }

    /// As if nothing had been; `is_asked_for` where it had arrived and is brought back.
    fn undo(&mut self, writer: &Writer, is_asked_for: bool) -> Result<(), DestinationError> {
        let destination = self.claimed(writer)?;
        let is_cut_over = destination.claims.remove(&writer.migration).is_some_and(|claim| claim.is_cut_over);
        if is_cut_over {
            let old = destination.saved.remove(&writer.migration).ok_or(DestinationError::NothingSaved)?;
            destination.live = old;
        } else if is_asked_for {
            return Ok(()); // Done by an earlier attempt.
        }
        self.note("destination", &format_args!("{} is undone", writer.migration));
        Ok(())
    }
}

/// The world's destinations as one process reaches them.
#[derive(Debug, Clone)]
pub struct SimDestinations {
    network: Network,
}

impl SimDestinations {
    /// The destinations at the other end of this network.
    pub fn new(network: Network) -> Self {
        Self { network }
    }

    async fn ask<T: Send + 'static>(
        &self,
        takes: Duration,
        question: impl FnOnce(&mut Inner) -> Result<T, DestinationError> + Send + 'static,
    ) -> Result<T, DestinationError> {
        self.network.slow_call(takes, LIMIT, move |world| Ok(question(world))).await?
    }

    /// Takes the destination over; whether the site is live already. Another snapshot than before begins anew.
    pub async fn take_over(&self, writer: &Writer, snapshot: &str) -> Result<bool, DestinationError> {
        let (writer, snapshot) = (writer.clone(), snapshot.to_owned());
        self.ask(Duration::ZERO, move |world| world.take_over(&writer, &snapshot)).await
    }

    /// Brings one unit, which takes its time. The same again changes nothing.
    pub async fn bring(
        &self,
        takes: Duration,
        writer: &Writer,
        kind: Kind,
        number: usize,
        unit: String,
    ) -> Result<(), DestinationError> {
        let writer = writer.clone();
        self.ask(takes, move |world| world.bring(&writer, kind, number, unit)).await
    }

    /// Makes so many units live.
    pub async fn cut_over(&self, writer: &Writer, units: usize) -> Result<(), DestinationError> {
        let writer = writer.clone();
        self.ask(Duration::ZERO, move |world| world.cut_over(&writer, units)).await
    }

    /// Brings back what was there before.
    pub async fn undo(&self, writer: &Writer, is_asked_for: bool) -> Result<(), DestinationError> {
        let writer = writer.clone();
        self.ask(Duration::ZERO, move |world| world.undo(&writer, is_asked_for)).await
    }
}
