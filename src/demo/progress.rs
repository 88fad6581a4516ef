//! How far the demo is: a bar on a terminal, a line now and then elsewhere. Always on stderr.

use std::{
    io::{IsTerminal, Write, stderr},
    sync::atomic::Ordering::Relaxed,
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::Instant;

use super::board::Board;

/// Time between two lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);
const BAR: &str =
    "  {spinner:.cyan} {bar:32.cyan/black.bright} {pos:>5}/{len} tickets  {elapsed}  {msg}";

/// Shows how far the demo is.
pub(super) enum Progress {
    /// On a terminal.
    Bar(ProgressBar),
    /// Elsewhere.
    Lines {
        /// When the next line is due.
        due: Instant,
    },
}

impl Progress {
    /// Begins, with what happens before the first ticket.
    pub(super) fn begin(what: &'static str) -> Self {
        if stderr().is_terminal() {
            let bar = ProgressBar::new_spinner().with_message(what);
            bar.enable_steady_tick(Duration::from_millis(100));
            Self::Bar(bar)
        } else {
            say(what);
            Self::Lines { due: Instant::now() + LINE_EVERY }
        }
    }

    /// Goes over to counting tickets.
    pub(super) fn count_to(&self, tickets: usize) {
        if let Self::Bar(bar) = self {
            bar.set_message("");
            bar.set_length(u64::try_from(tickets).unwrap_or(u64::MAX));
            bar.reset_elapsed();
            if let Ok(style) = ProgressStyle::with_template(BAR) {
                bar.set_style(style.progress_chars("█▉▊▋▌▍▎▏ "));
            }
        }
    }

    /// Shows where things stand.
    pub(super) fn show(&mut self, board: &Board, tickets: usize) {
        match self {
            Self::Bar(bar) => {
                bar.set_position(board.closed());
                bar.set_message(standing(board));
            }
            Self::Lines { due } => {
                let now = Instant::now();
                if now >= *due {
                    *due = now + LINE_EVERY;
                    let closed = board.closed();
                    say(&format!("{closed} of {tickets} tickets closed; {}", standing(board)));
                }
            }
        }
    }

    /// Ends; what was shown on a terminal goes away.
    pub(super) fn end(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

/// Writes a line to standard error, if anybody reads it.
pub(super) fn say(line: &str) {
    let _ = writeln!(stderr(), "{line}");
}

fn standing(board: &Board) -> String {
    let acknowledged = board.acknowledged.load(Relaxed);
    let open = acknowledged.saturating_sub(board.closed());
    let declined = board.declined.load(Relaxed);
    let handed_on = board.transferred.load(Relaxed);
    format!("{open} open · {declined} declined · {handed_on} handed on")
}
