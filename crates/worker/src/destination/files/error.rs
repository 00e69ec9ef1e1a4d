//! Why the files of a destination could not be reached or changed.

use super::DestPath;
use crate::slice::SliceError;

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why an act on a destination's files failed. The variants say what can be done about it.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// Nothing is there.
    #[error("{path} does not exist")]
    NotFound {
        /// The path.
        path: String,
    },
    /// Something is in the way.
    #[error("{path} exists already")]
    Exists {
        /// The path.
        path: String,
    },
    /// The account may not.
    #[error("{act} {path} is not permitted")]
    PermissionDenied {
        /// What was tried.
        act: &'static str,
        /// The path.
        path: String,
    },
    /// No space, no quota or no inodes left.
    #[error("no space is left for {path}")]
    DiskFull {
        /// The path.
        path: String,
    },
    /// The name or the path is one that the destination cannot hold.
    #[error("the destination cannot hold the name {path}")]
    BadName {
        /// The path.
        path: String,
    },
    /// A path in the site's configuration that is not absolute or climbs.
    #[error("{path:?} is no absolute path of a folder")]
    BadRoot {
        /// The path.
        path: String,
    },
    /// The server does not take user name, password or key.
    #[error("the server refuses the account {user}: {why}")]
    AccessDenied {
        /// The account.
        user: String,
        /// What it said or lacks; never a secret.
        why: String,
    },
    /// Another server, or somebody in between.
    #[error("the server shows the key {shown}, not the one that was configured")]
    HostKeyMismatch {
        /// The fingerprint of what it showed.
        shown: String,
    },
    /// No connection, or it broke off.
    #[error("the file server does not answer: {why}")]
    Unreachable {
        /// What happened.
        why: String,
    },
    /// Anything else that may pass.
    #[error("{act} {path} failed")]
    Server {
        /// What was tried.
        act: &'static str,
        /// The path.
        path: String,
        /// What the system or the server said.
        #[source]
        cause: Cause,
    },
    /// The work folder belongs to a later claim.
    #[error("the work folder was adopted by a later claim")]
    Fenced,
}

impl FilesError {
    /// From an I/O error of this act on this path.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the standard library's kinds of errors grow")]
    pub(super) fn io(act: &'static str, path: &DestPath, error: std::io::Error) -> Self {
        use std::io::ErrorKind;
        let path = path.to_string();
        match error.kind() {
            ErrorKind::NotFound => FilesError::NotFound { path },
            ErrorKind::AlreadyExists | ErrorKind::DirectoryNotEmpty => FilesError::Exists { path },
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                FilesError::PermissionDenied { act, path }
            }
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => FilesError::DiskFull { path },
            ErrorKind::InvalidFilename | ErrorKind::InvalidInput => FilesError::BadName { path },
            _other => FilesError::Server { act, path, cause: error.into() },
        }
    }

    /// The code of the catalogue that this is.
    pub fn code(&self) -> &'static str {
        match self {
            FilesError::PermissionDenied { .. } => "destination.permission_denied",
            FilesError::DiskFull { .. } => "destination.disk_full",
            FilesError::AccessDenied { .. } => "destination.access_denied",
            FilesError::HostKeyMismatch { .. } => "destination.host_key_mismatch",
            FilesError::Unreachable { .. } => "destination.unreachable",
            FilesError::BadName { .. } => "destination.name_unsupported",
            FilesError::BadRoot { .. } => "destination.permission_denied",
            FilesError::NotFound { .. } | FilesError::Exists { .. } => "destination.changed_underfoot",
            FilesError::Server { .. } | FilesError::Fenced => "destination.server_error",
        }
    }
}

impl From<FilesError> for SliceError {
    fn from(error: FilesError) -> Self {
        if matches!(error, FilesError::Fenced) {
            return SliceError::LeaseLost;
        }
        let mut detail = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            detail = format!("{detail}: {cause}");
            source = cause.source();
        }
        SliceError::failed(error.code(), detail)
    }
}
