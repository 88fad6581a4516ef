//! Which waiting texts are read together: a pure rule, so it can be tested without a thread.

use std::collections::VecDeque;

/// Takes the next batch from the front of the queue: oldest first, texts of together at most `chars_max`
/// characters, except that one text alone is always taken.
///
/// Nobody waits for a batch to fill: a free thread takes what there is. So with little to do a text is
/// read at once and alone, and with much to do batches are as large as pays.
pub fn next_batch<T>(
    queue: &mut VecDeque<T>,
    chars_max: usize,
    chars: impl Fn(&T) -> usize,
) -> Vec<T> {
    let mut batch = Vec::new();
    let mut sum = 0_usize;
    while let Some(next) = queue.front() {
        sum = sum.saturating_add(chars(next));
        if !batch.is_empty() && sum > chars_max {
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
        fn batches_are_in_order_within_limits_as_large_as_they_can_be_and_lose_nobody(
            texts in prop::collection::vec(1_usize..400, 0..80)
        ) {
            let mut queue: VecDeque<usize> = texts.clone().into();
            let mut taken = Vec::new();
            while !queue.is_empty() {
                let batch = next_batch(&mut queue, 300, |text| *text);
                let chars: usize = batch.iter().sum();
                prop_assert!(batch.len() == 1 || (!batch.is_empty() && chars <= 300));
                let next = queue.front();
                prop_assert!(next.is_none_or(|next| chars + next > 300), "room for one more");
                taken.extend(batch);
            }
            prop_assert_eq!(taken, texts);
        }
    }
}
