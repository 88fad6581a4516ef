//! Shortest augmenting paths: the exact way to the best duals, however far it is.

use std::{cmp::Reverse, collections::BinaryHeap, mem::replace};

use super::side::{Edge, NONE, Side};

/// Searches for all of `near` who are alone below their cap; stops early after about `looks_max`.
pub(super) fn search_all(near: &mut Side, far: &mut Side, looks_max: u64, looks: &mut u64) -> bool {
    let mut search = Search::new(far.caps.len());
    for root in near.pending() {
        search.run(near, far, root, looks);
        if *looks > looks_max {
            return false;
        }
    }
    true
}

/// Where a path ends.
#[derive(Clone, Copy)]
enum End {
    /// One of the near side is left alone.
    Alone(u32),
    /// One of the far side, who was alone, is taken.
    Free(u32),
}

/// A search for the cheapest exchange that gives one of the near side a place (Dijkstra's, over what
/// each edge costs more than the two duals). Kept from one search to the next for its memory.
struct Search {
    /// Of the far side: the way to each, [`i64::MAX`] if none is known, and who comes before it.
    distances: Vec<i64>,
    from: Vec<u32>,
    /// Of the far side: whose distance is known, and whose is final.
    touched: Vec<u32>,
    settled: Vec<u32>,
    /// Of the near side: from whom the search went on, and the way to them.
    scanned: Vec<(u32, i64)>,
    /// Who is next: first those no farther than the last one, then the others.
    level: Vec<u32>,
    heap: BinaryHeap<Reverse<(i64, u32)>>,
    /// The shortest way to an end, and that end.
    bound: i64,
    end: End,
}

impl Search {
    fn new(count: usize) -> Self {
        Self {
            distances: vec![i64::MAX; count],
            from: vec![NONE; count],
            touched: Vec::new(),
            settled: Vec::new(),
            scanned: Vec::new(),
            level: Vec::new(),
            heap: BinaryHeap::new(),
            bound: i64::MAX,
            end: End::Alone(NONE),
        }
    }

    /// Finds a place for `root`, who is alone below the cap, or leaves it alone at the cap.
    fn run(&mut self, near: &mut Side, far: &mut Side, root: u32, looks: &mut u64) {
        self.bound = i64::MAX;
        self.scan(near, far, root, 0, looks);
        while let Some((distance, other)) = self.nearest() {
            if distance >= self.bound {
                break;
            }
            if distance == self.distances[other as usize] {
                self.settled.push(other);
                self.scan(near, far, far.mates[other as usize], distance, looks);
            }
        }
        self.adjust(near, far);
        self.augment(near, far, root);
    }

    /// Takes out the nearest of the far side; one may come up again with a distance that was bettered.
    fn nearest(&mut self) -> Option<(i64, u32)> {
        if let Some(other) = self.level.pop() {
            return Some((self.distances[other as usize], other));
        }
        self.heap.pop().map(|Reverse(nearest)| nearest)
    }

    /// Goes on from `one`, who is `distance` away.
    fn scan(&mut self, near: &Side, far: &Side, one: u32, distance: i64, looks: &mut u64) {
        self.scanned.push((one, distance));
        let offset = distance - near.duals[one as usize];
        let alone = offset + near.caps[one as usize];
        if alone < self.bound {
            self.bound = alone;
            self.end = End::Alone(one);
        }
        let [head, tail] = near.edges(one);
        let mut floor = i64::MIN;
        for edge in head {
            floor = offset + i64::from(edge.cost) - far.top;
            if floor >= self.bound {
                return;
            }
            *looks += 1;
            self.reach(far, one, *edge, distance, offset);
        }
        if floor < self.bound {
            *looks += tail.len() as u64;
            for edge in tail {
                self.reach(far, one, *edge, distance, offset);
            }
        }
    }

    /// Notes the way across one edge unless a shorter one is known; `offset` is the part before it.
    fn reach(&mut self, far: &Side, one: u32, edge: Edge, distance: i64, offset: i64) {
        let other = edge.other as usize;
        let reached = offset + i64::from(edge.cost) - far.duals[other];
        if reached >= self.bound || reached >= self.distances[other] {
            return;
        }
        self.from[other] = one;
        if far.mates[other] == NONE {
            self.bound = reached;
            self.end = End::Free(edge.other);
            return;
        }
        if self.distances[other] == i64::MAX {
            self.touched.push(edge.other);
        }
        self.distances[other] = reached;
        if reached == distance {
            self.level.push(edge.other);
        } else {
            self.heap.push(Reverse((reached, edge.other)));
        }
    }

    /// Changes the duals so that all edges on the path cost exactly their sum, and forgets the search.
    fn adjust(&mut self, near: &mut Side, far: &mut Side) {
        for other in self.settled.drain(..) {
            far.duals[other as usize] -= self.bound - self.distances[other as usize];
        }
        for (one, distance) in self.scanned.drain(..) {
            near.duals[one as usize] += self.bound - distance;
        }
        for other in self.touched.drain(..) {
            self.distances[other as usize] = i64::MAX;
        }
        self.level.clear();
        self.heap.clear();
    }

    /// Exchanges mates along the path.
    fn augment(&mut self, near: &mut Side, far: &mut Side, root: u32) {
        let mut other = match self.end {
            End::Free(other) => other,
            End::Alone(one) if one == root => return,
            End::Alone(one) => replace(&mut near.mates[one as usize], NONE),
        };
        while other != NONE {
            let one = self.from[other as usize];
            far.mates[other as usize] = one;
            other = replace(&mut near.mates[one as usize], other);
        }
    }
}
