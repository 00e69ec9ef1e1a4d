//! How a command ends: an exit code that scripts can branch on, and a message for people.

use std::process::ExitCode;

use crate::client::Problem;
use crate::config::Faults;

/// The exit codes, as `landfall help` and `docs/cli.md` list them.
pub(crate) const CODES: &str = "\
Exit codes:
  0  done
  1  failed: a fault that is not one of the following
  2  usage: arguments or configuration are wrong; nothing was tried
  3  not found: there is no such thing, or it is another organization's
  4  refused: the token may not, the state does not allow it, or a field is wrong
  5  unreachable: no answer, or the server cannot answer now; try again
  6  ended otherwise: the migration did not succeed (cancelled, rejected, rolled back, in the hands of support)";

/// Why a command did not succeed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Arguments that do not go together.
    #[error("{0}")]
    Usage(String),
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] Faults),
    /// The API refused.
    #[error(transparent)]
    Problem(#[from] Box<Problem>),
    /// The API does not answer.
    #[error("{server} does not answer: {cause}")]
    Unreachable {
        /// Where it was sought.
        server: String,
        /// Why, in one line.
        cause: String,
    },
    /// A watched migration did not succeed.
    #[error("{0}")]
    EndedOtherwise(String),
    /// Anything else.
    #[error("{0:#}")]
    Other(#[from] anyhow::Error),
}

impl Failure {
    /// The exit code.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Failure::Other(_) => 1,
            Failure::Usage(_) | Failure::Config(_) => 2,
            Failure::Problem(problem) => problem.exit_code(),
            Failure::Unreachable { .. } => 5,
            Failure::EndedOtherwise(_) => 6,
        }
    }
}

impl From<&Failure> for ExitCode {
    fn from(failure: &Failure) -> Self {
        ExitCode::from(failure.code())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Failure::Other(error.into())
    }
}
