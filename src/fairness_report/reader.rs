//! Reads a journal, entry by entry, for the tickets of a window of time.

use std::collections::BTreeMap;

use super::{case::Case, on_record::OnRecord};
use crate::{
    backtest::Tally,
    domain::{
        event::{Entry, Event},
        id::TicketId,
        time::UnixMillis,
    },
    routing::State,
};

/// Reads a journal.
#[derive(Debug)]
pub struct Reader {
    from: Option<UnixMillis>,
    to: Option<UnixMillis>,
    state: State,
    cases: Vec<Case>,
    places: BTreeMap<TicketId, usize>,
    on_record: OnRecord,
    /// What agents carried in the window; `None` before it begins.
    agents: Option<Tally>,
    newest_at: UnixMillis,
}

/// What a journal says of a window of time.
#[derive(Clone, Debug)]
pub struct Record {
    pub(super) from: Option<UnixMillis>,
    pub(super) to: Option<UnixMillis>,
    /// Until when tickets were seen: the newest entry of the journal.
    pub(super) end: UnixMillis,
    /// Tickets received in the window, in the order they came; never empty.
    pub(super) cases: Vec<Case>,
    /// Declared segment attributes, by the newest settings.
    pub(super) attributes: Vec<String>,
    pub(super) agents: Tally,
    pub(super) on_record: OnRecord,
}

impl Reader {
    /// Returns a reader for tickets received at or after `from` and before `to`; `None` for as far as the
    /// journal goes. What became of them is followed to its end, what agents carried to `to`.
    #[must_use]
    pub fn new(from: Option<UnixMillis>, to: Option<UnixMillis>) -> Self {
        Self {
            from,
            to,
            state: State::default(),
            cases: Vec::new(),
            places: BTreeMap::new(),
            on_record: OnRecord::default(),
            agents: None,
            newest_at: UnixMillis(i64::MIN),
        }
    }

    /// Takes the next entry; entries must come in the journal's order.
    pub fn note(&mut self, entry: &Entry) {
        let before = self.from.is_some_and(|from| entry.at < from);
        let inside = !before && self.to.is_none_or(|to| entry.at < to);
        if inside && self.agents.is_none() {
            self.agents = Some(Tally::new(&self.state, self.from.unwrap_or(entry.at)));
        }
        self.state.apply(entry.at, &entry.event);
        self.newest_at = entry.at;
        self.on_record.note(entry, inside);
        if let Some(agents) = self.agents.as_mut().filter(|_| inside) {
            agents.note(entry.at, std::slice::from_ref(&entry.event), &self.state);
        }
        match &entry.event {
            Event::TicketReceived { ticket, intake } if inside => {
                self.places.insert(ticket.clone(), self.cases.len());
                self.cases.push(Case::new(ticket.clone(), entry.at, intake.target_secs));
            }
            event => {
                let place = event.ticket().and_then(|ticket| self.places.get(ticket));
                if let Some(case) = place.and_then(|place| self.cases.get_mut(*place)) {
                    case.note(entry.at, event, &self.state);
                }
            }
        }
    }

    /// Returns what was read; `None` when no ticket was received in the window.
    #[must_use]
    pub fn finish(self) -> Option<Record> {
        let mut agents = self.agents.filter(|_| !self.cases.is_empty())?;
        agents.finish(self.to.map_or(self.newest_at, |to| to.min(self.newest_at)));
        Some(Record {
            from: self.from,
            to: self.to,
            end: self.newest_at,
            cases: self.cases,
            attributes: self.state.settings().0.segment_attributes.clone(),
            agents,
            on_record: self.on_record,
        })
    }
}
