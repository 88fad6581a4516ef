//! Whose tickets are compared: the values of an attribute, with small groups put together.

use std::collections::{BTreeMap, BTreeSet};

use super::audit::closed;
use crate::domain::limits::ACCUMULATED_SEGMENTS_MAX;

/// The groups of one attribute.
#[derive(Clone, Debug, PartialEq)]
pub struct Grouping {
    /// Values by name; `None`, the last if it is there, for small groups together.
    pub names: Vec<Option<String>>,
    /// The group of each ticket; `None` where the attribute is not declared.
    pub members: Vec<Option<usize>>,
    /// Values that were put together.
    pub put_together: usize,
}

impl Grouping {
    /// Groups tickets by their values.
    ///
    /// Values of fewer than `tickets_min` tickets become one group, with further ones until it follows
    /// from the total that there are several, and `tickets_min` tickets, in it. From then on it is treated
    /// as any other group is. Of very many values the largest are kept apart.
    #[must_use]
    pub fn of(values: &[Option<&str>], tickets_min: u64) -> Self {
        let mut sizes: BTreeMap<&str, u64> = BTreeMap::new();
        for value in values.iter().flatten() {
            *sizes.entry(value).or_default() += 1;
        }
        let counts: Vec<u64> = sizes.values().copied().collect();
        let hidden = put_together(&counts, tickets_min);
        Self::without(values, &sizes, &hidden)
    }

    /// Groups tickets by their values, each of which may be shown.
    #[must_use]
    pub fn apart(values: &[Option<&str>]) -> Self {
        let sizes = values.iter().flatten().map(|value| (*value, 1)).collect();
        Self::without(values, &sizes, &BTreeSet::new())
    }

    fn without(
        values: &[Option<&str>],
        sizes: &BTreeMap<&str, u64>,
        hidden: &BTreeSet<usize>,
    ) -> Self {
        let apart = sizes.keys().enumerate().filter(|(place, _)| !hidden.contains(place));
        let apart: Vec<&str> = apart.map(|(_, name)| *name).collect();
        let together = apart.len();
        let place = |value: &str| apart.binary_search(&value).unwrap_or(together);
        let mut names: Vec<Option<String>> =
            apart.iter().map(|name| Some((*name).to_owned())).collect();
        if !hidden.is_empty() {
            names.push(None);
        }
        let members = values.iter().map(|value| value.map(place)).collect();
        Self { names, members, put_together: hidden.len() }
    }

    /// Returns the items of each group.
    #[must_use]
    pub fn split<'a, T>(&self, items: &'a [T]) -> Vec<Vec<&'a T>> {
        let mut groups: Vec<Vec<&T>> = vec![Vec::new(); self.names.len()];
        for (item, member) in items.iter().zip(&self.members) {
            if let Some(group) = member.and_then(|place| groups.get_mut(place)) {
                group.push(item);
            }
        }
        groups
    }

    /// Returns how many tickets declare the attribute.
    #[must_use]
    pub fn declared(&self) -> u64 {
        self.members.iter().flatten().count() as u64
    }
}

/// Returns the places of groups, by their tickets, that are put together: see [`Grouping::of`].
pub(super) fn put_together(counts: &[u64], tickets_min: u64) -> BTreeSet<usize> {
    closed(counts, &[(0..counts.len()).collect()], tickets_min, &beyond(counts))
}

/// Returns the places of all but the largest counts; of equal ones the first are kept.
fn beyond(counts: &[u64]) -> BTreeSet<usize> {
    let mut places: Vec<usize> = (0..counts.len()).collect();
    places.sort_by_key(|place| (std::cmp::Reverse(counts[*place]), *place));
    places.into_iter().skip(ACCUMULATED_SEGMENTS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grouped(sizes: &[(&'static str, usize)], tickets_min: u64) -> Grouping {
        let values = sizes.iter().flat_map(|(name, size)| vec![Some(*name); *size]);
        Grouping::of(&values.chain([None]).collect::<Vec<_>>(), tickets_min)
    }

    fn names(grouping: &Grouping) -> Vec<&str> {
        grouping.names.iter().map(|name| name.as_deref().unwrap_or("*")).collect()
    }

    #[test]
    fn small_groups_are_one_and_never_a_single_one() {
        assert_eq!(names(&grouped(&[("de", 12), ("en", 30), ("es", 20)], 10)), ["de", "en", "es"]);
        // Alone, es would be all less the others.
        let grouping = grouped(&[("de", 12), ("en", 30), ("es", 3)], 10);
        assert_eq!((names(&grouping), grouping.put_together), (vec!["en", "*"], 2));
        assert_eq!(grouping.members[0], Some(1), "de has gone with es");
        assert_eq!((grouping.members[45], grouping.declared()), (None, 45));
        // Two that are ten together need no third.
        assert_eq!(names(&grouped(&[("de", 6), ("en", 30), ("es", 4)], 10)), ["en", "*"]);
        assert_eq!(names(&grouped(&[("de", 2), ("es", 3)], 10)), ["*"]);
    }

    #[test]
    fn of_very_many_values_the_largest_stand_apart() {
        let names: Vec<String> = (0..70).map(|n| format!("v{n:02}")).collect();
        let values: Vec<Option<&str>> =
            names.iter().enumerate().flat_map(|(n, v)| vec![Some(v.as_str()); 10 + n]).collect();
        let grouping = Grouping::of(&values, 10);
        assert_eq!((grouping.names.len(), grouping.put_together), (65, 6));
        assert_eq!(grouping.names[0].as_deref(), Some("v06"));
    }
}
