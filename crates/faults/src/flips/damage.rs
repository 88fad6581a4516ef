//! What disks do to files: a bit that turns, a tail that is missing, a sector of zeros, pages swapped.

use std::{fs::OpenOptions, os::unix::fs::FileExt, path::Path};

use anyhow::Context;

use super::files;
use crate::random::Dice;

/// Bytes of a disk's sector.
const SECTOR: u64 = 512;
/// Bytes of a page of the database.
const PAGE: u64 = 4096;

/// One damage to one file.
#[derive(Clone, Debug)]
pub(super) struct Damage {
    /// The file's name.
    pub(super) file: String,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    Bit { offset: u64, bit: u8 },
    Cut { bytes: u64 },
    Zeros { offset: u64 },
    Swap { one: u64, other: u64 },
}

impl Damage {
    /// Chooses a file, where in it, and what.
    pub(super) fn choose(folder: &Path, dice: &mut Dice) -> Result<Self, anyhow::Error> {
        let found: Vec<(String, u64)> = files(folder)?.into_iter().collect();
        let (file, bytes) = dice.pick(&found).cloned().context("the folder is empty")?;
        let pages = bytes / PAGE;
        let what = match dice.below(8) {
            0..4 => {
                let offset = dice.below_u64(bytes);
                What::Bit { offset, bit: u8::try_from(dice.below(8)).unwrap_or(0) }
            }
            4 => What::Cut { bytes: dice.below_u64(bytes) },
            5..7 => What::Zeros { offset: dice.below_u64(bytes.div_ceil(SECTOR)) * SECTOR },
            _ => {
                let one = dice.below_u64(pages) * PAGE;
                What::Swap { one, other: dice.below_u64(pages) * PAGE }
            }
        };
        Ok(Self { file, what })
    }

    /// Returns the kind of damage in a word.
    pub(super) fn kind(&self) -> &'static str {
        match self.what {
            What::Bit { .. } => "bit",
            What::Cut { .. } => "cut",
            What::Zeros { .. } => "zeros",
            What::Swap { .. } => "swap",
        }
    }

    /// Damages the file.
    pub(super) fn apply(&self, folder: &Path) -> Result<(), anyhow::Error> {
        let file = OpenOptions::new().read(true).write(true).open(folder.join(&self.file))?;
        match self.what {
            What::Bit { offset, bit } => {
                let mut byte = [0];
                file.read_exact_at(&mut byte, offset)?;
                byte[0] ^= 1 << bit;
                file.write_all_at(&byte, offset)?;
            }
            What::Cut { bytes } => file.set_len(bytes)?,
            What::Zeros { offset } => {
                let left = file.metadata()?.len().saturating_sub(offset).min(SECTOR);
                file.write_all_at(&vec![0; usize::try_from(left)?], offset)?;
            }
            What::Swap { one, other } => {
                let mut pages = [vec![0; usize::try_from(PAGE)?], vec![0; usize::try_from(PAGE)?]];
                if file.metadata()?.len() >= one.max(other) + PAGE {
                    file.read_exact_at(&mut pages[0], one)?;
                    file.read_exact_at(&mut pages[1], other)?;
                    file.write_all_at(&pages[1], one)?;
                    file.write_all_at(&pages[0], other)?;
                }
            }
        }
        Ok(())
    }
}
