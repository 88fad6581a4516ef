//! Whether the confidence says how often the answer is right.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::answers::Answer;
use crate::{
    classifier::metrics::{BINS, as_f64, bin_of, quantile},
    fairness::{Interval, Rate},
};

/// Simulations of the floor; the mean is then known to about a fiftieth of its spread.
pub const SIMULATIONS: usize = 1000;
/// Seed of the simulations, so that the same rows give the same report.
const SEED: u64 = 20_261_126;

/// One of 15 ranges of confidence of equal width.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bin {
    /// Lower end, left out.
    pub from: f64,
    /// Upper end, counted in.
    pub to: f64,
    /// Rows whose confidence is in it.
    pub rows: u64,
    /// Mean confidence; absent without rows.
    pub confidence: Option<f64>,
    /// Share right; absent without rows.
    pub accuracy: Option<f64>,
    /// 95 % Wilson interval of that share.
    pub accuracy_interval: Option<Interval>,
}

/// Calibration error that chance alone gives a perfectly calibrated model on the same rows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Floor {
    /// Mean over the simulations.
    pub mean: f64,
    /// 95th percentile: an error above it is more than chance.
    pub p95: f64,
    /// Simulations drawn.
    pub simulations: usize,
}

/// Returns all 15 bins, the least sure first.
#[must_use]
pub fn reliability(answers: &[Answer]) -> Vec<Bin> {
    let mut sums = [(0.0, Rate::default()); BINS];
    for answer in answers {
        let (sure, right) = &mut sums[bin_of(answer.confidence())];
        *sure += answer.confidence();
        right.record(answer.right());
    }
    let width = 1.0 / as_f64(BINS);
    let bin = |(place, (sure, right)): (usize, &(f64, Rate))| Bin {
        from: as_f64(place) * width,
        to: as_f64(place + 1) * width,
        rows: right.count(),
        confidence: right.value().map(|_| sure / right.count() as f64),
        accuracy: right.value(),
        accuracy_interval: right.interval(),
    };
    sums.iter().enumerate().map(bin).collect()
}

/// Returns the floor of the calibration error by parametric simulation: each answer is right with
/// the probability it claims, many times over. `None` without answers.
///
/// Few rows scatter in their bins however good the model is, so the error is never 0; only what
/// exceeds the floor says something of the model.
#[must_use]
pub fn floor(answers: &[Answer]) -> Option<Floor> {
    let confidences: Vec<f64> = answers.iter().map(Answer::confidence).collect();
    let errors = simulate(&confidences, SIMULATIONS);
    let mean = errors.iter().sum::<f64>() / as_f64(errors.len().max(1));
    (!answers.is_empty()).then_some(())?;
    Some(Floor { mean, p95: quantile(&errors, 0.95)?, simulations: SIMULATIONS })
}

