//! Just enough of HTML to fill in a form as a browser would.

/// A form of a page, with the values that a browser would send if nobody typed anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    /// The `action` attribute; empty means the page's own address.
    pub action: String,
    /// Whether it is sent by POST.
    pub is_post: bool,
    /// Names and values in page order.
    pub fields: Vec<(String, String)>,
}

impl Form {
    /// Sets a field that the form has. Says whether it has it.
    pub fn fill(&mut self, name: &str, value: &str) -> bool {
        let field = self.fields.iter_mut().find(|(key, _)| key == name);
        field.map(|(_, old)| value.clone_into(old)).is_some()
    }

    /// Whether the form has a field of this name.
    pub fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(key, _)| key == name)
    }
}

/// All forms of a page. Buttons other than the first submit button of a form are left out, as are boxes that
/// are not ticked.
pub fn forms(html: &str) -> Vec<Form> {
    let mut forms: Vec<Form> = Vec::new();
    let mut is_open = false;
    let mut is_submit_seen = false;
    for tag in (Tags { html, at: 0 }) {
        let attribute =
            |name: &str| tag.attributes.iter().find(|(key, _)| key == name).map(|(_, v)| v.as_str());
        if tag.name == "form" {
            let is_post = attribute("method").is_some_and(|method| method.eq_ignore_ascii_case("post"));
            forms.push(Form {
                action: attribute("action").unwrap_or("").to_owned(),
                is_post,
                fields: Vec::new(),
            });
            (is_open, is_submit_seen) = (true, false);
        }
        is_open &= tag.name != "/form";
        let (Some(form), true, Some(name)) = (forms.last_mut(), is_open, attribute("name")) else { continue };
        let kind = attribute("type").unwrap_or("").to_ascii_lowercase();
        let is_sent = match (tag.name.as_str(), kind.as_str()) {
            ("input", "submit") | ("button", "submit" | "") => !std::mem::replace(&mut is_submit_seen, true),
            ("input", "checkbox" | "radio") => attribute("checked").is_some(),
            ("input", "button" | "reset" | "image" | "file") => false,
            ("input" | "textarea" | "select", _) => true,
            _ => false,
        };
        if is_sent {
            let value = if tag.name == "textarea" { tag.text } else { attribute("value").unwrap_or("") };
            form.fields.push((name.to_owned(), unescape(value)));
        }
    }
    forms
}

/// Undoes the character references that WordPress writes.
pub(super) fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        let reference = rest.find(';').filter(|&end| end <= 8).map(|end| &rest[1..end]);
        let character = match reference {
            Some("amp") => Some('&'),
            Some("lt") => Some('<'),
            Some("gt") => Some('>'),
            Some("quot") => Some('"'),
            Some("apos") => Some('\''),
            Some(number) => number.strip_prefix('#').and_then(|n| n.parse().ok()).and_then(char::from_u32),
            None => None,
        };
        match (character, reference) {
            (Some(character), Some(reference)) => {
                plain.push(character);
                rest = &rest[reference.len() + 2..];
            }
            (None, _) | (_, None) => {
                plain.push('&');
                rest = &rest[1..];
            }
        }
    }
    plain.push_str(rest);
    plain
}

struct Tag<'a> {
    name: String,
    attributes: Vec<(String, String)>,
    /// What follows up to the next tag.
    text: &'a str,
}

struct Tags<'a> {
    html: &'a str,
    at: usize,
}

impl<'a> Iterator for Tags<'a> {
    type Item = Tag<'a>;

    fn next(&mut self) -> Option<Tag<'a>> {
        let start = self.at + self.html[self.at..].find('<')? + 1;
        let rest = &self.html[start..];
        let mut quote = None;
        let end = rest.char_indices().find_map(|(at, c)| {
            match (quote, c) {
                (None, '"' | '\'') => quote = Some(c),
                (None, '>') => return Some(at),
                (Some(open), c) if open == c => quote = None,
                (Some(_) | None, _) => {}
            }
            None
        })?;
        self.at = start + end + 1;
        let after = &self.html[self.at..];
        let (name, attributes) = rest[..end].split_once(char::is_whitespace).unwrap_or((&rest[..end], ""));
        Some(Tag {
            name: name.trim_end_matches('/').to_ascii_lowercase(),
            attributes: parse_attributes(attributes),
            text: &after[..after.find('<').unwrap_or(after.len())],
        })
    }
}

fn parse_attributes(text: &str) -> Vec<(String, String)> {
    let mut attributes = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let end = rest.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(rest.len());
        let name = rest[..end].trim_matches('/').to_ascii_lowercase();
        rest = rest[end..].trim_start();
        let mut value = "";
        if let Some(after) = rest.strip_prefix('=') {
            let after = after.trim_start();
            let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''));
            let body = &after[quote.map_or(0, char::len_utf8)..];
            let end = body.find(|c: char| quote.map_or(c.is_whitespace(), |q| c == q)).unwrap_or(body.len());
            value = &body[..end];
            rest = body[end..].strip_prefix(|c| Some(c) == quote).unwrap_or(&body[end..]);
        }
        rest = rest.trim_start();
        if !name.is_empty() {
            attributes.push((name, unescape(value)));
        }
    }
    attributes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_as_a_browser_would_send_it() {
        let html = r#"<p>a > b</p><form method="post" action="admin-post.php?a=1&amp;b=2">
            <input type='hidden' name="_wpnonce" value="ab&quot;c" /><input name=landfall_token>
            <input type="checkbox" name="off"><input type="checkbox" name="on" value="1" checked>
            <textarea name="note">x &lt; y</textarea>
            <button type="submit" name="go" value="1">Go</button><button name="other">No</button></form>
            <input name="outside" value="1">"#;
        let found = forms(html);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].action, "admin-post.php?a=1&b=2");
        assert!(found[0].is_post);
        let fields: Vec<_> = found[0].fields.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let expected =
            [("_wpnonce", "ab\"c"), ("landfall_token", ""), ("on", "1"), ("note", "x < y"), ("go", "1")];
        assert_eq!(fields, expected);
    }

    #[test]
    fn broken_markup_ends_the_reading_without_a_panic() {
        for html in
            ["<", "<form", "<form name='", "<form a=>", "<form><input name", "&", "&#x;<form é=\"è\">"]
        {
            let _ = forms(html);
            let _ = unescape(html);
        }
    }
}
