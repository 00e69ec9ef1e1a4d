//! `landfall rewrite`: the rewrite engine for people with a dump in hand. Standard input to standard output, the report on
//! standard error.

mod output;
mod report;
mod stream;

use std::io::{self, Read as _};
use std::num::NonZeroUsize;

use anyhow::Context as _;
use landfall_rewrite::{
    Base64Rule, ColumnRule, DumpOptions, DumpReport, RewriteMap, Rewriter, Stats, column_rule,
};

use crate::args::{Format, ReportForm, RewriteArgs};
use crate::exit::Failure;
use output::Output;

const JOBS_DEFAULT_MAX: usize = 4;
/// The longest single value. A dump may have any length.
const VALUE_MAX: u64 = 1 << 30;

/// Rewrites standard input.
pub(super) fn run(args: &RewriteArgs) -> Result<(), Failure> {
    let rewriter = rewriter(args)?;
    let report = match args.format {
        Format::Sql => dump(args, &rewriter)?,
        Format::Value => value(args, &rewriter)?,
    };
    match args.report {
        ReportForm::Text => eprint!("{}", report::text(&report, args.dry_run)),
        ReportForm::Json => eprintln!("{}", report::as_json(&report, args.dry_run)),
    }
    Ok(())
}

fn rewriter(args: &RewriteArgs) -> Result<Rewriter, Failure> {
    let usage = |text: String| Failure::Usage(text);
    if args.map.is_empty() && args.path_map.is_empty() {
        return Err(usage("nothing to rewrite: give --map FROM TO or --path-map FROM TO".to_owned()));
    }
    if args.format == Format::Sql && args.column.is_some() {
        return Err(usage("--column says what a single value is of: it goes with --format value".to_owned()));
    }
    let (urls, _) = args.map.as_chunks::<2>();
    let (paths, _) = args.path_map.as_chunks::<2>();
    let map = urls.iter().fold(RewriteMap::new(), |map, [from, to]| map.url(from, to));
    let map = paths.iter().fold(map, |map, [from, to]| map.path(from, to));
    let map = if args.base64 { map.base64(Base64Rule::Rewrite) } else { map };
    Rewriter::new(map).map_err(|error| usage(error.to_string()))
}

fn dump(args: &RewriteArgs, rewriter: &Rewriter) -> Result<DumpReport, Failure> {
    let options = DumpOptions {
        skip: args.skip_columns.iter().cloned().collect(),
        include: args.include_columns.iter().cloned().collect(),
        binary: args.binary,
    };
    let jobs = args.jobs.map_or_else(default_jobs, NonZeroUsize::get);
    stream::run(rewriter, options, Output::new(args.dry_run), jobs)
}

/// Beyond a few threads it is reading and writing that takes the time.
fn default_jobs() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().min(JOBS_DEFAULT_MAX))
}

fn value(args: &RewriteArgs, rewriter: &Rewriter) -> Result<DumpReport, Failure> {
    let mut bytes = Vec::new();
    io::stdin()
        .lock()
        .take(VALUE_MAX + 1)
        .read_to_end(&mut bytes)
        .context("standard input cannot be read")?;
    if bytes.len() as u64 > VALUE_MAX {
        return Err(Failure::Usage(format!("a value of more than {VALUE_MAX} bytes")));
    }
    let (table, column) = match args.column.as_deref().map(|column| column.rsplit_once('.')) {
        None => ("", ""),
        Some(Some(named)) => named,
        Some(None) => return Err(Failure::Usage("--column: TABLE.COLUMN, such as wp_posts.guid".to_owned())),
    };
    let is_named = |columns: &[String]| {
        columns.iter().any(|named| *named == column || *named == format!("{table}.{column}"))
    };
    let rule = if is_named(&args.skip_columns) {
        ColumnRule::Skip
    } else if is_named(&args.include_columns) {
        ColumnRule::Text
    } else {
        column_rule(table, column, args.binary)
    };
    let mut stats = Stats::default();
    let moved = rewriter.rewrite(&bytes, rule, &mut stats);
    let mut output = Output::new(args.dry_run);
    output.write(&moved)?;
    output.end()?;
    let mut report = DumpReport { bytes: bytes.len() as u64, rows: 1, ..DumpReport::default() };
    report.columns.insert((table.to_owned(), column.to_owned()), stats);
    Ok(report)
}
