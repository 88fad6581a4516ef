//! The report as one HTML page: nothing is loaded from anywhere, and nothing in it runs.
//!
//! Each picture has a table with the same figures; no meaning is in colour alone.

mod people;
mod pictures;
mod rates;
mod unknown;
mod verdicts;
mod waits;

use super::{report::Report, text::window};
use crate::report::page::{STYLE, markup::escape};

/// What this page has beside the others: lines that differ in dashes too, verdicts, and paper.
const OWN_STYLE: &str = include_str!("page/style.css");
/// The sections, in their order: where they begin, and what they are called.
const SECTIONS: [(&str, &str); 7] = [
    ("verdicts", "Verdicts"),
    ("waits", "Waits"),
    ("rates", "Rates"),
    ("time", "Over time"),
    ("agents", "Agents"),
    ("alarms", "Alarms"),
    ("unknown", "What is not known"),
];

/// Returns the page.
#[must_use]
pub fn page(report: &Report) -> String {
    let name = escape(&report.workspace);
    let links: String =
        SECTIONS.iter().map(|(id, name)| format!("<a href=\"#{id}\">{name}</a>")).collect();
    let header = format!(
        "<header><h1>Fairness and service: {name}</h1>\n<p class=\"muted\">{} tickets, {}. Times are UTC. \
         No ticket's text, no customer and no group of fewer than {} tickets is on this page.</p>\n\
         <nav aria-label=\"Sections\">{links}</nav></header>\n",
        report.tickets,
        escape(&window(report)),
        report.group_tickets_min
    );
    let body = [
        verdicts::verdicts(report),
        waits::waits(report),
        rates::rates(report),
        rates::course(report),
        people::agents(report),
        verdicts::alarms(report),
        unknown::unknown(report),
    ];
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Fairness and service of {name}</title>\n<style>\n{STYLE}{OWN_STYLE}</style>\n</head>\n\
         <body>\n<a class=\"skip\" href=\"#main\">To the content</a>\n<main id=\"main\">\n{header}{}</main>\n\
         </body>\n</html>\n",
        body.concat()
    )
}

/// Returns a section of the page.
fn section(id: &str, title: &str, body: &str) -> String {
    format!(
        "<section id=\"{id}\" aria-labelledby=\"{id}-title\"><h2 id=\"{id}-title\">{title}</h2>\n{body}</section>\n"
    )
}
