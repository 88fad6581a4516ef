//! A page of the database and the sixteen bytes at its end.

use twox_hash::XxHash3_64;

use crate::{PAGE_BYTES, damage::Kind};

/// Bytes that SQLite leaves to us at the end of each page.
pub(super) const RESERVED_BYTES: u8 = 16;
/// Where the tag stands: "EVH1", then the page's number; four bytes each.
const TAG_AT: usize = PAGE_BYTES - RESERVED_BYTES as usize;
/// Where the checksum stands, over everything before it; eight bytes.
const SUM_AT: usize = PAGE_BYTES - 8;
/// Tells our pages from those of others.
const TAG: [u8; 4] = *b"EVH1";

/// Where the header of the first page says how many bytes are reserved.
const RESERVED_AT: usize = 20;
/// Where it says how large pages are, in two bytes.
const SIZE_AT: usize = 16;
/// Where it says whether the database has a log: 2 then, or else 1.
const VERSION_AT: usize = 19;
const VERSION_WITH_LOG: u8 = 2;

/// What a first page says about its database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Pages have no checksums.
    Plain,
    /// Pages have checksums; with a log, no page is ever read that lies behind the end of the file.
    Checked { with_log: bool },
}

/// Writes tag, number and checksum into the end of a page.
pub(super) fn seal(page: &mut [u8; PAGE_BYTES], number: u32) {
    page[TAG_AT..TAG_AT + 4].copy_from_slice(&TAG);
    page[TAG_AT + 4..SUM_AT].copy_from_slice(&number.to_be_bytes());
    let sum = sum(&page[..SUM_AT]);
    page[SUM_AT..].copy_from_slice(&sum.to_be_bytes());
}

/// Checks the end of a page that was read from the place of page `number`.
pub(super) fn check(page: &[u8; PAGE_BYTES], number: u32) -> Result<(), Kind> {
    if page[SUM_AT..] != sum(&page[..SUM_AT]).to_be_bytes() || page[TAG_AT..TAG_AT + 4] != TAG {
        return Err(Kind::Changed);
    }
    let mut found = [0; 4];
    found.copy_from_slice(&page[TAG_AT + 4..SUM_AT]);
    let found = u32::from_be_bytes(found);
    if found == number { Ok(()) } else { Err(Kind::Misplaced { number: found }) }
}

/// Returns the checksum of bytes.
pub(super) fn sum(bytes: &[u8]) -> u64 {
    XxHash3_64::oneshot(bytes)
}

/// Returns what the first page of a database file says, if it is whole; `None` where none was written yet.
pub(super) fn form(first: &[u8; PAGE_BYTES]) -> Option<Form> {
    if reserves(first) || first[TAG_AT..TAG_AT + 4] == TAG {
        return Some(Form::Checked { with_log: first[VERSION_AT] == VERSION_WITH_LOG });
    }
    // Pages behind it may have been written before; then it is a hole.
    first.iter().any(|byte| *byte != 0).then_some(Form::Plain)
}

/// Returns what a first page in the log says, where the tag means nothing.
pub(super) fn form_in_log(first: &[u8; PAGE_BYTES]) -> Form {
    if reserves(first) {
        Form::Checked { with_log: first[VERSION_AT] == VERSION_WITH_LOG }
    } else {
        Form::Plain
    }
}

/// Whether the header reserves our bytes; only pages of our size can have them.
fn reserves(first: &[u8; PAGE_BYTES]) -> bool {
    let mut size = [0; 2];
    size.copy_from_slice(&first[SIZE_AT..SIZE_AT + 2]);
    first[RESERVED_AT] == RESERVED_BYTES && usize::from(u16::from_be_bytes(size)) == PAGE_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(number: u32) -> [u8; PAGE_BYTES] {
        let mut page = [0; PAGE_BYTES];
        for (index, byte) in page.iter_mut().enumerate() {
            *byte = u8::try_from((index * 31 + number as usize) % 251).unwrap();
        }
        seal(&mut page, number);
        page
    }

    #[test]
    fn every_single_flipped_bit_is_found() {
        let whole = page(7);
        assert_eq!(check(&whole, 7), Ok(()));
        for bit in 0..PAGE_BYTES * 8 {
            let mut flipped = whole;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(check(&flipped, 7).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_whole_page_at_the_wrong_place_is_named() {
        assert_eq!(check(&page(7), 9), Err(Kind::Misplaced { number: 7 }));
        assert_eq!(check(&[0; PAGE_BYTES], 9), Err(Kind::Changed), "no page is all zeros");
    }

    #[test]
    fn neither_the_tag_nor_the_header_alone_switches_the_checks_off() {
        let mut first = [0; PAGE_BYTES];
        assert_eq!(form(&first), None);
        first[0] = b'S';
        assert_eq!(form(&first), Some(Form::Plain));
        first[SIZE_AT..SIZE_AT + 2].copy_from_slice(&[0x10, 0x00]);
        first[RESERVED_AT] = RESERVED_BYTES;
        assert_eq!(form(&first), Some(Form::Checked { with_log: false }));
        seal(&mut first, 1);
        first[RESERVED_AT] = 0;
        assert_eq!(form(&first), Some(Form::Checked { with_log: false }));
        assert_eq!(form_in_log(&first), Form::Plain);
    }
}
