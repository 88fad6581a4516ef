//! How fast tickets of equal needs leave for agents. A class that is forgotten leaves its pace behind, so
//! that what is known does not depend on which classes were made to look ahead.

use std::collections::BTreeMap;

use super::MatchIndex;
use crate::{
    domain::{limits::PACES_KEPT_MAX, time::UnixMillis},
    routing::{
        class::{Pace, Spec},
        slab::ClassKey,
    },
};

impl MatchIndex {
    /// Notes that a ticket of a class left the queue for an agent.
    pub(in crate::routing) fn note_departure(&mut self, class: ClassKey, at: UnixMillis) {
        let is_new = self.classes.get(class).is_some_and(|class| class.pace.is_none());
        if is_new && self.pace_count >= PACES_KEPT_MAX {
            self.forget_paces();
        }
        if let Some(class) = self.classes.get_mut(class) {
            class.pace = Some(Pace::after(class.pace, at));
            self.pace_count += usize::from(is_new);
        }
    }

    fn forget_paces(&mut self) {
        for key in self.classes.keys() {
            if let Some(class) = self.classes.get_mut(key) {
                class.pace = None;
            }
        }
        self.paces.clear();
        self.pace_count = 0;
    }

    /// Returns every pace and whose it is, in the order of the needs.
    pub(in crate::routing) fn paces(&self) -> Vec<(&Spec, Pace)> {
        let classes = self.classes.iter().filter_map(|(_, class)| Some((&class.spec, class.pace?)));
        let mut paces: Vec<_> =
            classes.chain(self.paces.iter().map(|(spec, pace)| (spec, *pace))).collect();
        paces.sort_unstable_by_key(|(spec, _)| *spec);
        paces
    }

    /// Puts paces back, before any class is made.
    pub(in crate::routing) fn put_paces(&mut self, paces: BTreeMap<Spec, Pace>) {
        self.pace_count = paces.len();
        self.paces = paces;
    }
}
