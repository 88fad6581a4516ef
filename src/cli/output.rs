//! Writing for the reader of the terminal or the pipe.

use std::io::{self, Write};

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

/// Writes a line to standard error, if anybody reads it.
pub fn complain(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
