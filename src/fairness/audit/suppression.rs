//! Which groups are too small to be shown, and which others must go with them.
//!
//! A small group is left out so that nobody in it is exposed. Where the total is shown, leaving out
//! one group is not enough: it is the total less the others. So further groups are left out until
//! no hidden one follows from what is shown, and hidden ones taken together are no small group.

use std::collections::BTreeSet;

use serde::Serialize;

use super::strict::Distances;

/// Fewest tickets of a group that is shown.
pub const GROUP_TICKETS_MIN: u64 = 10;
/// What elimination leaves of a whole number that is 0.
const ROUNDING: f64 = 1e-9;

/// The groups left out when the measures are shown to others.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Suppression {
    /// Fewest tickets of a group that is shown.
    pub min_n: u64,
    /// Groups with fewer.
    pub suppressed: Vec<String>,
    /// Further groups to be left out, so that those cannot be recovered from the total.
    pub also_suppressed: Vec<String>,
    /// Distances between the groups that are large enough; `None` without any.
    pub strict_over_remaining: Option<Distances>,
}

/// Returns the cells to leave out beside those of fewer than [`GROUP_TICKETS_MIN`] tickets.
///
/// - `counts`: tickets of each cell.
/// - `lines`: places of cells whose sum is known. A hidden cell must not follow from any of them, nor
///   from several put together.
///
/// Of the cells that would do, the smallest goes, of equal ones the first.
///
/// Source: L. H. Cox, Suppression methodology and statistical disclosure control, Journal of the
/// American Statistical Association 75 (1980) 377–385.
#[must_use]
pub fn complementary(counts: &[u64], lines: &[Vec<usize>]) -> BTreeSet<usize> {
    let small = |place: &usize| (1..GROUP_TICKETS_MIN).contains(&counts[*place]);
    let mut hidden = closed(counts, lines, GROUP_TICKETS_MIN, &BTreeSet::new());
    hidden.retain(|place| !small(place));
    hidden
}

/// Returns all cells to leave out: those of fewer than `tickets_min` tickets, those that are `hidden`
/// anyway, and further ones as [`complementary`] has them. Cells without tickets hide nothing.
#[must_use]
pub fn closed(
    counts: &[u64],
    lines: &[Vec<usize>],
    tickets_min: u64,
    hidden: &BTreeSet<usize>,
) -> BTreeSet<usize> {
    let goes = |place: &usize| {
        counts[*place] > 0 && (counts[*place] < tickets_min || hidden.contains(place))
    };
    let mut hidden: BTreeSet<usize> = (0..counts.len()).filter(goes).collect();
    // Each round hides one more cell, or ends.
    while let Some(exposed) = exposed_lines(counts, lines, tickets_min, &hidden) {
        let cells = exposed.iter().flat_map(|line| line.iter());
        let open = cells.filter(|at| counts[**at] > 0 && !hidden.contains(at));
        let Some(next) = open.min_by_key(|at| (counts[**at], **at)) else { break };
        hidden.insert(*next);
    }
    hidden
}

/// Returns all cells to leave out where the sum of all is known.
#[must_use]
pub fn hidden(counts: &[u64], tickets_min: u64) -> BTreeSet<usize> {
    closed(counts, &[(0..counts.len()).collect()], tickets_min, &BTreeSet::new())
}

/// Returns lines in which another cell must be hidden; `None` when nothing is exposed.
fn exposed_lines<'a>(
    counts: &[u64],
    lines: &'a [Vec<usize>],
    tickets_min: u64,
    hidden: &BTreeSet<usize>,
) -> Option<Vec<&'a Vec<usize>>> {
    let can_help =
        |line: &&Vec<usize>| line.iter().any(|at| counts[*at] > 0 && !hidden.contains(at));
    let too_few = |line: &&Vec<usize>| {
        let inside: Vec<u64> =
            line.iter().filter(|at| hidden.contains(at)).map(|at| counts[*at]).collect();
        !inside.is_empty() && (inside.len() < 2 || inside.iter().sum::<u64>() < tickets_min)
    };
    if let Some(line) = lines.iter().filter(can_help).find(too_few) {
        return Some(vec![line]);
    }
    for place in recoverable(lines, hidden) {
        let around: Vec<_> =
            lines.iter().filter(|line| line.contains(&place)).filter(can_help).collect();
        if !around.is_empty() {
            return Some(around);
        }
    }
    None
}

