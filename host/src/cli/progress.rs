//! How far long work is: a line that moves on a terminal, lines now and then elsewhere. Always on standard error.

use std::{
    io::{IsTerminal as _, Write as _},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use directory::store::ImportProgress;
use indicatif::{ProgressBar, ProgressStyle};

/// Time between two lines where there is no terminal.
const EVERY: Duration = Duration::from_secs(2);
/// Time between two pictures of a line that moves by itself.
const TICK: Duration = Duration::from_millis(100);
/// Time before which a rate says nothing.
const RATED_AFTER: Duration = Duration::from_millis(500);

/// Shows stage, count and rate of imports.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    state: Mutex<State>,
}

struct State {
    /// Workspace and stage.
    label: String,
    began: Instant,
    told: Instant,
}

impl Progress {
    /// Shows nothing until there is something to show.
    pub(super) fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| ProgressBar::new_spinner().with_style(style()));
        let now = now();
        Self { bar, state: Mutex::new(State { label: String::new(), began: now, told: now }) }
    }

    /// Tells how far the import of a workspace is.
    pub(super) fn tell(&self, workspace: &str, at: ImportProgress) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (label, now) = (format!("{workspace}: {}", at.stage), now());
        if state.label != label {
            *state = State { label, began: now, told: now };
        }
        let took = now.duration_since(state.began);
        match &self.bar {
            Some(bar) => bar.set_message(line(&state.label, at.done, took)),
            None if now.duration_since(state.told) >= EVERY => {
                state.told = now;
                let _gone = writeln!(std::io::stderr(), "{}", line(&state.label, at.done, took));
            }
            None => {}
        }
    }

    /// Tells how far work of a known size is.
    pub(super) fn tell_of(&self, label: &str, done: u64, total: u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let text = format!("{label} {} of {}", grouped(done), grouped(total));
        match &self.bar {
            Some(bar) => bar.set_message(text),
            None if now().duration_since(state.told) >= EVERY => {
                state.told = now();
                let _gone = writeln!(std::io::stderr(), "{text}");
            }
            None => {}
        }
    }

    /// Takes the moving line away.
    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {msg}").unwrap_or_else(|_| ProgressStyle::default_spinner())
}

#[expect(clippy::disallowed_methods, reason = "what is shown to a person waiting is measured by the machine's own clock")]
fn now() -> Instant {
    Instant::now()
}

fn line(label: &str, done: u64, took: Duration) -> String {
    match u64::try_from(took.as_millis()) {
        Ok(millis) if took >= RATED_AFTER => {
            format!("{label} {}, {} a second", grouped(done), grouped(done.saturating_mul(1_000) / millis))
        }
        _ => format!("{label} {}", grouped(done)),
    }
}

/// Says what is waited for, until it is dropped.
pub(super) struct Waiting(Option<ProgressBar>);

impl Waiting {
    /// A line that shows that time passes, on a terminal; elsewhere one that says what is being done.
    pub(super) fn begin(what: &str) -> Self {
        if !std::io::stderr().is_terminal() {
            let _gone = writeln!(std::io::stderr(), "{what}");
            return Self(None);
        }
        let style = ProgressStyle::with_template("{spinner} {msg}: {elapsed}").unwrap_or_else(|_| style());
        let bar = ProgressBar::new_spinner().with_style(style).with_message(what.to_owned());
        bar.enable_steady_tick(TICK);
        Self(Some(bar))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

/// `1234567` as `1,234,567`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 2);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_stage_count_and_rate() {
        assert_eq!(line("initech: people", 1_234_567, Duration::from_secs(100)), "initech: people 1,234,567, 12,345 a second");
        assert_eq!(line("acme: groups", 15, Duration::ZERO), "acme: groups 15");
    }
}
