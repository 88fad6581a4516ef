//! Which waiting jobs are read together: a pure rule, so it can be tested without a thread.

use std::collections::VecDeque;

/// How much is read at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most texts.
    pub texts_max: usize,
    /// Most characters of all texts together.
    pub chars_max: usize,
}

/// Takes the next batch from the front of the queue: oldest first, never over the limits, except that
/// one job alone is always taken. `size` tells the texts and the characters of a job.
pub fn next_batch<J>(
    queue: &mut VecDeque<J>,
    limits: Limits,
    size: impl Fn(&J) -> (usize, usize),
) -> Vec<J> {
    let mut batch = Vec::new();
    let (mut texts, mut chars) = (0, 0);
    while let Some(next) = queue.front() {
        let (more_texts, more_chars) = size(next);
        texts += more_texts;
        chars += more_chars;
        if !batch.is_empty() && (texts > limits.texts_max || chars > limits.chars_max) {
            break;
        }
        batch.extend(queue.pop_front());
    }
    batch
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn batches_are_in_order_within_limits_and_lose_nobody(
            jobs in prop::collection::vec((1_usize..12, 1_usize..400), 0..80)
        ) {
            let limits = Limits { texts_max: 8, chars_max: 300 };
            let mut queue: VecDeque<(usize, usize)> = jobs.clone().into();
            let mut taken = Vec::new();
            while !queue.is_empty() {
                let batch = next_batch(&mut queue, limits, |job| *job);
                let texts: usize = batch.iter().map(|job| job.0).sum();
                let chars: usize = batch.iter().map(|job| job.1).sum();
                let within = texts <= limits.texts_max && chars <= limits.chars_max;
                prop_assert!(batch.len() == 1 || (within && !batch.is_empty()));
                taken.extend(batch);
            }
            prop_assert_eq!(taken, jobs);
        }
    }
}
