//! What must hold after every commit, every round and every answer.
//!
//! Numbers are those of `docs/simulation-testing.md`.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    database::{Database, Who},
    ops::{Op, Ops},
};
use crate::{
    app::workspace::Workspaces,
    domain::{
        event::{Entry, Event},
        id::{AgentId, OfferId, TicketId, WorkspaceId},
        ticket::Status,
        time::UnixMillis,
    },
    routing::tests::oracle::Oracle,
    store::{Batch, Partition, TicketRow},
};

/// Ends a run because a promise was broken.
pub(super) fn violated(text: String) -> ! {
    std::panic::resume_unwind(Box::new(text))
}

macro_rules! must {
    ($holds:expr, $($text:tt)+) => {
        if !$holds {
            $crate::app::tests::simulation::checks::violated(format!($($text)+));
        }
    };
}
pub(super) use must;

/// What was seen so far.
#[derive(Default)]
pub(super) struct Checks {
    spaces: BTreeMap<WorkspaceId, Watched>,
    /// Changes with every entry and every answer.
    pub(super) trace: u64,
    pub(super) entries: u64,
    pub(super) commits: u64,
}

#[derive(Default)]
struct Watched {
    oracle: Oracle,
    newest_at: UnixMillis,
    stories: BTreeMap<TicketId, Story>,
    /// Offers that have not ended, with whom they are for and when they lapse.
    live: BTreeMap<OfferId, (AgentId, UnixMillis)>,
    /// How far the engine that leads it was compared.
    compared: u64,
}

/// Where a ticket stands, as its entries tell.
#[derive(Clone, Debug, PartialEq)]
struct Story {
    number: u64,
    sequence: u64,
    status: Status,
    holder: Option<AgentId>,
    assignee: Option<AgentId>,
    epoch: u32,
    received_at: UnixMillis,
    assigned_at: Option<UnixMillis>,
    closed_at: Option<UnixMillis>,
}

impl Story {
    fn of(row: &TicketRow) -> Self {
        Self {
            number: row.number,
            sequence: row.sequence,
            status: row.status,
            holder: row.holder.clone(),
            assignee: row.assignee.clone(),
            epoch: row.epoch,
            received_at: row.received_at,
            assigned_at: row.assigned_at,
            closed_at: row.closed_at,
        }
    }

    fn note(&mut self, entry: &Entry) {
        if matches!(entry.event, Event::WrapUpEnded { .. }) {
            return;
        }
        self.sequence = entry.sequence;
        match &entry.event {
            Event::OfferMade { offer, agent, .. } => {
                (self.status, self.holder) = (Status::Offered, Some(agent.clone()));
                self.epoch = offer.epoch;
            }
            Event::OfferAccepted { agent, .. } => {
                self.status = Status::Assigned;
                self.assigned_at.get_or_insert(entry.at);
                self.assignee = Some(agent.clone());
            }
            Event::AssignmentCompleted { agent, .. } => {
                (self.status, self.holder) = (Status::Completed, Some(agent.clone()));
                self.closed_at = Some(entry.at);
            }
            Event::TicketCancelled { .. } => {
                (self.status, self.holder) = (Status::Cancelled, None);
                self.closed_at = Some(entry.at);
            }
            Event::TicketRead { .. } if self.status == Status::Received => {
                self.status = Status::Queued;
            }
            Event::OfferDeclined { .. }
            | Event::OfferExpired { .. }
            | Event::OfferRevoked { .. }
            | Event::TicketTransferred { .. }
            | Event::AssignmentReturned { .. }
            | Event::TicketAssignedByHand { .. } => {
                (self.status, self.holder) = (Status::Queued, None);
            }
            _ => {}
        }
    }
}

impl Checks {
    /// Mixes something into the trace.
    pub(super) fn trace(&mut self, bytes: &[u8]) {
        self.trace = twox_hash::XxHash3_64::oneshot_with_seed(self.trace, bytes);
    }

    /// Checks a batch that is about to become durable.
    pub(super) fn before(
        &mut self,
        database: &Database,
        (who, lost): (Who, Option<Partition>),
        batch: &Batch,
    ) {
        self.commits += 1;
        must!(lost.is_none(), "I10: {who:?} commits to {lost:?}, which it does not hold");
        let mut newest: BTreeMap<&WorkspaceId, u64> = BTreeMap::new();
        for (id, entry) in &batch.entries {
            let kept = database.space(id).map_or(0, |space| space.entries.len());
            let newest = newest.entry(id).or_insert(u64::try_from(kept).unwrap());
            let (expected, found) = (*newest + 1, entry.sequence);
            must!(found == expected, "I11: {id} has {found} where {expected} belongs: {entry:?}");
            *newest += 1;
            let watched = self.spaces.entry(id.clone()).or_default();
            must!(entry.at >= watched.newest_at, "I11: the time of {id} goes back: {entry:?}");
            watched.newest_at = entry.at;
        }
    }

