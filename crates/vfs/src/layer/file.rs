//! The table of functions that SQLite calls for an open file of a layer.

use std::{
    ffi::{c_int, c_void},
    ptr::null_mut,
    slice,
    sync::Arc,
};

use rusqlite::ffi::{self, sqlite3_file, sqlite3_io_methods};

use super::{Below, Code, LayerFile};

/// A file as SQLite sees it. The file of the layer below lies right behind it in the same memory.
#[repr(C)]
pub(super) struct Handle {
    base: sqlite3_file,
    file: Option<Box<dyn LayerFile>>,
}

/// Version 2 has no `xFetch`: SQLite cannot map such files, so every read comes through `xRead`.
static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

impl Handle {
    /// Bytes before the file of the layer below; whole words, as that file needs.
    pub(super) const BYTES: usize = size_of::<Self>().next_multiple_of(align_of::<u64>());

    /// Returns where the file of the layer below lies.
    ///
    /// # Safety
    /// `file` points to memory for a handle and a file of the layer below.
    pub(super) unsafe fn lower(file: *mut sqlite3_file) -> *mut sqlite3_file {
        // SAFETY: the caller promises that the memory goes on.
        unsafe { file.byte_add(Self::BYTES) }
    }

    /// Begins a handle, when the file of the layer below is open.
    ///
    /// # Safety
    /// As for [`Handle::lower`]; nothing is in the handle's memory yet that must be dropped.
    pub(super) unsafe fn begin(at: *mut sqlite3_file, file: Box<dyn LayerFile>) {
        let base = sqlite3_file { pMethods: &raw const METHODS };
        // SAFETY: SQLite aligns a file to eight bytes, and the caller promises the room.
        unsafe { at.cast::<Self>().write(Self { base, file: Some(file) }) }
    }

    /// Returns what the layer keeps for a database, if the file is one of a layer.
    ///
    /// # Safety
    /// `file` is null or an open file of SQLite, which nobody else uses meanwhile.
    pub(super) unsafe fn partner(
        file: *mut sqlite3_file,
    ) -> Option<Arc<dyn std::any::Any + Send + Sync>> {
        // SAFETY: a file that has this table is a handle.
        unsafe {
            if file.is_null() || !std::ptr::eq((*file).pMethods, &raw const METHODS) {
                return None;
            }
            (*file.cast::<Self>()).file.as_ref()?.partner()
        }
    }
}

/// Calls the layer for a file.
///
/// # Safety
/// `file` is an open handle, and SQLite makes no other call for it meanwhile.
unsafe fn with(
    file: *mut sqlite3_file,
    call: impl FnOnce(&mut dyn LayerFile, Below) -> Code,
) -> Code {
    // SAFETY: only handles have the table that leads here; between `begin` and `close` both files are open.
    unsafe {
        let below = Below::new(Handle::lower(file));
        match (*file.cast::<Handle>()).file.as_deref_mut() {
            Some(layer) => call(layer, below),
            None => ffi::SQLITE_MISUSE,
        }
    }
}

/// Passes a call on to the file below; `$none` is the answer when that has no such function.
macro_rules! pass {
    ($file:ident . $method:ident ( $($argument:expr),* ), $none:expr) => {{
        // SAFETY: the file below is open as long as the handle is, so it has its table.
        unsafe {
            let lower = Handle::lower($file);
            match (*(*lower).pMethods).$method {
                Some(method) => method(lower, $($argument),*),
                None => $none,
            }
        }
    }};
}

unsafe extern "C" fn close(file: *mut sqlite3_file) -> Code {
    // SAFETY: SQLite closes a file once; afterwards the handle is empty and its memory is SQLite's again.
    unsafe { (*file.cast::<Handle>()).file = None };
    let code = pass!(file.xClose(), ffi::SQLITE_OK);
    // SAFETY: as above. Without a table it is no open file any more.
    unsafe { (*file).pMethods = std::ptr::null() };
    code
}

unsafe extern "C" fn read(
    file: *mut sqlite3_file,
    out: *mut c_void,
    bytes: c_int,
    at: i64,
) -> Code {
    let (Ok(bytes), Ok(at)) = (usize::try_from(bytes), u64::try_from(at)) else {
        return ffi::SQLITE_IOERR_READ;
    };
    // SAFETY: SQLite lends `bytes` bytes at `out` for this call. They may never have been written to, but are
    // only written here before they are read.
    let out = unsafe { slice::from_raw_parts_mut(out.cast::<u8>(), bytes) };
    // SAFETY: SQLite calls this for open handles, one call at a time.
    unsafe { with(file, |layer, below| layer.read(below, out, at)) }
}

