//! One run: tickets, agents and time around the core.
//!
//! The world draws when tickets come, how much work they are, when they lose patience and how agents
//! answer; the core decides everything else. Each ticket draws its work and its patience when it comes,
//! so that they do not depend on who takes it.

mod offers;
mod tickets;

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
};

use self::offers::Asked;
use super::{
    arrivals::Arrivals,
    random::{Seed, Stream},
    scenario::{Class, Scenario},
    setup::{Setup, longest_seconds},
    tally::{RunResult, Tally},
};
use crate::{
    domain::{
        event::WorkspaceSettings,
        id::{AgentId, InvalidId, TicketId},
        time::UnixMillis,
    },
    routing::{AgentWrite, Input, Rejection, State, step},
};

/// Answers and timers at one moment, at most: more, and the world stands still.
const AT_ONE_MOMENT_MAX: u32 = 1_000_000;
/// Moments between two reports of progress.
const MOMENTS_PER_REPORT: u32 = 1 << 14;

/// Why a run could not go on.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RunError {
    /// More tickets wait than the core holds.
    #[error(
        "after {seconds:.0} s the core holds as many tickets as it can ({rejection}): more come than \
         the agents can serve; set system_limit or patience_mean_seconds, or shorten horizon_seconds"
    )]
    Full {
        /// When.
        seconds: f64,
        /// What the core said.
        rejection: Rejection,
    },
    /// Offers go round without end.
    #[error(
        "at {seconds:.0} s an offer was declined, or a timer ran, {AT_ONE_MOMENT_MAX} times in one \
         moment; lower decline_probability"
    )]
    StandsStill {
        /// When.
        seconds: f64,
    },
    /// The core refused what it should take: a fault of this program.
    #[error("the core refused what the simulation told it: {0}")]
    Refused(Rejection),
    /// An identifier could not be made: a fault of this program.
    #[error("the simulation made a wrong identifier: {0}")]
    Identifier(#[from] InvalidId),
}

/// What happens at a moment. Tickets are named by place and number: places are used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Arrival { class: usize },
    ServiceEnd { place: usize, number: u64 },
    PatienceEnd { place: usize, number: u64 },
    Answer { place: usize, number: u64, epoch: u32 },
    Shift { agent: usize, begins: bool, index: usize },
}

/// A ticket in the system.
struct Ticket {
    id: TicketId,
    number: u64,
    class: usize,
    arrived_at: i64,
    /// Whether it is measured.
    counts: bool,
    /// Seconds of work at a rate of 1.
    work: f64,
    /// The agent asked or working.
    agent: usize,
    in_service: bool,
}

/// What a class draws from.
struct Source {
    arrivals: Arrivals,
    work: Stream,
    patience: Stream,
    /// Whether somebody can serve it.
    servable: bool,
}

struct World<'a> {
    scenario: &'a Scenario,
    setup: &'a Setup,
    state: State,
    now: i64,
    due: BinaryHeap<Reverse<(i64, u64, Due)>>,
    /// One more with each thing put into `due`: what is due together comes in this order.
    sequence: u64,
    tickets: Vec<Option<Ticket>>,
    free: Vec<usize>,
    numbers: u64,
    sources: Vec<Source>,
    answers: Vec<Stream>,
    asked: VecDeque<Asked>,
    tally: Tally,
    events: u64,
    /// Answers and timers since time last passed.
    at_this_moment: u32,
}

/// Simulates one run; `progress` is told the share of it that was done since it was last told.
///
/// # Errors
/// [`RunError`] when more tickets wait than the core can hold.
pub(super) fn run(
    scenario: &Scenario,
    setup: &Setup,
    seed: Seed,
    progress: &dyn Fn(f64),
) -> Result<RunResult, RunError> {
    let mut world = World::new(scenario, setup, seed);
    world.begin()?;
    let end = setup.clock.ticks(scenario.end_seconds());
    // Whoever arrived in the window is followed, but not for ever.
    let last = setup.clock.ticks(longest_seconds(scenario));
    let (mut moments, mut told) = (0, 0.0);
    while let Some(at) = world.next_at() {
        if at >= end && (world.tally.open == 0 || at > last) {
            break;
        }
        world.happen(at)?;
        moments += 1;
        if moments == MOMENTS_PER_REPORT {
            moments = 0;
            let done = (at as f64 / end as f64).min(1.0);
            progress(done - told);
            told = done;
        }
    }
    progress(1.0 - told);
    Ok(world.end(last))
}

impl<'a> World<'a> {
    fn new(scenario: &'a Scenario, setup: &'a Setup, seed: Seed) -> Self {
        let unservable: Vec<&Class> = scenario.unservable().collect();
        let source = |class: &Class| {
            let stream = |purpose| Stream::new(seed, purpose, &class.name);
            Source {
                arrivals: Arrivals::new(
                    (class.arrival_rate, class.arrival_law),
                    class.pattern.clone(),
                    stream("arrivals"),
                    longest_seconds(scenario),
                ),
                work: stream("work"),
                patience: stream("patience"),
                servable: !unservable.contains(&class),
            }
        };
        let clock = setup.clock;
        let window = (clock.ticks(scenario.warmup_seconds), clock.ticks(scenario.end_seconds()));
        let capacity = setup.agents.iter().map(|agent| agent.capacity_units).collect();
        let mut tally = Tally::new(window, scenario.classes.len(), capacity);
        if scenario.has_days() {
            tally.by_day(clock.ticks(scenario.period_seconds));
        }
        let names = setup.agents.iter().map(|agent| &agent.display_name);
        Self {
            scenario,
            setup,
            state: State::default(),
            now: 0,
            due: BinaryHeap::new(),
            sequence: 0,
            tickets: Vec::new(),
            free: Vec::new(),
            numbers: 0,
            sources: scenario.classes.iter().map(source).collect(),
            answers: names.map(|name| Stream::new(seed, "answers", name)).collect(),
            asked: VecDeque::new(),
            tally,
            events: 0,
            at_this_moment: 0,
        }
    }

