use std::cell::Cell;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::Run;
use crate::{Format, grouped, tell};

/// How often a line is written where nobody looks at a bar.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Tells a person how far the run is: a bar on a terminal, plain lines elsewhere; always on stderr.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    expected: Option<u64>,
    started: Instant,
    next_line: Cell<Instant>,
}

impl Progress {
    /// Says what is about to happen, at once.
    pub(crate) fn start(system: &str, run: &Run, expected: Option<u64>, format: Format) -> Self {
        let now = Instant::now();
        let orders = match (expected, run.limits.duration) {
            (Some(count), _) => format!("{} orders", grouped(count)),
            (None, Some(duration)) => format!("orders for {}", humantime::format_duration(duration)),
            (None, None) => "orders".into(),
        };
        let origin = run.seed.map_or("from the input".into(), |seed| format!("of seed {seed}"));
        if format == Format::Text {
            let place = run.connection.as_ref().map_or("an embedded Kafka", |connection| connection.brokers());
            tell(&format!("{system}: {orders} {origin} on {place}, run {}", run.id));
        }
        let is_watched = std::io::stderr().is_terminal() && format == Format::Text;
        let bar = is_watched.then(|| bar(expected));
        Self { bar, expected, started: now, next_line: Cell::new(now + LINE_EVERY) }
    }

    /// Shows how many orders came to their end.
    pub(crate) fn update(&self, ended: u64) {
        let rate = ended as f64 / self.started.elapsed().as_secs_f64();
        if let Some(bar) = &self.bar {
            bar.set_message(format!("{}/s", grouped(rate as u64)));
            bar.set_position(ended);
        } else if Instant::now() >= self.next_line.get() {
            self.next_line.set(Instant::now() + LINE_EVERY);
            let of = self.expected.map_or(String::new(), |expected| format!(" of {}", grouped(expected)));
            tell(&format!("{}{of} orders ended, {} a second", grouped(ended), grouped(rate as u64)));
        }
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar(expected: Option<u64>) -> ProgressBar {
    let (bar, template) = match expected {
        Some(expected) => (ProgressBar::new(expected), "{bar:40} {human_pos}/{human_len} orders, {msg}, {eta} left"),
        None => (ProgressBar::new_spinner(), "{spinner} {human_pos} orders, {msg}"),
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}
