//! A model of serialized values and a strict parser, both as simple as can be.

/// A value that can be written out.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    /// A scalar, as it is written.
    Raw(String),
    Text(String),
    /// A string that holds a serialized value.
    Nested(Box<Value>),
    Items {
        is_object: bool,
        items: Vec<(String, Value)>,
    },
}

impl Value {
    pub(crate) fn serialized(&self) -> String {
        match self {
            Self::Raw(text) => text.clone(),
            Self::Text(text) => quoted(text),
            Self::Nested(value) => quoted(&value.serialized()),
            Self::Items { is_object, items } => {
                let head = if *is_object { "O:8:\"stdClass\"" } else { "a" };
                let body: String =
                    items.iter().map(|(key, value)| quoted(key) + &value.serialized()).collect();
                format!("{head}:{}:{{{body}}}", items.len())
            }
        }
    }

    pub(crate) fn map_leaves(&self, change: &impl Fn(&str) -> String) -> Self {
        match self {
            Self::Raw(text) => Self::Raw(text.clone()),
            Self::Text(text) => Self::Text(change(text)),
            Self::Nested(value) => Self::Nested(Box::new(value.map_leaves(change))),
            Self::Items { is_object, items } => {
                let items = items.iter().map(|(key, value)| (key.clone(), value.map_leaves(change)));
                Self::Items { is_object: *is_object, items: items.collect() }
            }
        }
    }
}

fn quoted(text: &str) -> String {
    format!("s:{}:\"{text}\";", text.len())
}

/// Whether the bytes are one serialized value, all of it.
pub(crate) fn is_well_formed(bytes: &[u8]) -> bool {
    value(bytes).is_some_and(<[u8]>::is_empty)
}

/// Reads one value and returns what stands behind it.
fn value(bytes: &[u8]) -> Option<&[u8]> {
    let (kind, rest) = bytes.split_first()?;
    match kind {
        b'N' => rest.strip_prefix(b";"),
        b'b' => rest.strip_prefix(b":0;").or(rest.strip_prefix(b":1;")),
        b'i' | b'r' | b'R' => {
            let rest = rest.strip_prefix(b":")?;
            let rest = rest.strip_prefix(b"-").unwrap_or(rest);
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            (digits > 0).then(|| rest[digits..].strip_prefix(b";")).flatten()
        }
        b'd' => {
            let rest = rest.strip_prefix(b":")?;
            let end = rest.iter().position(|byte| *byte == b';')?;
            std::str::from_utf8(&rest[..end]).ok()?.parse::<f64>().ok()?;
            Some(&rest[end + 1..])
        }
        b's' => string(rest)?.strip_prefix(b";"),
        b'a' => items(rest),
        b'O' => items(string(rest)?),
        _ => None,
    }
}

/// `:length:"content"`.
fn string(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = number(bytes)?;
    rest.strip_prefix(b"\"")?.get(length..)?.strip_prefix(b"\"")
}

/// `:count:{…}`.
fn items(bytes: &[u8]) -> Option<&[u8]> {
    let (count, rest) = number(bytes)?;
    let mut rest = rest.strip_prefix(b"{")?;
    for _ in 0..count {
        let is_key = matches!(rest.first(), Some(b's' | b'i'));
        rest = value(rest).filter(|_| is_key)?;
        rest = value(rest)?;
    }
    rest.strip_prefix(b"}")
}

/// `:number:`.
fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let rest = bytes.strip_prefix(b":")?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()?;
    Some((number, rest[digits..].strip_prefix(b":")?))
}
