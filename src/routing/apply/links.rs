//! Where a ticket is entered: its class, its place in the queue, its timers. All follow from the ticket.

use std::sync::Arc;

use crate::{
    domain::{agent::Presence, id::AgentId, policy::Plan, ticket::Status, time::UnixMillis},
    routing::{
        class::{LadderSpec, Spec},
        plan::is_by_hand,
        queue::{Spot, order},
        slab::{LadderKey, TicketKey},
        state::{State, Timer},
        tickets::{Entered, Links, OpenTicket},
    },
};

impl State {
    /// Changes a ticket; whatever follows from it follows.
    pub(super) fn change(&mut self, key: TicketKey, change: impl FnOnce(&mut OpenTicket)) {
        if let Some(open) = self.tickets.get_mut(key) {
            change(open);
            self.relink(key);
        }
    }

    /// Puts a ticket onto the ladder of its plan, at the step it reached by `after_secs`.
    pub(super) fn climb(&mut self, key: TicketKey, after_secs: u32) {
        let ladder = self.ladder_of(key);
        let rungs = ladder.map_or(&[][..], |ladder| self.index.rungs(ladder));
        let passed = rungs.iter().skip(1).take_while(|rung| rung.after_secs <= after_secs);
        let step = if after_secs == 0 { 0 } else { passed.count() };
        let Some(open) = self.tickets.get_mut(key) else { return };
        open.relaxation_step = u32::try_from(step).unwrap_or(u32::MAX);
        let before = std::mem::replace(&mut open.links.ladder, ladder);
        self.index.count(before, -1);
        self.index.count(ladder, 1);
    }

    pub(super) fn ladder_of(&mut self, key: TicketKey) -> Option<LadderKey> {
        let open = self.tickets.get(key)?;
        let (plan, policy) = (open.plan.as_ref()?, self.policy.as_ref()?);
        let liked = open.intake.preferred_agent.as_ref().filter(|_| open.waits_for_liked);
        let base = Spec {
            needs: plan.requirements.clone(),
            preferred: plan.preferred.clone(),
            channel: open.intake.channel.as_str().into(),
            only: open.target.clone(),
            around_the_clock: plan.around_the_clock || policy.hours.is_none(),
        };
        let wanted = LadderSpec { base, liked: liked.cloned() };
        Some(self.index.ladder(wanted, policy))
    }

    /// Returns whether a ticket should wait for the agent it would like: one who is there.
    pub(super) fn liked_is_there(&self, open: &OpenTicket) -> bool {
        let waits = self.policy.as_ref().is_some_and(|p| p.preferred_agent_wait_secs > 0);
        let liked = open.intake.preferred_agent.as_ref().filter(|_| waits && open.target.is_none());
        let liked = liked.filter(|liked| open.decline_of(liked).is_none());
        let liked = liked.and_then(|liked| self.agent(liked));
        liked.is_some_and(|agent| {
            let mut needs = open.plan.iter().flat_map(|plan| plan.requirements.iter());
            matches!(agent.presence, Presence::Available | Presence::Busy)
                && needs.all(|need| need.met_by(&agent.profile.skills))
        })
    }

    /// Lets the tickets that wait for an agent go to others: the agent left, or cannot take them.
    pub(super) fn release_liked(&mut self, agent: &AgentId) {
        let classes = self.index.classes.iter().map(|(_, class)| class);
        let mut waiting: Vec<TicketKey> = classes
            .filter(|class| class.spec.only.as_ref() == Some(agent) && class.waiting.len() > 0)
            .flat_map(|class| class.waiting.soonest(usize::MAX))
            .collect();
        // The order of classes is no part of what the journal gives.
        waiting.sort_unstable();
        for ticket in waiting {
            if self.tickets.get(ticket).is_some_and(|open| !self.liked_is_there(open)) {
                self.stop_liking(ticket);
            }
        }
    }

    /// Lets a ticket go to others than the agent it would like.
    pub(super) fn stop_liking(&mut self, key: TicketKey) {
        let Some(open) = self.tickets.get_mut(key).filter(|open| open.waits_for_liked) else {
            return;
        };
        open.waits_for_liked = false;
        let step = usize::try_from(open.relaxation_step).unwrap_or(usize::MAX);
        let ladder = open.links.ladder;
        let rung = ladder.and_then(|ladder| self.index.rungs(ladder).get(step));
        self.climb(key, rung.map_or(0, |rung| rung.after_secs));
        self.relink(key);
        self.stirred.push(key);
    }

    /// Enters a ticket where it belongs now, and takes it out of where it was.
    pub(super) fn relink(&mut self, key: TicketKey) {
        self.reach(key);
        let Some(open) = self.tickets.get(key) else { return };
        let links = self.links_of(open);
        let Some(open) = self.tickets.get_mut(key) else { return };
        let before = std::mem::replace(&mut open.links, links.clone());
        let spots =
            [&before, &links].map(|links| Some((links.spot?, open.spot(key, &links.spot?))));
        self.move_links(key, spots, before, links);
    }

