//! The write-ahead log: frames are checked when a page is read from them, and the mark follows its syncs.

use std::{ffi::c_int, path::PathBuf, sync::Arc};

use rusqlite::ffi;

use super::{
    page,
    shared::{Shared, State},
};
use crate::{
    PAGE_BYTES,
    damage::{self, Damage, Kind, Place},
    layer::{Below, Code, LayerFile},
    mark::{Claim, Position},
    wal::format::{self, FrameHeader, LogHeader, Sums},
};

/// Bytes of the log's header.
pub(crate) const LOG_HEADER_BYTES: usize = 32;
/// Bytes of a frame's header.
pub(crate) const FRAME_HEADER_BYTES: usize = 24;
/// Bytes of a frame: its header and its page.
pub(crate) const FRAME_BYTES: usize = FRAME_HEADER_BYTES + PAGE_BYTES;

pub(super) struct Log {
    path: PathBuf,
    shared: Arc<Shared>,
    /// The header, as written or read last.
    header: Option<LogHeader>,
    /// The frame whose header was written just now, if that has its checksum.
    begun: Option<u32>,
    /// The end of a transaction that was written and not synced yet.
    ended: Option<Position>,
    frame: Box<[u8; FRAME_BYTES]>,
}

/// What a read or write of the log is about, by its place and length.
enum Part {
    Header,
    FrameHeader(u32),
    Page(u32),
    Frame(u32),
    Other,
}

impl Part {
    fn of(at: u64, bytes: usize) -> Self {
        if (at, bytes) == (0, LOG_HEADER_BYTES) {
            return Self::Header;
        }
        let Some(behind) = at.checked_sub(LOG_HEADER_BYTES as u64) else { return Self::Other };
        let within = behind % FRAME_BYTES as u64;
        let Ok(frame) = u32::try_from(behind / FRAME_BYTES as u64 + 1) else { return Self::Other };
        match (within, bytes) {
            (0, FRAME_HEADER_BYTES) => Self::FrameHeader(frame),
            (0, FRAME_BYTES) => Self::Frame(frame),
            (within, PAGE_BYTES) if within == FRAME_HEADER_BYTES as u64 => Self::Page(frame),
            _ => Self::Other,
        }
    }
}

impl Log {
    pub(super) fn new(path: PathBuf, shared: Arc<Shared>) -> Self {
        let frame = Box::new([0; FRAME_BYTES]);
        Self { path, shared, header: None, begun: None, ended: None, frame }
    }

    fn damaged(&self, frame: u32, kind: Kind) -> Code {
        damage::report(Damage { path: self.path.clone(), place: Place::Frame(frame), kind });
        ffi::SQLITE_IOERR_DATA
    }

    /// Reads a page, whose frame must match its checksum.
    fn read_page(&mut self, below: Below, out: &mut [u8], frame: u32) -> Code {
        let code = below.read(&mut self.frame[..], place_of(frame));
        out.copy_from_slice(&self.frame[FRAME_HEADER_BYTES..]);
        match code {
            ffi::SQLITE_OK => {}
            ffi::SQLITE_IOERR_SHORT_READ => return self.damaged(frame, Kind::Missing),
            code => return code,
        }
        let unsealed = self.shared.state().unsealed.get(&frame).copied();
        let is_whole = match unsealed {
            Some(sum) => page::sum(out) == sum,
            None => match self.is_sealed(below, frame) {
                Ok(is_whole) => is_whole,
                Err(code) => return code,
            },
        };
        if !is_whole {
            return self.damaged(frame, Kind::Changed);
        }
        if FrameHeader::read(&self.frame[..]).page == 1
            && let Ok(first) = <&[u8; PAGE_BYTES]>::try_from(&*out)
        {
            self.shared.state().form = Some(page::form_in_log(first));
        }
        ffi::SQLITE_OK
    }

    /// Whether the frame read last continues the checksums of the one before it.
    fn is_sealed(&mut self, below: Below, frame: u32) -> Result<bool, Code> {
        let kept = self.header.filter(|_| frame != 1);
        if let Some(header) = kept
            && format::continues(&self.frame[..], self.sums_before(below, frame, header)?, header)
        {
            return Ok(true);
        }
        // Another connection may have begun the log anew, even in another order of bytes.
        let mut bytes = [0; LOG_HEADER_BYTES];
        match below.read(&mut bytes, 0) {
            ffi::SQLITE_OK => self.header = LogHeader::read(&bytes),
            code => return Err(code),
        }
        let Some(header) = self.header else { return Ok(false) };
        Ok(format::continues(&self.frame[..], self.sums_before(below, frame, header)?, header))
    }

