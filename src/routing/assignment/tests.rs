//! Claims about assignments, checked by trying everything, by another algorithm and by their duals.

use proptest::{collection::vec, option::weighted, prelude::*};

use super::{PAIR_COST_MAX, Pairs, SKIP_COST_MAX, Solver, assign, side::NONE};

/// For each ticket its cost of waiting and its pairs of agent and cost.
type Batch = Vec<(i64, Vec<(u32, i64)>)>;

/// Limits that force each of the three means, and the usual ones.
const LIMITS: [(u64, u64); 4] = [(u64::MAX, 0), (0, u64::MAX), (0, 0), (4, 200)];

fn pairs(agents: u32, batch: &Batch) -> Pairs {
    let mut pairs = Pairs::new(agents);
    for (skip_cost, row) in batch {
        pairs.ticket(*skip_cost);
        row.iter().for_each(|(agent, cost)| pairs.pair(*agent, *cost));
    }
    pairs
}

/// The total cost; fails where an agent is taken twice or without a pair.
fn cost(batch: &Batch, answer: &[Option<u32>]) -> i64 {
    assert_eq!(batch.len(), answer.len());
    let mut taken: Vec<u32> = answer.iter().flatten().copied().collect();
    taken.sort_unstable();
    assert!(taken.is_sorted_by(|one, next| one < next), "an agent is taken twice: {answer:?}");
    let each = batch.iter().zip(answer).map(|((skip_cost, row), agent)| match agent {
        None => *skip_cost,
        Some(agent) => {
            let costs = row.iter().filter(|(other, _)| other == agent).map(|(_, cost)| *cost);
            costs.min().expect("only pairs that were given are used")
        }
    });
    each.sum()
}

/// The least cost by trying everything.
fn least_by_trying(batch: &[(i64, Vec<(u32, i64)>)], taken: u32) -> i64 {
    let Some(((skip_cost, row), rest)) = batch.split_first() else { return 0 };
    let free = row.iter().filter(|(agent, _)| taken & (1 << agent) == 0);
    let taking = free.map(|(agent, cost)| cost + least_by_trying(rest, taken | (1 << agent)));
    taking.fold(skip_cost + least_by_trying(rest, taken), i64::min)
}

/// The least cost by the Hungarian method, dense, with a place to wait for each ticket.
fn least_by_hungarian(agents: usize, batch: &Batch) -> i64 {
    const FORBIDDEN: i64 = 1 << 55;
    let (rows, columns) = (batch.len(), agents + batch.len());
    let mut costs = vec![vec![FORBIDDEN; columns + 1]; rows + 1];
    for (row, (skip_cost, pairs)) in batch.iter().enumerate() {
        costs[row + 1][agents + row + 1] = *skip_cost;
        for (agent, cost) in pairs {
            let place = &mut costs[row + 1][*agent as usize + 1];
            *place = (*place).min(*cost);
        }
    }
    let (mut u, mut v) = (vec![0; rows + 1], vec![0; columns + 1]);
    let (mut holder, mut way) = (vec![0; columns + 1], vec![0; columns + 1]);
    for row in 1..=rows {
        holder[0] = row;
        let (mut at, mut least, mut used) =
            (0, vec![i64::MAX; columns + 1], vec![false; columns + 1]);
        while holder[at] != 0 {
            used[at] = true;
            let (from, mut delta, mut next) = (holder[at], i64::MAX, 0);
            for column in (1..=columns).filter(|column| !used[*column]) {
                let reduced = costs[from][column] - u[from] - v[column];
                if reduced < least[column] {
                    (least[column], way[column]) = (reduced, at);
                }
                if least[column] < delta {
                    (delta, next) = (least[column], column);
                }
            }
            for column in 0..=columns {
                if used[column] {
                    u[holder[column]] += delta;
                    v[column] -= delta;
                } else if column > 0 {
                    least[column] -= delta;
                }
            }
            at = next;
        }
        while at != 0 {
            holder[at] = holder[way[at]];
            at = way[at];
        }
    }
    (1..=columns).filter(|at| holder[*at] != 0).map(|at| costs[holder[at]][at]).sum()
}

/// Fails unless the duals prove that nothing costs less; returns the looks at each pair.
fn prove(agents: u32, batch: &Batch, (direct, scaling): (u64, u64)) -> u64 {
    let solver = Solver::solved(pairs(agents, batch), direct, scaling);
    let (tickets, agents) = (&solver.tickets, &solver.agents);
    for side in [tickets, agents] {
        assert!(side.duals.iter().zip(&side.caps).all(|(dual, cap)| dual <= cap));
    }
    let mut primal = 0;
    for (ticket, (_, row)) in (0..).zip(batch) {
        let dual = tickets.duals[ticket as usize];
        let within = |(agent, cost): &(u32, i64)| dual + agents.duals[*agent as usize] <= *cost;
        assert!(row.iter().all(within), "the duals of {ticket} sum to more than a pair costs");
        let mate = tickets.mates[ticket as usize];
        let of_mate = row.iter().filter(|(agent, _)| *agent == mate).map(|(_, cost)| *cost);
        primal += of_mate.min().unwrap_or(tickets.caps[ticket as usize]);
        assert!(mate == NONE || agents.mates[mate as usize] == ticket);
    }
    let dual: i64 = tickets.duals.iter().chain(&agents.duals).sum();
    assert_eq!(primal, dual, "something may cost less");
    solver.looks / solver.pair_count().max(1)
}