    /// Makes the class that a waiting ticket is in, if it is the first there.
    pub(super) fn reach(&mut self, key: TicketKey) {
        let open = self.tickets.get(key).filter(|open| open.status == Status::Queued);
        let ladder = open.and_then(|open| Some((open.links.ladder?, open.relaxation_step)));
        if let (Some((ladder, step)), Some(policy)) = (ladder, &self.policy) {
            let step = usize::try_from(step).unwrap_or(usize::MAX);
            self.index.step_on(ladder, step, policy, &self.agents);
        }
    }

    /// Takes a ticket that is closed out of everything.
    pub(super) fn unlink(&mut self, key: TicketKey, open: OpenTicket) {
        self.index.count(open.links.ladder, -1);
        let spot = open.links.spot.map(|entered| (entered, open.spot(key, &entered)));
        self.move_links(key, [spot, None], open.links, Links::default());
    }

    fn move_links(
        &mut self,
        key: TicketKey,
        [from, to]: [Option<(Entered, Spot)>; 2],
        before: Links,
        after: Links,
    ) {
        if from != to {
            if let Some((entered, spot)) = from
                && let Some(class) = self.index.classes.get_mut(entered.class)
            {
                class.waiting.remove(&spot);
            }
            if let Some((entered, spot)) = to
                && let Some(class) = self.index.classes.get_mut(entered.class)
            {
                class.waiting.insert(&spot);
            }
        }
        let (old, new) = (ticket_timers(key, &before), ticket_timers(key, &after));
        self.recount(before.counted, after.counted);
        for ((old, timer), (new, _)) in old.into_iter().zip(new) {
            if old != new {
                self.rearm(old, new, timer);
            }
        }
    }

    pub(super) fn recount(&mut self, before: Option<Arc<Plan>>, after: Option<Arc<Plan>>) {
        if before.as_ref().map(|plan| &plan.route) == after.as_ref().map(|plan| &plan.route) {
            return;
        }
        if let Some(plan) = before
            && let Some(count) = self.waiting_by_route.get_mut(&plan.route)
        {
            *count -= 1;
            if *count == 0 {
                self.waiting_by_route.remove(&plan.route);
            }
        }
        if let Some(plan) = after {
            *self.waiting_by_route.entry(plan.route.clone()).or_default() += 1;
        }
    }

    pub(super) fn links_of(&self, open: &OpenTicket) -> Links {
        let Some(policy) = &self.policy else { return Links::default() };
        let waits = open.status == Status::Queued;
        let head_start_secs = open.plan.as_ref().map_or(0, |plan| plan.head_start_secs);
        let entered = |class| {
            let priority = open.intake.priority;
            let by_hand = open.plan.as_ref().is_some_and(|plan| is_by_hand(plan));
            let (weight_milli, first) = if by_hand {
                (0, i64::MIN)
            } else {
                order(policy, open.received_at, head_start_secs, priority)
            };
            Entered { class, weight_milli, first }
        };
        let class = self.class_of(open).filter(|_| waits);
        let backoffs = open.declined.iter().filter_map(|declined| declined.until);
        Links {
            ladder: open.links.ladder,
            spot: class.map(entered),
            counted: open.plan.clone().filter(|_| waits && self.counts_waiting),
            age_due: self.age_due(open),
            offer_due: open.offer_expires_at,
            backoff_due: backoffs.filter(|_| waits).min(),
        }
    }

    /// Returns when a waiting ticket reaches its next relaxation step or triage.
    fn age_due(&self, open: &OpenTicket) -> Option<UnixMillis> {
        let (policy, plan) = (self.policy.as_ref()?, open.plan.as_ref()?);
        if !matches!(open.status, Status::Queued | Status::Offered) {
            return None;
        }
        let step = usize::try_from(open.relaxation_step).ok()?;
        let rung = self.index.rungs(open.links.ladder?).get(step + 1);
        let step_due = rung.and_then(|rung| self.at_age(plan, open.received_at, rung.after_secs));
        // Not while an agent considers it: that is the suitable person it waited for.
        let waits = open.status == Status::Queued && plan.triage.is_none();
        let triage_secs = policy.triage_after_secs.filter(|_| waits);
        let triage_due = triage_secs.and_then(|secs| self.at_age(plan, open.planned_at, secs));
        step_due.into_iter().chain(triage_due).min()
    }

    /// Returns when something that began at `from` is so old. Ages count in business hours, unless the
    /// ticket is offered at any hour.
    pub(in crate::routing) fn at_age(
        &self,
        plan: &Plan,
        from: UnixMillis,
        secs: u32,
    ) -> Option<UnixMillis> {
        let hours = self.policy.as_ref().and_then(|policy| policy.hours.as_ref());
        match hours.filter(|_| !plan.around_the_clock) {
            None => Some(from.plus_secs(secs)),
            Some(hours) => hours.after_open(from, u64::from(secs) * 1000),
        }
    }
}

/// Returns the timers of a ticket and when each is due.
pub(super) fn ticket_timers(key: TicketKey, links: &Links) -> [(Option<UnixMillis>, Timer); 3] {
    [
        (links.age_due, Timer::Age(key)),
        (links.offer_due, Timer::Offer(key)),
        (links.backoff_due, Timer::Backoff(key)),
    ]
}
