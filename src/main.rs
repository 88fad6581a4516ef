//! The `evenhand` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    evenhand::cli::main()
}
