//! What the journal says of each ticket and each agent: answers, work, cancellations.

use std::{collections::BTreeMap, sync::Arc};

use super::luck::Luck;
use crate::domain::{
    event::{Entry, Event, TransferTarget},
    id::{AgentId, OfferId, TicketId},
    policy::Plan,
    ticket::Outcome,
    time::UnixMillis,
};

/// When something happened, and which entry of the journal says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) at: UnixMillis,
    pub(super) sequence: u64,
}

/// How an offer ended, as far as the agent ended it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Accepted,
    Declined,
    /// No answer in time.
    Lapsed,
}

/// How the work of an agent on a ticket ended.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum End {
    Completed(Outcome),
    HandedOn(TransferTarget, Arc<Plan>),
    Cancelled(String),
    /// The agent stayed away; the core takes the ticket back by itself.
    Returned,
}

/// One offer of a ticket and what came of it.
#[derive(Clone, Debug)]
pub(super) struct PastOffer {
    pub(super) epoch: u32,
    pub(super) agent: AgentId,
    pub(super) made_at: UnixMillis,
    /// `None` when it was taken back, or is live at the end of the journal.
    pub(super) answer: Option<(Moment, Answer)>,
    /// `None` unless accepted, or while the work goes on.
    pub(super) end: Option<(Moment, End)>,
}

impl PastOffer {
    fn accepted_at(&self) -> Option<UnixMillis> {
        self.answer.filter(|(_, answer)| *answer == Answer::Accepted).map(|(moment, _)| moment.at)
    }

    /// Returns how long the agent worked, in milliseconds; `None` for work that goes on or was lost.
    pub(super) fn work_ms(&self) -> Option<u64> {
        let (moment, end) = self.end.as_ref()?;
        let lost = *end == End::Returned;
        self.accepted_at().filter(|_| !lost).map(|from| moment.at.millis_since(from))
    }
}

/// What the journal says of one ticket.
#[derive(Clone, Debug, Default)]
pub(super) struct Past {
    pub(super) offers: Vec<PastOffer>,
    /// Name of the newest route.
    route: Option<Arc<str>>,
    /// Whether it was cancelled while an agent worked on it.
    pub(super) cancelled_in_work: Option<String>,
    pub(super) outcome: Option<Outcome>,
    /// Work it needs in all, in milliseconds; known once the whole journal was read.
    pub(super) work_ms: u64,
}

impl Past {
    /// Returns an offer by its number.
    pub(super) fn offer(&self, epoch: u32) -> Option<&PastOffer> {
        self.offers.iter().rev().find(|offer| offer.epoch == epoch)
    }

    /// Returns the work of all stretches that ended before a moment, in milliseconds.
    pub(super) fn worked_before(&self, at: UnixMillis) -> u64 {
        let ended =
            |offer: &&PastOffer| offer.end.as_ref().is_some_and(|(moment, _)| moment.at < at);
        self.offers.iter().filter(ended).filter_map(PastOffer::work_ms).sum()
    }

    fn is_finished(&self) -> bool {
        self.outcome.is_some() || self.cancelled_in_work.is_some()
    }
}

/// How an agent answers offers, as far as the journal tells.
#[derive(Clone, Debug, Default)]
pub(super) struct Habits {
    /// Time from offer to answer, in milliseconds.
    delays_ms: Vec<u64>,
    accepted: u64,
    declined: u64,
    lapsed: u64,
}

impl Habits {
    fn note(&mut self, delay_ms: u64, answer: Answer) {
        match answer {
            Answer::Accepted => self.accepted += 1,
            Answer::Declined => self.declined += 1,
            Answer::Lapsed => self.lapsed += 1,
        }
        if answer != Answer::Lapsed {
            self.delays_ms.push(delay_ms);
        }
    }

    fn count(&self) -> u64 {
        self.accepted + self.declined + self.lapsed
    }

    /// Draws an answer and the milliseconds until it.
    ///
    /// The delay is one of those recorded, so that its spread is real and not only its mean.
    pub(super) fn draw(&self, luck: Luck) -> (u64, Answer) {
        let answer = match luck.below("answer", self.count().max(1)) {
            drawn if drawn < self.declined => Answer::Declined,
            drawn if drawn < self.declined + self.lapsed => Answer::Lapsed,
            _ => Answer::Accepted,
        };
        let count = u64::try_from(self.delays_ms.len()).unwrap_or(u64::MAX);
        let drawn = usize::try_from(luck.below("delay", count.max(1))).unwrap_or(usize::MAX);
        (self.delays_ms.get(drawn).copied().unwrap_or(0), answer)
    }
}

/// All tickets and agents of a journal.
#[derive(Debug, Default)]
pub(super) struct Chronicle {
    pub(super) tickets: BTreeMap<TicketId, Past>,
    pub(super) agents: BTreeMap<AgentId, Habits>,
    /// All agents together: how one answers of whom no answer is known.
    pub(super) everybody: Habits,
}

