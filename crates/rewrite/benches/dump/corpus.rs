//! A dump as mariadb-dump writes it, made up of what WordPress sites hold: block posts, serialized postmeta, builder
//! JSON, options, serialized data in serialized data and in JSON. About two addresses a row, one per KB.

use std::fmt::Write as _;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use serde_json::json;

/// `INSERT` statements of so many bytes, the default of `--net-buffer-length`.
const STATEMENT_BYTES: usize = 1 << 20;

const SCHEMA: &str = "/*!40101 SET NAMES utf8mb4 */;
DROP TABLE IF EXISTS `wp_posts`;
CREATE TABLE `wp_posts` (
  `ID` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `post_author` bigint(20) unsigned NOT NULL DEFAULT 0,
  `post_date` datetime NOT NULL DEFAULT '0000-00-00 00:00:00',
  `post_content` longtext NOT NULL,
  `post_title` text NOT NULL,
  `post_excerpt` text NOT NULL,
  `post_status` varchar(20) NOT NULL DEFAULT 'publish',
  `ping_status` varchar(20) NOT NULL DEFAULT 'open',
  `post_name` varchar(200) NOT NULL DEFAULT '',
  `post_modified` datetime NOT NULL DEFAULT '0000-00-00 00:00:00',
  `post_parent` bigint(20) unsigned NOT NULL DEFAULT 0,
  `guid` varchar(255) NOT NULL DEFAULT '',
  `post_type` varchar(20) NOT NULL DEFAULT 'post',
  `comment_count` bigint(20) NOT NULL DEFAULT 0,
  PRIMARY KEY (`ID`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
CREATE TABLE `wp_postmeta` (
  `meta_id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `post_id` bigint(20) unsigned NOT NULL DEFAULT 0,
  `meta_key` varchar(255) DEFAULT NULL,
  `meta_value` longtext DEFAULT NULL,
  PRIMARY KEY (`meta_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
CREATE TABLE `wp_options` (
  `option_id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `option_name` varchar(191) NOT NULL DEFAULT '',
  `option_value` longtext NOT NULL,
  `autoload` varchar(20) NOT NULL DEFAULT 'yes',
  PRIMARY KEY (`option_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
";

const WORDS: &[&str] = &[
    "the",
    "of",
    "harbour",
    "and",
    "a",
    "to",
    "garden",
    "in",
    "is",
    "you",
    "that",
    "it",
    "workshop",
    "for",
    "on",
    "with",
    "customer's",
    "evening",
    "they",
    "be",
    "at",
    "one",
    "have",
    "this",
    "from",
    "café",
    "by",
    "hot",
    "word",
    "but",
    "what",
    "some",
    "we",
    "can",
    "out",
    "other",
    "were",
    "all",
    "there",
    "when",
    "opening",
    "your",
    "how",
    "said",
    "Zürich",
    "each",
    "which",
    "their",
    "time",
    "will",
    "way",
    "about",
    "many",
    "then",
    "them",
    "write",
    "would",
    "don't",
    "so",
    "these",
    "her",
    "long",
    "make",
    "thing",
    "see",
    "him",
    "two",
    "has",
    "look",
    "more",
    "day",
    "could",
];

/// Addresses of these hosts stand in the dump, in turn.
pub(crate) struct Corpus<'h> {
    hosts: &'h [&'h str],
    random: StdRng,
    next_id: u64,
    /// Bytes written since the last address, so that there is one per KB whatever the rows are.
    owed: usize,
}

impl<'h> Corpus<'h> {
    pub(crate) fn new(hosts: &'h [&'h str]) -> Self {
        Self { hosts, random: StdRng::seed_from_u64(7), next_id: 1, owed: 0 }
    }

    /// A dump of about so many bytes.
    pub(crate) fn dump(&mut self, bytes: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes + 2 * STATEMENT_BYTES);
        out.extend_from_slice(SCHEMA.as_bytes());
        while out.len() < bytes {
            let (table, row): (&str, fn(&mut Self) -> String) = match self.random.random_range(0..10) {
                0..5 => ("wp_posts", Self::post),
                5..9 => ("wp_postmeta", Self::meta),
                _ => ("wp_options", Self::option),
            };
            self.statement(table, row, &mut out);
        }
        out
    }

    fn statement(&mut self, table: &str, row: fn(&mut Self) -> String, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(format!("INSERT INTO `{table}` VALUES\n").as_bytes());
        while out.len() - start < STATEMENT_BYTES {
            out.extend_from_slice(row(self).as_bytes());
            out.extend_from_slice(b",\n");
        }
        out.truncate(out.len() - 2);
        out.extend_from_slice(b";\n");
    }

    fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    fn address(&mut self) -> String {
        let host = self.hosts[self.random.random_range(0..self.hosts.len())];
        let scheme = if self.random.random_bool(0.8) { "https" } else { "http" };
        let www = if self.random.random_bool(0.3) { "www." } else { "" };
        let (year, month, id) =
            (self.random.random_range(2014..2026), self.random.random_range(1..13), self.id());
        format!("{scheme}://{www}{host}/wp-content/uploads/{year}/{month:02}/image-{id}.jpg")
    }

    /// An address if one is due, else one of another site's.
    fn due(&mut self) -> String {
        if self.owed < 1024 {
            return format!("https://cdn.example.net/assets/{}.js", self.id());
        }
        self.owed -= 1024;
        self.address()
    }

    fn words(&mut self, count: usize) -> String {
        let mut text = String::new();
        for at in 0..count {
            let word = WORDS.choose(&mut self.random).copied().unwrap_or_default();
            text.push_str(word);
            text.push_str(if at % 17 == 16 { ". " } else { " " });
        }
        self.owed += text.len();
        text
    }

    /// A row of a post: paragraphs, images, a button, and now and then what editors paste.
    fn post(&mut self) -> String {
        let mut content = String::new();
        for _ in 0..self.random.random_range(1..7) {
            let text = self.words(90);
            let _ = write!(
                content,
                "<!-- wp:paragraph {{\"align\":\"wide\"}} -->\n<p class=\"has-text\">{text}</p>\n<!-- /wp:paragraph -->\n\n"
            );
            let (id, url) = (self.id(), self.due());
            let _ = write!(
                content,
                "<!-- wp:image {{\"id\":{id},\"sizeSlug\":\"large\"}} -->\n<figure class=\"wp-block-image\"><img src=\"{url}\" alt=\"\" class=\"wp-image-{id}\"/></figure>\n<!-- /wp:image -->\n\n"
            );
            self.owed += 220;
        }
        let (id, title, excerpt) = (self.id(), self.words(5), self.words(20));
        format!(
            "({id},1,'2021-03-04 05:06:07',{},{},{},'publish','open','post-{id}','2022-03-04 05:06:07',0,'https://feed.example.org/?p={id}','post',0)",
            quoted(&content),
            quoted(&title),
            quoted(&excerpt)
        )
    }

    fn meta(&mut self) -> String {
        let (id, post) = (self.id(), self.id());
        let (key, value) = match self.random.random_range(0..4) {
            0 => ("_elementor_data", self.builder()),
            1 => ("_wp_attachment_metadata", self.attachment()),
            2 => ("_builder_settings", self.nested()),
            _ => ("_gallery", self.gallery()),
        };
        format!("({id},{post},'{key}',{})", quoted(&value))
    }

    fn option(&mut self) -> String {
        let (id, value) = (self.id(), self.nested());
        format!("({id},'widget_block_{id}',{},'yes')", quoted(&value))
    }

    /// The JSON of a page builder, with escaped slashes, as `json_encode` of PHP writes it.
    fn builder(&mut self) -> String {
        let mut sections = Vec::new();
        for _ in 0..self.random.random_range(1..6) {
            let (text, url, id) = (self.words(60), self.due(), self.id());
            sections.push(json!({
                "id": format!("{id:x}"), "elType": "widget", "isInner": false,
                "settings": {"title": text, "link": {"url": url, "is_external": ""}, "padding": {"unit": "px", "top": "20"}},
                "elements": [],
            }));
            self.owed += 180;
        }
        json!(sections).to_string().replace('/', "\\/")
    }

    fn attachment(&mut self) -> String {
        let sizes: Vec<(String, String)> = ["thumbnail", "medium", "large"]
            .map(|name| {
                let id = self.id();
                let file = text(&format!("image-{id}-300x200.jpg"));
                let size = items(&[
                    ("file".into(), file),
                    ("width".into(), "i:300;".into()),
                    ("height".into(), "i:200;".into()),
                ]);
                (name.to_owned(), size)
            })
            .into();
        self.owed += 400;
        let url = self.due();
        items(&[
            ("width".into(), "i:1200;".into()),
            ("file".into(), text(&url)),
            ("sizes".into(), items(&sizes)),
        ])
    }

    fn gallery(&mut self) -> String {
        let mut pictures = Vec::new();
        for at in 0..self.random.random_range(2..12) {
            let (caption, url) = (self.words(25), self.due());
            let picture = items(&[
                ("url".into(), text(&url)),
                ("caption".into(), text(&caption)),
                ("on".into(), "b:1;".into()),
            ]);
            pictures.push((at.to_string(), picture));
            self.owed += 90;
        }
        items(&pictures)
    }

    /// Serialized data in serialized data, and JSON in it.
    fn nested(&mut self) -> String {
        let (inner, json) = (self.gallery(), self.builder());
        items(&[
            ("inner".into(), text(&inner)),
            ("json".into(), text(&json)),
            ("title".into(), text(&self.words(8))),
        ])
    }
}

fn text(value: &str) -> String {
    format!("s:{}:\"{value}\";", value.len())
}

fn items(items: &[(String, String)]) -> String {
    let body: String = items.iter().map(|(key, value)| text(key) + value).collect();
    format!("a:{}:{{{body}}}", items.len())
}

/// As `mysql_real_escape_string` writes it.
fn quoted(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + value.len() / 8);
    out.push('\'');
    for char in value.chars() {
        match char {
            '\n' => out.push_str("\\n"),
            '\\' | '\'' | '"' => out.extend(['\\', char]),
            char => out.push(char),
        }
    }
    out.push('\'');
    out
}
