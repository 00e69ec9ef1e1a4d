//! Arguments of `landfall migrate`.

use clap::{ArgGroup, Args};

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("source").required(true))]
pub(crate) struct MigrateArgs {
    /// The site that it goes to, by id or name.
    #[arg(long)]
    pub(crate) site: String,
    /// The WordPress site that it comes from. It begins when the plugin there enrols.
    #[arg(long, group = "source", value_name = "URL")]
    pub(crate) source_url: Option<String>,
    /// No source: counts so many units in each phase. For health tests, to sites without a destination.
    #[arg(long, group = "source", value_name = "UNITS")]
    pub(crate) noop: Option<u32>,
    /// How long a unit takes, in milliseconds.
    #[arg(long, default_value_t = 10, requires = "noop")]
    pub(crate) unit_ms: u32,
    /// Fail the first time with this code, so that the way to support can be tried.
    #[arg(long, requires = "noop", value_name = "CODE")]
    pub(crate) noop_fail: Option<String>,
    /// A site that is at the destination may be replaced.
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// The URL that the site will have, where it is not the destination's (a final domain).
    #[arg(long, value_name = "URL")]
    pub(crate) destination_url: Option<String>,
    /// Leave out what matches, besides the usual list. May be repeated.
    #[arg(long, value_name = "PATTERN")]
    pub(crate) exclude: Vec<String>,
    /// Take along what the usual list leaves out. May be repeated.
    #[arg(long, value_name = "PATTERN")]
    pub(crate) include: Vec<String>,
    /// Rewrite this server path too, besides the document root's. May be repeated.
    #[arg(long, value_name = "FROM=TO")]
    pub(crate) path: Vec<String>,
    /// Where mail about it goes, instead of to the token's owner.
    #[arg(long)]
    pub(crate) owner_email: Option<String>,
    /// For tokens that act for every organization: the site's has to be this one.
    #[arg(long)]
    pub(crate) organization: Option<String>,
    /// A key of your own: the same key with the same request creates one migration, however often it is sent.
    #[arg(long, value_name = "KEY")]
    pub(crate) idempotency_key: Option<String>,
    /// Follow it to its end.
    #[arg(long)]
    pub(crate) watch: bool,
}
