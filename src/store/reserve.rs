//! Room on the disk that nothing else may use: for what agents do once the disk is full.

use std::{
    fs::{File, OpenOptions, remove_file},
    io,
    path::{Path, PathBuf},
};

use fs4::FileExt;

/// The file that holds the room.
const FILE: &str = "evenhand.reserve";
/// How much room is held: what some thousands of agents' actions take, each in a commit of its own.
const RESERVE_BYTES: u64 = 64 << 20;
/// On a small disk no more than this part of what is free.
const FREE_PART: u64 = 4;
/// A reserve smaller than this is none.
const RESERVE_BYTES_MIN: u64 = 128 << 10;

/// Room on the disk of a data folder.
pub(super) struct Reserve {
    path: PathBuf,
    bytes: u64,
    held: bool,
}

impl Reserve {
    /// Takes room in a folder; on a disk that is full it holds nothing yet.
    pub(super) fn new(folder: &Path) -> Self {
        let free = fs4::available_space(folder).unwrap_or(RESERVE_BYTES * FREE_PART);
        let path = folder.join(FILE);
        let kept = path.metadata().map_or(0, |file| file.len());
        let bytes = (free / FREE_PART).clamp(RESERVE_BYTES_MIN, RESERVE_BYTES).max(kept);
        let mut reserve = Self { path, bytes, held: false };
        reserve.regain();
        reserve
    }

    /// Gives the room up; returns how many bytes there were.
    pub(super) fn give_up(&mut self) -> u64 {
        let was_held = std::mem::take(&mut self.held);
        if was_held && remove_file(&self.path).is_ok() { self.bytes } else { 0 }
    }

    /// Takes the room again; returns whether it is held.
    pub(super) fn regain(&mut self) -> bool {
        if !self.held {
            self.held = self.take().is_ok();
            if !self.held {
                // What was taken of it is of more use to others.
                let _ = remove_file(&self.path);
            }
        }
        self.held
    }

    fn take(&self) -> io::Result<()> {
        let file: File =
            OpenOptions::new().create(true).write(true).truncate(false).open(&self.path)?;
        // Blocks, not just a length: a file with holes holds no room.
        FileExt::allocate(&file, self.bytes)?;
        file.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_held_given_up_and_held_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut reserve = Reserve::new(folder.path());
        let size = || folder.path().join(FILE).metadata().map(|file| file.len()).unwrap_or(0);
        assert!(reserve.held && size() >= RESERVE_BYTES_MIN);
        assert!(reserve.give_up() >= RESERVE_BYTES_MIN);
        assert_eq!(size(), 0);
        assert_eq!(reserve.give_up(), 0, "there is nothing left");
        assert!(reserve.regain());
        assert!(size() >= RESERVE_BYTES_MIN);
        let again = Reserve::new(folder.path());
        assert!(again.held, "a start finds it");
    }
}
