//! Turns in rounds, and what is made of their seconds.

use anyhow::{Result, ensure};

use crate::{contender::Contender, work::Work};

/// Seconds of a contender at a workload, one for each round.
pub(crate) type Turns = Vec<f64>;

/// How alike two sets of vectors are.
pub(crate) struct Likeness {
    /// Mean of the cosines.
    pub(crate) mean: f64,
    /// The smallest of them.
    pub(crate) least: f64,
}

/// Lets every contender take its turn at every workload in each round. The first of a round is another
/// one each time. Returns the turns by contender and workload.
pub(crate) fn rounds(
    contenders: &mut [Box<dyn Contender>],
    works: &[Work],
    rounds: usize,
) -> Result<Vec<Vec<Turns>>> {
    let count = contenders.len();
    let mut turns = vec![vec![Vec::with_capacity(rounds); works.len()]; count];
    for round in 0..rounds {
        for (column, work) in works.iter().enumerate() {
            for place in 0..count {
                let who = (place + round) % count;
                turns[who][column].push(contenders[who].seconds(work)?);
            }
        }
        eprintln!("round {} of {rounds}", round + 1);
    }
    Ok(turns)
}

/// Compares the vectors of every contender with those wanted.
pub(crate) fn likeness(
    contenders: &mut [Box<dyn Contender>],
    work: &Work,
    wanted: &[Vec<f32>],
) -> Result<Vec<Likeness>> {
    let mut all = Vec::with_capacity(contenders.len());
    for contender in contenders {
        let means = contender.means(work)?;
        let name = contender.name();
        ensure!(means.len() == wanted.len(), "{name} read {} texts", means.len());
        let cosines: Vec<f64> = means.iter().zip(wanted).map(|(a, b)| cosine(a, b)).collect();
        let mean = cosines.iter().sum::<f64>() / cosines.len() as f64;
        all.push(Likeness { mean, least: least(&cosines) });
    }
    Ok(all)
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    };
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// Returns the smallest; infinity of none.
pub(crate) fn least(numbers: &[f64]) -> f64 {
    numbers.iter().copied().fold(f64::INFINITY, f64::min)
}

/// Returns the one in the middle, or the mean of the two that are.
pub(crate) fn median(numbers: &[f64]) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        f64::midpoint(sorted[middle - 1], sorted[middle])
    }
}

/// Returns the median of the ratios of two contenders' turns in the same rounds.
pub(crate) fn ratio(theirs: &[f64], ours: &[f64]) -> f64 {
    median(&theirs.iter().zip(ours).map(|(theirs, ours)| theirs / ours).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_one_in_the_middle_or_between_the_two() {
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < 1e-12);
        assert!((median(&[4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-12);
    }

    #[test]
    fn ratios_pair_turns_of_the_same_round() {
        // Everything slows down tenfold in the last two rounds; the ratio stays.
        assert!((ratio(&[2.0, 20.0, 20.0], &[1.0, 10.0, 10.0]) - 2.0).abs() < 1e-12);
    }

    #[test]
    fn a_cosine_does_not_see_lengths() {
        assert!((cosine(&[1.0, 2.0], &[10.0, 20.0]) - 1.0).abs() < 1e-12);
        assert!(cosine(&[1.0, 0.0], &[0.0, 3.0]).abs() < 1e-12);
    }
}
