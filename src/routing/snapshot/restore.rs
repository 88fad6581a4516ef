//! From bytes back into a state. The parts are read and checked first; then each is entered where it
//! belongs, as events would have entered it.

use super::{
    FORMAT, SnapshotError,
    agents::AGENT_BYTES_MIN,
    read::{Read, Reader},
    tickets::TICKET_BYTES_MIN,
};
use crate::{
    domain::{
        limits::{AGENTS_MAX, OPEN_TICKETS_MAX},
        planted::planted,
        ticket::Status,
        time::UnixMillis,
    },
    routing::{
        agents::Agents,
        slab::{AgentKey, Slab, TicketKey},
        state::{State, Timer},
        tickets::Tickets,
    },
};

impl State {
    /// Returns the state of which [`State::to_snapshot`] gave the bytes. As after reading a journal,
    /// [`State::gather_all`] is due before it goes on.
    ///
    /// # Errors
    /// [`SnapshotError::Format`] for bytes of another form, [`SnapshotError::Damaged`] for bytes that are
    /// no snapshot. Not all damage shows: whoever keeps the bytes keeps a checksum with them.
    pub fn from_snapshot(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let mut reader = Reader::new(bytes);
        reader.form()?;
        let mut state = Self {
            settings: reader.json("settings")?,
            settings_version: reader.count()?,
            skills: reader.json("skills")?,
            policy: reader.json("a policy")?,
            closed: reader.bool()?,
            hours_at: reader.maybe_time()?,
            received: reader.count()?,
            agents: reader.agents()?,
            ..Self::default()
        };
        let paces = reader.paces()?;
        state.tickets = reader.tickets()?;
        if !reader.is_at_end() {
            return Err(reader.no("the snapshot"));
        }
        state.hold_all().ok_or_else(|| reader.no("tickets and their holders"))?;
        state.enter_policy();
        state.enter_agents();
        state.index.put_paces(paces);
        state.share(&reader);
        state.enter_tickets();
        Ok(state)
    }

    /// Notes with every ticket who holds it; `None` when tickets and agents do not agree.
    fn hold_all(&mut self) -> Option<()> {
        for (key, agent) in self.agents.slots().iter() {
            for held in &agent.held {
                let open = self.tickets.get_mut(held.ticket)?;
                let holds = matches!(open.status, Status::Offered | Status::Assigned);
                if !holds || open.holder.replace(key).is_some() {
                    return None;
                }
            }
        }
        let is_whole = self.tickets.iter().all(|(_, open)| {
            let holds = matches!(open.status, Status::Offered | Status::Assigned);
            holds == open.holder.is_some()
                && open.number <= self.received
                && (open.plan.is_none() || self.policy.is_some())
        });
        is_whole.then_some(())
    }

    fn enter_policy(&mut self) {
        if let Some(policy) = &self.policy {
            self.index.clear(policy);
            self.counts_waiting = policy.routes.iter().any(|route| route.waiting_max.is_some());
        }
        self.rearm(None, self.hours_at, Timer::Hours);
    }

    fn share(&mut self, reader: &Reader<'_>) {
        reader.plans.iter().for_each(|plan| drop(self.plans.shared(plan)));
        reader.intakes.iter().for_each(|intake| drop(self.intakes.shared(intake)));
    }
}

impl Reader<'_> {
    fn form(&mut self) -> Read<()> {
        let form = self.take(FORMAT.to_le_bytes().len())?;
        let found = u32::from_le_bytes(form.try_into().map_err(|_| self.no("a form"))?);
        let known = FORMAT;
        if found == known { Ok(()) } else { Err(SnapshotError::Format { found, known }) }
    }

    fn agents(&mut self) -> Read<Agents> {
        let (made, vacant) = self.slots(AGENTS_MAX, AGENT_BYTES_MIN)?;
        let slots = Slab::restored(made, vacant, |_: AgentKey| self.agent())?;
        self.some(Agents::restored(slots), "agents of different names")
    }

    fn tickets(&mut self) -> Read<Tickets> {
        let (made, vacant) = self.slots(OPEN_TICKETS_MAX, TICKET_BYTES_MIN)?;
        let mut before = UnixMillis(0);
        let slots = Slab::restored(made, vacant, |_: TicketKey| {
            let mut open = self.ticket(before)?;
            if planted!(QueueOrderLost) {
                open.number = 1;
            }
            before = open.received_at;
            Ok(open)
        })?;
        self.some(Tickets::restored(slots), "tickets of different names")
    }

    /// Reads how many numbers there are and which are free, each once.
    fn slots(&mut self, made_max: usize, bytes_each: usize) -> Read<(u32, Vec<u32>)> {
        let made = self.u32()?;
        let vacant = self.list(1, |r| {
            let vacant = r.u32()?;
            r.some((vacant < made).then_some(vacant), "a number that was made")
        })?;
        let mut free = vacant.clone();
        free.sort_unstable();
        free.dedup();
        let taken = (made as usize).checked_sub(vacant.len());
        let fits = free.len() == vacant.len()
            && made as usize <= made_max
            && taken.is_some_and(|taken| self.has(taken, bytes_each));
        self.some(fits.then_some((made, vacant)), "numbers in use")
    }
}