    /// Checks a batch that just became durable.
    pub(super) fn after(&mut self, database: &Database, batch: &Batch, ops: &mut Ops) {
        let mut touched: BTreeSet<(&WorkspaceId, &TicketId)> = BTreeSet::new();
        for (id, entry) in &batch.entries {
            self.entries += 1;
            let text = (entry.event.ticket(), entry.event.agent(), entry.actor.as_ref());
            let (sequence, name) = (entry.sequence, entry.event.name());
            self.trace(format!("{id} {sequence} {} {name} {text:?}", entry.at.0).as_bytes());
            ops.happened(id, entry);
            let watched = self.spaces.entry(id.clone()).or_default();
            watched.offers(entry);
            watched.oracle.note(&[(entry.at, entry.event.clone())]);
            let Some(ticket) = entry.event.ticket() else { continue };
            touched.insert((id, ticket));
            watched.tell(ticket, entry);
        }
        for (id, ticket) in touched {
            let Some(space) = database.space(id) else { continue };
            let story = self.spaces.get(id).and_then(|watched| watched.stories.get(ticket));
            let row = space.numbers.get(ticket).and_then(|number| space.rows.get(number));
            let row = row.map(Story::of);
            must!(row.as_ref() == story, "I11: the row of {ticket} is {row:?}, not {story:?}");
            let number = story.map_or(0, |story| story.number);
            let is_whole =
                space.payloads.contains_key(&number) && space.details.contains_key(&number);
            must!(is_whole, "I12: text or details of {ticket} are missing");
        }
    }

    /// Checks what an engine has in memory of the workspaces it rightly leads, after a round that worked.
    pub(super) fn round(
        &mut self,
        database: &Database,
        (workspaces, now): (&Workspaces, UnixMillis),
        holds: impl Fn(Partition) -> bool,
    ) {
        for (id, workspace) in workspaces {
            let Some(space) = database.space(id) else {
                violated(format!("I12: {id} is in memory only"));
            };
            if !holds(Partition::of(id)) {
                continue;
            }
            let watched = self.spaces.entry(id.clone()).or_default();
            let (durable, sequence) = (space.entries.len(), workspace.sequence);
            must!(
                u64::try_from(durable).unwrap() == sequence,
                "I11: {id} is at {sequence} in memory, at {durable} in the journal"
            );
            if watched.compared == sequence && sequence % 8 != 0 {
                continue;
            }
            watched.compared = sequence;
            watched.oracle.check(&workspace.state, now);
            let open = space.rows.values().filter(|row| !row.status.is_closed());
            let same = open.clone().count() == workspace.rows.len()
                && open.clone().all(|row| workspace.rows.get(&row.ticket) == Some(row));
            must!(same, "I11: the rows of {id} in memory are not those stored");
            let unread = workspace.state.tickets().filter(|open| open.reading.is_none()).count();
            let listed = workspace.backlog.unread.len();
            must!(unread == listed, "I20: of {unread} unread tickets {listed} are to be read");
        }
    }

    /// Checks what a caller is told.
    pub(super) fn told(&mut self, op: &Op, told: &str) {
        self.trace(format!("{} {told}", op.number).as_bytes());
    }
}

impl Watched {
    /// An offer ends once; it is answered by whom it was made to, and in time.
    fn offers(&mut self, entry: &Entry) {
        match &entry.event {
            Event::OfferMade { offer, agent, expires_at, .. } => {
                let other = self.live.keys().find(|live| live.ticket == offer.ticket);
                must!(other.is_none(), "I4: {offer} beside {other:?}");
                self.live.insert(offer.clone(), (agent.clone(), *expires_at));
            }
            Event::OfferAccepted { offer, agent } | Event::OfferDeclined { offer, agent, .. } => {
                let live = self.live.remove(offer);
                let is_right = live.is_some_and(|(to, until)| to == *agent && entry.at < until);
                must!(is_right, "I4: {entry:?} is not for them, or over");
            }
            Event::OfferExpired { offer, .. } | Event::OfferRevoked { offer, .. } => {
                must!(self.live.remove(offer).is_some(), "I9: {entry:?} ended before");
            }
            _ => {}
        }
    }

    fn tell(&mut self, ticket: &TicketId, entry: &Entry) {
        if matches!(entry.event, Event::TicketReceived { .. }) {
            let story = Story {
                number: entry.sequence,
                sequence: entry.sequence,
                status: Status::Received,
                holder: None,
                assignee: None,
                epoch: 0,
                received_at: entry.at,
                assigned_at: None,
                closed_at: None,
            };
            let before = self.stories.insert(ticket.clone(), story);
            must!(before.is_none(), "I3: {ticket} was received twice");
        } else if let Some(story) = self.stories.get_mut(ticket) {
            must!(
                !story.status.is_closed() || matches!(entry.event, Event::WrapUpEnded { .. }),
                "I2: {entry:?} after the end"
            );
            story.note(entry);
        } else {
            violated(format!("I3: {entry:?} of a ticket that never came"));
        }
    }
}
