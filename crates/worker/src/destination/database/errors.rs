//! What a database answers instead of success, sorted by what its caller can do.

use mysql_async::{DriverError, Error, IoError};

use crate::slice::SliceError;

/// Why something at the destination's database was not done.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// A newer claim of the migration holds the destination: this one must stop and save nothing.
    #[error("a newer attempt holds the destination's database")]
    Fenced,
    /// The server refused, failed or went away.
    #[error("{doing}: {}", describe(.source))]
    Server {
        /// What was being done, for people.
        doing: String,
        /// The server's or the driver's answer.
        #[source]
        source: Box<Error>,
    },
    /// Something at the destination is not as it must be.
    #[error("{detail}")]
    Refused {
        /// The code of the catalogue.
        code: &'static str,
        /// What is not as it must be.
        detail: String,
    },
}

/// `MySQL`'s error numbers that decide something here.
pub mod number {
    /// `ER_NO_SUCH_TABLE`.
    pub const NO_SUCH_TABLE: u16 = 1146;
    /// `ER_FILE_NOT_FOUND`: how some versions say that a table to rename is not there.
    pub const FILE_NOT_FOUND: u16 = 1017;
    /// `ER_TABLE_EXISTS_ERROR`.
    pub const TABLE_EXISTS: u16 = 1050;
    /// `ER_NO_SUCH_THREAD`.
    pub const NO_SUCH_THREAD: u16 = 1094;
    /// `ER_TOO_LONG_KEY`.
    pub const TOO_LONG_KEY: u16 = 1071;
    /// `ER_WRONG_OBJECT`: a view where a table is meant, or the reverse.
    pub const WRONG_OBJECT: u16 = 1347;
    /// `ER_LOCK_WAIT_TIMEOUT`.
    pub const LOCK_WAIT_TIMEOUT: u16 = 1205;
    /// `ER_LOCK_DEADLOCK`.
    pub const DEADLOCK: u16 = 1213;
}

impl DatabaseError {
    /// A refusal with a code of the catalogue.
    pub fn refused(code: &'static str, detail: impl Into<String>) -> Self {
        DatabaseError::Refused { code, detail: detail.into() }
    }

    /// The server's error number, where the server itself answered.
    pub fn number(&self) -> Option<u16> {
        match self {
            DatabaseError::Server { source, .. } => server_number(source),
            DatabaseError::Fenced | DatabaseError::Refused { .. } => None,
        }
    }

    /// Whether the statement may succeed if it is repeated at once: a lock was not to be had.
    pub fn is_lock_wait(&self) -> bool {
        matches!(self.number(), Some(number::LOCK_WAIT_TIMEOUT | number::DEADLOCK))
    }

    /// The code of the catalogue; none where the lease decides.
    pub fn code(&self) -> Option<&'static str> {
        match self {
            DatabaseError::Fenced => None,
            DatabaseError::Refused { code, .. } => Some(code),
            DatabaseError::Server { source, .. } => Some(code_of(source)),
        }
    }
}

impl From<DatabaseError> for SliceError {
    fn from(error: DatabaseError) -> Self {
        match error.code() {
            None => SliceError::LeaseLost,
            Some(code) => SliceError::failed(code, error.to_string()),
        }
    }
}

/// Adds what was being done to the driver's errors.
pub(crate) trait Doing<T> {
    /// `doing` reads well before a colon: "the fence row cannot be read".
    fn doing(self, doing: impl FnOnce() -> String) -> Result<T, DatabaseError>;
}

impl<T> Doing<T> for Result<T, Error> {
    fn doing(self, doing: impl FnOnce() -> String) -> Result<T, DatabaseError> {
        self.map_err(|source| DatabaseError::Server { doing: doing(), source: Box::new(source) })
    }
}

pub(crate) fn server_number(error: &Error) -> Option<u16> {
    match error {
        Error::Server(server) => Some(server.code),
        Error::Driver(_) | Error::Io(_) | Error::Other(_) | Error::Url(_) => None,
    }
}

fn code_of(error: &Error) -> &'static str {
    match error {
        Error::Server(server) => code_of_number(server.code, &server.message),
        Error::Driver(DriverError::PacketTooLarge) => "destination.row_too_large",
        Error::Io(IoError::Io(_)) | Error::Driver(_) | Error::Other(_) | Error::Url(_) => {
            "destination.unreachable"
        }
        Error::Io(IoError::Tls(_)) => "destination.unreachable",
    }
}

fn code_of_number(number: u16, message: &str) -> &'static str {
    // Numbers: the error references of MariaDB and MySQL; 28 is the system's ENOSPC within other messages.
    match number {
        1040 | 1053 | 1129 | 1203 | 1226 | 2002 | 2003 | 2006 | 2013 | 1927 | 1317 | 3169 => {
            "destination.unreachable"
        }
        1045 | 1044 | 1698 | 1820 | 1862 | 1130 | 1049 => "destination.access_denied",
        1142 | 1143 | 1227 | 1370 | 1419 => "destination.permission_denied",
        1021 | 1114 => "destination.disk_full",
        1005 | 1030 | 3 | 1026 if message.contains("28") && message.to_lowercase().contains("space") => {
            "destination.disk_full"
        }
        1205 | 1213 | 1099 | 1100 => "destination.locked",
        1153 => "destination.row_too_large",
        1005 | 1062 | 1064 | 1067 | 1069 | 1071 | 1072 | 1074 | 1101 | 1115 | 1118 | 1170 | 1214 | 1215
        | 1217 | 1231 | 1239 | 1253 | 1273 | 1286 | 1293 | 1478 | 1506 | 1553 | 1825 | 1826 | 3780 | 3819
        | 4025 => "destination.schema_refused",
        _ => "destination.server_error",
    }
}

/// A row's values turn up in some messages; they may be personal and stay out of logs and cases.
fn describe(error: &Error) -> String {
    match error {
        Error::Server(server) if matches!(server.code, 1062 | 1292 | 1366 | 1406 | 1265) => {
            format!("the server answered {} ({}) about a row's value", server.code, server.state)
        }
        Error::Server(server) => {
            format!("the server answered {} ({}): {}", server.code, server.state, server.message)
        }
        Error::Driver(_) | Error::Io(_) | Error::Other(_) | Error::Url(_) => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(code: u16, message: &str) -> DatabaseError {
        let source = mysql_async::ServerError { code, message: message.into(), state: "HY000".into() };
        DatabaseError::Server { doing: "x".into(), source: Box::new(Error::Server(source)) }
    }

    #[test]
    fn a_full_disk_a_wrong_password_and_a_lock_have_codes_of_their_own() {
        assert_eq!(server(1045, "no").code(), Some("destination.access_denied"));
        assert_eq!(server(1021, "Disk full").code(), Some("destination.disk_full"));
        let full = "Error writing file (Errcode: 28 \"No space left on device\")";
        assert_eq!(server(1026, full).code(), Some("destination.disk_full"));
        assert_eq!(server(1205, "lock").code(), Some("destination.locked"));
        assert_eq!(server(9999, "?").code(), Some("destination.server_error"));
        assert!(matches!(SliceError::from(DatabaseError::Fenced), SliceError::LeaseLost));
    }

    #[test]
    fn a_rows_value_is_not_repeated() {
        assert!(
            !server(1062, "Duplicate entry 'ann@example.com' for key 'email'").to_string().contains("ann@")
        );
    }
}
