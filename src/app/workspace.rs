//! One workspace in memory: the routing state and what goes with it.

use std::collections::{BTreeMap, BTreeSet};

use super::{alarms::Alarms, backlog::Backlog, projection, snapshots};
use crate::{
    domain::{
        alarm::Alarm,
        event::{Entry, Event, PresenceCause},
        id::{ActorId, TicketId, WorkspaceId},
        planted::planted,
        reading::ReadingSource,
        ticket::{Payload, Status},
        time::UnixMillis,
    },
    routing::{self, Input, State},
    store::{self, Batch, Durable, NewTicket, TicketRow},
};

/// Alarms read at a time.
const ALARMS_AT_ONCE: u32 = 500;

/// All workspaces by identifier.
pub(super) type Workspaces = BTreeMap<WorkspaceId, Workspace>;

/// One workspace in memory.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Workspace {
    pub(super) id: WorkspaceId,
    pub(super) created_at: UnixMillis,
    pub(super) state: State,
    /// Sequence number of the newest entry.
    pub(super) sequence: u64,
    /// The rows of open tickets.
    pub(super) rows: BTreeMap<TicketId, TicketRow>,
    pub(super) backlog: Backlog,
    pub(super) alarms: Alarms,
    /// Open tickets by status.
    pub(super) counts: BTreeMap<Status, usize>,
}

impl Workspace {
    pub(super) fn new(id: WorkspaceId, created_at: UnixMillis) -> Self {
        Self {
            id,
            created_at,
            state: State::default(),
            sequence: 0,
            rows: BTreeMap::new(),
            backlog: Backlog::default(),
            alarms: Alarms::default(),
            counts: BTreeMap::new(),
        }
    }

    /// Reads the newest snapshot of a workspace and the journal since; returns the time of its newest entry as well.
    pub(super) fn load(
        store: &dyn Durable,
        id: &WorkspaceId,
        created_at: UnixMillis,
    ) -> Result<(Self, UnixMillis), store::Error> {
        let mut workspace = Self::new(id.clone(), created_at);
        let mut newest_at = created_at;
        let (mut state, in_snapshot) =
            snapshots::restored(|before| store.state_before(id, before))?;
        // The entry before is read again for its time.
        workspace.sequence = store.replay(id, in_snapshot.saturating_sub(1), &mut |entry| {
            if entry.sequence > in_snapshot {
                state.apply(entry.at, &entry.event);
            }
            newest_at = newest_at.max(entry.at);
        })?;
        workspace.state = state;
        for row in store.open_tickets(id)? {
            workspace.rows.insert(row.ticket.clone(), row);
        }
        let state = &workspace.state;
        let same = workspace.rows.len() == state.ticket_count()
            && workspace.rows.iter().all(|(ticket, row)| {
                state.ticket(ticket).is_some_and(|open| open.status == row.status)
            });
        if !same {
            return Err(store::Error::Mismatch { workspace: id.clone() });
        }
        for row in workspace.rows.values() {
            *workspace.counts.entry(row.status).or_default() += 1;
        }
        workspace.load_alarms(store)?;
        if !planted!(BacklogLost) {
            workspace.fill_backlog();
        }
        Ok((workspace, newest_at))
    }

    fn load_alarms(&mut self, store: &dyn Durable) -> Result<(), store::Error> {
        let mut after = 0;
        loop {
            let entries = store.alarms(&self.id, after, ALARMS_AT_ONCE)?;
            let Some(last) = entries.last() else { return Ok(()) };
            after = last.sequence;
            entries.iter().for_each(|entry| self.alarms.apply(entry));
        }
    }

    fn fill_backlog(&mut self) {
        for (ticket, row) in &self.rows {
            let Some(open) = self.state.ticket(ticket) else { continue };
            let line = match &open.reading {
                None => &mut self.backlog.unread,
                Some(reading) if reading.source == ReadingSource::Rules => &mut self.backlog.reread,
                Some(_) => continue,
            };
            line.insert(row.number, ticket.clone(), row.received_at);
        }
    }

    /// Returns when a tick is needed next.
    pub(super) fn next_due(&self) -> Option<UnixMillis> {
        self.state.next_due()
    }

    /// Lets happen what is due, so that nothing of it is taken for the next caller's doing.
    pub(super) fn tick(&mut self, now: UnixMillis, batch: &mut Batch) {
        if self.state.next_due().is_some_and(|due| due <= now) {
            // A tick is never refused.
            if let Ok(events) = routing::step(&mut self.state, Input::Tick, now)
                && !planted!(TickNotJournaled)
            {
                self.record(now, None, events, None, batch);
            }
        }
    }

    /// Lets the routing core decide on an input and records what happened.
    pub(super) fn step(
        &mut self,
        input: Input,
        now: UnixMillis,
        actor: Option<&ActorId>,
        payload: Option<Payload>,
        batch: &mut Batch,
    ) -> Result<(), routing::Rejection> {
        if !planted!(LateAccept) {
            self.tick(now, batch);
        }
        let events = routing::step(&mut self.state, input, now)?;
        self.record(now, actor, events, payload, batch);
        Ok(())
    }

