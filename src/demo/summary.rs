//! The summary for people: where tickets went and why, who carried what, how evenly, and what of it
//! is make-believe. At most some 80 lines of at most 100 columns.

mod decisions;
mod evenness;
mod flow;
mod paint;
#[cfg(test)]
mod tests;

use std::sync::atomic::Ordering::Relaxed;

pub use self::paint::Style;
use self::paint::{PAGE, pad, wrap};
use super::{End, Outcome, tally::Share, workspace::TIME_SCALE};

/// Returns the summary.
pub(super) fn summary(outcome: &Outcome, style: Style) -> String {
    let sections = [
        headline(outcome, style),
        flow::destinations(outcome, style),
        flow::waits(outcome, style),
        flow::loads(outcome, style),
        decisions::decisions(outcome, style),
        evenness::evenness(outcome, style),
        agreement(outcome, style),
        remarks(outcome, style),
        next_steps(outcome, style),
    ];
    let mut page = String::from("\n");
    for section in sections.iter().filter(|section| !section.is_empty()) {
        for line in section {
            page.push_str(format!("  {line}").trim_end());
            page.push('\n');
        }
        page.push('\n');
    }
    page.truncate(page.trim_end().len());
    page
}

fn headline(outcome: &Outcome, style: Style) -> Vec<String> {
    let tally = &outcome.tally;
    let title = format!(
        "{} tickets · {} people · {:.1} seconds",
        tally.submitted,
        outcome.people.len(),
        outcome.seconds
    );
    let verdict = if outcome.adds_up() {
        style.good("✓ adds up")
    } else {
        style.bad("✗ DOES NOT ADD UP")
    };
    let lost = format!("{} lost", tally.lost);
    let lost = if tally.lost == 0 { lost } else { style.bad(&lost) };
    let figures = format!(
        "{} reached a person ({} resolved) · {} waiting · {} cancelled · {lost}   {verdict}",
        tally.assigned, tally.resolved, tally.waiting, tally.cancelled
    );
    let mut lines =
        vec![format!("{}   {}", style.heading("EVENHAND"), style.strong(&title)), figures];
    let early = match outcome.end {
        End::Done => None,
        End::Quiet => Some("Stopped: nothing moved any more; what is left counts as waiting."),
        End::OutOfTime => Some("Stopped: out of time; what is left counts as waiting."),
        End::Interrupted => Some("Stopped early by you; what is left counts as waiting."),
    };
    lines.extend(early.map(|early| style.look(early)));
    if outcome.skipped > 0 {
        let text = format!("{} rows can't be tickets; they are named above.", outcome.skipped);
        lines.push(style.look(&text));
    }
    lines
}

/// Returns how often the model agreed with the labels, if there are any.
fn agreement(outcome: &Outcome, style: Style) -> Vec<String> {
    if !outcome.tickets.has_truth() {
        return Vec::new();
    }
    let agreement = &outcome.tally.agreement;
    let measured = [
        ("intent", agreement.intent),
        ("out of scope noticed", agreement.out_of_scope),
        ("urgency", agreement.urgency),
        ("sentiment", agreement.sentiment),
        ("language", agreement.language),
    ];
    let share = |(name, share): (&str, Share)| {
        let percent = share.percent()?;
        Some(format!("{name} {} of {} ({percent:.0} %)", share.hits, share.count))
    };
    let shares: Vec<String> = measured.into_iter().filter_map(share).collect();
    if shares.is_empty() {
        return Vec::new();
    }
    let whose = if outcome.tickets.embedded {
        "labels we gave the demo's own tickets; a small set, not a benchmark"
    } else {
        "labels in your file"
    };
    let heading = format!("{}  {}", style.heading("MODEL AND LABELS AGREE"), style.faint(whose));
    let mut lines = vec![heading];
    lines.extend(wrap(&shares.join(" · "), PAGE));
    lines
}

/// Returns what was real, and what the people did.
fn remarks(outcome: &Outcome, style: Style) -> Vec<String> {
    let board = &outcome.board;
    let text = format!(
        "Real: the server, its store, the model ({}), gRPC over TCP; all figures are read back from the store. \
         Simulated: people and what they report. Offers accepted: {}, declined: {}, left unanswered: {}. \
         Tickets handed on: {}, sent twice under one key and still one ticket: {}. People who went home early: {}, \
         took a break: {}, lost the connection and resumed: {}. A minute of the standard policy lasted {} second.",
        outcome.model,
        board.accepted.load(Relaxed),
        board.declined.load(Relaxed),
        board.unanswered.load(Relaxed),
        board.transferred.load(Relaxed),
        board.repeated.load(Relaxed),
        board.gone_home.load(Relaxed),
        board.breaks.load(Relaxed),
        board.resumed.load(Relaxed),
        60 / TIME_SCALE,
    );
    let mut lines = vec![style.heading("WHAT WAS REAL")];
    lines.extend(wrap(&text, PAGE));
    lines
}

fn next_steps(outcome: &Outcome, style: Style) -> Vec<String> {
    let step = |command: &str, what: &str| format!("{}  {}", pad(command, 34), style.faint(what));
    let mut lines = vec![
        style.heading("NEXT"),
        step(
            "evenhand demo --tickets YOUR.csv",
            "your own tickets (column `text`); no text is shown",
        ),
        step("evenhand demo --format json", "all figures, all segments"),
        step("evenhand serve", "the service itself; README.md has a first call"),
    ];
    lines.push(match &outcome.kept {
        Some(dir) => format!("Kept: {}", dir.display()),
        None => style.faint("Nothing was left behind; --keep keeps the data directory."),
    });
    lines
}
