//! The same measures for each segment, and how far the best and the worst lie apart.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Headline, Measured};
use crate::{
    classifier::evaluate::Truth,
    fairness::{Interval, Options, Rate},
};

/// What is said of segments.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Segments {
    /// By segment, then by head.
    pub segments: BTreeMap<String, BTreeMap<String, Headline>>,
    /// By head, where two segments or more have rows enough to be compared.
    pub segment_gaps: BTreeMap<String, Gap>,
}

/// How far the accuracy of the best and the worst segment lie apart.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Gap {
    /// The segment read best.
    pub best: String,
    /// The segment read worst.
    pub worst: String,
    /// Accuracy of the best less that of the worst.
    pub gap: f64,
    /// Its 95 % Newcombe interval, as if the two had been named before looking.
    pub gap_interval: Interval,
    /// Segments compared. Among many, the best and the worst differ by chance alone.
    pub segments_compared: usize,
    /// Fewest rows with which a segment is compared.
    pub segment_rows_min: u64,
}

/// Measures each segment; `None` when no column of them was named.
pub(super) fn segments(measured: &Measured<'_>) -> Option<Segments> {
    let mut places: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (row, segment) in measured.rows.segments.iter().enumerate() {
        places.entry(segment).or_default().push(row);
    }
    let (mut by_segment, mut rates) = (BTreeMap::new(), BTreeMap::<&str, Vec<_>>::new());
    for (segment, places) in &places {
        let predictions = measured.predictions.pick(places);
        let lines: Vec<u64> = places.iter().map(|row| measured.rows.lines[*row]).collect();
        let mut heads = BTreeMap::new();
        for (head, truth) in &measured.rows.truth {
            let truth: Vec<Truth> = places.iter().map(|row| truth[*row].clone()).collect();
            let found = measured.headline(head, &predictions, &truth, &lines);
            if let Some(found) = found {
                rates.entry(head).or_default().push((*segment, found.right));
                heads.insert(head.clone(), found.headline);
            }
        }
        by_segment.insert((*segment).to_owned(), heads);
    }
    let gaps = rates.iter().filter_map(|(head, rates)| Some(((*head).to_owned(), gap(rates)?)));
    let segment_gaps = gaps.collect();
    (!by_segment.is_empty()).then_some(Segments { segments: by_segment, segment_gaps })
}

/// Compares the segments with rows enough; of equals the first by name is the best, the last the
/// worst. Rows without a segment are none.
fn gap(rates: &[(&str, Rate)]) -> Option<Gap> {
    let segment_rows_min = Options::GROUP_TICKETS_MIN_DEFAULT;
    let compared: Vec<(&str, Rate, f64)> = rates
        .iter()
        .filter(|(segment, rate)| !segment.is_empty() && rate.count() >= segment_rows_min)
        .filter_map(|(segment, rate)| Some((*segment, *rate, rate.value()?)))
        .collect();
    let best = compared.iter().rev().max_by(|a, b| a.2.total_cmp(&b.2))?;
    let worst = compared.iter().rev().min_by(|a, b| a.2.total_cmp(&b.2))?;
    (compared.len() > 1).then_some(())?;
    Some(Gap {
        best: best.0.to_owned(),
        worst: worst.0.to_owned(),
        gap: best.2 - worst.2,
        gap_interval: best.1.gap(worst.1)?,
        segments_compared: compared.len(),
        segment_rows_min,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(right: usize, rows: usize) -> Rate {
        (0..rows).map(|row| row < right).collect()
    }

    #[test]
    fn the_best_and_the_worst_are_compared_and_the_small_left_out() {
        let rates =
            [("a", rate(48, 80)), ("b", rate(56, 70)), ("c", rate(0, 29)), ("d", rate(70, 100))];
        let found = gap(&rates).unwrap();
        assert_eq!((found.best.as_str(), found.worst.as_str()), ("b", "a"));
        assert!((found.gap - 0.2).abs() < 1e-12);
        // Newcombe 1998, table II, method 10.
        assert!((found.gap_interval.low - 0.0524).abs() < 5e-5, "{found:?}");
        assert!((found.gap_interval.high - 0.3339).abs() < 5e-5, "{found:?}");
        assert_eq!((found.segments_compared, found.segment_rows_min), (3, 30));
    }

    #[test]
    fn one_segment_alone_has_no_gap() {
        assert_eq!(gap(&[("a", rate(48, 80)), ("c", rate(0, 29))]), None);
        assert_eq!(gap(&[]), None);
    }

    #[test]
    fn segments_read_equally_well_have_no_gap_and_an_interval_around_it() {
        let found = gap(&[("a", rate(40, 50)), ("b", rate(40, 50))]).unwrap();
        assert!(found.gap.abs() < 1e-12 && found.gap_interval.low < 0.0);
        assert!((found.gap_interval.low + found.gap_interval.high).abs() < 1e-12);
        assert_eq!((found.best.as_str(), found.worst.as_str()), ("a", "b"));
        assert_eq!(gap(&[("", rate(40, 50)), ("b", rate(40, 50))]), None);
    }
}