impl Chronicle {
    /// Notes an entry of the journal; entries come in its order.
    pub(super) fn note(&mut self, entry: &Entry) {
        let moment = Moment { at: entry.at, sequence: entry.sequence };
        match &entry.event {
            Event::TicketReceived { ticket, .. } => {
                self.tickets.insert(ticket.clone(), Past::default());
            }
            Event::TicketRead { ticket, plan, .. } | Event::TicketPlanned { ticket, plan } => {
                self.note_route(ticket, plan);
            }
            Event::OfferMade { offer, agent, .. } => {
                let (epoch, agent, made_at) = (offer.epoch, agent.clone(), entry.at);
                let made = PastOffer { epoch, agent, made_at, answer: None, end: None };
                self.change(&offer.ticket, |past| past.offers.push(made));
            }
            Event::OfferAccepted { offer, .. } => self.answer(offer, moment, Answer::Accepted),
            Event::OfferDeclined { offer, .. } => self.answer(offer, moment, Answer::Declined),
            Event::OfferExpired { offer, .. } => self.answer(offer, moment, Answer::Lapsed),
            Event::AssignmentCompleted { ticket, outcome, .. } => {
                self.change(ticket, |past| past.outcome = Some(outcome.clone()));
                self.end(ticket, moment, End::Completed(outcome.clone()));
            }
            Event::TicketTransferred { ticket, target, plan, .. } => {
                self.end(ticket, moment, End::HandedOn(target.clone(), plan.clone()));
            }
            Event::AssignmentReturned { ticket, .. } => self.end(ticket, moment, End::Returned),
            Event::TicketCancelled { ticket, reason, .. } => self.cancel(ticket, moment, reason),
            _ => {}
        }
    }

    fn change(&mut self, ticket: &TicketId, change: impl FnOnce(&mut Past)) {
        if let Some(past) = self.tickets.get_mut(ticket) {
            change(past);
        }
    }

    fn note_route(&mut self, ticket: &TicketId, plan: &Plan) {
        self.change(ticket, |past| {
            if past.route.as_deref() != Some(plan.route.as_str()) {
                past.route = Some(plan.route.as_str().into());
            }
        });
    }

    fn answer(&mut self, offer: &OfferId, moment: Moment, answer: Answer) {
        let made = self.tickets.get_mut(&offer.ticket).and_then(|past| past.offers.last_mut());
        let Some(made) = made.filter(|made| made.epoch == offer.epoch) else { return };
        made.answer = Some((moment, answer));
        let delay_ms = moment.at.millis_since(made.made_at);
        self.everybody.note(delay_ms, answer);
        self.agents.entry(made.agent.clone()).or_default().note(delay_ms, answer);
    }

    fn end(&mut self, ticket: &TicketId, moment: Moment, end: End) {
        self.change(ticket, |past| {
            if let Some(offer) = past.offers.last_mut() {
                offer.end = Some((moment, end));
            }
        });
    }

    fn cancel(&mut self, ticket: &TicketId, moment: Moment, reason: &str) {
        let working = |past: &Past| {
            let newest = past.offers.last();
            newest.is_some_and(|offer| offer.accepted_at().is_some() && offer.end.is_none())
        };
        if self.tickets.get(ticket).is_some_and(working) {
            self.change(ticket, |past| past.cancelled_in_work = Some(reason.to_owned()));
            self.end(ticket, moment, End::Cancelled(reason.to_owned()));
        }
    }

    /// Works out how much work each ticket needs, with the journal read up to `end`.
    pub(super) fn settle_work(&mut self, end: UnixMillis) {
        let mut by_route: BTreeMap<Option<Arc<str>>, Vec<u64>> = BTreeMap::new();
        let mut all = Vec::new();
        for past in self.tickets.values_mut() {
            past.work_ms = past.offers.iter().filter_map(PastOffer::work_ms).sum();
            if past.outcome.is_some() {
                by_route.entry(past.route.clone()).or_default().push(past.work_ms);
                all.push(past.work_ms);
            }
        }
        let typical = median(all).unwrap_or(0);
        let typical_of: BTreeMap<Option<Arc<str>>, u64> =
            by_route.into_iter().filter_map(|(route, work)| Some((route, median(work)?))).collect();
        for past in self.tickets.values_mut().filter(|past| !past.is_finished()) {
            let going_on = past.offers.last().filter(|offer| offer.end.is_none());
            let begun_at = going_on.and_then(PastOffer::accepted_at);
            let so_far = past.work_ms + begun_at.map_or(0, |from| end.millis_since(from));
            let typical = typical_of.get(&past.route).copied().unwrap_or(typical);
            past.work_ms = typical.max(so_far);
        }
    }
}

/// Returns the middle value, the lower one of two; `None` of nothing.
fn median(mut values: Vec<u64>) -> Option<u64> {
    let middle = values.len().checked_sub(1)? / 2;
    Some(*values.select_nth_unstable(middle).1)
}
