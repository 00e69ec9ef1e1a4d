//! RFC 9457 problem details, read.

use std::fmt;

use reqwest::StatusCode;
use serde::Deserialize;

/// What the API said instead of doing it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Problem {
    /// The HTTP status.
    pub(crate) status: u16,
    /// Stable and dotted; empty where something other than Landfall answered.
    pub(crate) code: String,
    /// One line for people.
    pub(crate) title: String,
    /// What happened here.
    pub(crate) detail: String,
    /// Finds the request in the server's logs.
    pub(crate) request_id: String,
    /// The faults of single fields.
    pub(crate) errors: Vec<FieldFault>,
    /// The migration that is in the way.
    pub(crate) migration: Option<String>,
    /// What the caller could do about it.
    #[serde(skip)]
    hint: &'static str,
}

/// What is wrong with one field.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct FieldFault {
    /// The field, dotted.
    pub(crate) field: String,
    /// What is wrong with it.
    pub(crate) detail: String,
}

impl Problem {
    /// The problem of an answer, whoever gave it.
    pub(super) fn read(status: StatusCode, body: &[u8], has_token: bool) -> Self {
        let mut problem: Problem = serde_json::from_slice(body).unwrap_or_default();
        problem.status = status.as_u16();
        if problem.title.is_empty() {
            problem.title = format!("the server answered {status}, and not in Landfall's words");
        }
        problem.hint = match (status, has_token) {
            (StatusCode::UNAUTHORIZED, false) => "give a token: --token-file, or the variable LANDFALL_TOKEN",
            (StatusCode::UNAUTHORIZED, true) => "the token is wrong, expired or revoked",
            _ => "",
        };
        problem
    }

    /// The exit code that fits.
    pub(crate) fn exit_code(&self) -> u8 {
        match self.status {
            404 => 3,
            502..=504 => 5,
            400..=499 => 4,
            _ => 1,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.title)?;
        if !self.detail.is_empty() {
            write!(f, ": {}", self.detail)?;
        }
        let faults = self.errors.iter().filter(|fault| !self.detail.contains(&fault.detail));
        for fault in faults {
            write!(f, "\n  {}: {}", fault.field, fault.detail)?;
        }
        if let Some(migration) = &self.migration {
            write!(f, "\n  migration: {migration}")?;
        }
        if !self.hint.is_empty() {
            write!(f, "\n  {}", self.hint)?;
        }
        if !self.code.is_empty() {
            write!(f, "\n  code {}, request {}", self.code, self.request_id)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_says_its_title_detail_fields_and_request() {
        let body = br#"{"title":"Not valid","detail":"2 fields are not valid","code":"api.invalid","request_id":"req_1",
            "errors":[{"field":"site","detail":"is required"},{"field":"source","detail":"is required"}]}"#;
        let problem = Problem::read(StatusCode::UNPROCESSABLE_ENTITY, body, true);
        assert_eq!(
            problem.to_string(),
            "Not valid: 2 fields are not valid\n  site: is required\n  source: is required\n  code api.invalid, request req_1"
        );
        assert_eq!(problem.exit_code(), 4);
    }

    #[test]
    fn an_answer_of_something_else_is_told_from_landfalls() {
        let problem = Problem::read(StatusCode::BAD_GATEWAY, b"<html>", false);
        assert_eq!(problem.to_string(), "the server answered 502 Bad Gateway, and not in Landfall's words");
        assert_eq!(problem.exit_code(), 5);
        assert_eq!(Problem::read(StatusCode::NOT_FOUND, b"", true).exit_code(), 3);
        assert_eq!(Problem::read(StatusCode::INTERNAL_SERVER_ERROR, b"{}", true).exit_code(), 1);
    }
}
