//! What a disk may hold when the power fails: everything that was synced, and of the rest what it likes.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
};

use super::Event;

/// Bytes that a disk writes all or none of.
const SECTOR_BYTES: u64 = 512;

/// What becomes of writes that were not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mercy {
    /// None are kept.
    None,
    /// All are kept.
    All,
    /// The first are kept, up to one that is torn.
    Prefix,
    /// Each sector of each is kept or not; what is missing of a longer file is zeros or anything.
    Sectors,
}

impl Mercy {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::None, Self::All, Self::Prefix, Self::Sectors];
}

/// A change of a file that was not synced.
#[derive(Clone)]
enum Pending {
    Write(u64, Vec<u8>),
    Truncate(u64),
}

/// What is known of a file.
#[derive(Clone, Default)]
struct Inode {
    durable: Vec<u8>,
    pending: Vec<Pending>,
    /// Whether its name is durable too.
    is_named: bool,
}

/// A disk after some calls.
#[derive(Clone, Default)]
pub struct Disk {
    files: BTreeMap<PathBuf, Inode>,
    /// Files that were deleted, where that is not durable yet.
    ghosts: BTreeMap<PathBuf, Inode>,
}

impl Disk {
    /// Takes the next call.
    pub fn take(&mut self, event: &Event) {
        match event {
            Event::Opened(path) => drop(self.file(path)),
            Event::Written(path, at, data) => {
                self.file(path).pending.push(Pending::Write(*at, data.clone()));
            }
            Event::Truncated(path, bytes) => {
                self.file(path).pending.push(Pending::Truncate(*bytes));
            }
            Event::Synced(path) => {
                let file = self.file(path);
                for pending in std::mem::take(&mut file.pending) {
                    apply(&mut file.durable, &pending);
                }
                let was_named = std::mem::replace(&mut file.is_named, true);
                self.ghosts.remove(&**path);
                // SQLite syncs the folder with the first sync of a log or journal that it made.
                if !was_named && path.extension().is_none_or(|ending| ending != "db") {
                    self.sync_folder();
                }
            }
            Event::Deleted(path, synced) => {
                let ghost = self.files.remove(path).filter(|file| file.is_named);
                if let Some(ghost) = ghost {
                    self.ghosts.insert(path.clone(), ghost);
                }
                if *synced {
                    self.sync_folder();
                }
            }
        }
    }

    /// Writes what the disk may hold into a folder, under the files' own names.
    ///
    /// `random` returns any number each time it is asked.
    ///
    /// # Errors
    /// What the file system says.
    pub fn cut(
        &self,
        folder: &Path,
        mercy: Mercy,
        random: &mut dyn FnMut() -> u64,
    ) -> io::Result<()> {
        let mut found: BTreeMap<&OsStr, Vec<u8>> = BTreeMap::new();
        for (path, ghost) in &self.ghosts {
            if let (Some(name), true) = (path.file_name(), heads(random)) {
                found.insert(name, ghost.after(mercy, random));
            }
        }
        for (path, file) in &self.files {
            if let (Some(name), true) = (path.file_name(), file.is_named || heads(random)) {
                found.insert(name, file.after(mercy, random));
            }
        }
        found.into_iter().try_for_each(|(name, bytes)| fs::write(folder.join(name), bytes))
    }

    /// Makes all names durable, and that some are gone.
    fn sync_folder(&mut self) {
        self.ghosts.clear();
        self.files.values_mut().for_each(|file| file.is_named = true);
    }

    fn file(&mut self, path: &Path) -> &mut Inode {
        self.files.entry(path.to_owned()).or_default()
    }
}

impl Inode {
    fn after(&self, mercy: Mercy, random: &mut dyn FnMut() -> u64) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        match mercy {
            Mercy::None => {}
            Mercy::All => self.pending.iter().for_each(|pending| apply(&mut bytes, pending)),
            Mercy::Prefix => {
                let count = self.pending.len() as u64;
                let kept = usize::try_from(random() % (count + 1)).unwrap_or(0);
                self.pending.iter().take(kept).for_each(|pending| apply(&mut bytes, pending));
                if let Some(torn) = self.pending.get(kept) {
                    tear(&mut bytes, torn, random);
                }
            }
            Mercy::Sectors => {
                self.pending.iter().for_each(|pending| tear(&mut bytes, pending, random));
            }
        }
        bytes
    }
}

fn heads(random: &mut dyn FnMut() -> u64) -> bool {
    random() & 1 == 1
}

/// Makes a change.
fn apply(bytes: &mut Vec<u8>, pending: &Pending) {
    match pending {
        Pending::Write(at, data) => put(bytes, *at, data),
        Pending::Truncate(length) => bytes.resize(usize::try_from(*length).unwrap_or(0), 0),
    }
}

fn put(bytes: &mut Vec<u8>, at: u64, data: &[u8]) {
    let begin = usize::try_from(at).unwrap_or(0);
    let end = begin + data.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[begin..end].copy_from_slice(data);
}

/// Makes a change in part.
fn tear(bytes: &mut Vec<u8>, pending: &Pending, random: &mut dyn FnMut() -> u64) {
    let Pending::Write(at, data) = pending else {
        if heads(random) {
            apply(bytes, pending);
        }
        return;
    };
    // The length is written apart from what is in it.
    let (fate, old) = (random() % 4, bytes.len() as u64);
    if fate < 2 && at + data.len() as u64 > old {
        let longer = at + data.len() as u64 - old;
        let filled: Vec<u8> =
            (0..longer).map(|_| if fate == 0 { random().to_le_bytes()[0] } else { 0 }).collect();
        put(bytes, old, &filled);
    }
    let mut done = 0;
    while done < data.len() {
        let begin = at + done as u64;
        let room = usize::try_from(SECTOR_BYTES - begin % SECTOR_BYTES).unwrap_or(1);
        let end = data.len().min(done + room);
        if heads(random) {
            put(bytes, begin, &data[done..end]);
        }
        done = end;
    }
}
