//! The promises in their plainest form, checked against the state and every event.
//!
//! Numbers are those of the invariants in ARCHITECTURE.md (RT) and of the list they were taken from (I).

use std::collections::BTreeMap;

use crate::{
    domain::{
        agent::Presence,
        event::Event,
        id::{AgentId, OfferId, TicketId},
        limits::DECLINERS_KEPT_MAX,
        policy::{AgentChoice, Requirement},
        ticket::Status,
        time::UnixMillis,
    },
    routing::{AgentState, OpenTicket, State},
};

/// What was seen so far.
#[derive(Default)]
pub(crate) struct Oracle {
    /// What the journal gives.
    shadow: State,
    statuses: BTreeMap<TicketId, Status>,
    epochs: BTreeMap<TicketId, u32>,
    /// Offers that have not ended, and when they must have.
    live: BTreeMap<OfferId, UnixMillis>,
    /// Until when an agent is left in peace about a ticket.
    peace: BTreeMap<(TicketId, AgentId), UnixMillis>,
    backoff_secs: u32,
    gathers: bool,
}

impl Oracle {
    /// Notes the events of one step.
    pub(crate) fn note(&mut self, journal: &[(UnixMillis, Event)]) {
        let mut state = std::mem::take(&mut self.shadow);
        for (at, event) in journal {
            self.transition(event);
            self.offer(&state, event, *at);
            if let Event::PolicySet { policy } = event {
                self.backoff_secs = policy.decline_backoff_secs;
                self.gathers = policy.batching.gather_ms > 0;
            }
            state.apply(*at, event);
        }
        self.shadow = state;
    }

    /// I1, I2: one status at a time, and only the ways there are; nothing follows the end.
    fn transition(&mut self, event: &Event) {
        use Status::{Assigned, Cancelled, Completed, Offered, Queued, Received};
        let Some(ticket) = event.ticket() else { return };
        let from = self.statuses.get(ticket).copied();
        let to = match (event, from) {
            (Event::TicketReceived { .. }, None) => Received,
            (Event::WrapUpEnded { .. }, Some(Completed)) => return,
            (Event::TicketRead { .. }, Some(Received | Queued)) => Queued,
            (Event::TicketRead { .. }, Some(status @ (Offered | Assigned))) => status,
            (Event::TicketAssignedByHand { .. }, Some(Received | Queued)) => Queued,
            (Event::TicketPlanned { .. }, Some(Queued)) => Queued,
            (Event::TicketRelaxed { .. }, Some(status @ (Queued | Offered))) => status,
            (Event::TicketQueued { .. }, Some(Queued)) => Queued,
            (Event::OfferMade { .. }, Some(Queued)) => Offered,
            (Event::OfferAccepted { .. }, Some(Offered)) => Assigned,
            (
                Event::OfferDeclined { .. }
                | Event::OfferExpired { .. }
                | Event::OfferRevoked { .. },
                Some(Offered),
            ) => Queued,
            (
                Event::TicketTransferred { .. } | Event::AssignmentReturned { .. },
                Some(Assigned),
            ) => Queued,
            (Event::AssignmentCompleted { .. }, Some(Assigned)) => Completed,
            (Event::TicketCancelled { .. }, Some(Received | Queued | Assigned)) => Cancelled,
            _ => panic!("I2: {} of a ticket that is {from:?}", event.name()),
        };
        self.statuses.insert(ticket.clone(), to);
    }

