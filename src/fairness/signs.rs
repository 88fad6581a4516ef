//! Whether changes go one way more often than the other.

use serde::Serialize;

use super::distributions::sign_two_sided;

/// How often something rose and fell, and how probable so uneven a count is when neither is likelier.
///
/// Of decisions that differ between the two texts of a pair it is McNemar's exact test.
///
/// Sources: J. Arbuthnot, Philosophical Transactions 27 (1710) 186–190; Q. McNemar, Psychometrika 12
/// (1947) 153–157.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct SignTest {
    /// How often it rose.
    pub up: u64,
    /// How often it fell.
    pub down: u64,
    /// Two-sided probability; `None` when nothing changed.
    pub p: Option<f64>,
}

impl SignTest {
    /// Counts signs; what is equal counts on neither side.
    #[must_use]
    pub fn of(changes: impl IntoIterator<Item = f64>) -> Self {
        let (mut up, mut down) = (0, 0);
        for change in changes {
            up += u64::from(change > 0.0);
            down += u64::from(change < 0.0);
        }
        Self { up, down, p: sign_two_sided(up, down) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_leave_out_what_is_equal() {
        let test = SignTest::of([0.2, 0.1, 0.0, -0.3, 0.4, 0.5]);
        assert_eq!((test.up, test.down), (4, 1));
        // Of 32 ways for five signs, twelve are as uneven: none or one of either kind.
        assert!((test.p.unwrap() - 12.0 / 32.0).abs() < 1e-12);
        assert_eq!(SignTest::of([0.0]).p, None);
    }
}
