//! Compares what clients were told with what the store says. Pure: no clock, no network, no files.
//!
//! Each rule stands for a promise; the tests plant a breach of each one and expect it to be found.

mod calls;
mod kept;
mod order;
mod sights;
mod story;
#[cfg(test)]
mod tests;

pub use kept::kept;

use std::{collections::BTreeMap, fmt};

use crate::history::{Entry, History, Stored, StoredTicket};

/// What was promised and not held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// What was acknowledged is in the store, as often as it was acknowledged.
    AcknowledgedIsThere,
    /// What was refused is not in the store.
    RefusedIsNotThere,
    /// Nothing is in the store that no client asked for.
    SomebodyAsked,
    /// One key makes one ticket, of one content, however often it is used.
    OneTicketPerKey,
    /// A key that was answered once is answered the same again.
    KeysAreRemembered,
    /// A ticket that was acknowledged is known to whoever is asked about it.
    KnownIsFound,
    /// The text is the one that was submitted, the outcome the one reported.
    ContentIsKept,
    /// A ticket begins once, with `ticket_received`.
    BeginsOnce,
    /// A ticket has at most one live offer, and epochs count offers.
    OneLiveOffer,
    /// An offer ends once, by the agent who has it.
    OffersEndOnce,
    /// A ticket has at most one assignment, and the agent who has it ends it.
    OneAssignment,
    /// Nothing happens to a closed ticket.
    ClosedStaysClosed,
    /// The status follows from the entries.
    StatusIsLegal,
    /// The ticket shown is the one its entries tell of.
    TicketAgreesWithEntries,
    /// Sequence numbers are unique and ascend.
    SequencesAscend,
    /// Time never goes back along the journal.
    TimeAscends,
    /// What was acknowledged before something else was asked for comes before it.
    RealTimeOrder,
    /// An agent's stream shows what the journal says, all of it, once.
    StreamsAreGapless,
    /// Decision records and entries are the same decisions.
    DecisionsAgree,
    /// What was read once is read again.
    WhatWasReadStays,
    /// Asked to stop, the server answers what is under way and ends in time.
    StopsWell,
    /// Damage is said, or harmless.
    DamageIsSaid,
    /// Without space, tickets are turned away with a word when to come back, and agents go on.
    FullIsSaid,
    /// What some clients do costs the others no more than it may.
    OthersGoOn,
    /// In the journal of a workspace the numbers have no gaps and time never goes back, as SQL reads it.
    JournalIsWhole,
    /// A workspace is interrupted no longer than promised when servers or the database come and go.
    GoesOnInTime,
    /// A server among several ends only when it is asked to.
    StaysUp,
    /// Everything can be read, and everybody gets an answer in the end.
    EverybodyIsAnswered,
}

/// A rule that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The rule.
    pub rule: Rule,
    /// What is wrong.
    pub what: String,
    /// The lines of the history and the entries that show it.
    pub lines: Vec<String>,
}

impl Violation {
    /// Returns a breach of a rule, without lines.
    #[must_use]
    pub fn new(rule: Rule, what: impl Into<String>) -> Self {
        Self { rule, what: what.into(), lines: Vec::new() }
    }

    /// Returns the breach with lines that show it.
    #[must_use]
    pub fn with(mut self, lines: impl IntoIterator<Item = impl ToString>) -> Self {
        self.lines.extend(lines.into_iter().map(|line| line.to_string()));
        self
    }
}

impl Violation {
    /// Returns whether a run can go on after it: nothing of what is stored is in doubt.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self.rule, Rule::GoesOnInTime | Rule::StaysUp)
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}: {}", self.rule, self.what)?;
        for line in &self.lines {
            write!(formatter, "\n    {line}")?;
        }
        Ok(())
    }
}

/// Returns every breach of a rule.
#[must_use]
pub fn check(history: &History, stored: &Stored) -> Vec<Violation> {
    let mut violations = Vec::new();
    for ticket in &stored.tickets {
        story::check(ticket, &mut violations);
    }
    let journal = Journal::new(stored);
    order::sequences(&journal, &mut violations);
    calls::check(history, stored, &journal, &mut violations);
    order::real_time(history, &journal, &mut violations);
    sights::streams(history, &journal, &mut violations);
    if let Some(decisions) = &stored.decisions {
        sights::decisions(decisions, &journal, &mut violations);
    }
    violations
}

/// Returns how many calls have taken effect though nobody was told so yet.
#[must_use]
pub fn done_untold(history: &History, stored: &Stored) -> usize {
    calls::done_untold(history, &Journal::new(stored))
}

/// Entries of all tickets, by sequence number and by what they are about.
struct Journal<'a> {
    /// Each entry with its ticket, in the order of the sequence numbers.
    entries: Vec<(&'a StoredTicket, &'a Entry)>,
    /// Entries that answer a call, by what was asked for.
    slots: BTreeMap<Slot, Vec<(&'a StoredTicket, &'a Entry)>>,
}

/// What a call and the entry it led to have in common: kind of entry, ticket or offer, agent.
type Slot = (&'static str, String, String);

impl<'a> Journal<'a> {
    fn new(stored: &'a Stored) -> Self {
        let all =
            |ticket: &'a StoredTicket| ticket.entries.iter().map(move |entry| (ticket, entry));
        let mut entries: Vec<_> = stored.tickets.iter().flat_map(all).collect();
        entries.sort_by_key(|(_, entry)| entry.sequence);
        let mut slots: BTreeMap<Slot, Vec<_>> = BTreeMap::new();
        for (ticket, entry) in &entries {
            if let Some(slot) = slot_of(ticket, entry) {
                slots.entry(slot).or_default().push((*ticket, *entry));
            }
        }
        Self { entries, slots }
    }

    /// Returns the entry with a sequence number.
    fn at(&self, sequence: u64) -> Option<(&'a StoredTicket, &'a Entry)> {
        let found = self.entries.binary_search_by_key(&sequence, |(_, entry)| entry.sequence);
        found.ok().and_then(|index| self.entries.get(index)).copied()
    }
}

/// Returns what a call must have asked for, for this entry to be there.
fn slot_of(ticket: &StoredTicket, entry: &Entry) -> Option<Slot> {
    let (agent, offer) = (entry.agent.clone(), entry.offer.clone());
    let id = ticket.id.clone();
    Some(match entry.kind.as_str() {
        "ticket_received" => ("ticket_received", ticket.customer.clone(), String::new()),
        "offer_accepted" => ("offer_accepted", offer, agent),
        "offer_declined" => ("offer_declined", offer, agent),
        "assignment_completed" => ("assignment_completed", id, agent),
        "ticket_transferred" => ("ticket_transferred", id, agent),
        // It names whoever held the ticket, which the caller need not know.
        "ticket_cancelled" => ("ticket_cancelled", id, String::new()),
        "ticket_assigned_by_hand" => ("ticket_assigned_by_hand", id, agent),
        _ => return None,
    })
}