    /// Returns the checksums that a frame continues.
    fn sums_before(&self, below: Below, frame: u32, header: LogHeader) -> Result<Sums, Code> {
        if frame == 1 {
            return Ok(header.sums);
        }
        let mut sums = [0; 8];
        match below.read(&mut sums, place_of(frame - 1) + format::SUMS_AT as u64) {
            ffi::SQLITE_OK => Ok(Sums::read(&sums)),
            code => Err(code),
        }
    }

    /// Looks at a frame that SQLite reads whole: to recover, when it judges by itself, or to mend checksums.
    fn read_frame(&mut self, below: Below, out: &mut [u8], frame: u32, at: u64) -> Code {
        let code = below.read(out, at);
        let unsealed = self.shared.state().unsealed.get(&frame).copied();
        match unsealed {
            // A changed page would get a checksum that is right.
            Some(sum) if code == ffi::SQLITE_OK && page::sum(&out[FRAME_HEADER_BYTES..]) != sum => {
                self.damaged(frame, Kind::Changed)
            }
            _ => code,
        }
    }

    /// Notes the header of a frame before it is written.
    fn note_header(&mut self, data: &[u8], frame: u32) -> Code {
        let header = FrameHeader::read(data);
        let mut state = self.shared.state();
        let code = take_back(&mut state, frame);
        if code != ffi::SQLITE_OK {
            return code;
        }
        let is_sealed = header.salts != 0;
        if is_sealed {
            state.unsealed.remove(&frame);
        }
        drop(state);
        self.begun = is_sealed.then_some(frame);
        if header.pages_after != 0 {
            self.ended = Some(Position { salts: header.salts, frames: frame });
        }
        ffi::SQLITE_OK
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        // A log is deleted after it was closed; what was claimed of it counts no longer.
        self.shared.state().marker.forget();
    }
}

/// Lowers a mark that counts a frame which is about to be overwritten.
///
/// That happens when a transaction was durable and SQLite still called it failed, as when the index of the log
/// could not grow: it is written over by the next one.
fn take_back(state: &mut State, frame: u32) -> Code {
    match state.marker.claim() {
        Some(Claim::Log(Position { salts, frames })) if frames >= frame => {
            let position = Position { salts, frames: frame - 1 };
            state.marker.lower(Claim::Log(position))
        }
        _ => ffi::SQLITE_OK,
    }
}

impl LayerFile for Log {
    fn read(&mut self, below: Below, out: &mut [u8], at: u64) -> Code {
        match Part::of(at, out.len()) {
            Part::Page(frame) => self.read_page(below, out, frame),
            Part::Frame(frame) => self.read_frame(below, out, frame, at),
            Part::Header | Part::FrameHeader(_) | Part::Other => below.read(out, at),
        }
    }

    fn write(&mut self, below: Below, data: &[u8], at: u64) -> Code {
        let begun = self.begun.take();
        match Part::of(at, data.len()) {
            Part::Header => {
                // A new round: everything before is in the database, and newer salts say so.
                self.ended = None;
                self.shared.state().marker.forget();
            }
            Part::FrameHeader(frame) => {
                let code = self.note_header(data, frame);
                if code != ffi::SQLITE_OK {
                    return code;
                }
            }
            Part::Page(frame) if begun != Some(frame) => {
                self.shared.state().unsealed.insert(frame, page::sum(data));
            }
            Part::Page(_) | Part::Frame(_) | Part::Other => {}
        }
        below.write(data, at)
    }

    fn truncate(&mut self, below: Below, bytes: u64) -> Code {
        let mut state = self.shared.state();
        let keeps = match state.marker.claim() {
            Some(Claim::Log(Position { frames, .. })) => {
                bytes >= place_of(frames.saturating_add(1))
            }
            _ => false,
        };
        if !keeps {
            // SQLite cuts off what is in the database, and synced; the mark must not ask for it.
            let code = state.marker.lower_to_database();
            if code != ffi::SQLITE_OK {
                return code;
            }
        }
        drop(state);
        below.truncate(bytes)
    }

    fn sync(&mut self, below: Below, flags: c_int) -> Code {
        let code = below.sync(flags);
        if code == ffi::SQLITE_OK
            && let Some(position) = self.ended.take()
        {
            self.shared.state().marker.raise(Claim::Log(position));
        }
        code
    }
}

/// Returns where a frame begins.
fn place_of(frame: u32) -> u64 {
    u64::from(frame.saturating_sub(1)) * FRAME_BYTES as u64 + LOG_HEADER_BYTES as u64
}
