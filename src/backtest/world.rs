//! One run: what the world did, around the core, on a virtual clock.
//!
//! What came from outside happens as recorded; agents answer and work as `Script` says; the core decides
//! everything else, and its timers run.

mod agenda;
mod inputs;

use std::collections::BTreeSet;

use self::agenda::{Agenda, Due};
use super::{
    history::History,
    past::{Answer, End, Moment},
};
use crate::{
    domain::{
        event::Event,
        id::{AgentId, OfferId, TicketId},
        policy::Policy,
        ticket::{Outcome, Resolution, Status},
        time::UnixMillis,
    },
    routing::{Input, State, step},
};

/// Steps at one moment, at most: more, and the world stands still.
const AT_ONE_MOMENT_MAX: u32 = 1_000_000;
/// Steps between two reports of progress.
const STEPS_PER_REPORT: u32 = 1 << 12;

/// Why a run could not go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// Offers go round without end.
    #[error(
        "at {at} ms after 1970 something happened {AT_ONE_MOMENT_MAX} times in one moment: offers are \
         declined and made again at once; raise decline_backoff_secs"
    )]
    StandsStill {
        /// When, in milliseconds since 1970-01-01T00:00:00Z.
        at: i64,
    },
    /// The core refused the policy.
    #[error("the core refuses the policy: {0}")]
    Policy(#[from] crate::routing::Rejection),
}

/// How agents answer and work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Script {
    /// As recorded, for the offers that were recorded; timers run when the server woke. For checking
    /// that the core does again what it did.
    Recorded,
    /// By habit: each ticket has its work, each agent answers as usual.
    Habits,
}

/// What a run is told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plot<'a> {
    pub(super) script: Script,
    /// In force from the beginning in place of those recorded.
    pub(super) policy: Option<&'a Policy>,
    pub(super) seed: u64,
}

/// Who watches a run: told of each step's events and the state after them.
pub(super) type Watch<'a> = &'a mut dyn FnMut(UnixMillis, &[Event], &State);

pub(super) struct World<'a> {
    history: &'a History,
    plot: Plot<'a>,
    state: State,
    now: UnixMillis,
    agenda: Agenda,
    /// Agents who are removed once they hold nothing.
    leaving: BTreeSet<AgentId>,
    watch: Watch<'a>,
    /// Steps since time last passed.
    at_this_moment: u32,
    /// Steps since progress was last told.
    untold: u32,
}

/// Replays a history; `progress` is told the share done.
///
/// # Errors
/// [`RunError`] when the core refuses the policy, or time does not pass.
pub(super) fn run(
    history: &History,
    plot: Plot<'_>,
    watch: Watch<'_>,
    progress: &dyn Fn(f64),
) -> Result<(), RunError> {
    let mut world = World {
        history,
        plot,
        state: history.start.clone(),
        now: history.from.unwrap_or(UnixMillis(i64::MIN)),
        agenda: Agenda::default(),
        leaving: BTreeSet::new(),
        watch,
        at_this_moment: 0,
        untold: 0,
    };
    world.take_over();
    if history.from.is_some() {
        world.impose_policy()?;
    }
    let mut happenings = history.happenings.iter().enumerate().peekable();
    let mut wakings = history.moments.iter().peekable();
    let all = history.happenings.len().max(1) as f64;
    loop {
        let happening = happenings.peek().map(|(_, happening)| happening.moment);
        let waking = match plot.script {
            Script::Recorded => wakings.peek().copied().copied(),
            Script::Habits => None,
        };
        let due = world.agenda.next();
        let next = [happening, due, waking].into_iter().flatten().map(key).min();
        // A timer comes before what happens at the same moment.
        if let Some(at) = world.timer_before(next.map(|(at, _)| at)) {
            world.pass_to(at)?;
            world.tell(Input::Tick);
            continue;
        }
        let Some(next) = next else { break };
        if next.0 >= history.end {
            break;
        }
        world.pass_to(next.0)?;
        if waking.map(key) == Some(next) {
            wakings.next();
        } else if happening.map(key) == Some(next) {
            if let Some((place, happening)) = happenings.next() {
                // What is recorded comes to an end; what answers lead to need not.
                world.at_this_moment = 0;
                world.happen(&happening.event)?;
                world.report(place as f64 / all, progress);
            }
        } else if let Some(due) = world.agenda.pop() {
            world.fall_due(due);
        }
    }
    Ok(())
}

fn key(moment: Moment) -> (UnixMillis, u64) {
    (moment.at, moment.sequence)
}

