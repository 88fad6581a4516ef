//! A small file system in memory, seen by this process and its children only.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, ensure};
use tempfile::TempDir;

/// Tells the program that it has mounts of its own.
const UNSHARED: &str = "EVENHAND_FAULTS_UNSHARED";

/// Starts this program again with mounts of its own, unless it has them. Returns the exit code then.
///
/// # Errors
/// `unshare` is missing, or this user may not mount.
pub fn unshared() -> Result<Option<i32>, anyhow::Error> {
    if env::var_os(UNSHARED).is_some() {
        return Ok(None);
    }
    let status = Command::new("unshare")
        .args(["--mount", "--propagation", "private", "--"])
        .arg(env::current_exe()?)
        .args(env::args_os().skip(1))
        .env(UNSHARED, "1")
        .status()
        .context("a disk can be filled by root on Linux only, with `unshare`")?;
    Ok(Some(status.code().unwrap_or(1)))
}

/// The file system; unmounted when dropped.
pub(super) struct Mounted {
    folder: TempDir,
}

impl Mounted {
    /// Mounts a file system of some MiB.
    pub(super) fn new(size_mib: u32) -> Result<Self, anyhow::Error> {
        let folder = TempDir::with_prefix("evenhand-faults-")?;
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size_mib}m"), "tmpfs"])
            .arg(folder.path())
            .status()?;
        ensure!(mounted.success(), "nothing can be mounted; are you root?");
        Ok(Self { folder })
    }

    /// Returns where it is.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn ballast(&self) -> PathBuf {
        self.folder.path().join("ballast")
    }

    /// Takes some MiB.
    pub(super) fn put_ballast(&self, mib: u32) -> Result<(), anyhow::Error> {
        let bytes = usize::try_from(mib)? << 20;
        fs::write(self.ballast(), vec![7; bytes]).context("the ballast does not fit")
    }

    /// Gives them back.
    pub(super) fn drop_ballast(&self) -> Result<(), anyhow::Error> {
        Ok(fs::remove_file(self.ballast())?)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // The mount ends with the process in any case; only the empty folder would be left.
        let _ = Command::new("umount").arg(self.folder.path()).status();
    }
}
