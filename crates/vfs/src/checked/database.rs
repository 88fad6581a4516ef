//! The database file: pages get their checksums here, and are checked here.

use std::{
    any::Any,
    collections::BTreeSet,
    ffi::{c_int, c_void},
    path::PathBuf,
    sync::Arc,
};

use rusqlite::ffi;

use super::{
    connection::{ASK_FORM, FORM_CHECKED, FORM_PLAIN, FORM_UNKNOWN},
    page::{self, Form},
    shared::Shared,
};
use crate::{
    PAGE_BYTES,
    damage::{self, Damage, Kind, Place},
    layer::{Below, Code, LayerFile},
    mark::Claim,
};

/// The lock of the log's index that a writer holds.
const WRITE_LOCK: c_int = 0;

pub(super) struct Database {
    path: PathBuf,
    shared: Arc<Shared>,
    /// A page that is being sealed, or read to check a part of it.
    page: Box<[u8; PAGE_BYTES]>,
    /// Pages that were written before the first page of a new database, which says what they need.
    early: BTreeSet<u32>,
}

impl Database {
    pub(super) fn new(path: PathBuf, shared: Shared) -> Self {
        Self {
            path,
            shared: Arc::new(shared),
            page: Box::new([0; PAGE_BYTES]),
            early: BTreeSet::new(),
        }
    }

    fn damaged(&self, number: u32, kind: Kind) -> Code {
        damage::report(Damage { path: self.path.clone(), place: Place::Page(number), kind });
        ffi::SQLITE_IOERR_DATA
    }

    /// Returns what the database is, from its first page when nobody has read that yet; `None` without one.
    fn form(&mut self, below: Below) -> Option<Form> {
        let known = self.shared.state().form;
        known.or_else(|| match below.read(&mut self.page[..], 0) {
            ffi::SQLITE_OK => page::form(&self.page),
            _ => None,
        })
    }

    /// Whether pages carry checksums.
    fn is_checked(&mut self, below: Below) -> bool {
        matches!(self.form(below), Some(Form::Checked { .. }))
    }

    /// Checks a page that was read whole.
    fn check(&mut self, below: Below, page: &[u8; PAGE_BYTES], number: u32) -> Code {
        if number == 1 {
            self.shared.state().form = page::form(page);
        }
        if !self.is_checked(below) {
            return ffi::SQLITE_OK;
        }
        page::check(page, number)
            .map_or_else(|kind| self.damaged(number, kind), |()| ffi::SQLITE_OK)
    }

    /// Judges a page that ends behind the end of the file; what lies there reads as zero.
    fn check_short(&mut self, below: Below, page: &[u8; PAGE_BYTES], number: u32) -> Code {
        let is_missing = match number {
            // A new database has no first page yet.
            1 => matches!(page::form(page), Some(Form::Checked { .. })),
            _ => self.form(below) == Some(Form::Checked { with_log: true }),
        };
        if is_missing { self.damaged(number, Kind::Missing) } else { ffi::SQLITE_IOERR_SHORT_READ }
    }

    /// Reads a part of a page, all of which is checked.
    fn read_part(&mut self, below: Below, out: &mut [u8], at: u64) -> Code {
        let within = usize::try_from(at % PAGE_BYTES as u64).unwrap_or(0);
        let number = number_at(at);
        let is_inside = within + out.len() <= PAGE_BYTES;
        // The header is read before it is known whether the log has a newer one, which makes up for a write
        // that the power cut short; and all of the first page is read, and checked, before any other.
        if number == 1 || !is_inside || !self.is_checked(below) {
            return below.read(out, at);
        }
        let mut page = std::mem::replace(&mut self.page, Box::new([0; PAGE_BYTES]));
        let code = self.read_page(below, &mut page, number);
        out.copy_from_slice(&page[within..within + out.len()]);
        self.page = page;
        code
    }

    fn read_page(&mut self, below: Below, out: &mut [u8; PAGE_BYTES], number: u32) -> Code {
        match below.read(out, place_of(number)) {
            ffi::SQLITE_OK => self.check(below, out, number),
            ffi::SQLITE_IOERR_SHORT_READ => self.check_short(below, out, number),
            code => code,
        }
    }

