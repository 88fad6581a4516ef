//! What the store says at the end: every acknowledged ticket read back and counted once.

mod agreement;
mod story;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use prost_types::Timestamp;
use tonic::{Code, Status};

pub(super) use self::{
    agreement::{Agreement, Share, sentiment_label, urgency_label},
    story::{Kind, Story},
};
use super::{
    board::Board,
    client::{Client, persist},
    tickets::Tickets,
};
use crate::{
    api::v1::{self, Resolution, TicketStatus, TriageReason},
    domain::policy::LANGUAGE,
    fairness::{Wait, WaitCurve},
};

/// Tickets of a page. With the longest texts a page has 40 MB.
const PAGE_TICKETS: u32 = 200;
/// Name of tickets that were not read yet, where there should be an intent or a skill.
const UNREAD: &str = "unread";
/// Name of tickets that are about nothing the model knows.
const OUT_OF_SCOPE: &str = "out_of_scope";

/// What to count by.
pub(super) struct Basis<'a> {
    /// The policy that routed.
    pub(super) policy: &'a v1::Policy,
    /// The intents the model can name.
    pub(super) intents: &'a [String],
    /// The rows.
    pub(super) tickets: &'a Tickets,
    /// Tickets acknowledged as durable, and the row each came from.
    pub(super) acknowledged: &'a BTreeMap<String, usize>,
    /// What went on.
    pub(super) board: &'a Board,
    /// When reading back began, in milliseconds since 1970: tickets that wait have waited until then.
    pub(super) now_ms: i64,
}

/// The counts. Every acknowledged ticket is in exactly one of assigned, waiting, cancelled and lost.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Acknowledged as durable.
    pub(super) submitted: u64,
    /// With an agent, or completed by one.
    pub(super) assigned: u64,
    /// Completed and resolved, at first contact or later.
    pub(super) resolved: u64,
    /// Received, queued or offered.
    pub(super) waiting: u64,
    /// Cancelled, whether it had been assigned or not.
    pub(super) cancelled: u64,
    /// Acknowledged, and not found by reading back.
    pub(super) lost: u64,
    /// Tickets by what was read.
    pub(super) by_intent: BTreeMap<String, u64>,
    /// Tickets by the skill that routed them.
    pub(super) by_skill: BTreeMap<String, u64>,
    /// Why tickets went to a skill: an intent, a language, a reason for triage, or a person's word.
    pub(super) reasons: BTreeMap<String, BTreeMap<String, u64>>,
    /// Completed tickets by outcome.
    pub(super) outcomes: BTreeMap<Resolution, u64>,
    /// How long each ticket waited for a person.
    pub(super) waits: Vec<Wait>,
    /// How often the model agreed with the labels.
    pub(super) agreement: Agreement,
    /// Tickets worth telling about.
    pub(super) stories: BTreeMap<Kind, Story>,
}

