//! The counts of one segment in one span of time.

use super::{Observation, grid::WaitGrid};
use crate::fairness::rates::Rate;

/// Outcomes that are counted: tickets, selected, urgent and selected, not urgent and selected,
/// breached, reassigned, resolved at first contact, sent to triage.
const OUTCOMES: usize = 8;
const TICKETS: usize = 0;
const SELECTED: usize = 1;
const POSITIVES: usize = 2;
const NEGATIVES: usize = 3;
const BREACHED: usize = 4;
const REASSIGNED: usize = 5;
const FIRST_CONTACT: usize = 6;
const TRIAGED: usize = 7;

/// What an observation changes, worked out once for all segments of the ticket.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    hits: [i64; OUTCOMES],
    misses: [i64; OUTCOMES],
    wait: Option<(usize, bool)>,
    sign: i64,
}

/// Counts of treatment. While a stream is in parts, a part may hold more taken back than added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    hits: [i64; OUTCOMES],
    misses: [i64; OUTCOMES],
    waits: WaitGrid,
}

impl Change {
    pub(super) fn new(seen: &Observation, sign: i64) -> Self {
        let mut change = Self { hits: [0; OUTCOMES], misses: [0; OUTCOMES], wait: None, sign };
        let mut count = |outcome: usize, hit: Option<bool>| match hit {
            Some(true) => change.hits[outcome] = sign,
            Some(false) => change.misses[outcome] = sign,
            None => {}
        };
        let labelled = |urgent| seen.labelled.filter(|(_, label)| *label == urgent);
        count(TICKETS, seen.arrived.then_some(true));
        count(SELECTED, seen.selected);
        count(POSITIVES, labelled(true).map(|(selected, _)| selected));
        count(NEGATIVES, labelled(false).map(|(selected, _)| selected));
        count(BREACHED, seen.target_breached);
        count(REASSIGNED, seen.reassigned);
        count(FIRST_CONTACT, seen.first_contact);
        count(TRIAGED, seen.triaged);
        change.wait = seen.wait.map(|(ms, assigned)| (WaitGrid::bin(ms), assigned));
        change
    }
}

/// Sums that cannot reach 2⁶³, without asking at each: the loop becomes a few wide additions.
fn add_all(sums: &mut [i64; OUTCOMES], counts: &[i64; OUTCOMES]) {
    sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum = sum.wrapping_add(*count));
}

impl Tally {
    /// Returns how many tickets there are.
    #[must_use]
    pub fn tickets(&self) -> u64 {
        self.rate(TICKETS).hits()
    }

    /// Returns the selected of those decided.
    #[must_use]
    pub fn selected(&self) -> Rate {
        self.rate(SELECTED)
    }

    /// Returns the selected of the urgent: the true positive rate.
    #[must_use]
    pub fn positives(&self) -> Rate {
        self.rate(POSITIVES)
    }

    /// Returns the selected of those not urgent: the false positive rate.
    #[must_use]
    pub fn negatives(&self) -> Rate {
        self.rate(NEGATIVES)
    }

    /// Returns the breached targets.
    #[must_use]
    pub fn target_breached(&self) -> Rate {
        self.rate(BREACHED)
    }

    /// Returns the tickets that changed hands.
    #[must_use]
    pub fn reassigned(&self) -> Rate {
        self.rate(REASSIGNED)
    }

    /// Returns the tickets resolved at first contact.
    #[must_use]
    pub fn first_contact(&self) -> Rate {
        self.rate(FIRST_CONTACT)
    }

    /// Returns the tickets sent to triage.
    #[must_use]
    pub fn triaged(&self) -> Rate {
        self.rate(TRIAGED)
    }

    /// Returns the waits.
    #[must_use]
    pub fn waits(&self) -> &WaitGrid {
        &self.waits
    }

    pub(super) fn add(&mut self, change: &Change) {
        add_all(&mut self.hits, &change.hits);
        add_all(&mut self.misses, &change.misses);
        if let Some((bin, assigned)) = change.wait {
            self.waits.count(bin, assigned, change.sign);
        }
    }

    /// Adds all that another has counted.
    pub fn merge(&mut self, other: &Self) {
        add_all(&mut self.hits, &other.hits);
        add_all(&mut self.misses, &other.misses);
        self.waits.merge(&other.waits);
    }

    /// A part that only takes back has no rate of its own.
    fn rate(&self, outcome: usize) -> Rate {
        let count = |counts: &[i64; OUTCOMES]| u64::try_from(counts[outcome]).unwrap_or(0);
        Rate::counted(count(&self.hits), count(&self.misses))
    }
}
