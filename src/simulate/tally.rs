//! What is measured in one run: what tickets met that arrived in the window, and averages over it.
//!
//! The window begins after the warm-up and is as long as the horizon. A ticket that arrives in it is
//! followed to its end, so long waits count as much as short ones; averages over time end with the
//! window.

/// What one run measured.
#[derive(Clone, Debug, PartialEq)]
pub struct RunResult {
    /// Classes, in the order of the scenario.
    pub classes: Vec<ClassResult>,
    /// Agents, in the order of the scenario.
    pub agents: Vec<AgentResult>,
    /// Mean number of tickets waiting, by part of the day; empty without days.
    pub waiting_by_time: Vec<f64>,
    /// Events the core wrote, warm-up and all.
    pub events: u64,
}

/// What the tickets of a class met that arrived in the window.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ClassResult {
    /// Tickets that arrived.
    pub arrived: f64,
    /// Of those, not admitted: the system was full.
    pub blocked: f64,
    /// Of those admitted, gave up.
    pub abandoned: f64,
    /// Of those admitted, not in service at the moment of arrival.
    pub waited: f64,
    /// Of those admitted, neither served nor gone when the run was ended.
    pub unfinished: f64,
    /// Of those admitted, accepted by an agent.
    pub assigned: f64,
    /// Offers made of those admitted.
    pub offers: f64,
    /// Sum of the waits of those admitted; of the unfinished, the time waited so far.
    pub wait_seconds: f64,
    /// Integral over the window of the number of tickets waiting.
    pub queue_seconds: f64,
}

impl ClassResult {
    /// Returns the tickets that were let in.
    #[must_use]
    pub fn admitted(&self) -> f64 {
        self.arrived - self.blocked
    }

    /// Adds another class to this one.
    pub fn add(&mut self, other: &Self) {
        self.arrived += other.arrived;
        self.blocked += other.blocked;
        self.abandoned += other.abandoned;
        self.waited += other.waited;
        self.unfinished += other.unfinished;
        self.assigned += other.assigned;
        self.offers += other.offers;
        self.wait_seconds += other.wait_seconds;
        self.queue_seconds += other.queue_seconds;
    }
}

/// How an agent's time in the window was spent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct AgentResult {
    /// Integral of the capacity in use.
    pub used_seconds: f64,
    /// Integral of the capacity that was there: of an agent on shift, or still busy after it.
    pub there_seconds: f64,
}

/// A number that changes at times, and its integral over the window.
#[derive(Clone, Copy, Debug, Default)]
struct Level {
    now: u32,
    since: i64,
    integral: f64,
}

impl Level {
    fn settle(&mut self, window: (i64, i64), at: i64) {
        let span = at.min(window.1) - self.since.max(window.0);
        if span > 0 {
            self.integral += f64::from(self.now) * span as f64;
        }
        self.since = at;
    }
}

/// Parts of the day for which the number waiting is told.
pub(super) const PARTS_OF_DAY: usize = 96;

/// The number of tickets waiting by part of the day.
#[derive(Clone, Debug)]
struct Days {
    period: i64,
    since: i64,
    waiting: u32,
    integrals: Vec<f64>,
    lengths: Vec<f64>,
}

impl Days {
    fn settle(&mut self, window: (i64, i64), at: i64) {
        let parts = i64::try_from(self.integrals.len()).unwrap_or(1);
        let (mut from, to) = (self.since.max(window.0), at.min(window.1));
        self.since = at;
        while from < to {
            let within = from.rem_euclid(self.period);
            let part = (within * parts / self.period).min(parts - 1);
            // Rounded up: the first tick of the next part.
            let end = (self.period * (part + 1) + parts - 1) / parts;
            let until = to.min(from + end - within);
            let index = usize::try_from(part).unwrap_or(0);
            self.integrals[index] += f64::from(self.waiting) * (until - from) as f64;
            self.lengths[index] += (until - from) as f64;
            from = until;
        }
    }
}

/// Counts while a run goes on. Times are in ticks.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    window: (i64, i64),
    classes: Vec<ClassResult>,
    waiting: Vec<Level>,
    used: Vec<Level>,
    there: Vec<Level>,
    capacity: Vec<u32>,
    on_shift: Vec<bool>,
    days: Option<Days>,
    /// Tickets that arrived in the window and still wait, of classes that somebody can serve.
    pub(super) open: u64,
}

impl Tally {
    /// Begins, with the window, the number of classes and the capacity of each agent.
    pub(super) fn new(window: (i64, i64), classes: usize, capacity: Vec<u32>) -> Self {
        let agents = capacity.len();
        Self {
            window,
            classes: vec![ClassResult::default(); classes],
            waiting: vec![Level::default(); classes],
            used: vec![Level::default(); agents],
            there: vec![Level::default(); agents],
            on_shift: vec![false; agents],
            capacity,
            days: None,
            open: 0,
        }
    }

