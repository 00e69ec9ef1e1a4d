//! `landfall rewrite`: the rewrite engine for people with a dump in hand. Standard input to standard output, the report on
//! standard error.

use std::io::{self, IsTerminal as _, Read, Write};
use std::time::Duration;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use landfall_rewrite::{
    Base64Rule, ColumnRule, DumpOptions, DumpReport, DumpRewriter, RewriteMap, Rewriter, Stats, column_rule,
};
use serde_json::{Value, json};

use crate::args::{Format, ReportForm, RewriteArgs};
use crate::exit::Failure;
use crate::output::table;

const BLOCK_BYTES: usize = 1 << 20;
/// The longest single value. A dump may have any length.
const VALUE_MAX: u64 = 1 << 30;

/// Rewrites standard input.
pub(super) fn run(args: &RewriteArgs) -> Result<(), Failure> {
    let rewriter = rewriter(args)?;
    let report = match args.format {
        Format::Sql => dump(args, rewriter)?,
        Format::Value => value(args, &rewriter)?,
    };
    match args.report {
        ReportForm::Text => eprint!("{}", text(&report, args.dry_run)),
        ReportForm::Json => eprintln!("{}", as_json(&report, args.dry_run)),
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

fn dump(args: &RewriteArgs, rewriter: Rewriter) -> Result<DumpReport, Failure> {
    let options = DumpOptions {
        skip: args.skip_columns.iter().cloned().collect(),
        include: args.include_columns.iter().cloned().collect(),
        binary: args.binary,
    };
    let mut dump = DumpRewriter::new(rewriter, options);
    let (mut input, mut output) = (io::stdin().lock(), Output::new(args.dry_run));
    let progress = progress();
    let mut block = vec![0; BLOCK_BYTES];
    let mut out = Vec::with_capacity(2 * BLOCK_BYTES);
    loop {
        let read = input.read(&mut block).context("standard input cannot be read")?;
        if read == 0 {
            break;
        }
        dump.push(&block[..read], &mut out);
        output.write(&mut out)?;
        progress.inc(read as u64);
    }
    let report = dump.finish(&mut out);
    output.write(&mut out)?;
    output.end()?;
    progress.finish_and_clear();
    Ok(report)
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
    output.write(&mut moved.into_owned())?;
    output.end()?;
    let mut report = DumpReport { bytes: bytes.len() as u64, rows: 1, ..DumpReport::default() };
    report.columns.insert((table.to_owned(), column.to_owned()), stats);
    Ok(report)
}

/// Standard output, or nowhere. A reader that has seen enough ends the command in silence.
struct Output {
    out: Option<io::StdoutLock<'static>>,
}

impl Output {
    fn new(is_dry: bool) -> Self {
        Self { out: (!is_dry).then(|| io::stdout().lock()) }
    }

    fn write(&mut self, bytes: &mut Vec<u8>) -> Result<(), Failure> {
        let written = self.out.as_mut().map_or(Ok(()), |out| out.write_all(bytes));
        bytes.clear();
        or_quit(written)
    }

    fn end(mut self) -> Result<(), Failure> {
        or_quit(self.out.as_mut().map_or(Ok(()), Write::flush))
    }
}

fn or_quit(written: io::Result<()>) -> Result<(), Failure> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        other => Ok(other.context("standard output cannot be written")?),
    }
}

fn progress() -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("  {spinner} {bytes} rewritten  {bytes_per_sec}  {elapsed}")
        .expect("the template is well-formed");
    let bar = ProgressBar::new_spinner().with_style(style);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn text(report: &DumpReport, is_dry: bool) -> String {
    let total = report.total();
    let rows = report
        .columns
        .iter()
        .filter(|(_, stats)| stats.values_changed + stats.damaged_left + stats.base64_left > 0)
        .map(|((table, column), stats)| {
            let numbers = [
                stats.values_changed,
                stats.replaced_total(),
                stats.serialized_rewritten,
                stats.damaged_left,
                stats.base64_left,
            ];
            let name = if table.is_empty() { column.clone() } else { format!("{table}.{column}") };
            std::iter::once(name).chain(numbers.iter().map(u64::to_string)).collect()
        });
    let header = ["column", "values", "replaced", "serialized", "damaged", "base64 left"];
    let mut said = table(&header, rows.collect::<Vec<Vec<String>>>());
    for (table, rows) in &report.damaged_rows {
        said += &format!("\n{table}: {rows} damaged rows were left as they are");
    }
    let done = if is_dry { "would change" } else { "changed" };
    said + &format!(
        "\n{} rows, {} values {done}, {} replacements, {} damaged pieces left, {} bytes\n",
        report.rows,
        total.values_changed,
        total.replaced_total(),
        total.damaged_left,
        report.bytes
    )
}

fn as_json(report: &DumpReport, is_dry: bool) -> Value {
    let counters = |stats: &Stats| {
        json!({
            "values": stats.values, "changed": stats.values_changed, "skipped": stats.values_skipped,
            "replacements": stats.replaced_total(), "serialized": stats.serialized_rewritten,
            "damaged_left": stats.damaged_left, "base64_left": stats.base64_left,
            "base64_rewritten": stats.base64_rewritten,
        })
    };
    let columns: Vec<Value> = report
        .columns
        .iter()
        .map(|((table, column), stats)| {
            let mut value = counters(stats);
            value["table"] = table.as_str().into();
            value["column"] = column.as_str().into();
            value
        })
        .collect();
    json!({
        "dry_run": is_dry, "bytes": report.bytes, "rows": report.rows, "damaged_rows": report.damaged_rows,
        "total": counters(&report.total()), "columns": columns,
    })
}
