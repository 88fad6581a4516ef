//! What the figures do not know, and what they cannot say.

use super::section;
use crate::{
    fairness_report::report::{AttributeReport, Report},
    report::page::markup::{escape, row_table},
};

/// Returns what is not known.
pub(super) fn unknown(report: &Report) -> String {
    let body = format!("{}{}{}", tickets(report), attributes(report), limits(report));
    section("unknown", "What is not known", &body)
}

fn tickets(report: &Report) -> String {
    let not = report.not_known;
    let row = |name: &str, tickets: u64, means: &str| {
        vec![name.to_owned(), tickets.to_string(), means.to_owned()]
    };
    let rows = [
        row("Not read yet", not.unread, "whether they would be moved ahead or sent to triage"),
        row("Without a target", not.without_target, "whether they were in time"),
        row("Waiting for an agent", not.waiting, "how long in the end, and all that comes after"),
        row("In work", not.in_work, "how they end"),
        row("Cancelled", not.cancelled, "how they would have ended"),
        row(
            "Completed without satisfaction",
            not.without_satisfaction,
            "what the customer thought",
        ),
    ];
    let columns = [("Tickets", false), ("Number", true), ("What is not known of them", false)];
    let caption =
        format!("Of {} tickets. They are left out of the figures that need it.", report.tickets);
    row_table(&caption, &columns, &rows)
}

fn attributes(report: &Report) -> String {
    let row = |(attribute, of): (&String, &AttributeReport)| {
        vec![
            escape(attribute),
            of.undeclared.to_string(),
            of.values_put_together.to_string(),
            of.evidence.left_out.to_string(),
        ]
    };
    let rows: Vec<Vec<String>> = report.attributes.iter().map(row).collect();
    let columns = [
        ("Attribute", false),
        ("Tickets that do not declare it", true),
        ("Values shown as one group", true),
        ("Comparisons left out", true),
    ];
    let caption = format!(
        "A value of fewer than {} tickets is neither shown nor named: it is put together with others, some \
         of them larger, so that it is not what remains when the others are taken from the total. The same \
         holds for each figure.",
        report.group_tickets_min
    );
    row_table(&caption, &columns, &rows)
}

fn limits(report: &Report) -> String {
    let tolerated = 100.0 * report.difference_tolerated;
    format!(
        "<h3>What this report cannot say</h3>\n<ul>\n\
         <li>Why groups differ, whether a difference is justified, or whether the law is kept. A group that \
         writes at other hours, or about other things, shows the difference between hours or things.</li>\n\
         <li>Whether differences below {tolerated:.0} points matter: &ldquo;fair so far&rdquo; rules out \
         larger ones only.</li>\n\
         <li>Anything about groups by several attributes at once, or by attributes that nobody declared.</li>\n\
         <li>What follows from two reports that differ by few tickets, or from knowing the others in a \
         group: leaving out small groups does not protect against that.</li>\n\
         <li>Whether customers who cancelled would have waited like the others: the curves take it so.</li>\n\
         </ul>\n"
    )
}
