//! The table of functions that SQLite calls for a layer as a whole, and its registration.

use std::{
    ffi::{CString, c_char, c_int, c_void},
    ptr::{null, null_mut},
    sync::{Mutex, PoisonError},
};

use rusqlite::ffi::{self, sqlite3_file, sqlite3_filename, sqlite3_vfs};

use super::{Below, Code, Layer, Lower, Opening, Purpose, file::Handle, path_of};
use crate::Error;

/// A registered layer; it lives as long as the process.
struct System {
    layer: Box<dyn Layer>,
    lower: Lower,
}

/// Held while a layer is looked up and registered, so that none is registered twice.
static REGISTERING: Mutex<()> = Mutex::new(());

/// Registers a layer under a name, on top of the system `base` or of the default; does nothing the second time.
pub(crate) fn register(
    name: &str,
    base: Option<&str>,
    layer: impl FnOnce() -> Box<dyn Layer>,
) -> Result<(), Error> {
    let no_base = || Error::NoBase { name: base.unwrap_or_default().to_owned() };
    let text = |text: &str| CString::new(text).map_err(|_| no_base());
    let name = text(name)?;
    let base = base.map(text).transpose()?;
    let _held = REGISTERING.lock().unwrap_or_else(PoisonError::into_inner);
    // SAFETY: the names are strings that live through the calls. Systems found here are SQLite's own or from
    // this function, and neither is ever taken back.
    let lower = unsafe {
        if !ffi::sqlite3_vfs_find(name.as_ptr()).is_null() {
            return Ok(());
        }
        Lower::new(ffi::sqlite3_vfs_find(base.as_ref().map_or(null(), |base| base.as_ptr())))
    };
    let lower = lower.ok_or_else(no_base)?;
    let table = table(name, Box::leak(Box::new(System { layer: layer(), lower })));
    // SAFETY: the table and all it points to were leaked, so they live as long as the process.
    let code = unsafe { ffi::sqlite3_vfs_register(Box::leak(Box::new(table)), 0) };
    if code == ffi::SQLITE_OK {
        return Ok(());
    }
    Err(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None).into())
}

fn table(name: CString, system: &'static System) -> sqlite3_vfs {
    let handle = c_int::try_from(Handle::BYTES).unwrap_or(c_int::MAX);
    // SAFETY: a registered system stays where it is and does not change.
    let lower = unsafe { &*system.lower.as_ptr() };
    sqlite3_vfs {
        // Version 2: what version 3 adds replaces system calls, which is the lowest system's own affair.
        iVersion: 2,
        szOsFile: handle.saturating_add(lower.szOsFile),
        mxPathname: lower.mxPathname,
        pNext: null_mut(),
        zName: name.into_raw(),
        pAppData: (&raw const *system).cast_mut().cast::<c_void>(),
        xOpen: Some(open),
        xDelete: Some(delete),
        xAccess: Some(access),
        xFullPathname: Some(full_path),
        xDlOpen: Some(dl_open),
        xDlError: Some(dl_error),
        xDlSym: Some(dl_sym),
        xDlClose: Some(dl_close),
        xRandomness: Some(randomness),
        xSleep: Some(sleep),
        xCurrentTime: Some(current_time),
        xGetLastError: Some(last_error),
        xCurrentTimeInt64: Some(current_time_whole),
        xSetSystemCall: None,
        xGetSystemCall: None,
        xNextSystemCall: None,
    }
}

/// Returns the layer behind a table.
///
/// # Safety
/// `system` is a table that [`table`] made and leaked.
unsafe fn system(system: *mut sqlite3_vfs) -> &'static System {
    // SAFETY: such a table points to a leaked system.
    unsafe { &*(*system).pAppData.cast::<System>() }
}

/// Passes a call on to the system below; `$none` is the answer when that has no such function.
macro_rules! pass {
    ($vfs:ident . $method:ident ( $($argument:expr),* ), $none:expr) => {{
        // SAFETY: SQLite calls the table's functions with the table; the system below is registered.
        unsafe {
            let lower = system($vfs).lower.as_ptr();
            match (*lower).$method {
                Some(method) => method(lower, $($argument),*),
                None => $none,
            }
        }
    }};
}

