//! Numbers and texts into bytes.
//!
//! Whole numbers take 7 bits a byte, the lowest first. A text that comes again is written as its number
//! among those that came so far; so are plans and intakes.

use std::sync::Arc;

use serde::Serialize;

use super::SnapshotError;
use crate::{
    domain::{policy::Plan, ticket::Intake, time::UnixMillis},
    routing::slab::Lookup,
};

/// What many have in common, by its number from 1.
pub(super) struct Numbers<'a, T: ?Sized> {
    by_value: Lookup<&'a T, u64>,
    by_place: Lookup<usize, u64>,
}

impl<T: ?Sized> Default for Numbers<'_, T> {
    fn default() -> Self {
        Self { by_value: Lookup::default(), by_place: Lookup::default() }
    }
}

impl<'a, T: std::hash::Hash + Eq> Numbers<'a, T> {
    /// Returns the number of a value; 0 the first time it comes.
    pub(super) fn of(&mut self, value: &'a Arc<T>) -> u64 {
        // Most are shared: where it lies tells which it is, faster than what is in it.
        let place = Arc::as_ptr(value).addr();
        if let Some(number) = self.by_place.get(&place) {
            return *number;
        }
        let found = self.by_value.get(&value.as_ref()).copied();
        let next = self.by_value.len() as u64 + 1;
        if found.is_none() {
            self.by_value.insert(value, next);
        }
        self.by_place.insert(place, found.unwrap_or(next));
        found.unwrap_or(0)
    }
}

/// Bytes in the making.
#[derive(Default)]
pub(super) struct Writer<'a> {
    pub(super) bytes: Vec<u8>,
    texts: Lookup<&'a str, u64>,
    pub(super) plans: Numbers<'a, Plan>,
    pub(super) intakes: Numbers<'a, Intake>,
}

impl<'a> Writer<'a> {
    pub(super) fn u64(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push((value & 0x7f) as u8);
    }

    pub(super) fn u32(&mut self, value: u32) {
        self.u64(u64::from(value));
    }

    pub(super) fn len(&mut self, value: usize) {
        self.u64(value as u64);
    }

    pub(super) fn bool(&mut self, value: bool) {
        self.bytes.push(u8::from(value));
    }

    /// Writes up to eight times yes or no.
    pub(super) fn flags<const N: usize>(&mut self, flags: [bool; N]) {
        const { assert!(N <= 8) };
        self.bytes.push(flags.iter().rev().fold(0, |byte, flag| byte << 1 | u8::from(*flag)));
    }

    /// Writes a number that may be below 0, small ones short.
    pub(super) fn i64(&mut self, value: i64) {
        self.u64(((value << 1) ^ (value >> 63)).cast_unsigned());
    }

    pub(super) fn time(&mut self, at: UnixMillis) {
        self.i64(at.0);
    }

    pub(super) fn maybe<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.bool(value.is_some());
        if let Some(value) = value {
            write(self, value);
        }
    }

    pub(super) fn maybe_time(&mut self, at: Option<UnixMillis>) {
        self.maybe(at, Self::time);
    }

    /// Writes thousandths as such, other numbers in full.
    pub(super) fn f64(&mut self, value: f64) {
        let thousandths = (value * 1000.0).round();
        if thousandths.abs() < 1e9 && (thousandths / 1000.0).to_bits() == value.to_bits() {
            #[expect(clippy::cast_possible_truncation, reason = "a whole number below 1e9")]
            let whole = thousandths as i64;
            self.i64(whole << 1);
        } else {
            self.i64(1);
            self.bytes.extend(value.to_bits().to_le_bytes());
        }
    }

    /// Writes a text that comes once.
    pub(super) fn text(&mut self, text: &str) {
        self.len(text.len());
        self.bytes.extend(text.as_bytes());
    }

    /// Writes a text that may come again.
    pub(super) fn known(&mut self, text: &'a str) {
        if let Some(number) = self.texts.get(&text) {
            return self.u64(*number);
        }
        let number = self.texts.len() as u64 + 1;
        self.texts.insert(text, number);
        self.u64(0);
        self.text(text);
    }

    /// Writes what is rare and has many fields in its form of the journal.
    pub(super) fn json(&mut self, value: &impl Serialize) -> Result<(), SnapshotError> {
        let json = serde_json::to_vec(value).map_err(|_| SnapshotError::Unwritable)?;
        self.len(json.len());
        self.bytes.extend(json);
        Ok(())
    }
}
