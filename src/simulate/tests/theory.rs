//! Formulas and small Markov chains that the simulation is held to.

/// What a queue does in the long run.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// Share of the tickets let in that wait.
    pub(super) wait_probability: f64,
    pub(super) wait_mean: f64,
    pub(super) queue_mean: f64,
    pub(super) abandon: f64,
    pub(super) block: f64,
    pub(super) utilisation: f64,
}

/// Returns what `agents` do who each serve at rate 1, with places for `limit` tickets in all, when those
/// waiting give up at rate `impatience`: a birth and death chain, summed up as it is.
pub(super) fn birth_and_death(
    agents: u32,
    rate: f64,
    limit: Option<u32>,
    impatience: f64,
) -> Queue {
    let most = limit.unwrap_or(agents + 4000);
    let mut weights = vec![1.0];
    for n in 1..=most {
        let waiting = f64::from(n.saturating_sub(agents));
        let deaths = f64::from(n.min(agents)) + impatience * waiting;
        weights.push(weights.last().unwrap() * rate / deaths);
        // Without a limit, what is left hardly matters any more.
        if limit.is_none() && n > agents && *weights.last().unwrap() < 1e-14 {
            break;
        }
    }
    let all: f64 = weights.iter().sum();
    let of = |value: &dyn Fn(u32) -> f64| -> f64 {
        weights.iter().zip(0..).map(|(weight, n)| weight * value(n)).sum::<f64>() / all
    };
    let full = |n| f64::from(u8::from(limit == Some(n)));
    let waits = |n| f64::from(u8::from(n >= agents)) - full(n);
    let queue_mean = of(&|n| f64::from(n.saturating_sub(agents)));
    let block = of(&full);
    let admitted = rate * (1.0 - block);
    Queue {
        wait_probability: of(&waits) / (1.0 - block),
        wait_mean: queue_mean / admitted,
        queue_mean,
        abandon: impatience * queue_mean / admitted,
        block,
        utilisation: of(&|n| f64::from(n.min(agents))) / f64::from(agents),
    }
}

/// Erlang's C by the recursion of Erlang's B: the probability of waiting of a load among agents.
pub(super) fn erlang_c(agents: u32, load: f64) -> f64 {
    let b = (1..=agents).fold(1.0, |b, n| load * b / (f64::from(n) + load * b));
    b / (1.0 - load / f64::from(agents) * (1.0 - b))
}

/// Mean wait first come first served of agents who each serve at rate 1.
pub(super) fn fifo_wait(agents: u32, rate: f64) -> f64 {
    erlang_c(agents, rate) / (f64::from(agents) - rate)
}

/// Mean waits under strict priority without interruption, highest first, by Cobham.
pub(super) fn cobham(agents: u32, rates: &[f64]) -> Vec<f64> {
    let count = f64::from(agents);
    let residual = erlang_c(agents, rates.iter().sum()) / count;
    let mut above = 0.0;
    let mut wait = |rate: &f64| {
        let with = above + rate / count;
        let wait = residual / (1.0 - above) / (1.0 - with);
        above = with;
        wait
    };
    rates.iter().map(&mut wait).collect()
}

/// Mean waits when priority grows with age, by Kleinrock; rates and weights by ascending weight.
pub(super) fn accumulating(agents: u32, rates: &[f64], weights: &[f64]) -> Vec<f64> {
    let fifo = fifo_wait(agents, rates.iter().sum());
    let share = |class: usize| rates[class] / f64::from(agents);
    let mut waits: Vec<f64> = Vec::new();
    for p in 0..rates.len() {
        let below = (0..p).map(|i| share(i) * waits[i] * (1.0 - weights[i] / weights[p]));
        let above = (p + 1..rates.len()).map(|i| share(i) * (1.0 - weights[p] / weights[i]));
        waits.push((fifo - below.sum::<f64>()) / (1.0 - above.sum::<f64>()));
    }
    waits
}

/// Mean wait for one agent, by Pollaczek and Khinchine; `variation` is that of the service times.
pub(super) fn pollaczek(rate: f64, service_mean: f64, variation: f64) -> f64 {
    let load = rate * service_mean;
    let square = service_mean * service_mean * (1.0 + variation * variation);
    rate * square / 2.0 / (1.0 - load)
}

/// Agents who differ, and classes that some of them can serve: first come first served, to the agent
/// idle longest.
pub(super) struct Network<'a> {
    /// Rate of each class, and a bit for each agent who can serve it.
    pub(super) classes: &'a [(f64, u32)],
    /// Rate of each agent.
    pub(super) agents: &'a [f64],
}

/// What a network does in the long run.
#[derive(Debug)]
pub(super) struct Flows {
    pub(super) utilisation: Vec<f64>,
    /// By class.
    pub(super) wait_probability: Vec<f64>,
    pub(super) queue_mean: Vec<f64>,
}

