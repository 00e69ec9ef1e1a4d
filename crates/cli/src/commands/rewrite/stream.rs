//! A dump from standard input to an output: one thread reads and splits it, some rewrite its stretches, one writes them in
//! their order.

use std::io::{self, IsTerminal as _, Read as _};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use landfall_rewrite::{DumpBatch, DumpOptions, DumpReport, DumpSplitter, Rewriter};

use super::output::Output;
use crate::exit::Failure;

/// Two stretches and what they become stay in a core's own cache.
const READ_BYTES: u64 = 128 << 10;
/// Stretches that wait for a thread, or for their turn to be written.
const AHEAD: usize = 4;

/// A stretch, and the memory for what it becomes. It goes round from thread to thread: memory that is given back and
/// taken anew each time costs more than the rewriting.
#[derive(Default)]
struct Work {
    batch: DumpBatch,
    space: Vec<u8>,
}

/// A stretch, and what was done in it. Where nothing changed the space is empty.
struct Rewritten {
    work: Work,
    report: DumpReport,
}

pub(super) fn run(
    rewriter: &Rewriter,
    options: DumpOptions,
    output: Output,
    jobs: usize,
) -> Result<DumpReport, Failure> {
    let mut source = Source::new(options)?;
    let report = if jobs == 1 {
        on_one_thread(&mut source, rewriter, output)?
    } else {
        on_threads(&mut source, rewriter, output, jobs)?
    };
    source.progress.finish_and_clear();
    Ok(report)
}

fn on_one_thread(
    source: &mut Source,
    rewriter: &Rewriter,
    mut output: Output,
) -> Result<DumpReport, Failure> {
    let (mut report, mut space) = (DumpReport::default(), Vec::new());
    while let Some(batch) = source.next()? {
        let (bytes, done) = batch.rewrite(rewriter, &mut space);
        output.write(bytes)?;
        report.merge(&done);
        source.splitter.recycle(batch);
    }
    output.end()?;
    Ok(report)
}

/// Stretches go to the threads in turn, and are taken back from them in the same turn: that keeps their order.
fn on_threads(
    source: &mut Source,
    rewriter: &Rewriter,
    output: Output,
    jobs: usize,
) -> Result<DumpReport, Failure> {
    thread::scope(|scope| {
        let (mut to, mut from) = (Vec::new(), Vec::new());
        for _ in 0..jobs {
            let (batches, received) = sync_channel(AHEAD);
            let (done, rewritten) = sync_channel(AHEAD);
            scope.spawn(move || work(rewriter, &received, &done));
            to.push(batches);
            from.push(rewritten);
        }
        let (spent, spare) = sync_channel(jobs * 2 * AHEAD);
        let writer = scope.spawn(move || write(output, &from, &spent));
        let read = feed(source, &to, &spare);
        drop(to);
        // What cannot be written is the cause of a reading that ends early.
        let report = writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        read.map(|()| report)
    })
}

fn feed(source: &mut Source, to: &[SyncSender<Work>], spare: &Receiver<Work>) -> Result<(), Failure> {
    for thread in to.iter().cycle() {
        let Work { batch: spent, space } = spare.try_recv().unwrap_or_default();
        source.splitter.recycle(spent);
        let Some(batch) = source.next()? else { return Ok(()) };
        if thread.send(Work { batch, space }).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

fn work(rewriter: &Rewriter, todo: &Receiver<Work>, done: &SyncSender<Rewritten>) {
    for mut work in todo {
        let (_, report) = work.batch.rewrite(rewriter, &mut work.space);
        if done.send(Rewritten { work, report }).is_err() {
            return;
        }
    }
}

fn write(
    mut output: Output,
    from: &[Receiver<Rewritten>],
    spent: &SyncSender<Work>,
) -> Result<DumpReport, Failure> {
    let mut report = DumpReport::default();
    for thread in from.iter().cycle() {
        let Ok(Rewritten { work, report: done }) = thread.recv() else { break };
        output.write(if work.space.is_empty() { work.batch.original() } else { &work.space })?;
        report.merge(&done);
        // Its memory is of use only as long as there is something to read.
        let _ = spent.try_send(work);
    }
    output.end()?;
    Ok(report)
}

/// Standard input, split.
struct Source {
    input: io::StdinLock<'static>,
    splitter: DumpSplitter,
    is_ended: bool,
    progress: ProgressBar,
}

impl Source {
    fn new(options: DumpOptions) -> Result<Self, Failure> {
        Ok(Self {
            input: io::stdin().lock(),
            splitter: DumpSplitter::new(options),
            is_ended: false,
            progress: progress()?,
        })
    }

    /// The next stretch; `None` behind the last.
    fn next(&mut self) -> Result<Option<DumpBatch>, Failure> {
        if self.is_ended {
            return Ok(None);
        }
        let read = (&mut self.input).take(READ_BYTES).read_to_end(self.splitter.input());
        let read = read.context("standard input cannot be read")?;
        self.progress.inc(read as u64);
        self.is_ended = read == 0;
        Ok(Some(self.splitter.cut(self.is_ended)))
    }
}

/// On a terminal: a bar if the length is known, as that of a file is.
fn progress() -> Result<ProgressBar, Failure> {
    if !io::stderr().is_terminal() {
        return Ok(ProgressBar::hidden());
    }
    let input = rustix::fs::fstat(io::stdin()).context("standard input cannot be looked at")?;
    let is_file = rustix::fs::FileType::from_raw_mode(input.st_mode).is_file();
    let length = u64::try_from(input.st_size).ok().filter(|length| is_file && *length > 0);
    let template = match length {
        Some(_) => {
            "  {wide_bar:.cyan/dim} {percent:>3} %  {bytes} of {total_bytes}  {bytes_per_sec}  {eta} left"
        }
        None => "  {spinner} {bytes} rewritten  {bytes_per_sec}  {elapsed}",
    };
    let style = ProgressStyle::with_template(template).context("the progress bar")?;
    let bar = length.map_or_else(ProgressBar::new_spinner, ProgressBar::new).with_style(style);
    bar.enable_steady_tick(Duration::from_millis(200));
    Ok(bar)
}
