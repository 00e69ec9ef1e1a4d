//! The serialization-safe search-replace engine: moves a value of a WordPress database from the old
//! addresses to the new ones, without I/O and without ever instantiating what the value describes.
//!
//! ```
//! use landfall_rewrite::{ColumnRule, RewriteMap, Rewriter, Stats};
//!
//! let map = RewriteMap::new()
//!     .url("http://old.example", "https://new-site.example")
//!     .url("https://old.example", "https://new-site.example")
//!     .path("/var/www/old", "/srv/new");
//! let rewriter = Rewriter::new(map)?;
//! let mut stats = Stats::default();
//! let value = br#"s:23:"https://old.example/a/b";"#;
//! let moved = rewriter.rewrite(value, ColumnRule::Text, &mut stats);
//! assert_eq!(moved.as_ref(), br#"s:28:"https://new-site.example/a/b";"#);
//! # Ok::<(), landfall_rewrite::BadMap>(())
//! ```
//!
//! How a value is read, from the outside in:
//! 1. `literal` finds every occurrence of a source in one pass over the raw bytes, in any spelling
//!    (`spellings`), with its boundaries checked (`boundaries`). None: the value is returned as it is,
//!    borrowed.
//! 2. `engine` hands the occurrences to what they lie in: serialized data (`serialized`, an explicit
//!    stack), serialized data within a JSON string literal (`json`), or plain text.
//! 3. Changes are collected as `edits` of the original, so a part that turns out to be damaged is
//!    dropped by going back to a mark, and all that is not edited stays byte for byte.

mod base64_runs;
mod boundaries;
mod column;
mod dump;
mod edits;
mod encoded;
mod engine;
mod json;
mod literal;
mod map;
mod serialized;
mod spellings;
mod stats;

pub use column::{ColumnRule, column_rule};
pub use dump::{DumpBatch, DumpOptions, DumpReport, DumpRewriter, DumpSplitter};
pub use engine::Rewriter;
pub use map::{BadMap, Base64Rule, RewriteMap};
pub use stats::Stats;