    /// Makes the workspace, and brings the agents who are there at the start.
    fn begin(&mut self) -> Result<(), RunError> {
        let settings = WorkspaceSettings::default();
        self.tell(Input::SetWorkspace { settings, expected: None })?;
        for skill in &self.setup.skills {
            let description = String::new();
            self.tell(Input::CreateSkill { skill: skill.clone(), description })?;
        }
        self.tell(Input::SetPolicy { policy: self.setup.policy.clone(), expected: None })?;
        for (agent, profile) in self.setup.agents.iter().enumerate() {
            let write = AgentWrite::Create;
            self.tell(Input::SetAgent { profile: profile.clone(), write })?;
            // A stream holds presence: it ends with the shift, not with a lease.
            self.tell(Input::OpenStream { agent: profile.agent.clone() })?;
            match self.shifts(agent) {
                [] => self.sign(agent, true)?,
                _ => self.plan_shift(agent, 0, true),
            }
        }
        for class in 0..self.sources.len() {
            self.plan_arrival(class);
        }
        Ok(())
    }

    fn shifts(&self, agent: usize) -> &'a [(f64, f64)] {
        &self.scenario.teams[self.setup.team_of[agent]].shifts
    }

    /// Returns when something happens next.
    fn next_at(&self) -> Option<i64> {
        let timer = self.state.next_due().map(|at| at.0.max(self.now));
        let due = self.due.peek().map(|Reverse((at, ..))| *at);
        timer.into_iter().chain(due).min()
    }

    /// Lets the next thing happen: the core's timers first, then what the world planned.
    fn happen(&mut self, at: i64) -> Result<(), RunError> {
        if at > self.now {
            self.at_this_moment = 0;
        }
        self.now = at;
        if self.state.next_due().is_some_and(|due| due.0 <= at) {
            self.bounded()?;
            self.tell(Input::Tick)?;
            return self.answer_offers();
        }
        let Some(Reverse((_, _, due))) = self.due.pop() else { return Ok(()) };
        match due {
            Due::Arrival { class } => self.arrive(class)?,
            Due::ServiceEnd { place, number } => self.finish(place, number)?,
            Due::PatienceEnd { place, number } => self.give_up(place, number)?,
            Due::Answer { place, number, epoch } => self.answer_later(place, number, epoch)?,
            Due::Shift { agent, begins, index } => {
                self.sign(agent, begins)?;
                let index = index + usize::from(!begins);
                self.plan_shift(agent, index, !begins);
            }
        }
        self.answer_offers()
    }

    fn bounded(&mut self) -> Result<(), RunError> {
        self.at_this_moment += 1;
        if self.at_this_moment > AT_ONE_MOMENT_MAX {
            return Err(RunError::StandsStill { seconds: self.now_seconds() });
        }
        Ok(())
    }

    fn plan(&mut self, at: i64, due: Due) {
        self.sequence += 1;
        self.due.push(Reverse((at, self.sequence, due)));
    }

    fn plan_after(&mut self, seconds: f64, due: Due) {
        let ticks = self.setup.clock.ticks(seconds);
        self.plan(self.now.saturating_add(ticks), due);
    }

    fn plan_arrival(&mut self, class: usize) {
        if let Some(seconds) = self.sources[class].arrivals.next() {
            let at = self.setup.clock.ticks(seconds);
            self.plan(at.max(self.now), Due::Arrival { class });
        }
    }

    /// Plans the begin or the end of a shift; `index` counts on from period to period.
    fn plan_shift(&mut self, agent: usize, index: usize, begins: bool) {
        let shifts = self.shifts(agent);
        let Some((from, to)) = shifts.get(index % shifts.len().max(1)) else { return };
        let periods = (index / shifts.len().max(1)) as f64;
        let within = if begins { from } else { to };
        let at = self.setup.clock.ticks(periods * self.scenario.period_seconds + within);
        self.plan(at, Due::Shift { agent, begins, index });
    }

    // The core

    /// Tells the core something it must take.
    fn tell(&mut self, input: Input) -> Result<(), RunError> {
        self.take(input).map_err(RunError::Refused)
    }

    fn take(&mut self, input: Input) -> Result<(), Rejection> {
        let events = step(&mut self.state, input, UnixMillis(self.now))?;
        self.events += events.len() as u64;
        for event in events {
            self.note(event);
        }
        Ok(())
    }

    fn agent_id(&self, agent: usize) -> AgentId {
        self.setup.agents[agent].agent.clone()
    }

    fn ticket(&self, place: usize, number: u64) -> Option<&Ticket> {
        let ticket = self.tickets.get(place)?.as_ref()?;
        (ticket.number == number).then_some(ticket)
    }

    fn now_seconds(&self) -> f64 {
        self.setup.clock.seconds(self.now as f64)
    }

    /// Counts what waits still, and ends.
    fn end(mut self, last: i64) -> RunResult {
        let clock = self.setup.clock;
        let now = self.now.min(last);
        for ticket in self.tickets.iter().flatten().filter(|t| t.counts && !t.in_service) {
            let class = self.tally.class(ticket.class);
            class.unfinished += 1.0;
            class.wait_seconds += clock.seconds((now - ticket.arrived_at) as f64);
        }
        self.tally.finish(self.events, |ticks| clock.seconds(ticks))
    }
}

/// Names a ticket so that its place is found again without looking it up.
fn ticket_id(place: usize, number: u64) -> Result<TicketId, InvalidId> {
    TicketId::new(format!("{number}-{place}"))
}