impl Tally {
    /// Reads all tickets back and counts them.
    ///
    /// # Errors
    /// The status of a call that failed for good.
    pub(super) async fn read_back(client: &Client, basis: &Basis<'_>) -> Result<Self, Status> {
        let mut missing = basis.acknowledged.clone();
        let mut tally = Self::default();
        let mut page_token = String::new();
        loop {
            let page = page(client, page_token).await?;
            for ticket in &page.tickets {
                // A ticket that was taken in but never acknowledged is not this tally's business.
                if let Some(row) = missing.remove(&ticket.ticket_id) {
                    tally.count(ticket, row, basis);
                }
            }
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        for (ticket_id, row) in missing {
            match get(client, &ticket_id).await {
                Ok(ticket) => tally.count(&ticket, row, basis),
                Err(status) if status.code() == Code::NotFound => tally.count_lost(),
                Err(status) => return Err(status),
            }
        }
        Ok(tally)
    }

    /// Counts a ticket that was read back.
    pub(super) fn count(&mut self, ticket: &v1::Ticket, row: usize, basis: &Basis<'_>) {
        self.submitted += 1;
        match ticket.status() {
            TicketStatus::Assigned | TicketStatus::Completed => self.assigned += 1,
            TicketStatus::Received | TicketStatus::Queued | TicketStatus::Offered => {
                self.waiting += 1;
            }
            TicketStatus::Cancelled => self.cancelled += 1,
            // In no group: then the figures don't add up, and the demo fails.
            TicketStatus::Unspecified => {}
        }
        self.count_outcome(ticket);
        let skill = skill(ticket, basis.policy);
        *self.by_intent.entry(intent(ticket)).or_insert(0) += 1;
        *self.by_skill.entry(skill.clone()).or_insert(0) += 1;
        let in_triage = skill == basis.policy.triage_skill;
        *self.reasons.entry(skill).or_default().entry(reason(ticket, basis.board)).or_insert(0) +=
            1;
        self.waits.push(wait(ticket, basis.now_ms));
        self.agreement.count(ticket, &basis.tickets.rows[row].truth, basis.intents);
        story::keep(&mut self.stories, ticket, row, in_triage, basis.board);
    }

    /// Counts a ticket that is gone.
    pub(super) fn count_lost(&mut self) {
        self.submitted += 1;
        self.lost += 1;
    }

    /// Returns whether every ticket is in exactly one group and none is lost.
    pub(super) fn adds_up(&self) -> bool {
        self.lost == 0 && self.assigned + self.waiting + self.cancelled == self.submitted
    }

    /// Returns the estimate of how long tickets wait, those that still do counted as such.
    pub(super) fn wait_curve(&self) -> WaitCurve {
        WaitCurve::new(self.waits.clone())
    }

    fn count_outcome(&mut self, ticket: &v1::Ticket) {
        if ticket.status() != TicketStatus::Completed {
            return;
        }
        let resolution =
            ticket.outcome.as_ref().map_or(Resolution::Unspecified, v1::Outcome::resolution);
        *self.outcomes.entry(resolution).or_insert(0) += 1;
        if matches!(resolution, Resolution::FirstContact | Resolution::Resolved) {
            self.resolved += 1;
        }
    }
}

async fn page(client: &Client, page_token: String) -> Result<v1::ListTicketsResponse, Status> {
    let request =
        v1::ListTicketsRequest { page_size: PAGE_TICKETS, page_token, ..Default::default() };
    persist(|| {
        let (mut tickets, request) = (client.tickets.clone(), request.clone());
        async move { tickets.list_tickets(request).await }
    })
    .await
}

async fn get(client: &Client, ticket_id: &str) -> Result<v1::Ticket, Status> {
    let request = v1::GetTicketRequest { ticket_id: ticket_id.to_owned() };
    let response = persist(|| {
        let (mut tickets, request) = (client.tickets.clone(), request.clone());
        async move { tickets.get_ticket(request).await }
    });
    response.await?.ticket.ok_or_else(|| Status::not_found("an answer without a ticket"))
}

/// Returns what was read: an intent, `out_of_scope`, `language:xx` where the model cannot read it,
/// or `unread`.
fn intent(ticket: &v1::Ticket) -> String {
    match &ticket.reading {
        None => UNREAD.to_owned(),
        Some(reading) if !reading.language_supported => format!("language:{}", language(reading)),
        Some(reading) if reading.out_of_scope => OUT_OF_SCOPE.to_owned(),
        Some(reading) if reading.intent.is_empty() => UNREAD.to_owned(),
        Some(reading) => reading.intent.clone(),
    }
}

fn language(reading: &v1::Reading) -> &str {
    if reading.language.is_empty() { "undetermined" } else { &reading.language }
}

/// Returns the skill that routed a ticket, before any relaxation.
fn skill(ticket: &v1::Ticket, policy: &v1::Policy) -> String {
    let Some(plan) = &ticket.plan else { return UNREAD.to_owned() };
    if plan.triage_reason() != TriageReason::Unspecified {
        return policy.triage_skill.clone();
    }
    let route = policy.routes.iter().find(|route| route.name == plan.route);
    if let Some(route) = route {
        let first = route.requirements.first();
        return first.map_or_else(|| route.name.clone(), |need| need.skill_id.clone());
    }
    let spoken = ticket
        .reading
        .as_ref()
        .filter(|_| plan.route == LANGUAGE)
        .and_then(|reading| policy.language_skills.get(&reading.language));
    let first = plan.requirements.first().map(|need| &need.skill_id);
    spoken.or(first).unwrap_or(&plan.route).clone()
}

/// Returns why a ticket went where it went, in a few words.
fn reason(ticket: &v1::Ticket, board: &Board) -> String {
    if board.was_handed_on(&ticket.ticket_id) {
        return "handed on".to_owned();
    }
    let reason =
        ticket.plan.as_ref().map_or(TriageReason::Unspecified, v1::RoutingPlan::triage_reason);
    let words = match reason {
        TriageReason::Unspecified => return intent(ticket),
        TriageReason::LowConfidence => "the model was not sure",
        TriageReason::OutOfScope => "out of scope",
        TriageReason::LanguageUnsupported => "a language nobody has",
        TriageReason::NoRoute => "no route",
        TriageReason::WaitedTooLong => "waited too long",
        TriageReason::Unread => "not read yet",
    };
    words.to_owned()
}

/// Returns how long a ticket waited for its first person.
fn wait(ticket: &v1::Ticket, now_ms: i64) -> Wait {
    let received = ticket.received_time.as_ref().map_or(now_ms, millis);
    let (end, assigned) = match (&ticket.assigned_time, &ticket.closed_time) {
        (Some(time), _) => (millis(time), true),
        (None, Some(time)) => (millis(time), false),
        (None, None) => (now_ms, false),
    };
    Wait { ms: u64::try_from(end - received).unwrap_or(0), assigned }
}

/// Returns a time in milliseconds since 1970.
pub(super) fn millis(time: &Timestamp) -> i64 {
    time.seconds.saturating_mul(1000).saturating_add(i64::from(time.nanos / 1_000_000))
}
