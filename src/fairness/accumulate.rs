//! Counts of treatment by segment, kept as tickets come: bounded, and merged in any order.
//!
//! What a ticket adds can be taken back, so a late label or a corrected outcome revises the counts.
//! Two accumulators of parts of a stream merge to exactly the one of the whole, whatever the parts
//! and their order: all that is kept are sums, and which segments are kept depends on names alone.

mod cell;
mod grid;

pub use self::{
    cell::Tally,
    grid::{GRID_GROWTH, WaitGrid},
};
use super::waits::Wait;
use crate::domain::{
    facts::TicketFacts,
    limits::{ACCUMULATED_SEGMENTS_MAX, ACCUMULATED_WINDOWS_MAX},
    time::UnixMillis,
};

/// Between the values of an intersection.
const SEPARATOR: char = '|';

/// What became known of a ticket. What is `None` was known before, or is not yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Observation {
    /// Whether the ticket itself is counted: once for each ticket.
    pub arrived: bool,
    /// Whether it was selected for the fast track.
    pub selected: Option<bool>,
    /// Whether it was selected, and whether it really was urgent.
    pub labelled: Option<(bool, bool)>,
    /// Whether its target was breached.
    pub target_breached: Option<bool>,
    /// Whether it changed hands.
    pub reassigned: Option<bool>,
    /// Whether it was resolved at first contact.
    pub first_contact: Option<bool>,
    /// Whether it was sent to people who triage.
    pub triaged: Option<bool>,
    /// How long it waited in milliseconds, and whether it was assigned then.
    pub wait: Option<(u64, bool)>,
}

impl Observation {
    /// Returns all that is known of a ticket. Its wait is known once it is over.
    #[must_use]
    pub fn of(ticket: &TicketFacts, now: UnixMillis) -> Self {
        let is_over = ticket.assigned_at.is_some() || ticket.closed_at.is_some();
        let wait = Wait::of(ticket, now);
        Self {
            arrived: true,
            selected: ticket.fast_tracked,
            labelled: None,
            target_breached: ticket.target_met(now).map(|met| !met),
            reassigned: ticket.reassigned,
            first_contact: ticket.first_contact(),
            triaged: ticket.triaged,
            wait: is_over.then_some((wait.ms, wait.assigned)),
        }
    }
}

/// What is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// How many attributes a ticket has.
    pub attributes: usize,
    /// Attributes that are looked at together, by their places.
    pub intersections: Vec<Vec<usize>>,
    /// Length of a window, in milliseconds; at least 1.
    pub window_ms: i64,
    /// Windows that are kept, the newest; beyond [`ACCUMULATED_WINDOWS_MAX`] taken as that.
    pub windows: usize,
}

/// Counts by attribute and intersection, since the start and in the newest windows.
#[derive(Clone, Debug, PartialEq)]
pub struct Accumulator {
    plan: Plan,
    /// One for each attribute, then one for each intersection.
    groupings: Vec<Grouping>,
    /// The newest window that anything came for.
    newest: i64,
    /// Values put together for an intersection, kept to spare allocations.
    joined: String,
}

/// The segments of one attribute or intersection.
#[derive(Clone, Debug, Default, PartialEq)]
struct Grouping {
    /// Ascending by name: found by halving, which beats a tree at this size.
    cells: Vec<(Box<str>, Cell)>,
    /// Tickets of segments beyond the bound: the last by name.
    beyond: Cell,
    /// Tickets that do not declare it.
    undeclared: Cell,
}

/// The counts of one segment. A window is kept by its number, the time divided by its length.
#[derive(Clone, Debug, Default, PartialEq)]
struct Cell {
    since_start: Tally,
    /// Ascending; nearly every ticket is of the last.
    windows: Vec<(i64, Tally)>,
}

/// The counts of one segment, as they stand.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment<'a> {
    /// The value, or the values with `|` between them.
    pub name: &'a str,
    /// Since the start.
    pub since_start: &'a Tally,
    /// In the windows kept, all together.
    pub recent: Tally,
}

