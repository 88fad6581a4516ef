//! One side of an assignment, tickets or agents: its pairs, its duals and who has whom.

/// Stands for nobody. No count reaches it.
pub(super) const NONE: u32 = u32::MAX;
/// How many of a ticket's cheapest pairs are sorted. Measured: most looks end within them.
const HEAD_PAIRS: usize = 32;

/// A candidate pair, seen from one side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Edge {
    pub(super) cost: i32,
    pub(super) other: u32,
}

/// The least and second least that one may pay, and the edge of the least; none is to stay alone.
pub(super) type Two = (i64, i64, Option<Edge>);

/// Returns `two` with one more edge taken into account. Without branches: they would be mispredicted.
fn better_two((least, second, best): Two, edge: Edge, far: &Side) -> Two {
    // Far from overflow (see `super::SKIP_COST_MAX`), and a tenth of the time is spent here.
    let pays = i64::from(edge.cost).wrapping_sub(far.duals[edge.other as usize]);
    let better = pays < least;
    let second = if better { least } else { second.min(pays) };
    (least.min(pays), second, if better { Some(edge) } else { best })
}

/// Tickets or agents, with what they know of the other side.
pub(super) struct Side {
    /// Where the edges of each begin, and the end of the last.
    starts: Vec<usize>,
    pub(super) edges: Vec<Edge>,
    /// How many of each one's edges are sorted and cheaper than the rest.
    head: usize,
    /// What each costs alone, and the highest its dual may be.
    pub(super) caps: Vec<i64>,
    pub(super) duals: Vec<i64>,
    /// No dual is above it while the other side bids or searches: these only lower duals here.
    pub(super) top: i64,
    pub(super) mates: Vec<u32>,
}

impl Side {
    /// Everybody is alone and at the cap.
    pub(super) fn new(starts: Vec<usize>, edges: Vec<Edge>, caps: Vec<i64>, sorted: bool) -> Self {
        let top = caps.iter().copied().max().unwrap_or(0);
        let head = if sorted { HEAD_PAIRS } else { 0 };
        let mates = vec![NONE; caps.len()];
        Self { starts, edges, head, duals: caps.clone(), caps, top, mates }
    }

    /// Returns the agents, seen from the tickets.
    pub(super) fn facing(&self, count: usize) -> Self {
        let mut starts = vec![0; count + 1];
        for edge in &self.edges {
            starts[edge.other as usize + 1] += 1;
        }
        for index in 0..count {
            starts[index + 1] += starts[index];
        }
        let mut next = starts.clone();
        let mut edges = vec![Edge { cost: 0, other: 0 }; self.edges.len()];
        for (one, bounds) in (0..NONE).zip(self.starts.windows(2)) {
            for edge in &self.edges[bounds[0]..bounds[1]] {
                let place = &mut next[edge.other as usize];
                edges[*place] = Edge { cost: edge.cost, other: one };
                *place += 1;
            }
        }
        Self::new(starts, edges, vec![0; count], false)
    }

    /// Returns the edges of one: those that are sorted, then the rest, all dearer.
    pub(super) fn edges(&self, one: u32) -> [&[Edge]; 2] {
        let edges = &self.edges[self.starts[one as usize]..self.starts[one as usize + 1]];
        edges.split_at(self.head.min(edges.len())).into()
    }

    /// Returns what `one` pays at least and at second least, across its edges or alone.
    pub(super) fn best_two(&self, far: &Self, one: u32, looks: &mut u64) -> Two {
        let cap = self.caps[one as usize];
        let mut two = (cap, cap, None);
        let [head, tail] = self.edges(one);
        let mut floor = i64::MIN;
        for edge in head {
            floor = i64::from(edge.cost) - far.top;
            if floor >= two.1 {
                return two;
            }
            *looks += 1;
            two = better_two(two, *edge, far);
        }
        if floor < two.1 {
            *looks += tail.len() as u64;
            two = tail.iter().fold(two, |two, edge| better_two(two, *edge, far));
        }
        two
    }

    /// Returns who is alone without being at the cap.
    pub(super) fn pending(&self) -> Vec<u32> {
        let all = (0..NONE).zip(&self.mates).zip(self.duals.iter().zip(&self.caps));
        let pending = all.filter(|((_, mate), (dual, cap))| **mate == NONE && dual < cap);
        pending.map(|((one, _), _)| one).collect()
    }
}

/// Sorts the [`HEAD_PAIRS`] cheapest edges of each to the front.
pub(super) fn sort_heads(starts: &[usize], edges: &mut [Edge]) {
    let mut scratch = Vec::new();
    for bounds in starts.windows(2) {
        sort_head(&mut edges[bounds[0]..bounds[1]], &mut scratch);
    }
}

/// Brings the [`HEAD_PAIRS`] cheapest edges to the front, in order.
///
/// The rest keeps its order, so that answers do not hang on how the library selects.
fn sort_head(edges: &mut [Edge], scratch: &mut Vec<Edge>) {
    if edges.len() > HEAD_PAIRS {
        scratch.clear();
        scratch.extend_from_slice(edges);
        let (_, last, _) = scratch.select_nth_unstable(HEAD_PAIRS - 1);
        let last = *last;
        scratch.clear();
        let mut place = edges.len();
        for index in (0..edges.len()).rev() {
            let edge = edges[index];
            if edge > last {
                place -= 1;
                edges[place] = edge;
            } else {
                scratch.push(edge);
            }
        }
        // As long as the part that is left: each edge went to one of the two.
        edges[..place].copy_from_slice(scratch);
        edges[..place].sort_unstable();
    } else {
        edges.sort_unstable();
    }
}
