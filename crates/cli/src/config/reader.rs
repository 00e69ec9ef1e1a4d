//! Reads single keys of the merged layers, and keeps account of every fault on the way.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use config::{File, FileFormat, Value, ValueKind};
use secrecy::SecretString;
use serde::de::DeserializeOwned;

use super::{DEFAULTS, Fault, Faults, Sources};

/// Where `config` says that a value is from, when it is from a variable.
const ENVIRONMENT: &str = "the environment";
const PREFIX: &str = "LANDFALL";
const SEPARATOR: &str = "__";
/// A secret in a file is at most so long. Bytes.
const SECRET_FILE_MAX: u64 = 64 * 1024;

/// The merged layers.
pub(super) struct Reader {
    merged: Value,
    defaults: Value,
    faults: Vec<Fault>,
    secrets: BTreeSet<String>,
}

impl Reader {
    /// Merges the layers. A file that cannot be read is a fault, and the others hold.
    pub(super) fn open(sources: &Sources) -> Self {
        let defaults = merge(None, HashMap::new()).expect("the default layer is tested to be readable");
        let mut faults = Vec::new();
        let environment = sources.environment.clone();
        let merged = merge(sources.file.as_ref(), environment.clone()).or_else(|error| {
            faults.push(Fault { key: String::new(), problem: error.to_string(), origin: None });
            merge(None, environment)
        });
        let merged = merged.unwrap_or_else(|_| defaults.clone());
        let mut reader = Self { merged, defaults, faults, secrets: BTreeSet::new() };
        reader.refuse_unknown();
        reader
    }

    /// The section that was read, or all faults.
    pub(super) fn finish<T>(self, read: T) -> Result<T, Faults> {
        self.finish_section("", read)
    }

    /// The same, with faults of one section and of whole files only.
    pub(super) fn finish_section<T>(mut self, section: &str, read: T) -> Result<T, Faults> {
        self.faults.retain(|fault| fault.key.is_empty() || fault.key.starts_with(section));
        if self.faults.is_empty() { Ok(read) } else { Err(Faults(self.faults)) }
    }

    /// Notes a fault of a key.
    pub(super) fn fault(&mut self, key: &str, problem: impl Into<String>) {
        let origin = lookup(&self.merged, key).and_then(|value| origin(key, value));
        let fault = Fault { key: key.to_owned(), problem: problem.into(), origin };
        // Two sections may read one key.
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }

    /// A key of any type. After a fault the default's value stands in, so that reading goes on.
    pub(super) fn get<T: DeserializeOwned>(&mut self, key: &str) -> T {
        let fallback = || {
            let value =
                lookup(&self.defaults, key).unwrap_or_else(|| panic!("{key} is in the default layer"));
            value.clone().try_deserialize().expect("the default layer is tested to be readable")
        };
        let Some(value) = lookup(&self.merged, key) else { return fallback() };
        match deserialize(value) {
            Ok(read) => read,
            Err(error) => {
                let read = fallback();
                self.fault(key, without_place(&error));
                read
            }
        }
    }