    fn offer(&mut self, state: &State, event: &Event, at: UnixMillis) {
        match event {
            Event::OfferMade { offer, agent, expires_at, decision } => {
                let epoch = self.epochs.entry(offer.ticket.clone()).or_default();
                assert!(offer.epoch > *epoch, "I4: the epoch grows");
                *epoch = offer.epoch;
                self.live.insert(offer.clone(), *expires_at);
                let open = state.ticket(&offer.ticket).expect("an offered ticket is open");
                let someone = state.agent(agent).expect("an offer goes to somebody known");
                assert!(
                    can_take(state, open, someone, at),
                    "I5, I6, I7: {event:?}\n{open:?}\n{someone:?}"
                );
                let peace = self.peace.get(&(offer.ticket.clone(), agent.clone()));
                assert!(peace.is_none_or(|until| *until <= at), "I8: asked again too soon");
                assert_eq!(&decision.candidates[0].agent, agent);
                if state
                    .policy()
                    .is_some_and(|p| p.agent_choice == AgentChoice::LongestCumulativeIdle)
                {
                    check_choice(state, open, agent, at);
                }
                let others = state.agents().filter(|(id, other)| {
                    can_take(state, open, other, at) && !open.backs_off(id, at)
                });
                assert_eq!(decision.eligible_count as usize, others.count(), "the record counts");
            }
            Event::TicketQueued { decision, ticket } => {
                let open = state.ticket(ticket).expect("a waiting ticket is open");
                let counted: u32 = decision.exclusions.iter().map(|e| e.agent_count).sum();
                let all = u32::try_from(state.agents().count()).unwrap();
                assert_eq!(
                    counted, all,
                    "everybody is kept out by one rule: {decision:?} {open:?}"
                );
            }
            Event::OfferAccepted { offer, .. } | Event::OfferRevoked { offer, .. } => {
                assert!(self.live.remove(offer).is_some(), "I9: an offer ends once");
            }
            Event::OfferDeclined { offer, agent, .. } | Event::OfferExpired { offer, agent } => {
                assert!(self.live.remove(offer).is_some(), "I9: an offer ends once");
                let until = at.plus_secs(self.backoff_secs);
                self.peace.insert((offer.ticket.clone(), agent.clone()), until);
            }
            // Whoever is named is asked, whatever was before.
            Event::TicketAssignedByHand { ticket, .. }
            | Event::TicketTransferred { ticket, .. } => {
                self.peace.retain(|(other, _), _| other != ticket);
            }
            _ => {}
        }
    }

    /// RT-4, I16: the journal gives the state, and a refusal changes nothing of it.
    fn compare(&self, state: &State) {
        if self.shadow == *state {
            return;
        }
        for (mine, theirs) in self.shadow.tickets().zip(state.tickets()) {
            assert_eq!(mine, theirs, "RT-4: a ticket");
        }
        for (mine, theirs) in self.shadow.agents().zip(state.agents()) {
            assert_eq!(mine, theirs, "RT-4: an agent");
        }
        assert_eq!(self.shadow.timers, state.timers, "RT-4: timers");
        panic!("RT-4: the journal does not give the state");
    }

    /// What must hold after every step.
    pub(crate) fn check(&self, state: &State, now: UnixMillis) {
        self.compare(state);
        assert!(state.next_due().is_none_or(|due| due > now), "something due was left undone");
        for (offer, expires_at) in &self.live {
            assert!(*expires_at > now, "I9: {offer} outlived its time");
        }
        let open = self.statuses.values().filter(|status| !status.is_closed()).count();
        assert_eq!(state.ticket_count(), open, "I3: received is open and ended");
        let mut held: BTreeMap<&AgentId, Vec<&TicketId>> = BTreeMap::new();
        for open in state.tickets() {
            let ticket = &open.ticket;
            assert_eq!(self.statuses.get(ticket), Some(&open.status), "I1");
            let holds = matches!(open.status, Status::Offered | Status::Assigned);
            assert_eq!(state.holder(open).is_some(), holds, "{ticket} {open:?}");
            assert_eq!(open.offer_expires_at.is_some(), open.status == Status::Offered);
            assert!(open.declined.len() <= DECLINERS_KEPT_MAX, "I16");
            if let Some(holder) = state.holder(open) {
                held.entry(holder).or_default().push(ticket);
            }
            if open.status == Status::Queued && !self.gathers {
                let mut agents = state.agents();
                let free = agents.find(|(id, agent)| {
                    can_take(state, open, agent, now) && !open.backs_off(id, now)
                });
                assert_eq!(free.map(|(id, _)| id), None, "I15: {open:?} beside somebody free");
            }
        }
        for (agent, someone) in state.agents() {
            let wrap_ups = someone.wrap_ups.iter().map(|wrap_up| wrap_up.units);
            let by_hand: u32 = someone.held.iter().map(|held| held.units).chain(wrap_ups).sum();
            assert_eq!(someone.used_units(), by_hand, "the sum is kept in step");
            let mut mine = held.remove(agent).unwrap_or_default();
            let mut known = state.held_tickets(agent);
            mine.sort();
            known.sort();
            assert_eq!(known, mine, "RT-1: one holder, and the holder knows");
        }
        assert!(held.is_empty(), "somebody unknown holds tickets: {held:?}");
    }
}