impl World<'_> {
    /// Returns when a timer of the core runs, if that is no later than `next`.
    fn timer_before(&self, next: Option<UnixMillis>) -> Option<UnixMillis> {
        let due = self.state.next_due()?;
        match self.plot.script {
            // The server ran timers when it woke, and then all that were due.
            Script::Recorded => (due <= self.now).then_some(self.now),
            Script::Habits => {
                let at = due.max(self.now);
                (at < self.history.end && next.is_none_or(|next| at <= next)).then_some(at)
            }
        }
    }

    fn pass_to(&mut self, at: UnixMillis) -> Result<(), RunError> {
        if at > self.now {
            (self.now, self.at_this_moment) = (at, 0);
        }
        self.at_this_moment += 1;
        if self.at_this_moment > AT_ONE_MOMENT_MAX {
            return Err(RunError::StandsStill { at: self.now.0 });
        }
        Ok(())
    }

    fn report(&mut self, share: f64, progress: &dyn Fn(f64)) {
        self.untold += 1;
        if self.untold == STEPS_PER_REPORT {
            self.untold = 0;
            progress(share);
        }
    }

    /// Tells the core something. What it refuses happens not: the world of a run may differ from the
    /// one in which it was possible.
    fn tell(&mut self, input: Input) -> bool {
        let Ok(events) = step(&mut self.state, input, self.now) else { return false };
        for event in &events {
            match event {
                Event::OfferMade { offer, agent, .. } => self.await_answer(offer, agent),
                Event::OfferAccepted { offer, agent } => self.await_end(offer, agent),
                _ => {}
            }
        }
        (self.watch)(self.now, &events, &self.state);
        true
    }

    /// Plans the answers and ends of what agents held when the window began.
    fn take_over(&mut self) {
        let held = self.state.tickets().filter_map(|open| {
            let offer = OfferId { ticket: open.ticket.clone(), epoch: open.epoch };
            Some((offer, self.state.holder(open)?.clone(), open.status))
        });
        for (offer, agent, status) in held.collect::<Vec<_>>() {
            let past = self.history.chronicle.tickets.get(&offer.ticket);
            let Some(past) = past else { continue };
            let made = past.offer(offer.epoch);
            if status == Status::Offered {
                // It was made before the window, so it ends as it did.
                if let Some((moment, answer)) = made.and_then(|made| made.answer) {
                    self.plan_answer(moment, offer, agent, answer);
                }
                continue;
            }
            if self.plot.script == Script::Recorded {
                if let Some((moment, end)) = made.and_then(|made| made.end.clone()) {
                    self.agenda.put(Some(moment), moment.at, Due::End { offer, agent, end });
                }
                continue;
            }
            let accepted_at = made.and_then(|made| made.answer).map(|(moment, _)| moment.at);
            let left_ms = past.work_ms.saturating_sub(past.worked_before(self.now));
            let at = later(accepted_at.unwrap_or(self.now), left_ms).max(self.now);
            let end = self.end_of(&offer.ticket);
            self.agenda.put(None, at, Due::End { offer, agent, end });
        }
    }

    /// Plans how an agent answers an offer.
    fn await_answer(&mut self, offer: &OfferId, agent: &AgentId) {
        let chronicle = &self.history.chronicle;
        if self.plot.script == Script::Recorded {
            let past = chronicle.tickets.get(&offer.ticket);
            let made = past.and_then(|past| past.offer(offer.epoch));
            if let Some(made) = made.filter(|made| made.agent == *agent) {
                if let Some((moment, answer)) = made.answer {
                    let delay_ms = moment.at.millis_since(made.made_at);
                    let moment = Moment { at: later(self.now, delay_ms), ..moment };
                    self.plan_answer(moment, offer.clone(), agent.clone(), answer);
                }
                return;
            }
        }
        let habits = chronicle.agents.get(agent).unwrap_or(&chronicle.everybody);
        let luck = super::luck::Luck::of(self.plot.seed, offer, agent);
        let (delay_ms, answer) = habits.draw(luck);
        if answer != Answer::Lapsed {
            let due = Due::Answer { offer: offer.clone(), agent: agent.clone(), answer };
            self.agenda.put(None, later(self.now, delay_ms), due);
        }
    }

    fn plan_answer(&mut self, moment: Moment, offer: OfferId, agent: AgentId, answer: Answer) {
        if answer != Answer::Lapsed {
            self.agenda.put(Some(moment), moment.at, Due::Answer { offer, agent, answer });
        }
    }

    /// Plans how and when the work on a ticket ends.
    fn await_end(&mut self, offer: &OfferId, agent: &AgentId) {
        let Some(past) = self.history.chronicle.tickets.get(&offer.ticket) else { return };
        let (offer, agent) = (offer.clone(), agent.clone());
        if self.plot.script == Script::Recorded {
            let made = past.offer(offer.epoch).filter(|made| made.agent == agent);
            if let Some(made) = made {
                if let (Some(work_ms), Some((moment, end))) = (made.work_ms(), made.end.clone()) {
                    let at = later(self.now, work_ms);
                    self.agenda.put(Some(moment), at, Due::End { offer, agent, end });
                }
                return;
            }
        }
        let end = self.end_of(&offer.ticket);
        self.agenda.put(None, later(self.now, past.work_ms), Due::End { offer, agent, end });
    }

    /// Returns how the whole work on a ticket ends, whoever does it.
    fn end_of(&self, ticket: &TicketId) -> End {
        let past = self.history.chronicle.tickets.get(ticket);
        if let Some(reason) = past.and_then(|past| past.cancelled_in_work.clone()) {
            return End::Cancelled(reason);
        }
        // Outcomes are not predicted; the core only keeps them.
        let unknown =
            Outcome { resolution: Resolution::Resolved, right_intent: None, satisfaction: None };
        End::Completed(past.and_then(|past| past.outcome.clone()).unwrap_or(unknown))
    }
}

fn later(at: UnixMillis, by_ms: u64) -> UnixMillis {
    UnixMillis(at.0.saturating_add(i64::try_from(by_ms).unwrap_or(i64::MAX)))
}
