//! The layers that an operator writes.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::PathBuf;

use secrecy::SecretString;

/// The file that is read where none is named and this one exists.
pub(crate) const DEFAULT_FILE: &str = "/etc/landfall/landfall.toml";

/// Where the operator's layers are.
#[derive(Clone, Default)]
pub(crate) struct Sources {
    /// The file.
    pub(crate) file: Option<PathBuf>,
    /// The environment.
    pub(crate) environment: HashMap<String, String>,
}

impl Sources {
    /// The named file, or the default one where it can be read; and this process's environment.
    pub(crate) fn of_process(file: Option<PathBuf>) -> Self {
        let file = file
            .or_else(|| Some(PathBuf::from(DEFAULT_FILE)).filter(|path| std::fs::File::open(path).is_ok()));
        Self { file, environment: environment(std::env::vars_os()) }
    }

    /// The machine token that `LANDFALL_TOKEN` holds.
    pub(crate) fn token(&self) -> Option<SecretString> {
        self.environment
            .get("LANDFALL_TOKEN")
            .map(|text| text.trim())
            .filter(|text| !text.is_empty())
            .map(Into::into)
    }
}

/// Variables that are not UTF-8 are none of Landfall's.
fn environment(variables: impl Iterator<Item = (OsString, OsString)>) -> HashMap<String, String> {
    variables.filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?))).collect()
}
