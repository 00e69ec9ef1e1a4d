//! What a lab has made is undone even when the lab is killed: a small shell process waits at the other end of
//! a pipe and clears up when the pipe closes.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};

const SCRIPT: &str = include_str!("guardian.sh");
const MARKER: &str = ".landfall-lab";
const JOURNAL: &str = "journal";
const STOP: &str = r#"#!/bin/sh
# Ends every server of this lab, removes its users and this folder.
here=$(cd -- "$(dirname -- "$0")" && pwd) || exit 1
cd /
exec sh "$here/guardian.sh" <"$here/journal"
"#;

/// The keeper of one lab's list of things to undo. Everything in the lab holds it; when the last one lets go
/// the list is worked off.
#[derive(Debug)]
pub(super) struct Guardian {
    folder: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    watcher: Child,
    pipe: Option<ChildStdin>,
    journal: File,
    kept: bool,
}

impl Guardian {
    /// Takes over `folder`, which must exist and be empty.
    pub(super) fn start(folder: &Path) -> Result<Self> {
        fs::write(folder.join(MARKER), "A folder of Landfall's lab: `sh stop.sh` here ends it.\n")?;
        fs::write(folder.join("guardian.sh"), SCRIPT)?;
        fs::write(folder.join("stop.sh"), STOP)?;
        let journal = File::options().create(true).append(true).open(folder.join(JOURNAL))?;
        let mut watcher = Command::new("sh")
            .arg(folder.join("guardian.sh"))
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context("the lab's guardian did not start")?;
        let pipe = watcher.stdin.take();
        let guardian = Self {
            folder: folder.to_owned(),
            state: Mutex::new(State { watcher, pipe, journal, kept: false }),
        };
        guardian.note(&format!("folder {}", folder.display()))?;
        Ok(guardian)
    }

    /// Ends what an earlier lab in `folder` left behind, and the folder with it. Refuses a folder that no lab made.
    pub(super) fn clear(folder: &Path) -> Result<()> {
        if !folder.exists() {
            return Ok(());
        }
        if !folder.join(MARKER).exists() {
            anyhow::ensure!(
                fs::read_dir(folder)?.next().is_none(),
                "{} exists and was not made by a lab",
                folder.display()
            );
            return Ok(());
        }
        let status = Command::new("sh")
            .arg(folder.join("guardian.sh"))
            .current_dir("/")
            .stdin(File::open(folder.join(JOURNAL)).context("a lab's folder without its journal")?)
            .status()?;
        anyhow::ensure!(status.success(), "an earlier lab in {} could not be ended", folder.display());
        Ok(())
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Adds one line to the list of things to undo; `guardian.sh` documents the lines.
    pub(super) fn note(&self, line: &str) -> Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(state.journal, "{line}").context("the lab's journal cannot be written")?;
        if let Some(pipe) = &mut state.pipe {
            writeln!(pipe, "{line}").context("the lab's guardian is gone")?;
        }
        Ok(())
    }

    /// From here on nothing is undone when the lab ends; `stop.sh` in its folder does it later.
    pub(super) fn keep(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.kept = true;
        if let Some(mut pipe) = state.pipe.take() {
            // A guardian that is gone already keeps everything as well.
            let _ = writeln!(pipe, "keep");
        }
    }

    pub(super) fn is_kept(&self) -> bool {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).kept
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        drop(state.pipe.take());
        let _ = state.watcher.wait();
    }
}