/// Returns the hidden cells that follow from the sums of all lines together.
///
/// Each line is an equation in its hidden cells. A cell is determined if, after elimination, an
/// equation holds it alone.
fn recoverable(lines: &[Vec<usize>], hidden: &BTreeSet<usize>) -> Vec<usize> {
    let cells: Vec<usize> = hidden.iter().copied().collect();
    let row = |line: &Vec<usize>| -> Vec<f64> {
        cells.iter().map(|cell| f64::from(u8::from(line.contains(cell)))).collect()
    };
    let mut rows: Vec<Vec<f64>> = lines.iter().map(row).collect();
    let mut done = 0;
    for column in 0..cells.len() {
        let size = |row: &Vec<f64>| row[column].abs();
        let found = (done..rows.len()).max_by(|a, b| size(&rows[*a]).total_cmp(&size(&rows[*b])));
        let Some(found) = found.filter(|found| size(&rows[*found]) > ROUNDING) else { continue };
        rows.swap(done, found);
        let pivot = rows[done].clone();
        let others = rows.iter_mut().enumerate().filter(|(index, _)| *index != done);
        for (_, row) in others {
            let factor = row[column] / pivot[column];
            if factor.abs() > ROUNDING {
                row.iter_mut().zip(&pivot).for_each(|(cell, value)| *cell -= factor * value);
            }
        }
        done += 1;
    }
    let alone = |row: &Vec<f64>| {
        let mut filled = row.iter().enumerate().filter(|(_, value)| value.abs() > ROUNDING);
        filled.next().filter(|_| filled.next().is_none()).map(|(place, _)| cells[place])
    };
    rows.iter().filter_map(alone).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Hidden cells whose value is the same in every table with the same lines and shown cells.
    fn determined(counts: &[u64], lines: &[Vec<usize>], hidden: &BTreeSet<usize>) -> Vec<usize> {
        recoverable(lines, hidden).into_iter().filter(|cell| counts[*cell] > 0).collect()
    }

    #[test]
    fn one_small_group_takes_the_next_smallest_with_it() {
        let all = vec![vec![0, 1, 2]];
        assert_eq!(complementary(&[40, 4, 20], &all), [2].into());
        assert_eq!(complementary(&[40, 30, 20], &all), [].into());
        // Four and five together are no small group only with a third.
        assert_eq!(complementary(&[40, 4, 5], &all), [0].into());
        assert_eq!(complementary(&[40, 6, 5], &all), [].into());
        assert_eq!(complementary(&[40, 6, 5, 0], &[vec![0, 1, 2, 3]]), [].into());
    }

    #[test]
    fn what_is_hidden_anyway_stays_so_and_the_least_number_is_the_callers() {
        let all = vec![vec![0, 1, 2]];
        let closed = |min, hidden: &[usize]| {
            closed(&[40, 4, 20], &all, min, &hidden.iter().copied().collect())
        };
        assert_eq!(closed(4, &[]), [].into());
        assert_eq!(closed(5, &[]), [1, 2].into());
        assert_eq!(closed(4, &[0]), [0, 1].into());
        assert_eq!(closed(50, &[]), [0, 1, 2].into());
    }

    #[test]
    fn in_a_table_rows_and_columns_are_both_closed() {
        // Three by two; the small cell needs one in its row and one in its column, and those a fourth.
        let (counts, lines) = (
            [4, 50, 60, 70, 80, 20],
            vec![vec![0, 1], vec![2, 3], vec![4, 5], vec![0, 2, 4], vec![1, 3, 5]],
        );
        let also = complementary(&counts, &lines);
        let hidden: BTreeSet<usize> = also.iter().copied().chain([0]).collect();
        assert_eq!(determined(&counts, &lines, &hidden), Vec::<usize>::new());
        assert_eq!(hidden.len(), 4, "{hidden:?}");
    }

    proptest! {
        #[test]
        fn no_hidden_cell_follows_from_what_is_shown(
            counts in proptest::collection::vec(0_u64..60, 12),
        ) {
            // Three by four, with both margins.
            let rows = (0..3).map(|row| (0..4).map(|column| 4 * row + column).collect());
            let columns = (0..4).map(|column| (0..3).map(|row| 4 * row + column).collect());
            let lines: Vec<Vec<usize>> = rows.chain(columns).collect();
            let mut hidden = complementary(&counts, &lines);
            hidden.extend((0..12).filter(|at| (1..GROUP_TICKETS_MIN).contains(&counts[*at])));
            for cell in determined(&counts, &lines, &hidden) {
                // Only where there is nothing left to hide beside it.
                let around = lines.iter().filter(|line| line.contains(&cell)).flatten();
                prop_assert!(around.into_iter().all(|at| counts[*at] == 0 || hidden.contains(at)));
            }
        }
    }
}
