//! Named points at which a test, or an operator's drill, makes a worker die, stop or fail.
//!
//! They are compiled in always, so that what is tested is what runs, and inert unless the process was started
//! with [`configure`]: then one atomic load is all that a point costs.
//!
//! ```text
//! import.after_rename=kill            at the first hit: end the process as `kill -9` does
//! import.batch_loaded=stop@3          at the third hit: SIGSTOP, as a machine that hangs
//! transfer.file_sent=error@1,import.door_closed=kill
//! *=hang                              each point at its first hit
//! ```

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use tokio::sync::watch;

use crate::slice::SliceError;

/// What happens at a failpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The process ends at once; nothing is flushed, no destructor runs.
    Kill,
    /// The process gets SIGSTOP from itself: it goes on when somebody sends SIGCONT.
    Stop,
    /// The step fails with `worker.internal`.
    Error,
    /// The future waits until [`Failpoints::release`], or until it is dropped. For tests within one process.
    Hang,
}

/// A text that is no list of failpoints.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{text:?} is not `name=kill|stop|error|hang[@hit]`")]
pub struct BadFailpoint {
    /// The part that could not be read.
    pub text: String,
}

/// A set of armed failpoints and how often each point was passed.
#[derive(Debug)]
pub struct Failpoints {
    armed: Vec<Armed>,
    hits: Mutex<BTreeMap<&'static str, u64>>,
    released: watch::Sender<bool>,
    hanging: watch::Sender<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Armed {
    name: String,
    action: Action,
    hit: u64,
}

/// Stands for every point, each with hits of its own.
const ANY: &str = "*";

static PROCESS: OnceLock<Arc<Failpoints>> = OnceLock::new();
static IN_USE: AtomicBool = AtomicBool::new(false);

tokio::task_local! {
    static TASK: Arc<Failpoints>;
}

/// Arms failpoints for the life of the process; once, at start. Fails on a text that cannot be read.
pub fn configure(text: &str) -> Result<(), BadFailpoint> {
    if text.trim().is_empty() {
        return Ok(());
    }
    let points = Failpoints::parse(text)?;
    tracing::warn!(failpoints = text, "failpoints are armed: this process will fail on purpose");
    IN_USE.store(PROCESS.set(points).is_ok() || IN_USE.load(Ordering::Acquire), Ordering::Release);
    Ok(())
}

/// Runs `future` with failpoints of its own, so that tests side by side do not meet each other's. They reach
/// what runs on the same task, not what it spawns.
pub async fn scoped<F: Future>(points: Arc<Failpoints>, future: F) -> F::Output {
    IN_USE.store(true, Ordering::Release);
    TASK.scope(points, Box::pin(future)).await
}

/// Passes the failpoint `name` (`phase.place`): nothing happens unless it is armed and this is its hit.
pub async fn failpoint(name: &'static str) -> Result<(), SliceError> {
    if !IN_USE.load(Ordering::Acquire) {
        return Ok(());
    }
    let Some(points) = TASK.try_with(Arc::clone).ok().or_else(|| PROCESS.get().cloned()) else {
        return Ok(());
    };
    match points.pass(name) {
        None => Ok(()),
        Some(Action::Kill) => {
            eprint_last_words(name);
            std::process::abort()
        }
        Some(Action::Stop) => {
            stop_this_process();
            Ok(())
        }
        Some(Action::Error) => Err(SliceError::failed("worker.internal", format!("failpoint {name}"))),
        Some(Action::Hang) => {
            points.hang().await;
            Ok(())
        }
    }
}

fn eprint_last_words(name: &str) {
    tracing::error!(failpoint = name, "this process kills itself at a failpoint");
}

/// The shell's `kill` reaches its parent: no unsafe code and no dependency for what only drills use.
fn stop_this_process() {
    let _ = std::process::Command::new("/bin/sh").args(["-c", "kill -STOP $PPID"]).status();
}

impl Failpoints {
    /// Reads `name=action[@hit]`, separated by commas; no part: nothing is armed, hits are counted.
    pub fn parse(text: &str) -> Result<Arc<Self>, BadFailpoint> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let armed = parts.map(parse_one).collect::<Result<_, _>>()?;
        Ok(Arc::new(Self {
            armed,
            hits: Mutex::default(),
            released: watch::Sender::new(false),
            hanging: watch::Sender::new(0),
        }))
    }

    /// How often each point was passed so far.
    pub fn hits(&self) -> BTreeMap<&'static str, u64> {
        self.hits.lock().expect("no holder of this lock panics").clone()
    }

    /// Waits until so many futures have hung at armed points since the beginning, those included that went on or were
    /// dropped.
    pub async fn until_hanging(&self, count: u64) {
        let _ = self.hanging.subscribe().wait_for(|seen| *seen >= count).await;
    }

    /// Lets everything that hangs go on, now and later.
    pub fn release(&self) {
        self.released.send_replace(true);
    }

    fn pass(&self, name: &'static str) -> Option<Action> {
        let mut hits = self.hits.lock().expect("no holder of this lock panics");
        let hit = hits.entry(name).or_default();
        *hit += 1;
        let is_meant = |armed: &&Armed| (armed.name == name || armed.name == ANY) && armed.hit == *hit;
        self.armed.iter().find(is_meant).map(|armed| armed.action)
    }

    async fn hang(&self) {
        self.hanging.send_modify(|count| *count += 1);
        let _ = self.released.subscribe().wait_for(|released| *released).await;
    }
}

fn parse_one(text: &str) -> Result<Armed, BadFailpoint> {
    let bad = || BadFailpoint { text: text.chars().take(120).collect() };
    let (name, rest) = text.split_once('=').ok_or_else(bad)?;
    let (action, hit) = match rest.split_once('@') {
        None => (rest, 1),
        Some((action, hit)) => (action, hit.parse().ok().filter(|hit| *hit > 0).ok_or_else(bad)?),
    };
    let action = match action {
        "kill" => Action::Kill,
        "stop" => Action::Stop,
        "error" => Action::Error,
        "hang" => Action::Hang,
        _ => return Err(bad()),
    };
    if name.is_empty() {
        return Err(bad());
    }
    Ok(Armed { name: name.to_owned(), action, hit })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_and_nonsense_refused() {
        let points = Failpoints::parse("a.b=kill, c.d=stop@3").unwrap();
        assert_eq!(points.armed[0], Armed { name: "a.b".into(), action: Action::Kill, hit: 1 });
        assert_eq!(points.armed[1], Armed { name: "c.d".into(), action: Action::Stop, hit: 3 });
        for bad in ["a", "=kill", "a=explode", "a=kill@0", "a=kill@x"] {
            assert!(Failpoints::parse(bad).is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn an_armed_point_fails_at_its_hit_and_only_there() {
        let points = Failpoints::parse("a.b=error@2").unwrap();
        scoped(Arc::clone(&points), async {
            assert!(failpoint("a.b").await.is_ok());
            assert!(failpoint("a.b").await.is_err());
            assert!(failpoint("a.b").await.is_ok());
        })
        .await;
        assert_eq!(points.hits().get("a.b"), Some(&3));
        assert!(failpoint("a.b").await.is_ok());
    }
}
