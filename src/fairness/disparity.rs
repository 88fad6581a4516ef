//! How far rates of groups lie apart.
//!
//! Rates are compared as fractions, by cross-multiplying their counts: 3/5 against 3/4 is exactly
//! four fifths, while 0.6 / 0.75 is 0.799… in floating point.

use std::cmp::Ordering;

use super::rates::Rate;

/// A group and its rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group<'a> {
    /// Name, for example a segment's value.
    pub name: &'a str,
    /// The rate.
    pub rate: Rate,
}

/// The groups with the lowest and the highest rate; of equal ones, the first by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disparity<'a> {
    /// The group with the lowest rate.
    pub lowest: Group<'a>,
    /// The group with the highest rate: the reference of the four-fifths rule.
    pub highest: Group<'a>,
    /// How many groups have a rate. With one, there is nothing to compare.
    pub group_count: usize,
}

impl Disparity<'_> {
    /// Returns the highest rate minus the lowest, 0 to 1.
    #[must_use]
    pub fn difference(&self) -> f64 {
        let (low, high) = (self.lowest.rate, self.highest.rate);
        let common = product(low.count(), high.count());
        let distance = product(high.hits(), low.count()) - product(low.hits(), high.count());
        distance as f64 / common as f64
    }

    /// Returns the lowest rate divided by the highest, 0 to 1; `None` when all rates are 0.
    #[must_use]
    pub fn ratio(&self) -> Option<f64> {
        ratio(self.lowest.rate, self.highest.rate)
    }
}

/// Returns the groups with the lowest and the highest rate; `None` when no group has a rate.
///
/// Groups without tickets (0 / 0) are left out. The order of the groups does not matter.
#[must_use]
pub fn disparity<'a>(groups: &[Group<'a>]) -> Option<Disparity<'a>> {
    let defined: Vec<_> = groups.iter().copied().filter(|group| group.rate.count() > 0).collect();
    let by_rate = |a: &Group<'_>, b: &Group<'_>| compare(a.rate, b.rate);
    let lowest = defined.iter().min_by(|a, b| by_rate(a, b).then(a.name.cmp(b.name)))?;
    let highest = defined.iter().min_by(|a, b| by_rate(b, a).then(a.name.cmp(b.name)))?;
    Some(Disparity { lowest: *lowest, highest: *highest, group_count: defined.len() })
}

/// Returns `rate` divided by `reference`; `None` when either has no tickets or the reference is 0.
#[must_use]
pub fn ratio(rate: Rate, reference: Rate) -> Option<f64> {
    let divisor = product(reference.hits(), rate.count());
    // Both counts must be there: 0 tickets would make the divisor 0 too.
    (divisor > 0).then(|| product(rate.hits(), reference.count()) as f64 / divisor as f64)
}

/// Returns whether `rate` is below four fifths of `reference`; `None` when either has no tickets.
///
/// This is the rule of thumb of the U.S. Uniform Guidelines on Employee Selection Procedures,
/// 29 CFR 1607.4(D): a selection rate below four fifths (80 %) of the group with the highest rate
/// is generally regarded as evidence of adverse impact. Exactly four fifths is not below. It is a
/// flag for people to look into, not a proof: small groups cross it by chance.
#[must_use]
pub fn below_four_fifths(rate: Rate, reference: Rate) -> Option<bool> {
    if rate.count() == 0 || reference.count() == 0 {
        return None;
    }
    let scaled = 5 * product(rate.hits(), reference.count());
    Some(scaled < 4 * product(reference.hits(), rate.count()))
}

/// Orders two rates that both have tickets.
fn compare(a: Rate, b: Rate) -> Ordering {
    product(a.hits(), b.count()).cmp(&product(b.hits(), a.count()))
}

