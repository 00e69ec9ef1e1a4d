//! The byte by which a host is found.

use super::{Form, Source, host_around, plain_host_around};

/// A byte that every occurrence of some hosts holds. All hosts with a dot share one scan for the dot,
/// however many they are and in whatever case they stand; the others are found by a letter each.
#[derive(Debug)]
pub(in crate::literal) struct Anchor {
    /// Small and capital; the same where the byte is not a letter.
    bytes: [u8; 2],
    /// Which bytes may stand before and behind it.
    around: Box<[u8; 256]>,
    /// A host ends with the anchor, so anything may stand behind it.
    ends_host: bool,
    hosts: Vec<HostSources>,
}

const MAY_PRECEDE: u8 = 1;
const MAY_FOLLOW: u8 = 2;

/// The sources that share a host in one of its forms.
#[derive(Debug)]
pub(super) struct HostSources {
    /// In lower case, up to the anchor and from it on.
    head: Vec<char>,
    tail: Vec<char>,
    /// The same as bytes.
    plain: (Vec<u8>, Vec<u8>),
    /// Some of it may be escaped.
    may_be_escaped: bool,
    pub(super) is_ascii: bool,
    pub(super) form: Form,
    /// The longest first.
    pub(super) sources: Vec<Source>,
}

/// The list of sources of the host `name`, made where it is new.
pub(super) fn add<'a>(anchors: &'a mut Vec<Anchor>, name: &str, form: Form) -> &'a mut Vec<Source> {
    let at = anchor_of(name);
    let byte = name.as_bytes()[at];
    let bytes = [byte, byte.to_ascii_uppercase()];
    let number = anchors.iter().position(|anchor| anchor.bytes == bytes).unwrap_or_else(|| {
        anchors.push(Anchor { bytes, around: Box::new([0; 256]), ends_host: false, hosts: Vec::new() });
        anchors.len() - 1
    });
    anchors[number].add(&name[..at], &name[at..], form)
}

/// Where the anchor of a host lies: the last dot, else the rarest letter.
fn anchor_of(name: &str) -> usize {
    const RARE_FIRST: &[u8] = b"qzjxkvwybgfp0123456789mcdulhrsnioate-_";
    name.rfind('.').unwrap_or_else(|| {
        let rank = |byte: u8| RARE_FIRST.iter().position(|rare| *rare == byte);
        let ranked = name.bytes().enumerate().filter_map(|(at, byte)| Some((rank(byte)?, at)));
        ranked.min().map_or(0, |(_, at)| at)
    })
}

impl Anchor {
    fn add(&mut self, head: &str, tail: &str, form: Form) -> &mut Vec<Source> {
        let (head, tail): (Vec<char>, Vec<char>) = (head.chars().collect(), tail.chars().collect());
        if let Some(known) = self.hosts.iter().position(|host| host.head == head && host.tail == tail) {
            return &mut self.hosts[known].sources;
        }
        self.mark_preceding(head.last().copied());
        match tail.get(1) {
            Some(char) => self.mark_following(*char),
            None => self.ends_host = true,
        }
        self.hosts.push(HostSources::new(head, tail, form));
        let last = self.hosts.len() - 1;
        &mut self.hosts[last].sources
    }

    pub(super) fn hosts_mut(&mut self) -> impl Iterator<Item = &mut HostSources> {
        self.hosts.iter_mut()
    }

    /// Of each host, bytes around the anchor that are never escaped, and where the anchor is in them.
    pub(super) fn signs(&self, bytes_max: usize) -> impl Iterator<Item = (Vec<u8>, usize)> {
        self.hosts.iter().map(move |host| host.sign(bytes_max))
    }

    pub(super) fn is_host(&self, host: usize, text: &[u8], at: usize) -> bool {
        self.hosts[host].around(text, at).is_some()
    }

