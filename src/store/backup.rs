//! Copies of a data folder's database, made while a server has it, and what is in them.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use super::{
    Error, Snapshot,
    database::{Database, Engine, Purpose},
    history, sqlite,
};
use crate::domain::id::WorkspaceId;

/// What a copy has while it is not whole.
const PARTIAL: &str = "evenhand.db.partial";

/// What was found in a database whose every part was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// Workspaces.
    pub workspaces: u64,
    /// Journal entries, of all of them.
    pub entries: u64,
    /// Bytes of the file.
    pub bytes: u64,
}

/// Copies the database of a folder into another folder, as it is at one moment; a server may have it.
///
/// The copy is whole or not there: it gets its name when it is durable.
///
/// # Errors
/// [`Error::Taken`] when there is a database already; what the file system or the database says.
pub fn back_up(folder: &Path, to: &Path) -> Result<(), Error> {
    let database = sqlite::folder_reader(folder)?;
    let partial = begin(to)?;
    let copied = copy(&database, &partial);
    finish(copied, &partial, to)
}

/// Copies a backup into a folder that has no database yet.
///
/// # Errors
/// [`Error::Taken`] when there is a database already, [`Error::InUse`] while a server has the folder; what
/// the file system or the database says.
pub fn restore(from: &Path, folder: &Path) -> Result<(), Error> {
    let database = sqlite::folder_reader(from)?;
    let _lock = sqlite::lock(folder)?;
    let partial = begin(folder)?;
    let copied = copy(&database, &partial);
    finish(copied, &partial, folder)
}

/// Makes the folder and returns the name of the copy while it is not whole.
fn begin(folder: &Path) -> Result<PathBuf, Error> {
    sqlite::make_folder(folder)?;
    let taken = sqlite::database(folder);
    if taken.exists() {
        return Err(Error::Taken { path: taken });
    }
    let partial = folder.join(PARTIAL);
    // Left by a copy that was interrupted.
    match fs::remove_file(&partial) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(file_error("remove", &partial)(error))
        }
        _ => Ok(partial),
    }
}

/// Writes a copy without what the database has free.
fn copy(database: &Database, to: &Path) -> Result<(), Error> {
    let Engine::Sqlite(connection) = &database.0 else { return Err(Error::Closed) };
    let path = to.to_str().ok_or_else(|| Error::Name { path: to.to_owned() })?;
    connection.execute("VACUUM INTO ?1", [path])?;
    File::open(to).and_then(|file| file.sync_all()).map_err(file_error("sync", to))
}

fn finish(copied: Result<(), Error>, partial: &Path, folder: &Path) -> Result<(), Error> {
    if let Err(error) = copied {
        // What is left of it is nothing; the reason it failed matters more.
        let _ = fs::remove_file(partial);
        return Err(error);
    }
    let whole = sqlite::database(folder);
    fs::rename(partial, &whole).map_err(file_error("name", &whole))?;
    sqlite::sync_folder(folder)
}

/// Reads every page and every journal entry of a folder's database; `progress` is told the share done.
///
/// # Errors
/// What is damaged: [`Error::Pages`], [`Error::Gap`], [`Error::Damaged`].
pub fn check(folder: &Path, mut progress: impl FnMut(f64)) -> Result<Contents, Error> {
    let path = sqlite::database(folder);
    let bytes = path.metadata().map_err(file_error("read", &path))?.len();
    sqlite::folder_reader(folder)?.within(Purpose::Read, |snapshot| {
        check_pages(snapshot, &path)?;
        let names = history::workspace_names(snapshot)?;
        let mut contents = Contents { bytes, ..Contents::default() };
        let mut journals = Vec::new();
        for name in names {
            let id = WorkspaceId::new(name).map_err(|_| Error::unexpected("a workspace's name"))?;
            journals.push((history::entry_count(snapshot, &id)?, id));
        }
        let all: u64 = journals.iter().map(|(count, _)| count).sum();
        for (_, id) in &journals {
            history::replay(snapshot, id, 0, |_| {
                contents.entries += 1;
                progress(contents.entries as f64 / all.max(1) as f64);
            })?;
            contents.workspaces += 1;
        }
        Ok(contents)
    })
}

fn check_pages(snapshot: &Snapshot, path: &Path) -> Result<(), Error> {
    let found = snapshot.all("PRAGMA integrity_check(3)", &[], |row| row.required_text(0))?;
    match found.as_slice() {
        [only] if only == "ok" => Ok(()),
        // It names tables, pages and rows, never what is in them.
        found => Err(Error::Pages { path: path.to_owned(), found: found.join("; ") }),
    }
}

fn file_error(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error + use<> {
    let path = path.to_owned();
    move |source| Error::File { action, path, source }
}
