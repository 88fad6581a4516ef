//! The order of entries: by number, by time, and against the order in which calls were answered.

use super::{Journal, Rule, Violation, calls};
use crate::history::{Call, History, Outcome};

/// Checks that numbers are unique and that time never goes back along them.
pub(super) fn sequences(journal: &Journal<'_>, violations: &mut Vec<Violation>) {
    for pair in journal.entries.windows(2) {
        let [(ticket_before, before), (ticket, entry)] = pair else { continue };
        let lines = [format!("{} {before}", ticket_before.id), format!("{} {entry}", ticket.id)];
        if before.sequence == entry.sequence {
            let what = format!("#{} is there twice", entry.sequence);
            violations.push(Violation::new(Rule::SequencesAscend, what).with(&lines));
        }
        if entry.at_ms < before.at_ms {
            let what = format!("#{} is earlier than #{}", entry.sequence, before.sequence);
            violations.push(Violation::new(Rule::TimeAscends, what).with(&lines));
        }
    }
}

/// Something done: asked for first, answered, and its number in the journal.
struct Done<'a> {
    call: &'a Call,
    start_us: u64,
    end_us: u64,
    sequence: u64,
}

/// Checks that whatever was acknowledged before another call began has the lower number.
pub(super) fn real_time(history: &History, journal: &Journal<'_>, violations: &mut Vec<Violation>) {
    let mut by_start = done(history, journal);
    by_start.sort_by_key(|done| done.start_us);
    let mut by_end: Vec<&Done<'_>> = by_start.iter().collect();
    by_end.sort_by_key(|done| done.end_us);
    let mut ended = by_end.into_iter().peekable();
    let mut newest: Option<&Done<'_>> = None;
    for done in &by_start {
        while let Some(before) = ended.next_if(|before| before.end_us < done.start_us) {
            if newest.is_none_or(|newest| before.sequence > newest.sequence) {
                newest = Some(before);
            }
        }
        if let Some(newest) = newest.filter(|newest| newest.sequence > done.sequence) {
            let what = format!(
                "#{} was acknowledged before #{} was asked for",
                newest.sequence, done.sequence
            );
            let lines = [newest.call, done.call];
            violations.push(Violation::new(Rule::RealTimeOrder, what).with(lines));
        }
    }
}

/// Returns the calls that are acknowledged and have one entry of their own.
fn done<'a>(history: &'a History, journal: &Journal<'_>) -> Vec<Done<'a>> {
    let found = calls::by_key(history).into_values().filter_map(|attempts| {
        let first = attempts.first()?;
        let done = |call: &&Call| matches!(call.outcome, Outcome::Done { .. });
        let answered = attempts.calls.iter().copied().find(done)?;
        let [(_, entry)] = journal.slots.get(&calls::slot(first))?.as_slice() else { return None };
        Some(Done {
            call: answered,
            start_us: first.start_us,
            end_us: answered.end_us,
            sequence: entry.sequence,
        })
    });
    found.collect()
}