/// Multiplies two counts without overflow.
fn product(a: u64, b: u64) -> u128 {
    u128::from(a) * u128::from(b)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_rate() -> impl Strategy<Value = Rate> {
        (0_u64..40).prop_flat_map(|count| (0..=count).prop_map(move |hits| Rate::of(hits, count)))
    }

    fn named<'a>(names: &'a [String], rates: &[Rate]) -> Vec<Group<'a>> {
        names.iter().zip(rates).map(|(name, rate)| Group { name, rate: *rate }).collect()
    }

    #[test]
    fn exactly_four_fifths_is_not_below_even_where_floating_point_says_so() {
        let (rate, reference) = (Rate::of(3, 5), Rate::of(3, 4));
        assert!(rate.value().unwrap() / reference.value().unwrap() < 0.8, "the trap is there");
        assert_eq!(below_four_fifths(rate, reference), Some(false));
        assert_eq!(ratio(rate, reference), Some(0.8));
        assert_eq!(below_four_fifths(Rate::of(2999, 5000), Rate::of(3, 4)), Some(true));
    }

    #[test]
    fn nothing_is_said_about_a_group_without_tickets() {
        assert_eq!(below_four_fifths(Rate::of(0, 0), Rate::of(1, 2)), None);
        assert_eq!(below_four_fifths(Rate::of(1, 2), Rate::of(0, 0)), None);
        assert_eq!(ratio(Rate::of(0, 0), Rate::of(1, 2)), None);
        assert_eq!(disparity(&[Group { name: "empty", rate: Rate::of(0, 0) }]), None);
    }

    #[test]
    fn nobody_selected_anywhere_has_no_ratio_and_raises_no_flag() {
        assert_eq!(ratio(Rate::of(0, 3), Rate::of(0, 5)), None);
        assert_eq!(below_four_fifths(Rate::of(0, 3), Rate::of(0, 5)), Some(false));
    }

    #[test]
    fn equal_groups_are_named_by_the_first_name_whatever_their_order() {
        let names = ["b".to_owned(), "a".to_owned()];
        let found = disparity(&named(&names, &[Rate::of(1, 2), Rate::of(2, 4)])).unwrap();
        assert_eq!((found.lowest.name, found.highest.name), ("a", "a"));
        assert_eq!((found.difference(), found.ratio()), (0.0, Some(1.0)));
    }

    proptest! {
        #[test]
        fn the_extremes_are_those_of_every_pair(rates in proptest::collection::vec(any_rate(), 0..8)) {
            let names: Vec<_> = (0..rates.len()).map(|index| format!("group{index}")).collect();
            let found = disparity(&named(&names, &rates));
            let values: Vec<_> = rates.iter().filter_map(|rate| rate.value()).collect();
            let Some(found) = found else {
                prop_assert!(values.is_empty());
                return Ok(());
            };
            prop_assert_eq!(found.group_count, values.len());
            let pairs = values.iter().flat_map(|a| values.iter().map(move |b| (*a, *b)));
            let widest = pairs.clone().map(|(a, b)| a - b).fold(0.0, f64::max);
            prop_assert!((found.difference() - widest).abs() < 1e-12);
            let smallest = pairs.filter(|(_, b)| *b > 0.0).map(|(a, b)| a / b).reduce(f64::min);
            match (found.ratio(), smallest) {
                (Some(ratio), Some(smallest)) => prop_assert!((ratio - smallest).abs() < 1e-12),
                (ratio, smallest) => prop_assert_eq!(ratio, smallest),
            }
        }

        #[test]
        fn the_order_of_groups_does_not_matter(
            rates in proptest::collection::vec(any_rate(), 1..8),
            turn in 0_usize..8,
        ) {
            let names: Vec<_> = (0..rates.len()).map(|index| format!("group{index}")).collect();
            let mut groups = named(&names, &rates);
            let before = disparity(&groups);
            groups.rotate_left(turn % rates.len());
            prop_assert_eq!(disparity(&groups), before);
            groups.reverse();
            prop_assert_eq!(disparity(&groups), before);
        }

        #[test]
        fn the_flag_agrees_with_the_ratio_away_from_the_edge(a in any_rate(), b in any_rate()) {
            if let Some(ratio) = ratio(a, b) && (ratio - 0.8).abs() > 1e-12 {
                prop_assert_eq!(below_four_fifths(a, b), Some(ratio < 0.8));
            }
        }

        #[test]
        fn one_ticket_decides_the_flag_however_many_there_are(scale in 1_u64..1 << 58) {
            // 4 of 5 against everybody, in groups of up to 2⁶⁰ tickets.
            let everybody = Rate::of(scale, scale);
            let flag = |hits| below_four_fifths(Rate::of(hits, 5 * scale), everybody);
            prop_assert_eq!(flag(4 * scale), Some(false));
            prop_assert_eq!(flag(4 * scale - 1), Some(true));
        }
    }
}
