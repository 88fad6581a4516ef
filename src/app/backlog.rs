//! Which open tickets are still to be read, and which to be read again.
//!
//! It follows from the routing state and nothing else, so that no ticket can be forgotten: whatever
//! happens to a reading on its way, its ticket stays here until the reading is durable.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{
    id::{TicketId, WorkspaceId},
    time::UnixMillis,
};

/// The tickets of one workspace that the model has not read.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Backlog {
    /// Read by nobody.
    pub(super) unread: Line,
    /// Read by the rules only.
    pub(super) reread: Line,
}

impl Backlog {
    /// Removes a ticket: the model has read it, or it is closed.
    pub(super) fn remove(&mut self, number: u64) {
        self.unread.remove(number);
        self.reread.remove(number);
    }
}

/// Tickets in a line. Whoever is taken goes to the end of it until removed, so that a text that cannot
/// be read does not hold up the others.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Line {
    tickets: BTreeMap<u64, Waiting>,
    turns: BTreeSet<(UnixMillis, u64)>,
}

#[derive(Clone, Debug, PartialEq)]
struct Waiting {
    ticket: TicketId,
    since: UnixMillis,
    turn: UnixMillis,
}

impl Line {
    /// Puts a ticket in, by its number.
    pub(super) fn insert(&mut self, number: u64, ticket: TicketId, since: UnixMillis) {
        self.remove(number);
        self.tickets.insert(number, Waiting { ticket, since, turn: since });
        self.turns.insert((since, number));
    }

    pub(super) fn remove(&mut self, number: u64) {
        if let Some(waiting) = self.tickets.remove(&number) {
            self.turns.remove(&(waiting.turn, number));
        }
    }

    /// Returns whether a ticket's turn has come.
    fn has_turn(&self, now: UnixMillis) -> bool {
        self.turns.first().is_some_and(|(turn, _)| *turn <= now)
    }

    pub(super) fn len(&self) -> usize {
        self.tickets.len()
    }

    /// Takes at most `limit` tickets whose turn has come; their next turn is at `next_turn`.
    pub(super) fn take(
        &mut self,
        now: UnixMillis,
        next_turn: UnixMillis,
        limit: usize,
    ) -> Vec<TicketId> {
        let come = self.turns.range(..=(now, u64::MAX)).take(limit);
        let numbers: Vec<u64> = come.map(|(_, number)| *number).collect();
        let mut taken = Vec::with_capacity(numbers.len());
        for number in numbers {
            let Some(waiting) = self.tickets.get_mut(&number) else { continue };
            self.turns.remove(&(waiting.turn, number));
            waiting.turn = next_turn;
            self.turns.insert((next_turn, number));
            taken.push(waiting.ticket.clone());
        }
        taken
    }

    /// Returns at most `limit` tickets that have waited since `since` or longer, longest first.
    pub(super) fn waiting_since(&self, since: UnixMillis, limit: usize) -> Vec<TicketId> {
        let waited = self.tickets.values().take_while(|waiting| waiting.since <= since);
        waited.take(limit).map(|waiting| waiting.ticket.clone()).collect()
    }

    /// Returns since when the first has waited.
    pub(super) fn oldest(&self) -> Option<UnixMillis> {
        self.tickets.values().next().map(|waiting| waiting.since)
    }
}

/// Takes at most `limit` tickets from the lines of many workspaces, from each a fair share.
pub(super) fn take_shares<'a>(
    lines: impl Iterator<Item = (&'a WorkspaceId, &'a mut Line)>,
    now: UnixMillis,
    next_turn: UnixMillis,
    limit: usize,
) -> Vec<(WorkspaceId, TicketId)> {
    let mut lines: Vec<_> = lines.filter(|(_, line)| line.has_turn(now)).collect();
    // Who has waited longest comes first when there are more workspaces than places.
    lines.sort_by_key(|(_, line)| line.turns.first().copied());
    let share = limit.div_ceil(lines.len().max(1));
    let mut taken = Vec::with_capacity(limit);
    for (workspace, line) in lines {
        let room = share.min(limit - taken.len());
        let tickets = line.take(now, next_turn, room);
        taken.extend(tickets.into_iter().map(|ticket| (workspace.clone(), ticket)));
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u64) -> TicketId {
        TicketId::new(format!("T-{number}")).unwrap()
    }

    fn line(numbers: std::ops::RangeInclusive<u64>) -> Line {
        let mut line = Line::default();
        for number in numbers {
            line.insert(number, id(number), UnixMillis(i64::try_from(number).unwrap()));
        }
        line
    }

    #[test]
    fn who_is_taken_comes_again_after_the_others_until_removed() {
        let mut line = line(1..=4);
        assert_eq!(line.take(UnixMillis(10), UnixMillis(60), 2), [id(1), id(2)]);
        assert_eq!(line.take(UnixMillis(10), UnixMillis(70), 2), [id(3), id(4)]);
        assert_eq!(line.take(UnixMillis(10), UnixMillis(70), 2), []);
        line.remove(2);
        assert_eq!(line.take(UnixMillis(70), UnixMillis(90), 9), [id(1), id(3), id(4)]);
        assert_eq!((line.len(), line.turns.len()), (3, 3));
    }

    #[test]
    fn each_workspace_gets_its_share() {
        let [acme, busy] = ["acme", "busy"].map(|id| WorkspaceId::new(id).unwrap());
        let (mut short, mut long) = (line(9..=9), line(1..=8));
        let mut take = |limit| {
            let lines = [(&acme, &mut short), (&busy, &mut long)];
            let taken = take_shares(lines.into_iter(), UnixMillis(10), UnixMillis(60), limit);
            taken.into_iter().map(|(_, ticket)| ticket).collect::<Vec<_>>()
        };
        assert_eq!(take(4), [id(1), id(2), id(9)]);
        assert_eq!(take(4), [id(3), id(4), id(5), id(6)]);
        assert_eq!(take(1), [id(7)]);
    }

    #[test]
    fn who_waits_too_long_is_found_even_while_taken() {
        let mut line = line(1..=4);
        line.take(UnixMillis(10), UnixMillis(60), 2);
        assert_eq!(line.waiting_since(UnixMillis(3), 9), [id(1), id(2), id(3)]);
        assert_eq!(line.waiting_since(UnixMillis(3), 2), [id(1), id(2)]);
        assert_eq!(line.oldest(), Some(UnixMillis(1)));
    }
}