    /// A text; none where it is empty.
    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        Some(self.get::<String>(key)).filter(|text| !text.is_empty())
    }

    /// A path; none where it is empty.
    pub(super) fn path(&mut self, key: &str) -> Option<PathBuf> {
        self.text(key).map(PathBuf::from)
    }

    /// A text that is parsed; none where it is empty or a fault.
    pub(super) fn parsed<T: FromStr<Err: Display>>(&mut self, key: &str) -> Option<T> {
        let text = self.text(key)?;
        text.parse().map_err(|error| self.fault(key, format!("{text:?}: {error}"))).ok()
    }

    /// A list whose items are parsed; faulty items are left out.
    pub(super) fn list<T: FromStr<Err: Display>>(&mut self, key: &str) -> Vec<T> {
        let texts: Vec<String> = self.get(key);
        let parse =
            |text: String| text.parse().map_err(|error| self.fault(key, format!("{text:?}: {error}"))).ok();
        texts.into_iter().filter_map(parse).collect()
    }

    /// A text that is one of a few; the first where it is none of them.
    pub(super) fn one_of<T: Copy>(&mut self, key: &str, choices: &[(&str, T)]) -> T {
        let text: String = self.get(key);
        if let Some((_, choice)) = choices.iter().find(|(name, _)| *name == text) {
            return *choice;
        }
        let names: Vec<String> = choices.iter().map(|(name, _)| format!("{name:?}")).collect();
        self.fault(key, format!("{text:?} is none of {}", names.join(", ")));
        choices.first().expect("there is a choice").1
    }

    /// A number within bounds.
    pub(super) fn number(&mut self, key: &str, bounds: RangeInclusive<u64>) -> u64 {
        let number: u64 = self.get(key);
        if !bounds.contains(&number) {
            self.fault(key, format!("{number} is not within {} and {}", bounds.start(), bounds.end()));
            return *bounds.start();
        }
        number
    }

    /// A small number within bounds.
    pub(super) fn bounded(&mut self, key: &str, bounds: RangeInclusive<u32>) -> u32 {
        let number = self.number(key, u64::from(*bounds.start())..=u64::from(*bounds.end()));
        u32::try_from(number).unwrap_or(*bounds.end())
    }

    /// A number within bounds that counts things in memory.
    pub(super) fn count(&mut self, key: &str, bounds: RangeInclusive<u64>) -> usize {
        usize::try_from(self.number(key, bounds)).unwrap_or(usize::MAX)
    }

    /// A duration in milliseconds within bounds.
    pub(super) fn millis(&mut self, key: &str, bounds: RangeInclusive<u64>) -> Duration {
        Duration::from_millis(self.number(key, bounds))
    }

    /// A duration in seconds within bounds.
    pub(super) fn seconds(&mut self, key: &str, bounds: RangeInclusive<u64>) -> Duration {
        Duration::from_secs(self.number(key, bounds))
    }

    /// A secret: the key itself, or the contents of the file that `<key>_file` names. Both at once are a fault.
    pub(super) fn secret(&mut self, key: &str) -> Option<SecretString> {
        let file_key = format!("{key}_file");
        let inline = self.secret_text(key);
        let Some(path) = self.path(&file_key) else { return inline.map(SecretString::from) };
        let is_default = lookup(&self.merged, key).is_none_or(|value| value.origin().is_none());
        if inline.is_some() && !is_default {
            self.fault(&file_key, format!("{key} is set too; one of them has to go"));
            return None;
        }
        self.read_secret_file(&file_key, &path)
    }

    /// The contents of the file that a key names; none where it names none.
    pub(super) fn secret_file(&mut self, key: &str) -> Option<SecretString> {
        let path = self.path(key)?;
        self.read_secret_file(key, &path)
    }

    fn read_secret_file(&mut self, key: &str, path: &Path) -> Option<SecretString> {
        match read_secret(path) {
            Ok(text) => Some(SecretString::from(text)),
            Err(error) => {
                self.fault(key, format!("{}: {error}", path.display()));
                None
            }
        }
    }

    /// A key that holds secrets, of any type; its value is never shown.
    pub(super) fn secret_value<T: DeserializeOwned + Default>(&mut self, key: &str) -> T {
        self.secrets.insert(key.to_owned());
        let Some(value) = lookup(&self.merged, key) else { return T::default() };
        deserialize(value).unwrap_or_else(|_| {
            self.fault(key, "is not of the form that the default file shows");
            T::default()
        })
    }

    fn secret_text(&mut self, key: &str) -> Option<String> {
        Some(self.secret_value::<String>(key)).filter(|text| !text.is_empty())
    }

    /// The merged layers, and which keys are secret.
    pub(super) fn shown(&self) -> (&Value, &BTreeSet<String>) {
        (&self.merged, &self.secrets)
    }

    fn refuse_unknown(&mut self) {
        let mut found = Vec::new();
        compare(&self.defaults, &self.merged, "", &mut found);
        self.faults.extend(found);
    }
}

fn merge(file: Option<&PathBuf>, environment: HashMap<String, String>) -> Result<Value, config::ConfigError> {
    let mut builder = config::Config::builder().add_source(File::from_str(DEFAULTS, FileFormat::Toml));
    if let Some(path) = file {
        builder = builder.add_source(File::from(path.as_path()).format(FileFormat::Toml));
    }
    let variables = config::Environment::with_prefix(PREFIX)
        .prefix_separator(SEPARATOR)
        .separator(SEPARATOR)
        .source(Some(environment));
    Ok(builder.add_source(variables).build()?.cache)
}