    /// Raises an alarm, unless one about the same stands or it is about tickets of before.
    pub(super) fn raise_alarm(&mut self, alarm: Alarm, now: UnixMillis, batch: &mut Batch) {
        if self.alarms.is_due(&alarm) {
            let raised = Event::AlarmRaised { alarm: Box::new(alarm) };
            self.record(now, None, vec![raised], None, batch);
        }
    }

    /// Acknowledges an alarm; returns whether it was open.
    pub(super) fn acknowledge_alarm(
        &mut self,
        alarm: u64,
        note: String,
        now: UnixMillis,
        actor: Option<&ActorId>,
        batch: &mut Batch,
    ) -> bool {
        let is_open = self.alarms.is_open(alarm);
        if is_open {
            let acknowledged = Event::AlarmAcknowledged { alarm, note };
            self.record(now, actor, vec![acknowledged], None, batch);
        }
        is_open
    }

    fn record(
        &mut self,
        at: UnixMillis,
        actor: Option<&ActorId>,
        events: Vec<Event>,
        mut payload: Option<Payload>,
        batch: &mut Batch,
    ) {
        let mut touched = BTreeSet::new();
        let mut reworded = BTreeSet::new();
        for event in events {
            self.sequence += 1;
            let actor = if done_by_server(&event) { None } else { actor.cloned() };
            let entry = Entry { sequence: self.sequence, at, actor, event };
            self.alarms.apply(&entry);
            if let Some(ticket) = entry.event.ticket() {
                self.note(ticket, &entry);
                touched.insert(ticket.clone());
                if projection::changes_detail(&entry.event) {
                    reworded.insert(ticket.clone());
                }
            }
            if matches!(entry.event, Event::TicketReceived { .. }) {
                // A ticket given to the core directly has no text.
                let payload = payload.take().unwrap_or_else(no_payload);
                let number = entry.sequence;
                batch.received.push(NewTicket { workspace: self.id.clone(), number, payload });
            }
            batch.entries.push((self.id.clone(), entry));
        }
        for ticket in touched {
            let reworded = reworded.contains(&ticket);
            self.stage(&ticket, reworded, batch);
        }
    }

    /// Notes an event in the row and the backlog of its ticket.
    fn note(&mut self, ticket: &TicketId, entry: &Entry) {
        if let Event::TicketReceived { intake, .. } = &entry.event {
            let row = projection::received(entry, ticket, intake);
            self.rows.insert(ticket.clone(), row);
            *self.counts.entry(Status::Received).or_default() += 1;
            self.backlog.unread.insert(entry.sequence, ticket.clone(), entry.at);
        }
        // None for the end of a wrap-up: the ticket is closed.
        let Some(row) = self.rows.get_mut(ticket) else { return };
        let before = row.status;
        projection::note(row, entry);
        recount(&mut self.counts, before, row.status);
        if let Event::TicketRead { reading, .. } = &entry.event {
            self.backlog.remove(row.number);
            if reading.source == ReadingSource::Rules {
                self.backlog.reread.insert(row.number, ticket.clone(), entry.at);
            }
        }
    }

    /// Puts the newest form of a ticket into the batch, and forgets it here when it is closed.
    fn stage(&mut self, ticket: &TicketId, reworded: bool, batch: &mut Batch) {
        let Some(row) = self.rows.get_mut(ticket) else { return };
        let key = (self.id.clone(), row.number);
        if let Some(open) = self.state.ticket(ticket) {
            let before = row.status;
            projection::copy_state(row, open, self.state.holder(open));
            recount(&mut self.counts, before, row.status);
            if reworded {
                batch.details.insert(key.clone(), projection::detail(&self.state, open));
            }
        }
        batch.tickets.insert(key, row.clone());
        if row.status.is_closed() {
            self.backlog.remove(row.number);
            self.rows.remove(ticket);
        }
    }
}

/// Moves a ticket from one status to another; closed ones are not counted.
fn recount(counts: &mut BTreeMap<Status, usize>, before: Status, after: Status) {
    if before == after {
        return;
    }
    if let Some(count) = counts.get_mut(&before) {
        *count = count.saturating_sub(1);
    }
    if !after.is_closed() {
        *counts.entry(after).or_default() += 1;
    }
}

/// Returns whether the server causes an event itself: by timers, readings and matching.
fn done_by_server(event: &Event) -> bool {
    match event {
        Event::PresenceChanged { cause, .. } => *cause == PresenceCause::LeaseExpired,
        Event::Restarted { .. }
        | Event::AlarmRaised { .. }
        | Event::TicketRead { .. }
        | Event::TicketPlanned { .. }
        | Event::TicketRelaxed { .. }
        | Event::TicketQueued { .. }
        | Event::OfferMade { .. }
        | Event::OfferExpired { .. }
        | Event::ShiftChanged { .. }
        | Event::RestChanged { .. }
        | Event::CapacityRamped { .. }
        | Event::HoursChanged { .. }
        | Event::AssignmentReturned { .. }
        | Event::WrapUpEnded { .. } => true,
        _ => false,
    }
}

fn no_payload() -> Payload {
    Payload {
        subject: String::new(),
        body: String::new(),
        customer: String::new(),
        segments: BTreeMap::new(),
    }
}