unsafe extern "C" fn write(
    file: *mut sqlite3_file,
    data: *const c_void,
    bytes: c_int,
    at: i64,
) -> Code {
    let (Ok(bytes), Ok(at)) = (usize::try_from(bytes), u64::try_from(at)) else {
        return ffi::SQLITE_IOERR_WRITE;
    };
    // SAFETY: SQLite lends `bytes` bytes at `data` for this call.
    let data = unsafe { slice::from_raw_parts(data.cast::<u8>(), bytes) };
    // SAFETY: SQLite calls this for open handles, one call at a time.
    unsafe { with(file, |layer, below| layer.write(below, data, at)) }
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, bytes: i64) -> Code {
    let Ok(bytes) = u64::try_from(bytes) else { return ffi::SQLITE_IOERR_TRUNCATE };
    // SAFETY: SQLite calls this for open handles, one call at a time.
    unsafe { with(file, |layer, below| layer.truncate(below, bytes)) }
}

unsafe extern "C" fn sync(file: *mut sqlite3_file, flags: c_int) -> Code {
    // SAFETY: SQLite calls this for open handles, one call at a time.
    unsafe { with(file, |layer, below| layer.sync(below, flags)) }
}

unsafe extern "C" fn size(file: *mut sqlite3_file, bytes: *mut i64) -> Code {
    pass!(file.xFileSize(bytes), ffi::SQLITE_IOERR_FSTAT)
}

unsafe extern "C" fn lock(file: *mut sqlite3_file, level: c_int) -> Code {
    pass!(file.xLock(level), ffi::SQLITE_OK)
}

unsafe extern "C" fn unlock(file: *mut sqlite3_file, level: c_int) -> Code {
    pass!(file.xUnlock(level), ffi::SQLITE_OK)
}

unsafe extern "C" fn check_reserved_lock(file: *mut sqlite3_file, held: *mut c_int) -> Code {
    pass!(file.xCheckReservedLock(held), ffi::SQLITE_OK)
}

unsafe extern "C" fn control(
    file: *mut sqlite3_file,
    operation: c_int,
    argument: *mut c_void,
) -> Code {
    if operation == ffi::SQLITE_FCNTL_MMAP_SIZE {
        // Mapped pages would be read without a check. SQLite takes back the size it may use: none.
        // SAFETY: the argument of this request is a 64-bit number.
        unsafe { *argument.cast::<i64>() = 0 };
        return ffi::SQLITE_OK;
    }
    let mut answer = None;
    // SAFETY: SQLite calls this for open handles, one call at a time.
    let code = unsafe {
        with(file, |layer, _| {
            answer = layer.control(operation, argument);
            ffi::SQLITE_OK
        })
    };
    if code != ffi::SQLITE_OK {
        return code;
    }
    answer.unwrap_or_else(|| pass!(file.xFileControl(operation, argument), ffi::SQLITE_NOTFOUND))
}

unsafe extern "C" fn sector_size(file: *mut sqlite3_file) -> c_int {
    pass!(file.xSectorSize(), 0)
}

unsafe extern "C" fn characteristics(file: *mut sqlite3_file) -> c_int {
    pass!(file.xDeviceCharacteristics(), 0)
}

unsafe extern "C" fn shm_map(
    file: *mut sqlite3_file,
    region: c_int,
    bytes: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> Code {
    // SAFETY: SQLite calls this for open handles, one call at a time.
    let code = unsafe { with(file, |layer, _| layer.index_map(extend != 0)) };
    if code != ffi::SQLITE_OK {
        // SAFETY: SQLite lends the pointer for this call.
        unsafe { *out = null_mut() };
        return code;
    }
    pass!(file.xShmMap(region, bytes, extend, out), {
        *out = null_mut();
        ffi::SQLITE_IOERR_SHMMAP
    })
}

unsafe extern "C" fn shm_lock(
    file: *mut sqlite3_file,
    offset: c_int,
    count: c_int,
    flags: c_int,
) -> Code {
    // SAFETY: SQLite calls this for open handles, one call at a time.
    unsafe {
        with(file, |layer, _| {
            layer.index_lock(offset, count, flags);
            ffi::SQLITE_OK
        });
    }
    pass!(file.xShmLock(offset, count, flags), ffi::SQLITE_IOERR_SHMLOCK)
}

unsafe extern "C" fn shm_barrier(file: *mut sqlite3_file) {
    pass!(file.xShmBarrier(), ());
}

unsafe extern "C" fn shm_unmap(file: *mut sqlite3_file, delete: c_int) -> Code {
    pass!(file.xShmUnmap(delete), ffi::SQLITE_OK)
}