/// What the layers have that the default layer does not: it is unknown, or in the place of a section.
fn compare(defaults: &Value, merged: &Value, at: &str, found: &mut Vec<Fault>) {
    let (ValueKind::Table(known), ValueKind::Table(given)) = (&defaults.kind, &merged.kind) else { return };
    let mut names: Vec<_> = given.keys().collect();
    names.sort();
    for name in names {
        let (key, value) = (format!("{at}{name}"), &given[name]);
        let problem = match known.get(name) {
            None => format!("is unknown{}", suggestion(known.keys(), name)),
            Some(Value { kind: ValueKind::Table(_), .. }) if !matches!(value.kind, ValueKind::Table(_)) => {
                "is a section, not a value".to_owned()
            }
            Some(default) => {
                compare(default, value, &format!("{key}."), found);
                continue;
            }
        };
        found.push(Fault { origin: origin(&key, first_leaf(value)), key, problem });
    }
}

/// A known name that the unknown one looks like.
fn suggestion<'a>(known: impl Iterator<Item = &'a String>, name: &str) -> String {
    let near = |known: &&String| {
        let common = known.chars().zip(name.chars()).take_while(|(a, b)| a == b).count();
        common * 2 >= known.len().max(name.len()) || known.contains(name)
    };
    known
        .min_by_key(|known| (!near(known), known.len().abs_diff(name.len())))
        .filter(|known| near(known))
        .map_or(String::new(), |known| format!("; did you mean `{known}`?"))
}

fn first_leaf(value: &Value) -> &Value {
    match &value.kind {
        ValueKind::Table(table) => table.values().next().map_or(value, first_leaf),
        ValueKind::Nil
        | ValueKind::Boolean(_)
        | ValueKind::I64(_)
        | ValueKind::I128(_)
        | ValueKind::U64(_)
        | ValueKind::U128(_)
        | ValueKind::Float(_)
        | ValueKind::String(_)
        | ValueKind::Array(_) => value,
    }
}

fn lookup<'a>(root: &'a Value, key: &str) -> Option<&'a Value> {
    key.split('.').try_fold(root, |at, name| match &at.kind {
        ValueKind::Table(table) => table.get(name),
        ValueKind::Nil
        | ValueKind::Boolean(_)
        | ValueKind::I64(_)
        | ValueKind::I128(_)
        | ValueKind::U64(_)
        | ValueKind::U128(_)
        | ValueKind::Float(_)
        | ValueKind::String(_)
        | ValueKind::Array(_) => None,
    })
}

/// Where a value stands; none for the default layer.
fn origin(key: &str, value: &Value) -> Option<String> {
    let origin = value.origin()?;
    let variable = || format!("{PREFIX}{SEPARATOR}{}", key.replace('.', SEPARATOR).to_uppercase());
    Some(if origin == ENVIRONMENT { variable() } else { origin.to_owned() })
}

/// A value as `T`. What a variable holds is a text: where `T` is not one, it is read as TOML, and then as a list with commas.
fn deserialize<T: DeserializeOwned>(value: &Value) -> Result<T, config::ConfigError> {
    let error = match value.clone().try_deserialize() {
        Ok(read) => return Ok(read),
        Err(error) => error,
    };
    let ValueKind::String(text) = &value.kind else { return Err(error) };
    if value.origin() != Some(ENVIRONMENT) {
        return Err(error);
    }
    let toml = File::from_str(&format!("value = {text}"), FileFormat::Toml);
    if let Ok(read) = config::Config::builder().add_source(toml).build().and_then(|built| built.get("value"))
    {
        return Ok(read);
    }
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let parts: Vec<Value> = parts.map(|part| Value::new(None, part)).collect();
    Value::new(None, ValueKind::Array(parts)).try_deserialize().map_err(|_| error)
}

/// The message without the place, which the fault names in its own way.
fn without_place(error: &config::ConfigError) -> String {
    if let config::ConfigError::Type { unexpected, expected, .. } = error {
        return format!("invalid type: {unexpected}, expected {expected}");
    }
    error.to_string()
}

fn read_secret(path: &Path) -> std::io::Result<String> {
    if std::fs::metadata(path)?.len() > SECRET_FILE_MAX {
        return Err(std::io::Error::other("larger than 64 KiB"));
    }
    let text = std::fs::read_to_string(path)?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() { Err(std::io::Error::other("empty")) } else { Ok(text.to_owned()) }
}
