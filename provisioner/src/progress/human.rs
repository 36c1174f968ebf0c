//! Events for people: a lane a host on a terminal, plain lines elsewhere.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use federation::count::counted;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::progress::{Event, Listener, Outcome, Verdict, complain, show};

/// Shows events to people.
#[derive(Debug)]
pub(super) struct Human {
    lanes: Option<MultiProgress>,
    state: Mutex<State>,
    quiet: bool,
    colours: bool,
    started: Instant,
}

#[derive(Debug, Default)]
struct State {
    bars: BTreeMap<String, ProgressBar>,
    last: BTreeMap<String, String>,
    node: String,
}

/// The lane of what concerns no single host.
const FEDERATION: &str = "federation";

impl Human {
    pub(super) fn new(terminal: bool, quiet: bool) -> Self {
        let colours = std::io::stdout().is_terminal()
            && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self {
            lanes: (terminal && !quiet).then(MultiProgress::new),
            state: Mutex::new(State::default()),
            quiet,
            colours,
            started: Instant::now(),
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes lines above the lanes.
    fn above(&self, text: &str) {
        match &self.lanes {
            Some(lanes) => lanes.suspend(|| show(text)),
            None => show(text),
        }
    }

    fn lane(&self, name: &str, text: &str) {
        let mut state = self.state();
        if let Some(lanes) = &self.lanes {
            let bar = state.bars.entry(name.to_owned()).or_insert_with(|| {
                let bar = lanes.add(ProgressBar::new_spinner());
                bar.set_style(style());
                bar.set_prefix(name.to_owned());
                bar.enable_steady_tick(Duration::from_millis(120));
                bar
            });
            bar.set_message(text.to_owned());
        } else if !self.quiet && state.last.get(name).is_none_or(|last| last != text) {
            state.last.insert(name.to_owned(), text.to_owned());
            complain(&format!(
                "{:>6.1}s  {name}: {text}",
                self.started.elapsed().as_secs_f64()
            ));
        }
    }

    /// A lane that is over leaves one line behind.
    fn close(&self, name: &str, text: &str) {
        if let Some(bar) = self.state().bars.remove(name) {
            bar.finish_and_clear();
        }
        if !self.quiet {
            complain_above(
                self.lanes.as_ref(),
                &format!(
                    "{:>6.1}s  {name}: {text}",
                    self.started.elapsed().as_secs_f64()
                ),
            );
        }
    }

    fn change(&self, node: &str, what: &str, effect: &str, diff: Option<&str>) {
        let mut text = String::new();
        let mut state = self.state();
        if state.node != node {
            node.clone_into(&mut state.node);
            let _ = write!(text, "\n{}\n", self.paint("1", node));
        }
        drop(state);
        let _ = writeln!(
            text,
            "  {what}  {}",
            self.paint("2", &format!("({effect})"))
        );
        for line in diff.unwrap_or_default().lines() {
            let colour = match line.bytes().next() {
                Some(b'+') => "32",
                Some(b'-') => "31",
                _ => "2",
            };
            let _ = writeln!(text, "      {}", self.paint(colour, line));
        }
        self.above(&text);
    }

    fn checked(&self, check: &str, subject: &str, verdict: &Verdict) -> String {
        let (colour, mark, detail) = match verdict {
            Verdict::Passed(seen) => ("32", "ok", seen),
            Verdict::Failed(why) => ("31", "failed", why),
            Verdict::NotTried(why) => ("33", "not tried", why),
        };
        format!(
            "{}  {check:<13} {subject}: {detail}\n",
            self.paint(colour, &format!("{mark:<9}"))
        )
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        if self.colours {
            format!("\u{1b}[{colour}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    fn done(
        &self,
        changes: usize,
        failed: &[(String, String)],
        milliseconds: u64,
        next: Option<&str>,
    ) {
        for bar in std::mem::take(&mut self.state().bars).into_values() {
            bar.finish_and_clear();
        }
        let seconds = milliseconds / 1000;
        let tenths = milliseconds % 1000 / 100;
        let mut text = String::new();
        for (name, why) in failed {
            let _ = writeln!(
                text,
                "{} {name}: {}",
                self.paint("31", "failed"),
                why.lines().next().unwrap_or_default()
            );
        }
        let hosts = if failed.is_empty() {
            String::new()
        } else {
            format!(", {} failed", failed.len())
        };
        let _ = write!(
            text,
            "\n{changes} change{}{hosts}, {seconds}.{tenths} s\n",
            if changes == 1 { "" } else { "s" }
        );
        if let Some(next) = next {
            let _ = writeln!(text, "next: {next}");
        }
        self.above(&text);
    }
}

impl Listener for Human {
    fn tell(&self, event: Event) {
        match event {
            Event::RunStarted { run, hosts } => {
                self.lane(
                    FEDERATION,
                    &format!("run {run} on {}", counted(hosts, "host")),
                );
            }
            Event::Step { node, doing } => self.lane(node.as_str(), &doing),
            Event::Federation { doing } => self.lane(FEDERATION, &doing),
            Event::Sent { node, bytes, total } => self.lane(node.as_str(), &sending(bytes, total)),
            Event::Change {
                node,
                what,
                effect,
                diff,
                ..
            } => self.change(node.as_str(), &what, &effect, diff.as_deref()),
            Event::WaveStarted { wave, nodes } => {
                self.lane(
                    FEDERATION,
                    &format!("wave {wave}: {}", counted(nodes.len(), "host")),
                );
            }
            Event::HostDone { node, outcome } => self.close(node.as_str(), &told(&outcome)),
            Event::Checked {
                check,
                subject,
                verdict,
            } => self.above(&self.checked(&check, &subject, &verdict)),
            Event::LeftOut { what } => {
                let what = format!("left out by --on: {}", what.join("; "));
                self.above(&format!("{}\n", self.paint("33", &what)));
            }
            Event::RunDone {
                changes,
                failed,
                milliseconds,
                next,
                ..
            } => self.done(changes, &failed, milliseconds, next.as_deref()),
        }
    }
}

fn complain_above(lanes: Option<&MultiProgress>, text: &str) {
    match lanes {
        Some(lanes) => lanes.suspend(|| complain(text)),
        None => complain(text),
    }
}

/// Tenths of an upload, so that a log of plain lines stays short.
fn sending(bytes: u64, total: u64) -> String {
    let tenths = (bytes * 10).checked_div(total).unwrap_or(10);
    format!("sending {} MB, {}0 %", total / 1_000_000, tenths)
}

fn told(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Converged => "converged".to_owned(),
        Outcome::Pending(1) => "1 change".to_owned(),
        Outcome::Pending(changes) => format!("{changes} changes"),
        Outcome::Changed(changes) => format!("{changes} changed"),
        Outcome::Failed(why) => format!("failed: {why}"),
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {prefix:28!} {wide_msg}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
}
