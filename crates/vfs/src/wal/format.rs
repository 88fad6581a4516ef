//! How a write-ahead log is written: its header, its frames, its checksums.
//!
//! Source: <https://www.sqlite.org/fileformat2.html#the_write_ahead_log>

use crate::checked::{FRAME_HEADER_BYTES, LOG_HEADER_BYTES};

/// The first four bytes of a log, but for the last bit, which says in which order sums take bytes.
const MAGIC: u32 = 0x377f_0682;
/// The one version there is.
const VERSION: u32 = 3_007_000;
/// Smallest and largest page that SQLite knows, in bytes.
const PAGE_BYTES_MIN: u32 = 512;
const PAGE_BYTES_MAX: u32 = 65_536;
/// Where a frame's checksums stand in its header.
pub(crate) const SUMS_AT: usize = 16;
/// Bytes of a frame's header that its checksums cover: the page's number and the size of the database.
const COVERED: usize = 8;

/// The two running sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sums(u32, u32);

impl Sums {
    /// Reads the sums where they are stored.
    pub(crate) fn read(bytes: &[u8; 8]) -> Self {
        Self(number(bytes, 0), number(bytes, 4))
    }

    /// Continues the sums over bytes, eight at a time.
    fn add(self, bytes: &[u8], big_endian: bool) -> Self {
        let Self(mut first, mut second) = self;
        let (pairs, _) = bytes.as_chunks::<8>();
        for pair in pairs {
            let [a, b, c, d, e, f, g, h] = *pair;
            let (left, right) = if big_endian {
                (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]))
            } else {
                (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]))
            };
            first = first.wrapping_add(left).wrapping_add(second);
            second = second.wrapping_add(right).wrapping_add(first);
        }
        Self(first, second)
    }
}

/// The header of a log that matches its checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LogHeader {
    /// Whether sums take bytes in big-endian order.
    pub(crate) big_endian: bool,
    /// Bytes of a page.
    pub(crate) page_bytes: u32,
    /// The round's salts; the first is the upper half.
    pub(crate) salts: u64,
    /// What the first frame continues.
    pub(crate) sums: Sums,
}

impl LogHeader {
    /// Reads a header; `None` where SQLite would take the log for empty.
    pub(crate) fn read(bytes: &[u8; LOG_HEADER_BYTES]) -> Option<Self> {
        let magic = number(bytes, 0);
        let big_endian = magic & 1 == 1;
        let sums = Sums::default().add(&bytes[..24], big_endian);
        let (page_bytes, salts) = (number(bytes, 8), long(bytes, 16));
        let is_whole = magic & !1 == MAGIC
            && number(bytes, 4) == VERSION
            && page_bytes.is_power_of_two()
            && (PAGE_BYTES_MIN..=PAGE_BYTES_MAX).contains(&page_bytes)
            && sums == Sums(number(bytes, 24), number(bytes, 28));
        is_whole.then_some(Self { big_endian, page_bytes, salts, sums })
    }
}

/// The header of a frame, whether it fits or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    /// Number of the page in the database.
    pub(crate) page: u32,
    /// Pages of the database after a transaction that ends here; zero where none does.
    pub(crate) pages_after: u32,
    /// The round's salts.
    pub(crate) salts: u64,
    /// Sums over everything from the log's header to this page.
    pub(crate) sums: Sums,
}

impl FrameHeader {
    /// Reads the header at the start of a frame.
    pub(crate) fn read(frame: &[u8]) -> Self {
        Self {
            page: number(frame, 0),
            pages_after: number(frame, 4),
            salts: long(frame, 8),
            sums: Sums(number(frame, SUMS_AT), number(frame, SUMS_AT + 4)),
        }
    }
}

/// Returns whether a frame continues the sums before it.
pub(crate) fn continues(frame: &[u8], before: Sums, header: LogHeader) -> bool {
    let Some(page) = frame.get(FRAME_HEADER_BYTES..) else { return false };
    let sums = before.add(&frame[..COVERED], header.big_endian);
    let sums = sums.add(page, header.big_endian);
    sums == FrameHeader::read(frame).sums
}

/// Reads four bytes; zero where there are none.
fn number(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map_or(0, u32::from_be_bytes)
}

/// Reads eight bytes; zero where there are none.
fn long(bytes: &[u8], at: usize) -> u64 {
    u64::from(number(bytes, at)) << 32 | u64::from(number(bytes, at + 4))
}