/// Draws which answers are right, and returns the calibration error of each draw.
fn simulate(confidences: &[f64], simulations: usize) -> Vec<f64> {
    let mut sums = [0.0; BINS];
    let rows: Vec<(usize, f64)> = confidences.iter().map(|sure| (bin_of(*sure), *sure)).collect();
    for (bin, sure) in &rows {
        sums[*bin] += sure;
    }
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let error = |_| {
        let mut gaps = sums;
        for (bin, sure) in &rows {
            if rng.random::<f64>() < *sure {
                gaps[*bin] -= 1.0;
            }
        }
        gaps.iter().map(|gap| gap.abs()).sum::<f64>() / as_f64(rows.len().max(1))
    };
    (0..simulations).map(error).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classifier::metrics::calibration_error;

    fn answer(sure: f64, right: bool) -> Answer {
        Answer::new(1, vec![sure, 1.0 - sure], Some(usize::from(!right)))
    }

    /// Confidences of a model that is mostly sure: 1 - 0.4 u⁴ for u spread over 0..1.
    fn sure(rows: usize) -> Vec<f64> {
        (0..rows).map(|row| 1.0 - 0.4 * ((as_f64(row) + 0.5) / as_f64(rows)).powi(4)).collect()
    }

    /// The mean error of calibrated answers by the normal approximation: in each bin the mean of
    /// the absolute value of a normal variable, √(2/π) of its standard deviation.
    fn theory(confidences: &[f64]) -> f64 {
        let mut variances = [0.0; BINS];
        for sure in confidences {
            variances[bin_of(*sure)] += sure * (1.0 - sure);
        }
        let sum: f64 = variances.iter().map(|variance: &f64| variance.sqrt()).sum();
        sum * (2.0 / std::f64::consts::PI).sqrt() / as_f64(confidences.len())
    }

    #[test]
    fn bins_equal_those_worked_out_by_hand_and_give_the_calibration_error() {
        let answers = [answer(0.95, true), answer(0.97, false), answer(0.6, true)];
        let bins = reliability(&answers);
        assert_eq!(bins.len(), 15);
        let last = &bins[14];
        assert_eq!((last.rows, last.accuracy), (2, Some(0.5)));
        assert!((last.confidence.unwrap() - 0.96).abs() < 1e-12);
        // 0.6 is the upper end of the ninth bin, and counted in it.
        assert_eq!((bins[8].rows, bins[8].accuracy, bins[9].rows), (1, Some(1.0), 0));
        assert_eq!((bins[0].confidence, bins[0].accuracy_interval), (None, None));
        let gap = |bin: &Bin| {
            bin.rows as f64 * (bin.confidence.unwrap_or(0.0) - bin.accuracy.unwrap_or(0.0)).abs()
        };
        let error = bins.iter().map(gap).sum::<f64>() / 3.0;
        let decisions = answers.map(|a| (a.confidence(), a.right()));
        assert!((error - calibration_error(&decisions)).abs() < 1e-12, "{error}");
    }

    #[test]
    fn the_floor_of_two_sure_coins_is_exact() {
        // Two answers of confidence one half: two right or two wrong miss by 1/2, one of each by 0.
        let floor = floor(&[answer(0.5, true), answer(0.5, false)]).unwrap();
        assert!((floor.mean - 0.25).abs() < 0.03, "{floor:?}");
        assert!((floor.p95 - 0.5).abs() < 1e-12);
    }

    #[test]
    fn the_floor_agrees_with_theory_and_falls_with_the_root_of_the_rows() {
        let mean = |rows: usize| {
            let errors = simulate(&sure(rows), SIMULATIONS);
            errors.iter().sum::<f64>() / as_f64(errors.len())
        };
        for rows in [1000, 3000] {
            let (found, expected) = (mean(rows), theory(&sure(rows)));
            assert!((found / expected - 1.0).abs() < 0.08, "{rows} rows: {found}, {expected}");
        }
        // A model right about nine times in ten: about .015 on 1,000 rows, .009 on 3,000.
        assert!((mean(1000) - 0.015).abs() < 0.003, "{}", mean(1000));
        assert!((mean(3000) - 0.009).abs() < 0.002, "{}", mean(3000));
    }

    #[test]
    fn calibrated_answers_stay_below_the_floors_95th_percentile_and_boastful_ones_do_not() {
        let spread = |boast: f64| {
            // Every hundredth is wrong as often as it claims, evenly through the bins.
            let answers: Vec<Answer> = (0..2000)
                .map(|row| answer(0.9, as_f64(row % 100) < (0.9 - boast) * 100.0 - 1e-9))
                .collect();
            let error: f64 = reliability(&answers)
                .iter()
                .map(|bin| {
                    bin.rows as f64
                        * (bin.confidence.unwrap_or(0.0) - bin.accuracy.unwrap_or(0.0)).abs()
                })
                .sum();
            (error / 2000.0, floor(&answers).unwrap().p95)
        };
        let (error, p95) = spread(0.0);
        assert!(error < p95, "{error} {p95}");
        let (error, p95) = spread(0.05);
        assert!(error > 2.0 * p95, "{error} {p95}");
    }

    #[test]
    fn the_same_rows_give_the_same_floor_and_no_rows_none() {
        let answers: Vec<Answer> = sure(100).iter().map(|sure| answer(*sure, true)).collect();
        assert_eq!(floor(&answers), floor(&answers));
        assert_eq!(floor(&[]), None);
    }
}