impl Network<'_> {
    /// Sums the product form of Adan and Weiss, "A skill based parallel service system under FCFS-ALIS",
    /// Stochastic Systems 4(1), 2014: states are the agents in an order, of whom the first `busy` are
    /// busy; the numbers waiting between them are geometric.
    pub(super) fn product_form(&self) -> Flows {
        let (classes, agents) = (self.classes.len(), self.agents.len());
        let mut flows = Flows {
            utilisation: vec![0.0; agents],
            wait_probability: vec![0.0; classes],
            queue_mean: vec![0.0; classes],
        };
        let mut all = 0.0;
        let mut order: Vec<usize> = (0..agents).collect();
        permutations(&mut order, 0, &mut |order| {
            for busy in 0..=agents {
                all += self.add_state(order, busy, &mut flows);
            }
        });
        let lists = [&mut flows.utilisation, &mut flows.wait_probability, &mut flows.queue_mean];
        lists.into_iter().flatten().for_each(|value| *value /= all);
        flows
    }

    fn add_state(&self, order: &[usize], busy: usize, flows: &mut Flows) -> f64 {
        let set = |agents: &[usize]| agents.iter().fold(0_u32, |set, agent| set | 1 << agent);
        let mut weight = 1.0;
        let mut waiting = vec![0.0; self.classes.len()];
        for j in 1..=busy {
            let inside = set(&order[..j]);
            let only = |mask: u32| mask & !inside == 0;
            let arrive: f64 = self.classes.iter().filter(|c| only(c.1)).map(|c| c.0).sum();
            let serve: f64 = order[..j].iter().map(|agent| self.agents[*agent]).sum();
            weight /= serve - arrive;
            for (waiting, (rate, mask)) in waiting.iter_mut().zip(self.classes) {
                if only(*mask) {
                    *waiting += rate / (serve - arrive);
                }
            }
        }
        for j in busy..order.len() {
            let outside = set(&order[j..]);
            let meet = self.classes.iter().filter(|(_, mask)| mask & outside != 0);
            weight /= meet.map(|(rate, _)| rate).sum::<f64>();
        }
        let inside = set(&order[..busy]);
        for agent in &order[..busy] {
            flows.utilisation[*agent] += weight;
        }
        for (class, (_, mask)) in self.classes.iter().enumerate() {
            flows.queue_mean[class] += weight * waiting[class];
            if mask & !inside == 0 {
                flows.wait_probability[class] += weight;
            }
        }
        weight
    }
}

fn permutations(order: &mut [usize], from: usize, each: &mut impl FnMut(&[usize])) {
    if from == order.len() {
        return each(order);
    }
    for k in from..order.len() {
        order.swap(from, k);
        permutations(order, from + 1, each);
        order.swap(from, k);
    }
}

/// Which of the idle agents is asked.
#[derive(Clone, Copy, Debug)]
pub(super) enum Asked {
    Fastest,
    Slowest,
    Anyone,
}

/// Occupancies and the probability of waiting of agents who differ, each of whom can serve everything:
/// the chain of who is busy, iterated.
pub(super) fn unequal(rate: f64, agents: &[f64], asked: Asked) -> (Vec<f64>, f64) {
    let full = (1_usize << agents.len()) - 1;
    let idle = |set: usize| (0..agents.len()).filter(move |agent| set & (1 << agent) == 0);
    let total: f64 = agents.iter().sum();
    let mut p = vec![1.0 / (full + 1) as f64; full + 1];
    // Enough for twelve digits.
    for _ in 0..5000 {
        let mut inflow = vec![0.0; full + 1];
        for set in 0..=full {
            let by_speed = |a: &usize, b: &usize| agents[*a].total_cmp(&agents[*b]);
            let chosen: Vec<usize> = match asked {
                Asked::Fastest => idle(set).max_by(by_speed).into_iter().collect(),
                Asked::Slowest => idle(set).min_by(by_speed).into_iter().collect(),
                Asked::Anyone => idle(set).collect(),
            };
            for agent in &chosen {
                inflow[set | 1 << agent] += p[set] * rate / chosen.len() as f64;
            }
            for (agent, speed) in agents.iter().enumerate().filter(|(a, _)| set & (1 << a) != 0) {
                // With tickets waiting, the freed agent takes one: only the empty queue leads back.
                inflow[set & !(1 << agent)] += p[set] * speed;
            }
        }
        for set in 0..=full {
            let work: f64 = agents
                .iter()
                .enumerate()
                .filter(|(a, _)| set & (1 << a) != 0)
                .map(|(_, s)| s)
                .sum();
            let out = if set == full { total } else { rate + work };
            // Half way each time: the chain goes from even to odd and would swing.
            p[set] = f64::midpoint(p[set], inflow[set] / out);
        }
        let sum: f64 = p.iter().sum();
        p.iter_mut().for_each(|p| *p /= sum);
    }
    // All busy with a queue: geometric behind the state without one.
    let queued = p[full] * (rate / total) / (1.0 - rate / total);
    let all = 1.0 + queued;
    let busy = |agent: usize| {
        let sets = (0..=full).filter(|set| set & (1 << agent) != 0).map(|set| p[set]);
        (sets.sum::<f64>() + queued) / all
    };
    ((0..agents.len()).map(busy).collect(), (p[full] + queued) / all)
}

#[test]
fn the_formulas_give_the_published_values() {
    let near = |found: f64, wanted: f64| {
        assert!((found - wanted).abs() < 2e-6, "{found} is not {wanted}");
    };
    near(erlang_c(5, 4.0), 0.554_113);
    near(birth_and_death(5, 4.0, None, 0.0).wait_probability, erlang_c(5, 4.0));
    near(birth_and_death(5, 4.0, Some(5), 0.0).block, 0.199_067);
    near(birth_and_death(10, 8.0, None, 0.5).abandon, 0.038_821);
    near(cobham(5, &[1.0, 1.0, 2.0])[2], 0.923_521);
    near(accumulating(5, &[2.0, 1.0, 1.0], &[1.0, 2.0, 4.0])[1], 0.451_499);
    let n = Network { classes: &[(0.6, 0b01), (0.9, 0b11)], agents: &[1.0, 1.0] }.product_form();
    near(n.utilisation[0], 0.840_764);
    near(n.queue_mean[0], 1.725_478);
    near(n.wait_probability[1], 0.601_911);
    let (busy, waits) = unequal(1.6, &[1.0, 0.8, 0.5], Asked::Fastest);
    near(busy[2], 0.638_038);
    near(waits, 0.476_490);
    near(unequal(1.6, &[1.0, 0.8, 0.5], Asked::Anyone).0[1], 0.695_140);
}
