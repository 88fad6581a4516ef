//! What fine-tuning minimises, as differentiable functions of features and logits.

use candle_core::{D, Device, Result, Tensor};

use crate::classifier::{encoder::normalised, metrics::as_f64};

/// Sharpness of the contrast between texts.
const CONTRAST_TEMPERATURE: f64 = 0.1;

/// Returns the mean cross-entropy of rows of log-probabilities with wanted shares, whose rows sum to how
/// much a text counts; `None` when none counts.
pub(super) fn cross_entropy(
    log_probabilities: &Tensor,
    wanted: &[f32],
    device: &Device,
) -> Result<Option<Tensor>> {
    let total: f64 = wanted.iter().copied().map(f64::from).sum();
    if total <= 0.0 {
        return Ok(None);
    }
    let wanted = Tensor::from_slice(wanted, log_probabilities.dims(), device)?;
    let sum = (log_probabilities * wanted)?.sum_all()?;
    Ok(Some((sum * (-1.0 / total))?))
}

/// Returns how far two readings of the same texts under different dropout lie apart: half the
/// Kullback-Leibler divergence both ways, its mean over the texts, each counting as `counts` says (R-Drop,
/// Liang et al. 2021). The rows of the second reading follow those of the first.
pub(super) fn disagreement(log_probabilities: &Tensor, counts: &[f32]) -> Result<Tensor> {
    let texts = counts.len();
    let total: f64 = counts.iter().copied().map(f64::from).sum();
    let first = log_probabilities.narrow(0, 0, texts)?;
    let second = log_probabilities.narrow(0, texts, texts)?;
    let apart = ((first.exp()? - second.exp()?)? * (&first - &second)?)?.sum(1)?;
    let sum = (apart * Tensor::new(counts, log_probabilities.device())?)?.sum_all()?;
    sum * (0.5 / total.max(1e-12))
}

/// Returns the cross-entropy of each label on its own, summed over labels, as the mean over the texts that
/// count; `None` when none does.
pub(super) fn cross_entropy_each(
    logits: &Tensor,
    wanted: &[f32],
    counts: &[f32],
) -> Result<Option<Tensor>> {
    let total: f64 = counts.iter().copied().map(f64::from).sum();
    if total <= 0.0 {
        return Ok(None);
    }
    let wanted = Tensor::from_slice(wanted, logits.dims(), logits.device())?;
    // ln(1 + exp(x)) - wanted x, without overflow.
    let softplus = (logits.relu()? + (logits.abs()?.neg()?.exp()? + 1.0)?.log()?)?;
    let each = (softplus - (logits * wanted)?)?.sum(1)?;
    let sum = (each * Tensor::new(counts, logits.device())?)?.sum_all()?;
    Ok(Some((sum / total)?))
}

/// Returns what [`disagreement`] is for labels on their own: half the divergence both ways of each label,
/// summed over labels.
pub(super) fn disagreement_each(logits: &Tensor, counts: &[f32]) -> Result<Tensor> {
    let texts = counts.len();
    let total: f64 = counts.iter().copied().map(f64::from).sum();
    let first = logits.narrow(0, 0, texts)?;
    let second = logits.narrow(0, texts, texts)?;
    let gaps = (candle_nn::ops::sigmoid(&first)? - candle_nn::ops::sigmoid(&second)?)?;
    let apart = (gaps * (&first - &second)?)?.sum(1)?;
    let sum = (apart * Tensor::new(counts, logits.device())?)?.sum_all()?;
    sum * (0.5 / total.max(1e-12))
}

/// Returns the mean squared error of numbers where one is wanted; `None` when nowhere.
pub(super) fn square_error(numbers: &Tensor, wanted: &[Option<f32>]) -> Result<Option<Tensor>> {
    let count = wanted.iter().flatten().count();
    if count == 0 {
        return Ok(None);
    }
    let device = numbers.device();
    let counts: Vec<f32> = wanted.iter().map(|x| if x.is_some() { 1.0 } else { 0.0 }).collect();
    let wanted: Vec<f32> = wanted.iter().map(|x| x.unwrap_or(0.0)).collect();
    let gaps = (numbers - Tensor::new(wanted, device)?)?.sqr()?;
    let sum = (gaps * Tensor::new(counts, device)?)?.sum_all()?;
    Ok(Some((sum / as_f64(count))?))
}

