//! Where the rewritten bytes go.

use std::io::{self, Write as _};

use anyhow::Context as _;

use crate::exit::Failure;

/// Standard output, or nowhere. A reader that has seen enough ends the command in silence.
pub(super) struct Output {
    out: Option<io::Stdout>,
}

impl Output {
    pub(super) fn new(is_dry: bool) -> Self {
        Self { out: (!is_dry).then(io::stdout) }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        or_quit(self.out.as_mut().map_or(Ok(()), |out| out.write_all(bytes)))
    }

    pub(super) fn end(mut self) -> Result<(), Failure> {
        or_quit(self.out.as_mut().map_or(Ok(()), io::Write::flush))
    }
}

fn or_quit(written: io::Result<()>) -> Result<(), Failure> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        other => Ok(other.context("standard output cannot be written")?),
    }
}