    /// Seals the pages that were written before it was known that they need it.
    fn seal_early(&mut self, below: Below) -> Code {
        while let Some(number) = self.early.first().copied() {
            let code = below.read(&mut self.page[..], place_of(number));
            if code != ffi::SQLITE_OK {
                return code;
            }
            page::seal(&mut self.page, number);
            let code = below.write(&self.page[..], place_of(number));
            if code != ffi::SQLITE_OK {
                return code;
            }
            self.early.remove(&number);
        }
        ffi::SQLITE_OK
    }

    /// Writes empty pages between the end of the file and a page behind it: every page must have a checksum.
    fn fill(&mut self, below: Below, number: u32) -> Code {
        let bytes = match below.bytes() {
            Ok(bytes) => bytes,
            Err(code) => return code,
        };
        for missing in number_at(bytes)..number {
            *self.page = [0; PAGE_BYTES];
            page::seal(&mut self.page, missing);
            let code = below.write(&self.page[..], place_of(missing));
            if code != ffi::SQLITE_OK {
                return code;
            }
        }
        ffi::SQLITE_OK
    }
}

impl LayerFile for Database {
    fn read(&mut self, below: Below, out: &mut [u8], at: u64) -> Code {
        match <&mut [u8; PAGE_BYTES]>::try_from(&mut *out) {
            Ok(page) if at.is_multiple_of(PAGE_BYTES as u64) => {
                self.read_page(below, page, number_at(at))
            }
            _ => self.read_part(below, out, at),
        }
    }

    fn write(&mut self, below: Below, data: &[u8], at: u64) -> Code {
        let page = <&[u8; PAGE_BYTES]>::try_from(data).ok();
        let Some(page) = page.filter(|_| at.is_multiple_of(PAGE_BYTES as u64)) else {
            return below.write(data, at);
        };
        let number = number_at(at);
        if number == 1 {
            // SQLite's own page has no tag, or an old one; only its header counts.
            self.shared.state().form = Some(page::form_in_log(page));
        }
        match self.form(below) {
            Some(Form::Plain) => return below.write(data, at),
            Some(Form::Checked { .. }) => {}
            None => {
                self.early.insert(number);
                return below.write(data, at);
            }
        }
        let code = match self.seal_early(below) {
            ffi::SQLITE_OK => self.fill(below, number),
            code => code,
        };
        if code != ffi::SQLITE_OK {
            return code;
        }
        *self.page = *page;
        page::seal(&mut self.page, number);
        below.write(&self.page[..], at)
    }

    fn truncate(&mut self, below: Below, bytes: u64) -> Code {
        let shrinks = below.bytes().is_ok_and(|now| bytes < now);
        if shrinks {
            // An old mark may ask for more pages than there will be.
            let pages = number_at(bytes) - 1;
            let mut state = self.shared.state();
            let claim = state.marker.claim().unwrap_or(Claim::Database { pages });
            let code = state.marker.lower(claim);
            if code != ffi::SQLITE_OK {
                return code;
            }
        }
        below.truncate(bytes)
    }

    fn control(&mut self, operation: c_int, argument: *mut c_void) -> Option<Code> {
        if operation != ASK_FORM || argument.is_null() {
            return None;
        }
        let answer = match self.shared.state().form {
            None => FORM_UNKNOWN,
            Some(Form::Plain) => FORM_PLAIN,
            Some(Form::Checked { .. }) => FORM_CHECKED,
        };
        // SAFETY: the argument of this request is a `c_int`, and nobody else knows its number.
        unsafe { *argument.cast::<c_int>() = answer };
        Some(ffi::SQLITE_OK)
    }

    fn index_lock(&mut self, offset: c_int, _count: c_int, flags: c_int) {
        if offset == WRITE_LOCK && flags & ffi::SQLITE_SHM_UNLOCK != 0 {
            // The transaction ended: its frames have their checksums, or are no part of the log.
            self.shared.state().unsealed.clear();
        }
    }

    fn partner(&self) -> Option<Arc<dyn Any + Send + Sync>> {
        Some(Arc::<Shared>::clone(&self.shared))
    }
}

/// Returns the number of the page at a place in the file.
fn number_at(at: u64) -> u32 {
    // SQLite has no page beyond 32 bits.
    u32::try_from(at / PAGE_BYTES as u64).unwrap_or(u32::MAX - 1) + 1
}

/// Returns where a page begins.
fn place_of(number: u32) -> u64 {
    u64::from(number.saturating_sub(1)) * PAGE_BYTES as u64
}