    /// Tries `read` at every place where a host may stand, until it finds something.
    pub(super) fn find<F>(
        &self,
        text: &[u8],
        from: usize,
        read: impl Fn(&HostSources, usize) -> Option<F>,
    ) -> Option<F> {
        let rest = text.get(from..)?;
        let try_at = |offset: usize| {
            let at = from + offset;
            self.fits(text, at).then(|| self.hosts.iter().find_map(|host| read(host, at)))?
        };
        let [small, capital] = self.bytes;
        if small == capital {
            memchr::memchr_iter(small, rest).find_map(try_at)
        } else {
            memchr::memchr2_iter(small, capital, rest).find_map(try_at)
        }
    }

    /// A cheap look at the two neighbours, which rejects nearly all dots of prose.
    fn fits(&self, text: &[u8], at: usize) -> bool {
        let is_marked =
            |byte: Option<&u8>, mark| byte.is_some_and(|byte| self.around[usize::from(*byte)] & mark != 0);
        let follows = self.ends_host || is_marked(text.get(at + 1), MAY_FOLLOW);
        follows && is_marked(text[..at].last(), MAY_PRECEDE)
    }

    fn mark(&mut self, bytes: &[u8], mark: u8) {
        for byte in bytes {
            self.around[usize::from(*byte)] |= mark;
            self.around[usize::from(byte.to_ascii_uppercase())] |= mark;
        }
    }

    fn mark_preceding(&mut self, char: Option<char>) {
        const HEX: &[u8] = b"0123456789abcdef";
        match char {
            // The end of a slash, in any spelling.
            None => self.mark(b"/f;", MAY_PRECEDE),
            Some(char) if char.is_ascii_alphanumeric() => self.mark(&[char as u8], MAY_PRECEDE),
            Some(char) => {
                self.mark(HEX, MAY_PRECEDE);
                for bytes in cases(char) {
                    self.mark(&bytes[bytes.len() - 1..], MAY_PRECEDE);
                }
            }
        }
    }

    fn mark_following(&mut self, char: char) {
        if char.is_ascii_alphanumeric() {
            self.mark(&[char as u8], MAY_FOLLOW);
            return;
        }
        self.mark(b"\\%", MAY_FOLLOW);
        for bytes in cases(char) {
            self.mark(&bytes[..1], MAY_FOLLOW);
        }
    }
}

/// A character in small and capital letters, as UTF-8.
fn cases(char: char) -> [Vec<u8>; 2] {
    [char.to_string().into_bytes(), char.to_uppercase().collect::<String>().into_bytes()]
}

impl HostSources {
    fn new(head: Vec<char>, tail: Vec<char>, form: Form) -> Self {
        let is_plain = |chars: &[char]| chars.iter().all(|char| char.is_ascii() && *char != '-');
        let bytes = |chars: &[char]| chars.iter().collect::<String>().into_bytes();
        let plain = (bytes(&head), bytes(&tail));
        let may_be_escaped = !is_plain(&head) || !is_plain(&tail);
        let is_ascii = tail.iter().all(char::is_ascii);
        Self { head, tail, plain, may_be_escaped, is_ascii, form, sources: Vec::new() }
    }

    /// Where the host lies if its anchor is at `at`.
    pub(super) fn around(&self, text: &[u8], at: usize) -> Option<(usize, usize)> {
        let (head, tail) = &self.plain;
        let plain = plain_host_around(text, at, head, tail);
        if plain.is_some() || !self.may_be_escaped {
            return plain;
        }
        host_around(text, at, &self.head, &self.tail)
    }

    /// One letter before the anchor, if it is a plain one, and what follows it.
    fn sign(&self, bytes_max: usize) -> (Vec<u8>, usize) {
        let is_plain = |char: &&char| char.is_ascii_alphanumeric() || **char == '.';
        let before: Vec<u8> =
            self.head.last().filter(|char| is_plain(char)).map(|char| *char as u8).into_iter().collect();
        let behind = self.tail.iter().take_while(is_plain).map(|char| *char as u8);
        let offset = before.len();
        (before.into_iter().chain(behind).take(bytes_max).collect(), offset)
    }
}
