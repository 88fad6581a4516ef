//! Writing for the reader of the terminal or the pipe.

use std::{
    fs,
    io::{self, IsTerminal, Write},
    path::Path,
};

use anyhow::Context;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Steps of a bar that moves by shares of the whole.
const STEPS: f64 = 1e6;

/// Writes a line to standard output. A reader who has closed the pipe has seen enough.
///
/// # Errors
/// When it cannot be written for another reason, such as a full disk.
pub fn print(line: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{line}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Writes a page to a file.
///
/// # Errors
/// Names the file.
pub fn write_page(path: &Path, page: &str) -> anyhow::Result<()> {
    fs::write(path, page).with_context(|| path.display().to_string())
}

/// Returns a progress bar: on a terminal, nothing in a pipe.
#[must_use]
pub fn bar(length: u64, template: &str) -> ProgressBar {
    let bar = ProgressBar::new(length);
    let style = ProgressStyle::with_template(template);
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    if !io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    bar
}

/// Returns a share of a whole, 0 to 1, in steps of a bar.
#[must_use]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is 0 to 1e6")]
pub fn steps(share: f64) -> u64 {
    (STEPS * share.clamp(0.0, 1.0)).round() as u64
}

/// Writes a line to standard error, if anybody reads it.
pub fn complain(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