/// Batches of up to `size` tickets and agents; costs as they come, with many ties, or at the bounds.
fn batches(size: usize) -> impl Strategy<Value = (u32, Batch)> {
    let costs = prop_oneof![
        Just((2, 2)),
        Just((3, 6)),
        Just((40, 30)),
        Just((1_000, 100_000)),
        Just((PAIR_COST_MAX, PAIR_COST_MAX)),
        Just((PAIR_COST_MAX, SKIP_COST_MAX)),
    ];
    (0..=size, 0..=size, costs, 0.05..1.0_f64).prop_flat_map(|(tickets, agents, costs, density)| {
        let (cost_max, skip_max) = costs;
        let cell = weighted(density, -cost_max..=cost_max);
        let skip = prop_oneof![-skip_max..=skip_max, Just(skip_max)];
        vec((skip, vec(cell, agents)), tickets).prop_map(move |rows| {
            let row = |cells: Vec<Option<i64>>| {
                (0..).zip(cells).filter_map(|(agent, cost)| Some((agent, cost?))).collect()
            };
            let batch = rows.into_iter().map(|(skip, cells)| (skip, row(cells))).collect();
            (u32::try_from(agents).expect("few"), batch)
        })
    })
}

/// A sequence without any pattern that matters (Knuth's multiplier).
fn mixed(index: u32, below: i64) -> i64 {
    i64::from(index.wrapping_mul(2_654_435_761) >> 8) % below
}

/// A square batch with all pairs.
fn square(size: u32, skip_cost: i64, cost: impl Fn(i64, i64) -> i64) -> Batch {
    let cell = |ticket: u32, agent: u32| (agent, cost(ticket.into(), agent.into()));
    let row = |ticket| (0..size).map(|agent| cell(ticket, agent)).collect();
    (0..size).map(|ticket| (skip_cost, row(ticket))).collect()
}