/// RT-3: of those who passed on it least often, and have most of the preferred skills, the one who was
/// idle longest is asked; unless hard tickets are spread.
fn check_choice(state: &State, open: &OpenTicket, chosen: &AgentId, at: UnixMillis) {
    let plan = open.plan.as_ref().expect("an offered ticket has a plan");
    if state.policy().is_some_and(|policy| policy.batching.gather_ms > 0) {
        // The batch decides.
        return;
    }
    if plan.hard && state.policy().is_some_and(|policy| policy.spread_hard_tickets) {
        return;
    }
    let rank = |id: &AgentId| {
        let someone = state.agent(id).expect("known");
        let has = |skill, min| someone.profile.skills.get(skill).copied().unwrap_or(0) >= min;
        let liked = plan.preferred.iter();
        let missing = liked.filter(|level| !has(&level.skill, level.proficiency_min)).count();
        let declines = open.decline_of(id).map_or(0, |declined| declined.times);
        (declines, missing, std::cmp::Reverse(state.idle_ms(id, at)))
    };
    let free = state
        .agents()
        .filter(|(id, agent)| can_take(state, open, agent, at) && !open.backs_off(id, at));
    let best = free.map(|(id, _)| rank(id)).min().expect("whoever is asked is free");
    // Milliseconds are cut off: one more or less is the same.
    let (declines, missing, std::cmp::Reverse(idle_ms)) = rank(chosen);
    assert_eq!((declines, missing), (best.0, best.1), "RT-3");
    assert!(idle_ms + 1 >= best.2.0, "RT-3: {idle_ms} ms is not the longest, {best:?}");
}

fn meets(skills: &BTreeMap<crate::domain::id::SkillId, u8>, need: &Requirement) -> bool {
    let has = |skill, min: u8| skills.get(skill).copied().unwrap_or(0) >= min.max(1);
    has(&need.skill, need.proficiency_min)
        || need.alternatives.iter().any(|other| has(&other.skill, other.proficiency_min))
}

/// Eligibility as design.md words it, but for the back-off.
fn can_take(state: &State, open: &OpenTicket, someone: &AgentState, at: UnixMillis) -> bool {
    let profile = &someone.profile;
    let policy = state.policy().expect("a policy");
    let plan = open.plan.as_ref();
    let permanent = open.intake.requirements.iter().filter(|need| need.permanent);
    let of_plan = plan.into_iter().flat_map(|p| p.requirements.iter()).filter(|n| n.permanent);
    let needs = state.requirements(open).iter().chain(permanent).chain(of_plan);
    let skilled = needs.into_iter().all(|need| meets(&profile.skills, need));
    let interrupts = |channel: &str| policy.interruptible_channels.iter().any(|c| c == channel);
    let cost = if open.intake.channel == "phone" { 2 } else { 1 };
    let firm: u32 = someone.held.iter().filter(|held| !held.interruptible).map(|h| h.units).sum();
    let wrap_ups: u32 = someone.wrap_ups.iter().map(|wrap_up| wrap_up.units).sum();
    let used =
        if interrupts(&open.intake.channel) { someone.used_units() } else { firm + wrap_ups };
    let capacity = profile.capacity_units.min(someone.units_max.unwrap_or(u32::MAX));
    let closed = state.closed && !plan.is_some_and(|plan| plan.around_the_clock);
    let liked = open.intake.preferred_agent.as_ref().filter(|_| open.waits_for_liked);
    let patience_secs = policy.preferred_agent_wait_secs;
    let patience_ends = plan.and_then(|plan| state.at_age(plan, open.received_at, patience_secs));
    let still_waits = liked.filter(|_| patience_ends.is_none_or(|end| end > at));
    skilled
        && !closed
        && someone.presence == Presence::Available
        && someone.on_shift
        && someone.rest_until.is_none()
        && used + cost <= capacity
        && open.target.as_ref().is_none_or(|target| *target == profile.agent)
        && still_waits.is_none_or(|liked| *liked == profile.agent)
}
