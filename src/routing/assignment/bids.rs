//! Bids: the fast way to duals that are nearly the best, from tickets for agents or the other way.

use std::{
    collections::VecDeque,
    mem::{replace, take},
};

use super::side::{Edge, NONE, Side};

/// Frees those of `near` who could pay less by more than `step`, brings the duals of all who are free
/// to the highest allowed, and returns who of these should bid.
pub(super) fn release(near: &mut Side, far: &mut Side, step: i64, looks: &mut u64) -> Vec<u32> {
    far.top = far.duals.iter().copied().max().unwrap_or(0);
    let mut list = Vec::new();
    for one in (0..NONE).take(near.caps.len()) {
        let index = one as usize;
        let (least, _, best) = near.best_two(far, one, looks);
        let mate = near.mates[index];
        if mate != NONE && near.duals[index] <= least + step {
            continue;
        }
        if mate != NONE {
            far.mates[mate as usize] = NONE;
            near.mates[index] = NONE;
        }
        near.duals[index] = least;
        if best.is_some() {
            list.push(one);
        }
    }
    list
}

/// Lets `one` take what is best for it, at a price that leaves it `step` worse off than with the
/// second best. Returns who lost by it, and whether the price has changed.
fn bid(
    near: &mut Side,
    far: &mut Side,
    one: u32,
    step: i64,
    looks: &mut u64,
) -> Option<(u32, bool)> {
    let (least, second, best) = near.best_two(far, one, looks);
    let cap = near.caps[one as usize];
    near.duals[one as usize] = cap;
    let mut edge = best?;
    if least == second && far.mates[edge.other as usize] != NONE {
        let equal = |edge: &&Edge| {
            far.mates[edge.other as usize] == NONE
                && i64::from(edge.cost) - far.duals[edge.other as usize] == least
        };
        edge = near.edges(one).into_iter().flatten().find(equal).copied().unwrap_or(edge);
    }
    let dual = cap.min(second + step);
    near.duals[one as usize] = dual;
    far.duals[edge.other as usize] = i64::from(edge.cost) - dual;
    near.mates[one as usize] = edge.other;
    let loser = replace(&mut far.mates[edge.other as usize], one);
    if loser == NONE {
        return None;
    }
    near.mates[loser as usize] = NONE;
    Some((loser, dual > least))
}

/// Lets those in `list` bid, and whoever loses by it after all others.
pub(super) fn bid_in_turn(
    near: &mut Side,
    far: &mut Side,
    list: Vec<u32>,
    step: i64,
    looks_max: u64,
    looks: &mut u64,
) {
    let mut queue = VecDeque::from(list);
    while *looks <= looks_max
        && let Some(one) = queue.pop_front()
    {
        if let Some((loser, _)) = bid(near, far, one, step, looks) {
            queue.push_back(loser);
        }
    }
}

/// Lets those in `list` bid without a step, twice; who loses to a higher price bids at once.
pub(super) fn bid_in_chains(
    near: &mut Side,
    far: &mut Side,
    list: Vec<u32>,
    looks_max: u64,
    looks: &mut u64,
) {
    let mut later = Vec::new();
    let mut now = list;
    for _ in 0..2 {
        for first in now {
            let mut next = Some(first);
            while *looks <= looks_max
                && let Some(one) = next
            {
                next = match bid(near, far, one, 0, looks) {
                    Some((loser, true)) => Some(loser),
                    Some((loser, false)) => {
                        later.push(loser);
                        None
                    }
                    None => None,
                };
            }
        }
        now = take(&mut later);
    }
}