/// Batches that are hard on one method or another, each with its name.
fn hard_batches(size: u32) -> Vec<(&'static str, Batch)> {
    let (n, much) = (i64::from(size), SKIP_COST_MAX);
    let noise = |i: i64, j: i64, below| mixed(u32::try_from(i * n + j).expect("small"), below);
    let power = |part: i64| 1_i64 << (part * 29 / n);
    let idle = |j: i64| noise(j, 7, 3_600_000);
    vec![
        ("all equal", square(size, much, |_, _| 7)),
        ("few costs", square(size, much, |i, j| noise(i, j, 3))),
        ("many costs", square(size, much, |i, j| noise(i, j, 16_000_000))),
        ("products", square(size, much, |i, j| (i + 1) * (j + 1))),
        ("products, falling", square(size, much, |i, j| -(i + 1) * (j + 1))),
        ("geometric", square(size, much, |_, j| power(j))),
        ("geometric, both", square(size, much, |i, j| power(i / 2) * power(j / 2))),
        ("the same agents", square(size, much, |i, j| noise(i, j, 5) * 1_000 - idle(j))),
        (
            "too few cheap",
            square(size, much, |i, j| if j < n / 2 { noise(i, j, 2) } else { n * n }),
        ),
        ("low skip", square(size, 500, |i, j| noise(i, j, 100_000))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn small_batches_cost_what_trying_everything_finds((agents, batch) in batches(6)) {
        let least = least_by_trying(&batch, 0);
        prop_assert_eq!(cost(&batch, &assign(pairs(agents, &batch))), least);
        for limits in LIMITS {
            prove(agents, &batch, limits);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn larger_batches_cost_what_the_hungarian_method_finds((agents, batch) in batches(60)) {
        let least = least_by_hungarian(agents as usize, &batch);
        prop_assert_eq!(cost(&batch, &assign(pairs(agents, &batch))), least);
        for limits in LIMITS {
            prove(agents, &batch, limits);
        }
    }

    #[test]
    fn the_two_least_payments_are_those_that_a_look_at_all_pairs_finds(
        (agents, batch) in batches(60),
        duals in vec(-50..=0_i64, 60),
    ) {
        let mut solver = Solver::new(pairs(agents, &batch));
        solver.agents.duals.copy_from_slice(&duals[..agents as usize]);
        solver.agents.top = solver.agents.duals.iter().copied().max().unwrap_or(0);
        for (ticket, (_, row)) in (0..).zip(&batch) {
            let cap = solver.tickets.caps[ticket as usize];
            let pays = |(agent, cost): &(u32, i64)| cost - duals[*agent as usize];
            let mut all: Vec<i64> = row.iter().map(pays).chain([cap, cap]).collect();
            all.sort_unstable();
            let (least, second, best) = solver.tickets.best_two(&solver.agents, ticket, &mut 0);
            prop_assert_eq!((least, second), (all[0], all[1]));
            prop_assert_eq!(best.is_some(), least < cap);
            prop_assert!(best.is_none_or(|edge| pays(&(edge.other, edge.cost.into())) == least));
        }
    }

    #[test]
    fn the_same_batch_has_the_same_answer((agents, batch) in batches(30)) {
        prop_assert_eq!(assign(pairs(agents, &batch)), assign(pairs(agents, &batch)));
    }

    #[test]
    fn order_and_repetition_change_no_cost((agents, batch) in batches(30)) {
        let least = cost(&batch, &assign(pairs(agents, &batch)));
        let mut other = batch;
        other.reverse();
        for (_, row) in &mut other {
            row.iter_mut().for_each(|(agent, _)| *agent = agents - 1 - *agent);
            let dearer: Vec<_> = row.iter().map(|(agent, cost)| (*agent, cost + 1)).collect();
            row.splice(0..0, dearer);
            row.extend(row.clone());
        }
        prop_assert_eq!(cost(&other, &assign(pairs(agents, &other))), least);
    }

    #[test]
    fn when_waiting_is_dear_as_many_as_possible_are_taken((agents, mut batch) in batches(12)) {
        let mut matched = batch.clone();
        for ((skip_cost, _), (waiting, row)) in batch.iter_mut().zip(&mut matched) {
            *skip_cost = PAIR_COST_MAX + 12 * 2 * PAIR_COST_MAX + 1;
            *waiting = 1;
            row.iter_mut().for_each(|(_, cost)| *cost = 0);
        }
        let answer = assign(pairs(agents, &batch));
        let waiting = answer.iter().filter(|agent| agent.is_none()).count();
        prop_assert_eq!(i64::try_from(waiting).ok(), Some(least_by_hungarian(agents as usize, &matched)));
    }
}

#[test]
fn hard_batches_are_solved_exactly_whatever_means_is_used() {
    for (name, batch) in hard_batches(60) {
        let least = least_by_hungarian(60, &batch);
        assert_eq!(cost(&batch, &assign(pairs(60, &batch))), least, "{name}");
        for limits in LIMITS {
            prove(60, &batch, limits);
        }
    }
}

#[test]
fn hard_batches_take_a_bounded_number_of_looks_at_each_pair() {
    // Shortest paths alone take about 333 looks for the products of 1,000 by 1,000.
    for (name, batch) in hard_batches(400) {
        let looks = prove(400, &batch, (4, 200));
        assert!(looks <= 150, "{name}: {looks} looks at each pair");
    }
}

#[test]
fn nobody_to_give_and_nobody_to_take_is_no_trouble() {
    assert_eq!(assign(Pairs::new(0)), []);
    assert_eq!(assign(Pairs::new(3)), []);
    assert_eq!(assign(pairs(0, &vec![(5, vec![]), (-5, vec![])])), [None, None]);
    assert_eq!(assign(pairs(2, &vec![(5, vec![]), (5, vec![(1, 1)])])), [None, Some(1)]);
}

#[test]
fn one_ticket_goes_to_the_cheapest_of_many_agents() {
    let row = (0..10_000).map(|agent| (agent, (i64::from(agent) - 7_654).abs())).collect();
    assert_eq!(assign(pairs(10_000, &vec![(1_000_000, row)])), [Some(7_654)]);
}

#[test]
fn one_agent_takes_the_ticket_that_gains_most_of_many() {
    let batch = (0..10_000).map(|ticket| (10_000, vec![(0, (ticket - 7_654_i64).abs())])).collect();
    let answer = assign(pairs(1, &batch));
    assert_eq!(answer.iter().position(Option::is_some), Some(7_654));
    assert_eq!(answer.iter().flatten().count(), 1);
}

#[test]
fn a_ticket_waits_where_every_agent_costs_more_than_that() {
    assert_eq!(assign(pairs(1, &vec![(-3, vec![(0, -2)])])), [None]);
    assert_eq!(assign(pairs(1, &vec![(-1, vec![(0, -2)])])), [Some(0)]);
}

#[test]
fn costs_beyond_the_bounds_count_as_the_bounds() {
    let beyond = vec![(i64::MAX, vec![(0, i64::MIN), (1, i64::MAX)]), (i64::MIN, vec![(0, -1)])];
    assert_eq!(assign(pairs(2, &beyond)), [Some(0), None]);
    // Nothing overflows on the way, whatever means is used.
    let apart =
        vec![(i64::MAX, vec![(0, -1), (1, 5)]), (0, vec![(0, -7)]), (i64::MIN, vec![(1, 0)])];
    LIMITS.iter().for_each(|limits| assert!(prove(2, &apart, *limits) < 100));
    let both = vec![(i64::MAX, vec![(0, i64::MAX), (1, PAIR_COST_MAX)]); 3];
    assert_eq!(assign(pairs(2, &both)).iter().flatten().count(), 2);
}

#[test]
fn pairs_without_a_ticket_or_with_an_agent_outside_the_batch_are_not_used() {
    let mut pairs = Pairs::new(1);
    pairs.pair(0, 1);
    pairs.ticket(9);
    pairs.pair(1, 1);
    pairs.pair(u32::MAX, 1);
    assert_eq!(assign(pairs), [None]);
}
