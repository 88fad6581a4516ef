//! `evenhand backup` and `evenhand restore`: copies of a data folder, made beside a running server.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use serde_json::json;
use tokio::time::Instant;

use super::{
    Format,
    exit_code::{ExitCode, Failure},
    output,
};
use crate::store::{self, Contents};

/// Arguments of `evenhand backup`.
#[derive(Debug, clap::Args)]
pub struct BackupArgs {
    /// The data folder of a server, running or not. It is not changed.
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
    /// The folder to copy to; made when missing. It must not have a database yet.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Arguments of `evenhand restore`.
#[derive(Debug, clap::Args)]
pub struct RestoreArgs {
    /// The folder of a backup.
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
    /// The data folder to make. It must not have a database yet.
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
}

/// Copies the data of a server, as it is at one moment, and reads the copy through.
///
/// # Errors
/// [`Failure`] says what cannot be read, written, or is damaged.
pub fn back_up(args: &BackupArgs, format: Format) -> Result<(), Failure> {
    let began = Instant::now();
    store::back_up(&args.data_dir, &args.out).map_err(|error| refuse(error, &args.data_dir))?;
    let contents = check(&args.out)?;
    print("backed up", &args.out, &contents, began.elapsed(), format)
}

/// Makes a data folder of a backup.
///
/// # Errors
/// As [`back_up`].
pub fn restore(args: &RestoreArgs, format: Format) -> Result<(), Failure> {
    let began = Instant::now();
    check(&args.from)?;
    store::restore(&args.from, &args.data_dir).map_err(|error| refuse(error, &args.from))?;
    let contents = check(&args.data_dir)?;
    print("restored", &args.data_dir, &contents, began.elapsed(), format)
}

/// Reads a copy through: one that cannot be read back is none.
fn check(folder: &Path) -> Result<Contents, Failure> {
    let bar = output::bar(output::steps(1.0), "checking {wide_bar} {percent} % {eta}");
    let checked = store::check(folder, |share| bar.set_position(output::steps(share)));
    bar.finish_and_clear();
    let failed = |error| Failure { code: ExitCode::CheckFailed, error: Some(error) };
    checked.with_context(|| folder.display().to_string()).map_err(failed)
}

fn refuse(error: store::Error, folder: &Path) -> Failure {
    let code = match error {
        store::Error::Taken { .. } | store::Error::Name { .. } => ExitCode::Usage,
        store::Error::Damaged { .. } | store::Error::Pages { .. } => ExitCode::CheckFailed,
        _ => ExitCode::NotReady,
    };
    let error = anyhow::Error::new(error);
    let context = format!("the data in {} cannot be copied", folder.display());
    Failure { code, error: Some(error.context(context)) }
}

fn print(
    what: &str,
    folder: &Path,
    contents: &Contents,
    took: Duration,
    format: Format,
) -> Result<(), Failure> {
    let Contents { workspaces, entries, bytes } = contents;
    let line = match format {
        Format::Json => json!({
            "folder": folder.display().to_string(),
            "workspaces": workspaces,
            "entries": entries,
            "bytes": bytes,
            "seconds": took.as_secs_f64(),
        })
        .to_string(),
        Format::Text => format!(
            "{what} to {}: {workspaces} workspaces, {entries} journal entries, {bytes} bytes, all read back",
            folder.display()
        ),
    };
    Ok(output::print(&line).context("the result could not be written")?)
}
