//! Checks of fields. All faults of a request are gathered before it is refused.

use landfall_common::OrganizationId;
use url::Url;

use crate::problem::{FieldFault, Problem};

/// Longest URL, in bytes.
pub(crate) const URL_MAX: usize = 2048;
/// Longest address of a mailbox.
const EMAIL_MAX: usize = 254;

/// The faults found so far.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<FieldFault>);

impl Faults {
    /// Notes a fault.
    pub(crate) fn add(&mut self, field: &str, detail: impl Into<String>) {
        self.0.push(FieldFault { field: field.to_owned(), detail: detail.into() });
    }

    /// Notes the fault of a failed check; returns what passed.
    pub(crate) fn check<T>(&mut self, field: &str, checked: Result<T, String>) -> Option<T> {
        match checked {
            Ok(value) => Some(value),
            Err(detail) => {
                self.add(field, detail);
                None
            }
        }
    }

    /// A field that has to be there, checked.
    pub(crate) fn required<T, U>(
        &mut self,
        field: &str,
        value: Option<T>,
        check: impl FnOnce(T) -> Result<U, String>,
    ) -> Option<U> {
        match value {
            Some(value) => self.check(field, check(value)),
            None => {
                self.add(field, "is required");
                None
            }
        }
    }

    /// A field that may be absent, checked where it is there.
    pub(crate) fn optional<T, U>(
        &mut self,
        field: &str,
        value: Option<T>,
        check: impl FnOnce(T) -> Result<U, String>,
    ) -> Option<U> {
        value.and_then(|value| self.check(field, check(value)))
    }

    /// The value if no fault was noted. `value` is none only where one was.
    pub(crate) fn finish<T>(self, value: Option<T>) -> Result<T, Problem> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            Some(_) | None => Err(Problem::invalid(self.0)),
        }
    }
}

/// `[a-z0-9-]{2,63}`.
pub(crate) fn site_name(text: String) -> Result<String, String> {
    let is_good = (2..=63).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if is_good { Ok(text) } else { Err("has to be 2 to 63 of a-z, 0-9 and -".to_owned()) }
}

/// A text of limited length without control characters.
pub(crate) fn text(length_max: usize) -> impl Fn(String) -> Result<String, String> {
    move |text| {
        if text.trim().is_empty() {
            return Err("is empty".to_owned());
        }
        if text.chars().count() > length_max {
            return Err(format!("has more than {length_max} characters"));
        }
        if text.chars().any(char::is_control) {
            return Err("has control characters".to_owned());
        }
        Ok(text)
    }
}

/// A text of people's: like [`text`], with line breaks and tabs.
pub(crate) fn prose(length_max: usize) -> impl Fn(String) -> Result<String, String> {
    move |prose| {
        text(length_max)(prose.replace(['\n', '\r', '\t'], " "))?;
        Ok(prose)
    }
}

/// A secret: any text of limited length without NUL.
pub(crate) fn secret(length_max: usize) -> impl Fn(String) -> Result<String, String> {
    move |secret| {
        if secret.len() > length_max {
            return Err(format!("has more than {length_max} bytes"));
        }
        if secret.contains('\0') {
            return Err("has a NUL character".to_owned());
        }
        Ok(secret)
    }
}

/// The address of a mailbox, as far as it can be told without sending mail.
pub(crate) fn email(address: String) -> Result<String, String> {
    let is_good = address.len() <= EMAIL_MAX
        && !address.chars().any(|c| c.is_whitespace() || c.is_control() || "<>,;:\"()[]\\".contains(c))
        && address.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty() && !domain.contains('@') && domain.len() >= 3 && !domain.starts_with('.')
        });
    if is_good { Ok(address) } else { Err("is not a mail address".to_owned()) }
}

/// An http(s) URL of a site. Whether its address may be called is the worker's matter, at each call.
pub(crate) fn site_url(text: String) -> Result<Url, String> {
    if text.len() > URL_MAX {
        return Err(format!("has more than {URL_MAX} bytes"));
    }
    let url = Url::parse(&text).map_err(|error| format!("is not a URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("has to be http or https".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold a user name or password".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("must not hold a query or fragment".to_owned());
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err("has no host".to_owned());
    }
    Ok(url)
}

/// An organization's id.
pub(crate) fn organization(text: String) -> Result<OrganizationId, String> {
    text.parse().map_err(|error: landfall_common::id::BadId| error.to_string())
}

/// An absolute path of a folder on a server.
pub(crate) fn folder(path: String) -> Result<String, String> {
    let path = text(1024)(path)?;
    if !path.starts_with('/') {
        return Err("has to begin with /".to_owned());
    }
    if path.split('/').any(|part| part == "..") {
        return Err("must not hold ..".to_owned());
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_that_could_lead_elsewhere_are_refused() {
        for bad in [
            "ftp://example.org",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "https://user@example.org",
            "https://user:secret@example.org",
            "https://example.org/?p=1",
            "https://example.org/#x",
            "https://",
            "example.org",
            "",
        ] {
            assert!(site_url(bad.to_owned()).is_err(), "{bad}");
        }
        assert!(site_url("https://example.org/blog/".to_owned()).is_ok());
        assert!(site_url("http://bücher.example:8080".to_owned()).is_ok());
    }

    #[test]
    fn addresses_that_could_carry_headers_are_refused() {
        for bad in
            ["", "a", "@b.c", "a@", "a@b@c.d", "a b@c.de", "a@c.de\r\nBcc: x@y.zz", "<a@c.de>", "a@.de"]
        {
            assert!(email(bad.to_owned()).is_err(), "{bad:?}");
        }
        assert!(email("owner@example.org".to_owned()).is_ok());
    }
}
