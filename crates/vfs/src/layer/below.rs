//! What a layer is built on: the system below it, and its files.

use std::{
    alloc::{Layout, alloc_zeroed, dealloc},
    ffi::{CString, c_int, c_void},
    os::unix::ffi::OsStrExt,
    path::Path,
    ptr::{NonNull, null_mut},
};

use rusqlite::ffi::{self, sqlite3_file, sqlite3_vfs};

use super::Code;

/// Largest alignment that a file of a layer below may need, in bytes.
const ALIGNMENT: usize = 16;

/// An open file of the layer below.
#[derive(Clone, Copy)]
pub(crate) struct Below(*mut sqlite3_file);

impl Below {
    /// Takes the file of the layer below.
    ///
    /// # Safety
    /// `file` was opened by that layer, and is open as long as the value is used.
    pub(super) unsafe fn new(file: *mut sqlite3_file) -> Self {
        Self(file)
    }

    /// Reads all of `out`; what lies behind the end is zero, and the code says so.
    pub(crate) fn read(self, out: &mut [u8], at: u64) -> Code {
        let (Ok(bytes), Ok(at)) = (c_int::try_from(out.len()), i64::try_from(at)) else {
            return ffi::SQLITE_IOERR_READ;
        };
        // SAFETY: the file is open, so its table is there; `out` is as long as it says.
        unsafe {
            let Some(read) = (*(*self.0).pMethods).xRead else { return ffi::SQLITE_IOERR_READ };
            read(self.0, out.as_mut_ptr().cast::<c_void>(), bytes, at)
        }
    }

    /// Writes all of `data`.
    pub(crate) fn write(self, data: &[u8], at: u64) -> Code {
        let (Ok(bytes), Ok(at)) = (c_int::try_from(data.len()), i64::try_from(at)) else {
            return ffi::SQLITE_IOERR_WRITE;
        };
        // SAFETY: as for `read`.
        unsafe {
            let Some(write) = (*(*self.0).pMethods).xWrite else { return ffi::SQLITE_IOERR_WRITE };
            write(self.0, data.as_ptr().cast::<c_void>(), bytes, at)
        }
    }

    /// Sets the length of the file.
    pub(crate) fn truncate(self, bytes: u64) -> Code {
        let Ok(bytes) = i64::try_from(bytes) else { return ffi::SQLITE_IOERR_TRUNCATE };
        // SAFETY: as for `read`.
        unsafe {
            let Some(truncate) = (*(*self.0).pMethods).xTruncate else {
                return ffi::SQLITE_IOERR_TRUNCATE;
            };
            truncate(self.0, bytes)
        }
    }

    /// Makes everything durable that was written.
    pub(crate) fn sync(self, flags: c_int) -> Code {
        // SAFETY: as for `read`.
        unsafe {
            let Some(sync) = (*(*self.0).pMethods).xSync else { return ffi::SQLITE_IOERR_FSYNC };
            sync(self.0, flags)
        }
    }

    /// Returns the length of the file in bytes.
    pub(crate) fn bytes(self) -> Result<u64, Code> {
        let mut bytes = 0;
        // SAFETY: as for `read`; `bytes` outlives the call.
        let code = unsafe {
            match (*(*self.0).pMethods).xFileSize {
                Some(size) => size(self.0, &raw mut bytes),
                None => ffi::SQLITE_IOERR_FSTAT,
            }
        };
        if code != ffi::SQLITE_OK {
            return Err(code);
        }
        u64::try_from(bytes).map_err(|_| ffi::SQLITE_IOERR_FSTAT)
    }
}

/// The system that a layer is built on.
#[derive(Clone, Copy)]
pub(crate) struct Lower(NonNull<sqlite3_vfs>);

// SAFETY: SQLite keeps registered systems as long as the process lives and calls them from any thread.
unsafe impl Send for Lower {}
// SAFETY: as above.
unsafe impl Sync for Lower {}

impl Lower {
    /// Takes a system that SQLite knows; null when it knows none.
    ///
    /// # Safety
    /// `system` is null, or registered and never taken back.
    pub(super) unsafe fn new(system: *mut sqlite3_vfs) -> Option<Self> {
        NonNull::new(system).map(Self)
    }

    pub(super) fn as_ptr(self) -> *mut sqlite3_vfs {
        self.0.as_ptr()
    }

    /// Returns how many bytes a file of it takes.
    pub(super) fn file_bytes(self) -> usize {
        // SAFETY: registered systems stay where they are.
        usize::try_from(unsafe { (*self.as_ptr()).szOsFile }).unwrap_or(0)
    }

    /// Opens a file for the layer itself, to read and to write; makes it when it is missing.
    pub(crate) fn open(self, path: &Path) -> Result<OwnFile, Code> {
        let mut name = path.as_os_str().as_bytes().to_vec();
        // SQLite looks for options behind a name; four zeros say that there are none.
        name.extend([0; 4]);
        // The first zero ends the string, so all four are kept by their own vector.
        let Ok(_) = CString::new(path.as_os_str().as_bytes()) else {
            return Err(ffi::SQLITE_CANTOPEN);
        };
        let layout = Layout::from_size_align(self.file_bytes().max(1), ALIGNMENT)
            .map_err(|_| ffi::SQLITE_NOMEM)?;
        // SAFETY: the layout is not of size zero.
        let Some(file) = NonNull::new(unsafe { alloc_zeroed(layout) }) else {
            return Err(ffi::SQLITE_NOMEM);
        };
        let own = OwnFile { file: file.cast(), layout, name };
        let flags =
            ffi::SQLITE_OPEN_READWRITE | ffi::SQLITE_OPEN_CREATE | ffi::SQLITE_OPEN_SUPER_JOURNAL;
        // SAFETY: the file has as many bytes as the system asks for, and the name lives as long as the file.
        let code = unsafe {
            match (*self.as_ptr()).xOpen {
                Some(open) => open(
                    self.as_ptr(),
                    own.name.as_ptr().cast(),
                    own.file.as_ptr(),
                    flags,
                    null_mut(),
                ),
                None => ffi::SQLITE_CANTOPEN,
            }
        };
        if code == ffi::SQLITE_OK { Ok(own) } else { Err(code) }
    }
}

/// A file that a layer has opened for itself.
pub(crate) struct OwnFile {
    file: NonNull<sqlite3_file>,
    layout: Layout,
    /// Systems may keep the pointer to the name.
    name: Vec<u8>,
}

// SAFETY: it is used through `&mut` or behind a lock, and systems do not care which thread calls.
unsafe impl Send for OwnFile {}

impl OwnFile {
    /// Returns the file to read and write.
    pub(crate) fn below(&mut self) -> Below {
        // SAFETY: it was opened, and is open as long as it lives.
        unsafe { Below::new(self.file.as_ptr()) }
    }
}

impl Drop for OwnFile {
    fn drop(&mut self) {
        let file = self.file.as_ptr();
        // SAFETY: the table is null when opening failed; otherwise the file is open and closed only here. The
        // memory is of this layout and given back once.
        unsafe {
            if !(*file).pMethods.is_null()
                && let Some(close) = (*(*file).pMethods).xClose
            {
                close(file);
            }
            dealloc(file.cast(), self.layout);
        }
    }
}