/// Returns the supervised contrastive loss (Khosla et al. 2020): texts of one label are to lie closer
/// together than texts of different ones. `None` when no two rows share a label; rows without a label
/// only push.
pub(super) fn contrast(features: &Tensor, labels: &[Option<u32>]) -> Result<Option<Tensor>> {
    let rows = labels.len();
    let mut positives = vec![0_f32; rows * rows];
    let mut anchors = 0;
    for (row, label) in labels.iter().enumerate() {
        let same = |other: &usize| *other != row && label.is_some() && labels[*other] == *label;
        let others: Vec<usize> = (0..rows).filter(same).collect();
        anchors += usize::from(!others.is_empty());
        for other in &others {
            #[expect(clippy::cast_possible_truncation, reason = "a share")]
            let share = (1.0 / as_f64(others.len())) as f32;
            positives[row * rows + other] = share;
        }
    }
    if anchors == 0 {
        return Ok(None);
    }
    let directions = normalised(features)?;
    let cosines = (directions.matmul(&directions.t()?)? / CONTRAST_TEMPERATURE)?;
    // A text is not compared with itself.
    let itself = (Tensor::eye(rows, cosines.dtype(), cosines.device())? * -1e4)?;
    let log_shares = candle_nn::ops::log_softmax(&(cosines + itself)?, D::Minus1)?;
    let positives = Tensor::from_vec(positives, (rows, rows), log_shares.device())?;
    let sum = (log_shares * positives)?.sum_all()?;
    Ok(Some((sum * (-1.0 / as_f64(anchors)))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(loss: &Tensor) -> f64 {
        f64::from(loss.to_scalar::<f32>().unwrap())
    }

    fn log_rows(rows: &[[f32; 2]]) -> Tensor {
        let logs: Vec<f32> = rows.iter().flatten().map(|p| p.ln()).collect();
        Tensor::from_vec(logs, (rows.len(), 2), &Device::Cpu).unwrap()
    }

    #[test]
    fn cross_entropy_and_disagreement_are_those_worked_out_by_hand() {
        let rows = log_rows(&[[0.5, 0.5], [0.9, 0.1]]);
        let wanted = [1.0, 0.0, 0.25, 0.25];
        let loss = cross_entropy(&rows, &wanted, &Device::Cpu).unwrap().unwrap();
        let by_hand = (2.0_f64.ln() - 0.25 * (0.9_f64.ln() + 0.1_f64.ln())) / 1.5;
        assert!((value(&loss) - by_hand).abs() < 1e-6);
        assert!(cross_entropy(&rows, &[0.0; 4], &Device::Cpu).unwrap().is_none());
        let kl = |p: f64, q: f64| p * (p / q).ln() + (1.0 - p) * ((1.0 - p) / (1.0 - q)).ln();
        let by_hand = f64::midpoint(kl(0.5, 0.9), kl(0.9, 0.5));
        assert!((value(&disagreement(&rows, &[1.0]).unwrap()) - by_hand).abs() < 1e-6);
    }

    #[test]
    fn losses_of_labels_on_their_own_are_those_worked_out_by_hand() {
        let logit = |p: f32| (p / (1.0 - p)).ln();
        let logits = [[logit(0.8), logit(0.3)], [logit(0.5), logit(0.9)]];
        let logits = Tensor::new(&logits, &Device::Cpu).unwrap();
        let wanted = [1.0, 0.0, 1.0, 1.0];
        let loss = cross_entropy_each(&logits, &wanted, &[1.0, 0.0]).unwrap().unwrap();
        assert!((value(&loss) + 0.8_f64.ln() + 0.7_f64.ln()).abs() < 1e-6);
        let loss = cross_entropy_each(&logits, &wanted, &[1.0, 1.0]).unwrap().unwrap();
        let logs: f64 = [0.8_f64, 0.7, 0.5, 0.9].iter().map(|p| p.ln()).sum();
        assert!((value(&loss) + logs / 2.0).abs() < 1e-6);
        assert!(cross_entropy_each(&logits, &wanted, &[0.0; 2]).unwrap().is_none());
        let kl = |p: f64, q: f64| p * (p / q).ln() + (1.0 - p) * ((1.0 - p) / (1.0 - q)).ln();
        let both = |p: f64, q: f64| f64::midpoint(kl(p, q), kl(q, p));
        let apart = disagreement_each(&logits, &[1.0]).unwrap();
        assert!((value(&apart) - both(0.8, 0.5) - both(0.3, 0.9)).abs() < 1e-6);
    }

    #[test]
    fn texts_without_a_number_do_not_count() {
        let numbers = Tensor::new(&[1.0_f32, 5.0, -1.0], &Device::Cpu).unwrap();
        let error = square_error(&numbers, &[Some(0.0), None, Some(1.0)]).unwrap().unwrap();
        assert!((value(&error) - 2.5).abs() < 1e-6);
        assert!(square_error(&numbers, &[None; 3]).unwrap().is_none());
    }

    #[test]
    fn contrast_is_least_when_labels_lie_apart() {
        let of = |points: [[f32; 2]; 4], labels: [Option<u32>; 4]| {
            contrast(&Tensor::new(&points, &Device::Cpu).unwrap(), &labels).unwrap()
        };
        let labels = [Some(0), Some(0), Some(1), None];
        let apart = of([[1.0, 0.0], [1.0, 0.1], [-1.0, 0.0], [0.0, 1.0]], labels).unwrap();
        let mixed = of([[1.0, 0.0], [-1.0, 0.1], [1.0, 0.1], [0.0, 1.0]], labels).unwrap();
        assert!(value(&apart) < 0.01 && value(&mixed) > 10.0);
        let alone = [Some(0), Some(1), Some(2), None];
        assert!(of([[1.0, 0.0]; 4], alone).is_none());
    }
}
