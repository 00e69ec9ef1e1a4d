//! On a terminal: a line for the state, and a bar for each phase; the timeline scrolls by above.

use std::time::{Duration, Instant};

use indicatif::{HumanDuration, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;

use super::{Display, line};
use crate::client::{Event, Migration, Progress};
use crate::output::printable;

const PHASES: [&str; 3] = ["snapshot", "transfer", "import"];

/// Bars.
pub(super) struct Bars {
    all: MultiProgress,
    state: ProgressBar,
    phases: Vec<PhaseBar>,
}

struct PhaseBar {
    name: &'static str,
    bar: ProgressBar,
    began: Option<Instant>,
    is_done: bool,
}

impl Bars {
    pub(super) fn new() -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stdout());
        let state = all.add(ProgressBar::new_spinner().with_style(style("{spinner} {wide_msg}")));
        state.enable_steady_tick(Duration::from_millis(120));
        let phases = PHASES.map(|name| {
            let bar = all.add(
                ProgressBar::new(100).with_style(style("  {prefix:9} {bar:28} {percent:>3}%  {wide_msg}")),
            );
            bar.set_prefix(name);
            bar.tick();
            PhaseBar { name, bar, began: None, is_done: false }
        });
        Self { all, state, phases: phases.into() }
    }

    /// What comes before a phase is done when the phase runs, whatever was seen of it.
    fn begin(&mut self, phase: &str) {
        let at = self.phases.iter().position(|bar| bar.name == phase).unwrap_or(0);
        for (number, bar) in self.phases.iter_mut().enumerate() {
            match number.cmp(&at) {
                std::cmp::Ordering::Less => bar.done(),
                std::cmp::Ordering::Equal => bar.run(),
                std::cmp::Ordering::Greater => bar.wait(),
            }
        }
    }
}

impl PhaseBar {
    fn run(&mut self) {
        self.is_done = false;
        self.began.get_or_insert_with(Instant::now);
    }

    fn wait(&mut self) {
        (self.is_done, self.began) = (false, None);
        self.bar.set_position(0);
        self.bar.set_message("");
    }

    fn done(&mut self) {
        if self.is_done {
            return;
        }
        self.is_done = true;
        self.bar.set_position(100);
        let took = self.began.map(|began| format!("done in {}", HumanDuration(began.elapsed())));
        self.bar.set_message(took.unwrap_or_else(|| "done".to_owned()));
    }
}

impl Display for Bars {
    fn migration(&mut self, migration: &Migration, _answer: &Value) {
        let text = format!("{}  {}  {}", migration.id, migration.site_name, migration.state_text());
        self.state.set_message(printable(&text));
        if let Some(phase) = &migration.phase {
            self.begin(phase);
        }
        if let Some(progress) = &migration.progress {
            self.progress(progress, &Value::Null);
        }
    }

    fn event(&mut self, event: &Event, answer: &Value) {
        let time = event.at.get(11..19).unwrap_or_default();
        // A terminal that is gone is no reason to end the command.
        let _ = self.all.println(format!("{time}  {}", printable(&event.message)));
        let phase = answer["facts"]["phase"].as_str();
        if event.kind == "phase_done"
            && let Some(bar) = self.phases.iter_mut().find(|bar| Some(bar.name) == phase)
        {
            bar.done();
        }
    }

    fn progress(&mut self, progress: &Progress, _answer: &Value) {
        let running = self.phases.iter_mut().find(|bar| bar.name == progress.phase && !bar.is_done);
        if let Some(bar) = running {
            bar.run();
            bar.bar.set_position(progress.percent().unwrap_or(0));
            bar.bar.set_message(printable(&line(progress)));
        }
    }

    fn end(&mut self, migration: &Migration) {
        if migration.state == "succeeded" {
            self.phases.iter_mut().for_each(PhaseBar::done);
        }
        for bar in &self.phases {
            bar.bar.abandon();
        }
        let text = format!("{}  {}  {}", migration.id, migration.site_name, migration.state_text());
        self.state.set_style(style("{wide_msg}"));
        self.state.finish_with_message(printable(&text));
    }
}

fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).expect("the templates are well-formed");
    style.progress_chars("█▉▊▋▌▍▎▏ ")
}
