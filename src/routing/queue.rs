//! Waiting tickets, grouped by what they need.
//!
//! Tickets with equal needs form a class. An agent who becomes free fits a class or not, so finding
//! the next ticket costs one look per class instead of one per ticket.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{
    id::{AgentId, TicketId},
    policy::Requirement,
    time::UnixMillis,
};

/// What all tickets of a class need.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Class {
    /// Skills, after relaxation.
    pub(super) requirements: Vec<Requirement>,
    /// Channel, for its cost in capacity.
    pub(super) channel: String,
    /// The only agent who may take it, after a transfer.
    pub(super) target: Option<AgentId>,
}

/// A place in the queue: the time received minus the head start, then the identifier.
///
/// A head start is so many seconds of waiting, hence every ticket overtakes those that come later
/// by more than the longest head start: nobody starves.
pub(super) type Place = (UnixMillis, TicketId);

/// The queue of one workspace.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Queue {
    classes: BTreeMap<Class, BTreeSet<Place>>,
}

impl Queue {
    pub(super) fn insert(&mut self, class: Class, place: Place) {
        self.classes.entry(class).or_default().insert(place);
    }

    pub(super) fn remove(&mut self, class: &Class, place: &Place) {
        if let Some(places) = self.classes.get_mut(class) {
            places.remove(place);
            if places.is_empty() {
                self.classes.remove(class);
            }
        }
    }

    /// Returns the first ticket in queue order whose class and self are acceptable.
    pub(super) fn first(
        &self,
        class_fits: impl Fn(&Class) -> bool,
        ticket_fits: impl Fn(&TicketId) -> bool,
    ) -> Option<&TicketId> {
        self.classes
            .iter()
            .filter(|(class, _)| class_fits(class))
            .filter_map(|(_, places)| places.iter().find(|(_, ticket)| ticket_fits(ticket)))
            .min()
            .map(|(_, ticket)| ticket)
    }
}