    /// Tells the number waiting by part of a day of this length, too.
    pub(super) fn by_day(&mut self, period: i64) {
        self.days = Some(Days {
            period: period.max(1),
            since: 0,
            waiting: 0,
            integrals: vec![0.0; PARTS_OF_DAY],
            lengths: vec![0.0; PARTS_OF_DAY],
        });
    }

    /// Returns whether a ticket that arrives now counts.
    pub(super) fn counts(&self, at: i64) -> bool {
        (self.window.0..self.window.1).contains(&at)
    }

    /// Returns what is counted of a class.
    pub(super) fn class(&mut self, class: usize) -> &mut ClassResult {
        &mut self.classes[class]
    }

    /// Notes that more (or fewer) tickets of a class wait from now on.
    pub(super) fn waiting(&mut self, at: i64, class: usize, by: i32) {
        let level = &mut self.waiting[class];
        level.settle(self.window, at);
        level.now = level.now.saturating_add_signed(by);
        if let Some(days) = &mut self.days {
            days.settle(self.window, at);
            days.waiting = days.waiting.saturating_add_signed(by);
        }
    }

    /// Notes that an agent uses more (or less) capacity from now on.
    pub(super) fn used(&mut self, at: i64, agent: usize, by: i32) {
        let level = &mut self.used[agent];
        level.settle(self.window, at);
        level.now = level.now.saturating_add_signed(by);
        self.settle_there(at, agent);
    }

    /// Notes that an agent comes or goes.
    pub(super) fn on_shift(&mut self, at: i64, agent: usize, on_shift: bool) {
        self.on_shift[agent] = on_shift;
        self.settle_there(at, agent);
    }

    fn settle_there(&mut self, at: i64, agent: usize) {
        let there = self.on_shift[agent] || self.used[agent].now > 0;
        let now = if there { self.capacity[agent] } else { 0 };
        if self.there[agent].now != now {
            self.there[agent].settle(self.window, at);
            self.there[agent].now = now;
        }
    }

    /// Ends, at or after the end of the window.
    pub(super) fn finish(mut self, events: u64, seconds: impl Fn(f64) -> f64) -> RunResult {
        let end = self.window.1;
        let levels = [&mut self.waiting, &mut self.used, &mut self.there];
        levels
            .into_iter()
            .flatten()
            .for_each(|level| level.settle(self.window, level.since.max(end)));
        for (class, level) in self.classes.iter_mut().zip(&self.waiting) {
            class.queue_seconds = seconds(level.integral);
        }
        let agents = self.used.iter().zip(&self.there).map(|(used, there)| AgentResult {
            used_seconds: seconds(used.integral),
            there_seconds: seconds(there.integral),
        });
        let waiting_by_time = self.days.map_or_else(Vec::new, |mut days| {
            days.settle(self.window, days.since.max(end));
            let mean = |(sum, length): (&f64, &f64)| if *length > 0.0 { sum / length } else { 0.0 };
            days.integrals.iter().zip(&days.lengths).map(mean).collect()
        });
        RunResult { classes: self.classes, agents: agents.collect(), waiting_by_time, events }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, wanted: f64) -> bool {
        (found - wanted).abs() < 1e-9
    }

    #[test]
    fn averages_over_time_end_with_the_window() {
        let mut tally = Tally::new((100, 200), 1, vec![2]);
        tally.on_shift(0, 0, true);
        tally.used(50, 0, 2);
        tally.used(120, 0, -1);
        tally.waiting(90, 0, 3);
        tally.waiting(250, 0, -3);
        let result = tally.finish(7, |ticks| ticks / 10.0);
        // Two for 20 ticks, one for 80; three for all 100.
        assert!(close(result.agents[0].used_seconds, 12.0), "{result:?}");
        assert!(close(result.agents[0].there_seconds, 20.0), "{result:?}");
        assert!(close(result.classes[0].queue_seconds, 30.0), "{result:?}");
        assert_eq!(result.events, 7);
    }

    #[test]
    fn who_finishes_after_the_shift_is_still_there() {
        let mut tally = Tally::new((0, 100), 0, vec![1]);
        tally.on_shift(0, 0, true);
        tally.used(10, 0, 1);
        tally.on_shift(30, 0, false);
        tally.used(50, 0, -1);
        let agent = tally.finish(0, |ticks| ticks).agents[0];
        assert!(close(agent.used_seconds, 40.0) && close(agent.there_seconds, 50.0), "{agent:?}");
    }

    #[test]
    fn the_parts_of_the_day_share_what_waits() {
        let mut tally = Tally::new((0, 9600), 1, vec![]);
        tally.by_day(960);
        for day in 0..10 {
            tally.waiting(day * 960 + 15, 0, 1);
            tally.waiting(day * 960 + 30, 0, -1);
        }
        let parts = tally.finish(0, |ticks| ticks).waiting_by_time;
        assert!(close(parts[1], 0.5) && close(parts[2], 1.0) && close(parts[3], 0.0), "{parts:?}");
        assert!(close(parts.iter().sum::<f64>(), 1.5));
    }
}
