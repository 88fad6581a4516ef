//! What may happen to one ticket, entry by entry.

use super::{Rule, Violation};
use crate::history::{Entry, Status, StoredTicket};

/// Where the entries so far have brought a ticket.
struct Story<'a> {
    ticket: &'a StoredTicket,
    status: Option<Status>,
    /// The live offer and the agent who has it.
    offer: Option<(&'a str, &'a str)>,
    /// The agent who has the assignment.
    assignee: Option<&'a str>,
    /// Who completed it.
    completed_by: Option<&'a str>,
    /// The epoch of the newest offer.
    epoch: u64,
    found: Vec<Violation>,
}

/// Follows a ticket's entries; adds what cannot be.
pub(super) fn check(ticket: &StoredTicket, violations: &mut Vec<Violation>) {
    let mut story = Story {
        ticket,
        status: None,
        offer: None,
        assignee: None,
        completed_by: None,
        epoch: 0,
        found: Vec::new(),
    };
    let mut before: Option<&Entry> = None;
    for entry in &ticket.entries {
        if let Some(before) = before {
            story.ascends(before, entry);
        }
        story.apply(entry);
        before = Some(entry);
    }
    story.agrees(before);
    violations.append(&mut story.found);
}

impl<'a> Story<'a> {
    fn breach(&mut self, rule: Rule, what: &str) {
        let what = format!("ticket {}: {what}", self.ticket.id);
        self.found.push(Violation::new(rule, what).with(&self.ticket.entries));
    }

    fn ascends(&mut self, before: &Entry, entry: &Entry) {
        if entry.sequence <= before.sequence {
            self.breach(Rule::SequencesAscend, &format!("#{} comes after it", before.sequence));
        }
        if entry.at_ms < before.at_ms {
            self.breach(Rule::TimeAscends, &format!("#{} is earlier", entry.sequence));
        }
    }

    fn apply(&mut self, entry: &'a Entry) {
        let at = format!("#{} {}", entry.sequence, entry.kind);
        let begins = entry.kind == "ticket_received";
        if begins != self.status.is_none() {
            self.breach(Rule::BeginsOnce, &at);
        }
        if self.status.is_some_and(Status::is_closed) && entry.kind != "wrap_up_ended" {
            self.breach(Rule::ClosedStaysClosed, &at);
        }
        let before = self.status.unwrap_or(Status::Received);
        let after = match entry.kind.as_str() {
            "ticket_received" => Status::Received,
            "ticket_read" if before == Status::Received => Status::Queued,
            "ticket_read" | "ticket_planned" | "ticket_relaxed" | "wrap_up_ended" => before,
            "ticket_queued" => self.waits(&at),
            "offer_made" => self.offered(entry, &at),
            "offer_accepted" => self.answered(entry, Status::Assigned, &at),
            "offer_declined" | "offer_expired" | "offer_revoked" => {
                self.answered(entry, Status::Queued, &at)
            }
            "assignment_completed" => self.left(entry, Status::Completed, &at),
            "ticket_transferred" | "assignment_returned" => self.left(entry, Status::Queued, &at),
            "ticket_assigned_by_hand" => self.waits(&at),
            "ticket_cancelled" => self.cancelled(&at),
            _ => {
                self.breach(Rule::StatusIsLegal, &format!("{at} is no kind of entry"));
                before
            }
        };
        if entry.status != after {
            self.breach(Rule::StatusIsLegal, &format!("{at} must lead to {after:?}"));
        }
        self.status = Some(after);
    }

    fn waits(&mut self, at: &str) -> Status {
        if self.offer.is_some() || self.assignee.is_some() {
            self.breach(Rule::StatusIsLegal, &format!("{at}, though somebody has it"));
        }
        Status::Queued
    }

    fn offered(&mut self, entry: &'a Entry, at: &str) -> Status {
        if let Some((offer, _)) = self.offer {
            self.breach(Rule::OneLiveOffer, &format!("{at}, while {offer} is live"));
        }
        if self.assignee.is_some() {
            self.breach(Rule::OneAssignment, &format!("{at}, while it is assigned"));
        }
        let epoch = entry.offer.rsplit_once('.').and_then(|(_, epoch)| epoch.parse().ok());
        if epoch != Some(self.epoch + 1) {
            self.breach(Rule::OneLiveOffer, &format!("{at}, after epoch {}", self.epoch));
        }
        self.epoch = epoch.unwrap_or(self.epoch + 1);
        self.offer = Some((&entry.offer, &entry.agent));
        Status::Offered
    }

    fn answered(&mut self, entry: &'a Entry, after: Status, at: &str) -> Status {
        if self.offer != Some((&entry.offer, &entry.agent)) {
            self.breach(Rule::OffersEndOnce, &format!("{at}, which is not live"));
        }
        if after == Status::Assigned {
            if self.assignee.is_some() {
                self.breach(Rule::OneAssignment, at);
            }
            self.assignee = Some(&entry.agent);
        }
        self.offer = None;
        after
    }

    fn left(&mut self, entry: &'a Entry, after: Status, at: &str) -> Status {
        if self.assignee != Some(&entry.agent) {
            self.breach(Rule::OneAssignment, &format!("{at}, who does not have it"));
        }
        if after == Status::Completed {
            self.completed_by = Some(&entry.agent);
        }
        self.assignee = None;
        after
    }

    fn cancelled(&mut self, at: &str) -> Status {
        if self.offer.is_some() {
            self.breach(Rule::OffersEndOnce, &format!("{at}, while an offer is live"));
        }
        self.offer = None;
        self.assignee = None;
        Status::Cancelled
    }

    /// Compares the ticket as shown with where its entries lead.
    fn agrees(&mut self, last: Option<&Entry>) {
        let sequence = last.map_or(0, |entry| entry.sequence);
        let holder = self.offer.map(|(_, agent)| agent).or(self.assignee).or(self.completed_by);
        let StoredTicket { status, agent, sequence: newest, .. } = self.ticket;
        if Some(*status) != self.status || *newest != sequence {
            let what = format!("is shown {status:?} at #{newest}");
            self.breach(Rule::TicketAgreesWithEntries, &what);
        }
        // Who held a cancelled ticket is not promised.
        if *status != Status::Cancelled && agent != holder.unwrap_or_default() {
            let what = format!("is shown with {agent:?}, entries say {holder:?}");
            self.breach(Rule::TicketAgreesWithEntries, &what);
        }
        if (*status == Status::Completed) == self.ticket.outcome.is_empty() {
            let what = format!("is shown {status:?} with the outcome {:?}", self.ticket.outcome);
            self.breach(Rule::TicketAgreesWithEntries, &what);
        }
    }
}
