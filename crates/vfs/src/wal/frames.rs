//! Reading a log from its first frame to its last, those included that SQLite would not look at.

use std::{
    fs::File,
    io::{self, BufReader, ErrorKind, Read},
    path::Path,
};

use super::{
    WalDamage,
    format::{self, FrameHeader, LogHeader, Sums},
};
use crate::checked::{FRAME_BYTES, FRAME_HEADER_BYTES, LOG_HEADER_BYTES};

/// Bytes that are read at once: sixty-four frames.
const BUFFER_BYTES: usize = 64 * FRAME_BYTES;

/// What SQLite will find in a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Log {
    /// There is none, or nothing in it.
    Empty,
    /// One round, from its header on.
    Round {
        /// Its salts; the first is the upper half.
        salts: u64,
        /// How many frames belong to transactions that are whole.
        kept: u32,
        /// How many whole frames of the round lie behind those: of a transaction that was not finished, or
        /// that was rolled back.
        unfinished: u32,
    },
}

/// Reads a log to its end, and refuses one that proves that it was damaged.
pub(super) fn read(path: &Path) -> Result<Log, WalDamage> {
    let unreadable = |source| WalDamage::Unreadable { path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Log::Empty),
        Err(source) => return Err(unreadable(source)),
    };
    let mut file = BufReader::with_capacity(BUFFER_BYTES, file);
    let mut bytes = [0; LOG_HEADER_BYTES];
    if !fill(&mut file, &mut bytes).map_err(unreadable)? {
        return Ok(Log::Empty);
    }
    let Some(header) = LogHeader::read(&bytes) else {
        return if only_zeros(&mut file).map_err(unreadable)? {
            Ok(Log::Empty)
        } else {
            Err(WalDamage::Header { path: path.to_owned() })
        };
    };
    let mut scan = Scan::new(header);
    let mut frame = vec![0; FRAME_HEADER_BYTES + header.page_bytes as usize];
    while fill(&mut file, &mut frame).map_err(unreadable)? {
        scan.take(&frame);
    }
    scan.judge(path)
}

/// The frames of a log so far.
struct Scan {
    header: LogHeader,
    /// How many frames there were.
    frames: u32,
    /// How many of them fit, from the first on.
    whole: u32,
    /// How many of those belong to transactions that are whole.
    kept: u32,
    /// How many of the others have this round's salts.
    unfinished: u32,
    /// Sums of the frame before, as they are stored.
    before: Sums,
    /// Whether the frame before ends a transaction, continues the one before it and has this round's salts.
    before_ends: bool,
    /// The last frame of that kind behind the first that does not fit, if the one behind it continues it.
    durable: Option<u32>,
}

impl Scan {
    fn new(header: LogHeader) -> Self {
        Self {
            header,
            frames: 0,
            whole: 0,
            kept: 0,
            unfinished: 0,
            before: header.sums,
            before_ends: false,
            durable: None,
        }
    }

    fn take(&mut self, frame: &[u8]) {
        let header = FrameHeader::read(frame);
        let is_of_round = header.salts == self.header.salts;
        let fits =
            is_of_round && header.page != 0 && format::continues(frame, self.before, self.header);
        if fits && self.whole == self.frames {
            self.whole += 1;
            if header.pages_after != 0 {
                self.kept = self.whole;
            }
        } else {
            if fits && self.before_ends {
                self.durable = Some(self.frames);
            }
            self.unfinished += u32::from(is_of_round);
        }
        self.frames = self.frames.saturating_add(1);
        // In the part that fits, ends of transactions prove nothing about what lies behind.
        self.before_ends = fits && header.pages_after != 0 && self.whole < self.frames;
        self.before = header.sums;
    }

    fn judge(self, path: &Path) -> Result<Log, WalDamage> {
        let Self { header, whole, kept, unfinished, durable, .. } = self;
        if let Some(durable) = durable {
            let path = path.to_owned();
            return Err(WalDamage::Frame { path, frame: whole + 1, kept, durable });
        }
        Ok(Log::Round { salts: header.salts, kept, unfinished: unfinished + whole - kept })
    }
}

/// Fills a buffer; `false` when the file ends first.
fn fill(file: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match file.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether the rest of a file is nothing but zeros.
fn only_zeros(file: &mut impl Read) -> io::Result<bool> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok(true);
        }
        if buffer[..count].iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
    }
}
