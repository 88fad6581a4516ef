//! Entering what was put back from a snapshot, where events would have entered it.

use std::sync::Arc;

use super::{agent_timers, links::ticket_timers};
use crate::{
    domain::{planted::planted, time::UnixMillis},
    routing::{
        slab::{AgentKey, LadderKey, Lookup, TicketKey},
        state::{State, Timer},
    },
};

/// The ladders of tickets by where their plan and intake lie, and whether they wait for whom they like.
type Known = Lookup<(usize, usize, bool), LadderKey>;

impl State {
    /// Enters all agents, before any ticket.
    pub(in crate::routing) fn enter_agents(&mut self) {
        for key in self.agents.slots().keys() {
            self.enter_agent(key);
        }
        // Before there are classes, so that each is made with everybody in place.
        self.index.settle(&self.agents);
    }

    /// Enters all tickets.
    pub(in crate::routing) fn enter_tickets(&mut self) {
        let mut known = Known::default();
        let mut timers: Vec<(UnixMillis, Timer)> = Vec::new();
        for key in self.tickets.slots().keys() {
            let of_ticket = self.enter_ticket(key, &mut known);
            timers.extend(of_ticket.into_iter().filter_map(|(due, timer)| Some((due?, timer))));
        }
        // All at once: the set is made faster so than one by one.
        self.timers.append(&mut timers.into_iter().collect());
        if planted!(OffersNeverLapse) {
            self.timers.retain(|(_, timer)| !matches!(timer, Timer::Offer(_)));
        }
    }

    fn enter_agent(&mut self, key: AgentKey) {
        let ceiling = self.ceiling();
        let Some(agent) = self.agents.get_mut(key) else { return };
        agent.foresee_strain(ceiling);
        let timers = agent_timers(key, agent);
        timers.into_iter().for_each(|(due, timer)| self.rearm(None, due, timer));
        self.index.add_agent(key, &self.agents);
    }

    /// Enters a ticket; returns its timers, which are still to be set.
    fn enter_ticket(
        &mut self,
        key: TicketKey,
        known: &mut Known,
    ) -> [(Option<UnixMillis>, Timer); 3] {
        let ladder = self.known_ladder(key, known);
        self.index.count(ladder, 1);
        if let Some(open) = self.tickets.get_mut(key) {
            open.links.ladder = ladder;
        }
        self.reach(key);
        let links = self.tickets.get(key).map(|open| self.links_of(open)).unwrap_or_default();
        let timers = ticket_timers(key, &links);
        let Some(open) = self.tickets.get_mut(key) else { return timers };
        open.links = links.clone();
        if let Some(entered) = links.spot
            && let Some(class) = self.index.classes.get_mut(entered.class)
        {
            class.waiting.insert(&open.spot(key, &entered));
        }
        self.recount(None, links.counted);
        timers
    }

    /// Returns the ladder of a ticket. Plans and intakes that were met before need not be looked into.
    fn known_ladder(&mut self, key: TicketKey, known: &mut Known) -> Option<LadderKey> {
        let open = self.tickets.get(key)?;
        if open.target.is_some() {
            return self.ladder_of(key);
        }
        let plan = Arc::as_ptr(open.plan.as_ref()?).addr();
        let met = (plan, Arc::as_ptr(&open.intake).addr(), open.waits_for_liked);
        if let Some(ladder) = known.get(&met) {
            return Some(*ladder);
        }
        let ladder = self.ladder_of(key)?;
        known.insert(met, ladder);
        Some(ladder)
    }
}
