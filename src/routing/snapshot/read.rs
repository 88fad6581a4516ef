//! Numbers and texts from bytes. Whatever is read is checked against what is left, so that a length that
//! is wrong asks for no memory.

use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::SnapshotError;
use crate::domain::{policy::Plan, ticket::Intake, time::UnixMillis};

/// Furthest time that is read, before or after 1970, in milliseconds (some 4,400 years): with any two of
/// them one can reckon in microseconds.
const TIME_MS_MAX: u64 = 1 << 47;
/// Highest count that is read: so far above what is ever counted that adding to it is safe.
const COUNT_MAX: u64 = 1 << 62;
/// The same for counts of 32 bits.
const SMALL_COUNT_MAX: u32 = 1 << 30;

/// Bytes to be read, and what was read so far that others share.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    length: usize,
    texts: Vec<Arc<str>>,
    pub(super) plans: Vec<Arc<Plan>>,
    pub(super) intakes: Vec<Arc<Intake>>,
}

/// What is read, or what is wrong with the bytes.
pub(super) type Read<T> = Result<T, SnapshotError>;

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let (plans, intakes) = (Vec::new(), Vec::new());
        Self { rest: bytes, length: bytes.len(), texts: Vec::new(), plans, intakes }
    }

    /// Returns what to say of bytes that cannot be `what`.
    pub(super) fn no(&self, what: &'static str) -> SnapshotError {
        SnapshotError::Damaged { what, at_byte: self.length - self.rest.len() }
    }

    /// Returns a value, or says that the bytes cannot be `what`.
    pub(super) fn some<T>(&self, value: Option<T>, what: &'static str) -> Read<T> {
        value.ok_or_else(|| self.no(what))
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn take(&mut self, bytes: usize) -> Read<&'a [u8]> {
        let (taken, rest) = self.some(self.rest.split_at_checked(bytes), "so many bytes")?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> Read<u8> {
        let (first, rest) = self.some(self.rest.split_first(), "one more byte")?;
        self.rest = rest;
        Ok(*first)
    }

    pub(super) fn u64(&mut self) -> Read<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(self.no("a number"))
    }

    pub(super) fn u32(&mut self) -> Read<u32> {
        let value = self.u64()?;
        self.some(u32::try_from(value).ok(), "a number of 32 bits")
    }

    /// Reads a number that goes up by one now and then.
    pub(super) fn count(&mut self) -> Read<u64> {
        let value = self.u64()?;
        self.some((value <= COUNT_MAX).then_some(value), "a count")
    }

    pub(super) fn small_count(&mut self) -> Read<u32> {
        let value = self.u32()?;
        self.some((value <= SMALL_COUNT_MAX).then_some(value), "a small count")
    }

    /// Returns whether so many things can follow that take at least so many bytes each.
    pub(super) fn has(&self, things: usize, bytes_each: usize) -> bool {
        things <= self.rest.len() / bytes_each
    }

    /// Reads how many things follow that take at least so many bytes each.
    pub(super) fn len(&mut self, bytes_each: usize) -> Read<usize> {
        let value = self.u64()?;
        let len = usize::try_from(value).ok();
        self.some(len.filter(|len| self.has(*len, bytes_each)), "a length")
    }

    pub(super) fn bool(&mut self) -> Read<bool> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.no("yes or no")),
        }
    }

    pub(super) fn flags<const N: usize>(&mut self) -> Read<[bool; N]> {
        let byte = self.byte()?;
        let known = u32::from(byte) < 1 << N;
        self.some(known.then(|| std::array::from_fn(|at| byte >> at & 1 == 1)), "flags")
    }

    /// Reads which of a few it is.
    pub(super) fn one_of<T: Copy>(&mut self, all: &[T]) -> Read<T> {
        let at = usize::from(self.byte()?);
        self.some(all.get(at).copied(), "one of a few")
    }

    pub(super) fn i64(&mut self) -> Read<i64> {
        let value = self.u64()?;
        Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    pub(super) fn time(&mut self) -> Read<UnixMillis> {
        let at = self.i64()?;
        self.as_time(at)
    }

    pub(super) fn as_time(&self, at: i64) -> Read<UnixMillis> {
        self.some((at.unsigned_abs() <= TIME_MS_MAX).then_some(UnixMillis(at)), "a time")
    }

    pub(super) fn maybe<T>(&mut self, read: impl FnOnce(&mut Self) -> Read<T>) -> Read<Option<T>> {
        if self.bool()? { read(self).map(Some) } else { Ok(None) }
    }

    pub(super) fn maybe_time(&mut self) -> Read<Option<UnixMillis>> {
        self.maybe(Self::time)
    }

    /// Reads a list of things that take at least so many bytes each.
    pub(super) fn list<T>(
        &mut self,
        bytes_each: usize,
        mut read: impl FnMut(&mut Self) -> Read<T>,
    ) -> Read<Vec<T>> {
        let len = self.len(bytes_each)?;
        let mut list = Vec::with_capacity(len);
        for _ in 0..len {
            list.push(read(self)?);
        }
        Ok(list)
    }

    pub(super) fn f64(&mut self) -> Read<f64> {
        let value = self.i64()?;
        let number = if value == 1 {
            let bits = self.take(8)?.try_into().map_err(|_| self.no("a number"))?;
            f64::from_bits(u64::from_le_bytes(bits))
        } else {
            let whole = i32::try_from(value >> 1).ok().filter(|_| value & 1 == 0);
            f64::from(self.some(whole, "thousandths")?) / 1000.0
        };
        self.some(number.is_finite().then_some(number), "a finite number")
    }

    pub(super) fn text(&mut self) -> Read<&'a str> {
        let len = self.len(1)?;
        let bytes = self.take(len)?;
        self.some(std::str::from_utf8(bytes).ok(), "a text")
    }

    pub(super) fn known(&mut self) -> Read<Arc<str>> {
        let number = self.u64()?;
        let Some(at) = number.checked_sub(1) else {
            let text: Arc<str> = self.text()?.into();
            self.texts.push(text.clone());
            return Ok(text);
        };
        let known = usize::try_from(at).ok().and_then(|at| self.texts.get(at));
        self.some(known.cloned(), "a text that came before")
    }

    pub(super) fn json<T: DeserializeOwned>(&mut self, what: &'static str) -> Read<T> {
        let len = self.len(1)?;
        let json = self.take(len)?;
        self.some(serde_json::from_slice(json).ok(), what)
    }
}