impl Accumulator {
    /// Returns an accumulator that has seen nothing.
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        let groupings = plan.attributes + plan.intersections.len();
        Self {
            groupings: vec![Grouping::default(); groupings],
            newest: i64::MIN,
            joined: String::new(),
            plan,
        }
    }

    /// Adds what became known of a ticket.
    ///
    /// - `values`: of each attribute; empty where not declared.
    /// - `received_at`: of the ticket, so that what is known late goes to the window it belongs to.
    pub fn add(&mut self, values: &[&str], received_at: UnixMillis, seen: &Observation) {
        self.apply(values, received_at, seen, 1);
    }

    /// Takes back what was added, with the same values and time; then the right can be added.
    pub fn retract(&mut self, values: &[&str], received_at: UnixMillis, seen: &Observation) {
        self.apply(values, received_at, seen, -1);
    }

    /// Lets time pass, so that windows go though nothing comes.
    pub fn pass(&mut self, now: UnixMillis) {
        let window = now.0.div_euclid(self.plan.window_ms.max(1));
        if window > self.newest {
            self.newest = window;
            let oldest = self.oldest();
            for grouping in &mut self.groupings {
                grouping.all().for_each(|cell| cell.forget_before(oldest));
            }
        }
    }

    /// Returns when the oldest window that is kept begins.
    #[must_use]
    pub fn oldest_kept(&self) -> UnixMillis {
        UnixMillis(self.oldest().saturating_mul(self.plan.window_ms.max(1)))
    }

    /// Adds all that another accumulator of the same plan has counted; another plan adds nothing.
    pub fn merge(&mut self, other: &Self) {
        if self.plan != other.plan {
            return;
        }
        self.newest = self.newest.max(other.newest);
        let oldest = self.oldest();
        for (grouping, others) in self.groupings.iter_mut().zip(&other.groupings) {
            for (name, cell) in &others.cells {
                grouping.cell(name).merge(cell);
            }
            grouping.beyond.merge(&others.beyond);
            grouping.undeclared.merge(&others.undeclared);
            grouping.all().for_each(|cell| cell.forget_before(oldest));
        }
    }

    /// Returns the segments of an attribute or, after all attributes, of an intersection, by name;
    /// those beyond [`ACCUMULATED_SEGMENTS_MAX`] are one without a name, if there are any.
    pub fn segments(&self, grouping: usize) -> impl Iterator<Item = Segment<'_>> {
        let found = self.groupings.get(grouping);
        let named = found.into_iter().flat_map(|found| &found.cells);
        let beyond = found.map(|found| &found.beyond).filter(|cell| **cell != Cell::default());
        named.map(|(name, cell)| cell.segment(name)).chain(beyond.map(|cell| cell.segment("")))
    }

    /// Returns the counts of tickets that do not declare an attribute, or one of an intersection; without a name.
    #[must_use]
    pub fn undeclared(&self, grouping: usize) -> Option<Segment<'_>> {
        self.groupings.get(grouping).map(|found| found.undeclared.segment(""))
    }

    fn apply(&mut self, values: &[&str], at: UnixMillis, seen: &Observation, sign: i64) {
        self.pass(at);
        let window = at.0.div_euclid(self.plan.window_ms.max(1));
        let kept = (window >= self.oldest()).then_some(window);
        // The place of the wait is the same in all of them, and looked up once.
        let change = cell::Change::new(seen, sign);
        let value = |at: usize| values.get(at).copied().unwrap_or_default();
        for (attribute, grouping) in
            self.groupings.iter_mut().take(self.plan.attributes).enumerate()
        {
            grouping.named_or_undeclared(value(attribute)).add(&change, kept);
        }
        let together = self.groupings.iter_mut().skip(self.plan.attributes);
        for (grouping, places) in together.zip(&self.plan.intersections) {
            self.joined.clear();
            if places.iter().all(|place| !value(*place).is_empty()) {
                for (index, place) in places.iter().enumerate() {
                    if index > 0 {
                        self.joined.push(SEPARATOR);
                    }
                    self.joined.push_str(value(*place));
                }
            }
            grouping.named_or_undeclared(&self.joined).add(&change, kept);
        }
    }

    /// Returns the oldest window kept.
    fn oldest(&self) -> i64 {
        let windows = self.plan.windows.min(ACCUMULATED_WINDOWS_MAX);
        self.newest.saturating_sub(i64::try_from(windows).unwrap_or(i64::MAX)).saturating_add(1)
    }
}

impl Grouping {
    fn all(&mut self) -> impl Iterator<Item = &mut Cell> {
        let named = self.cells.iter_mut().map(|(_, cell)| cell);
        named.chain([&mut self.beyond, &mut self.undeclared])
    }

    fn named_or_undeclared(&mut self, name: &str) -> &mut Cell {
        if name.is_empty() { &mut self.undeclared } else { self.cell(name) }
    }

    /// Returns the counts of a segment, or those beyond the bound.
    ///
    /// The first by name are kept, whenever they come: the last gives way to an earlier one, and its
    /// counts go beyond. So what is kept does not depend on the order of tickets or merges.
    fn cell(&mut self, name: &str) -> &mut Cell {
        let place = match self.cells.binary_search_by(|(own, _)| (**own).cmp(name)) {
            Ok(place) => place,
            Err(place) if place >= ACCUMULATED_SEGMENTS_MAX => return &mut self.beyond,
            Err(place) => {
                if self.cells.len() >= ACCUMULATED_SEGMENTS_MAX
                    && let Some((_, last)) = self.cells.pop()
                {
                    self.beyond.merge(&last);
                }
                self.cells.insert(place, (name.into(), Cell::default()));
                place
            }
        };
        &mut self.cells[place].1
    }
}

impl Cell {
    fn add(&mut self, change: &cell::Change, window: Option<i64>) {
        self.since_start.add(change);
        if let Some(window) = window {
            self.window(window).add(change);
        }
    }

    fn window(&mut self, window: i64) -> &mut Tally {
        let newer = self.windows.iter().rev().take_while(|(own, _)| *own > window).count();
        let place = self.windows.len() - newer;
        match place.checked_sub(1).filter(|at| self.windows[*at].0 == window) {
            Some(at) => &mut self.windows[at].1,
            None => {
                self.windows.insert(place, (window, Tally::default()));
                &mut self.windows[place].1
            }
        }
    }

    fn merge(&mut self, other: &Self) {
        self.since_start.merge(&other.since_start);
        for (window, tally) in &other.windows {
            self.window(*window).merge(tally);
        }
    }

    fn forget_before(&mut self, oldest: i64) {
        self.windows.retain(|(window, _)| *window >= oldest);
    }

    fn segment<'a>(&'a self, name: &'a str) -> Segment<'a> {
        let mut recent = Tally::default();
        self.windows.iter().for_each(|(_, tally)| recent.merge(tally));
        Segment { name, since_start: &self.since_start, recent }
    }
}

#[cfg(test)]
mod tests;