unsafe extern "C" fn open(
    vfs: *mut sqlite3_vfs,
    name: sqlite3_filename,
    file: *mut sqlite3_file,
    flags: c_int,
    out: *mut c_int,
) -> Code {
    // SAFETY: SQLite calls this with the table and a string that lives as long as the file.
    let (System { layer, lower }, path) = unsafe { (system(vfs), path_of(name)) };
    let purpose = Purpose::of(flags);
    let Some(path) = path.filter(|_| layer.concerns(purpose)) else {
        return pass!(vfs.xOpen(name, file, flags, out), ffi::SQLITE_CANTOPEN);
    };
    // SAFETY: the file's memory has the size that the table asks for: a handle and a file of the system below.
    let under = unsafe {
        let under = Handle::lower(file);
        (*file).pMethods = null();
        (*under).pMethods = null();
        under
    };
    let code = pass!(vfs.xOpen(name, under, flags, out), ffi::SQLITE_CANTOPEN);
    // SAFETY: the system below has filled in its file. It may fail and leave something to close. Only names of
    // logs and journals lead to their database, whose file nobody uses while its log is opened.
    unsafe {
        if code != ffi::SQLITE_OK {
            if !(*under).pMethods.is_null()
                && let Some(close) = (*(*under).pMethods).xClose
            {
                close(under);
            }
            return code;
        }
        let database = match purpose {
            Purpose::Log => ffi::sqlite3_database_file_object(name),
            _ => null_mut(),
        };
        let partner = Handle::partner(database);
        let opening = Opening { path, purpose, partner, lower: *lower };
        Handle::begin(file, layer.open(opening, Below::new(under)));
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn delete(vfs: *mut sqlite3_vfs, name: *const c_char, sync: c_int) -> Code {
    // SAFETY: SQLite calls this with the table and a string.
    let (System { layer, lower }, path) = unsafe { (system(vfs), path_of(name)) };
    if let Some(path) = &path {
        let code = layer.deleting(*lower, path);
        if code != ffi::SQLITE_OK {
            return code;
        }
    }
    let code = pass!(vfs.xDelete(name, sync), ffi::SQLITE_IOERR_DELETE);
    if let (ffi::SQLITE_OK, Some(path)) = (code, &path) {
        layer.deleted(path, sync != 0);
    }
    code
}

unsafe extern "C" fn access(
    vfs: *mut sqlite3_vfs,
    name: *const c_char,
    flags: c_int,
    out: *mut c_int,
) -> Code {
    pass!(vfs.xAccess(name, flags, out), ffi::SQLITE_IOERR_ACCESS)
}

unsafe extern "C" fn full_path(
    vfs: *mut sqlite3_vfs,
    name: *const c_char,
    bytes: c_int,
    out: *mut c_char,
) -> Code {
    pass!(vfs.xFullPathname(name, bytes, out), ffi::SQLITE_CANTOPEN_FULLPATH)
}

unsafe extern "C" fn randomness(vfs: *mut sqlite3_vfs, bytes: c_int, out: *mut c_char) -> c_int {
    pass!(vfs.xRandomness(bytes, out), 0)
}

unsafe extern "C" fn sleep(vfs: *mut sqlite3_vfs, microseconds: c_int) -> c_int {
    pass!(vfs.xSleep(microseconds), 0)
}

unsafe extern "C" fn current_time(vfs: *mut sqlite3_vfs, out: *mut f64) -> Code {
    pass!(vfs.xCurrentTime(out), ffi::SQLITE_ERROR)
}

unsafe extern "C" fn current_time_whole(vfs: *mut sqlite3_vfs, out: *mut i64) -> Code {
    pass!(vfs.xCurrentTimeInt64(out), ffi::SQLITE_ERROR)
}

unsafe extern "C" fn last_error(vfs: *mut sqlite3_vfs, bytes: c_int, out: *mut c_char) -> c_int {
    pass!(vfs.xGetLastError(bytes, out), 0)
}

unsafe extern "C" fn dl_open(vfs: *mut sqlite3_vfs, name: *const c_char) -> *mut c_void {
    pass!(vfs.xDlOpen(name), null_mut())
}

unsafe extern "C" fn dl_error(vfs: *mut sqlite3_vfs, bytes: c_int, out: *mut c_char) {
    pass!(vfs.xDlError(bytes, out), ());
}

/// A function of a loaded library, as SQLite hands it on.
type Symbol = Option<unsafe extern "C" fn(*mut sqlite3_vfs, *mut c_void, *const c_char)>;

unsafe extern "C" fn dl_sym(
    vfs: *mut sqlite3_vfs,
    library: *mut c_void,
    name: *const c_char,
) -> Symbol {
    pass!(vfs.xDlSym(library, name), None)
}

unsafe extern "C" fn dl_close(vfs: *mut sqlite3_vfs, library: *mut c_void) {
    pass!(vfs.xDlClose(library), ());
}
