//! What agents will do: answers and ends of work, by time.

use std::collections::BTreeMap;

use crate::{
    backtest::past::{Answer, End, Moment},
    domain::{
        id::{AgentId, OfferId},
        time::UnixMillis,
    },
};

/// Something an agent does.
#[derive(Clone, Debug)]
pub(super) enum Due {
    Answer {
        offer: OfferId,
        agent: AgentId,
        answer: Answer,
    },
    /// The end of the work that began when this offer was accepted.
    End {
        offer: OfferId,
        agent: AgentId,
        end: End,
    },
}

/// What is due, by time, then by the journal's order, then by the order it was planned in.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    due: BTreeMap<(UnixMillis, u64, u64), Due>,
    planned: u64,
}

impl Agenda {
    /// Plans something for `at`; with the entry that recorded it, it comes in that entry's place among
    /// what happens together, otherwise after all that is recorded.
    pub(super) fn put(&mut self, recorded: Option<Moment>, at: UnixMillis, due: Due) {
        let sequence = recorded.map_or(u64::MAX, |moment| moment.sequence);
        self.planned += 1;
        self.due.insert((at, sequence, self.planned), due);
    }

    /// Returns when something is due next.
    pub(super) fn next(&self) -> Option<Moment> {
        let ((at, sequence, _), _) = self.due.first_key_value()?;
        Some(Moment { at: *at, sequence: *sequence })
    }

    /// Takes what is due next.
    pub(super) fn pop(&mut self) -> Option<Due> {
        self.due.pop_first().map(|(_, due)| due)
    }
}
