//! Checksums of records: what is read is what was written.

use std::hash::Hasher;

use twox_hash::XxHash3_64;

use super::database::Value;

/// Returns the checksum of a record's values, in order: XXH3 with 64 bits.
///
/// It finds accidents, not forgers. Each value goes in with its type and length, so that no two different
/// records look the same to it.
pub(super) fn of(values: &[Value<'_>]) -> i64 {
    let mut hash = XxHash3_64::new();
    for value in values {
        let integer;
        let (tag, bytes): (u8, &[u8]) = match value {
            Value::Null => (0, &[]),
            Value::Integer(number) => {
                integer = number.to_le_bytes();
                (1, &integer)
            }
            Value::Text(text) => (2, text.as_bytes()),
            Value::Bytes(bytes) => (3, bytes),
        };
        hash.write(&[tag]);
        hash.write(&(bytes.len() as u64).to_le_bytes());
        hash.write(bytes);
    }
    hash.finish().cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_that_of_the_definition() {
        let mut bytes = vec![2];
        bytes.extend(3u64.to_le_bytes());
        bytes.extend(b"abc");
        let expected = XxHash3_64::oneshot(&bytes).cast_signed();
        assert_eq!(of(&["abc".into()]), expected);
    }

    #[test]
    fn values_cannot_move_from_one_column_to_the_next() {
        let pairs: [[Value<'_>; 2]; 5] = [
            ["ab".into(), "c".into()],
            ["a".into(), "bc".into()],
            ["abc".into(), "".into()],
            ["abc".into(), Value::Null],
            [Value::Null, "abc".into()],
        ];
        let mut sums: Vec<_> = pairs.iter().map(|pair| of(pair)).collect();
        sums.sort_unstable();
        sums.dedup();
        assert_eq!(sums.len(), pairs.len());
    }
}
