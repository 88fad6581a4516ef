//! The first and the last word: verdicts, headline numbers and alarms.

use super::section;
use crate::{
    fairness::{Rate, alarms::State},
    fairness_report::{
        figures::Figure,
        measures::title,
        on_record::AlarmOnRecord,
        report::{AlarmRaised, AttributeReport, Report},
        text::{duration, findings, group_name, moment, percent, points, state_name},
        waits::{MEDIAN, P95},
    },
    report::page::markup::{Card, escape, row_table},
};

/// Returns the verdict on each attribute, and the service all tickets got.
pub(super) fn verdicts(report: &Report) -> String {
    let mut body = String::from(
        "<p>Each group of customers is compared with all others, on every share of this page. The verdicts \
         may be looked at as often as you like: if nothing differs, an alarm is ever raised in at most 5 \
         of 100 cases. &ldquo;Not enough evidence&rdquo; is neither fair nor unfair, and no verdict says \
         why groups differ.</p>\n",
    );
    if report.attributes.is_empty() {
        body.push_str("<p>No segment attribute is declared: there is nothing to compare.</p>\n");
    }
    // What needs somebody comes first.
    let rank = |state| match state {
        State::Unfair => 0,
        State::NotEnoughEvidence => 1,
        State::FairSoFar => 2,
    };
    let mut attributes: Vec<_> = report.attributes.iter().collect();
    attributes.sort_by_key(|(_, of)| rank(of.evidence.state));
    body.extend(attributes.into_iter().map(|(attribute, of)| verdict(attribute, of)));
    body.push_str("<h3>The service all tickets got</h3>\n");
    body.push_str(&cards(report));
    section("verdicts", "Verdicts", &body)
}

fn verdict(attribute: &str, of: &AttributeReport) -> String {
    let (class, sign) = match of.evidence.state {
        State::Unfair => ("unfair", "✕"),
        State::FairSoFar => ("fair", "✓"),
        State::NotEnoughEvidence => ("open", "?"),
    };
    let items: String =
        findings(of).iter().map(|finding| format!("<li>{}</li>", escape(finding))).collect();
    format!(
        "<div class=\"verdict {class}\"><h3>By {}: <span class=\"state\"><span aria-hidden=\"true\">{sign} \
         </span>{}</span></h3>\n<ul>{items}</ul>\n<p class=\"muted\">{} tickets declare it, {} do not.</p>\
         </div>\n",
        escape(attribute),
        state_name(of.evidence.state),
        of.declared,
        of.undeclared
    )
}

fn cards(report: &Report) -> String {
    let of = |name: &str| report.overall.figures.get(name).copied().unwrap_or(Figure::SUPPRESSED);
    let share = |title: &'static str, name: &str, means: &str| {
        let figure = of(name);
        let range = figure.low.zip(figure.high);
        let range = range.map(|(low, high)| format!("{} to {}", percent(low), percent(high)));
        let known = figure.denominator.unwrap_or(0);
        Card {
            title,
            value: figure.value.map_or("–".to_owned(), percent),
            range: range.unwrap_or_default(),
            means: format!("{means} Known of {known} tickets."),
        }
    };
    let wait = |title: &'static str, name: &str, means: &str| Card {
        title,
        value: escape(&duration(of(name))),
        range: String::new(),
        means: means.to_owned(),
    };
    let cards = [
        wait(
            "Median wait",
            MEDIAN,
            "Half of all tickets are accepted by an agent within this time.",
        ),
        wait("95th percentile", P95, "One ticket in twenty waits longer."),
        share("Target missed", "sla_breach", "Not accepted within the target."),
        share(
            "Resolved at first contact",
            "first_contact_resolution",
            "Of completed tickets, resolved by the first person.",
        ),
        share("Cancelled while waiting", "abandoned", "Before an agent accepted."),
        share("Changed hands", "reassigned", "Taken on by a second agent."),
    ];
    format!("<div class=\"cards\">{}</div>\n", cards.iter().map(Card::html).collect::<String>())
}

/// Returns all alarms, the earliest first.
pub(super) fn alarms(report: &Report) -> String {
    let row = |alarm: &AlarmRaised| {
        let it = &alarm.comparison;
        vec![
            it.since_unix_ms.map_or("–".to_owned(), moment),
            escape(&alarm.attribute),
            escape(group_name(it.group.as_deref())),
            title(it.measure).to_owned(),
            counts(it.own),
            counts(it.others),
            points(it),
        ]
    };
    let rows: Vec<Vec<String>> = report.alarms.iter().map(row).collect();
    let hidden = report.attributes.values().any(|of| of.evidence.alarm_left_out);
    let mut body = if rows.is_empty() {
        "<p>No alarm was raised on figures that are shown.</p>\n".to_owned()
    } else {
        let caption = "Groups that are treated differently from all others. Numbers are those of the whole \
                       report; the interval in brackets holds at any moment, for all comparisons of the \
                       attribute at once. Where one group is worse off, another may be named because it \
                       is better off.";
        let columns = [
            ("Known since the ticket of", false),
            ("Attribute", false),
            ("Group", false),
            ("Measure", false),
            ("Group's share", true),
            ("All others", true),
            ("Difference in points", true),
        ];
        row_table(caption, &columns, &rows)
    };
    if hidden {
        body.push_str(
            "<p>Another alarm was raised on figures that are too small to be shown. A lower --min-group \
             shows them to those who may see them.</p>\n",
        );
    }
    body.push_str(&on_record(report));
    section("alarms", "Alarms", &body)
}

/// Returns what was raised while the service ran, and who has seen to it.
fn on_record(report: &Report) -> String {
    if report.alarms_on_record.is_empty() {
        return "<p>While the service ran, it raised no alarm about these tickets.</p>\n"
            .to_owned();
    }
    let row = |alarm: &AlarmOnRecord| {
        let seen_to = alarm.acknowledgement.as_ref().map_or("nobody yet".to_owned(), |by| {
            let who = by.actor.as_deref().unwrap_or("somebody");
            format!("{} at {}: {}", escape(who), moment(by.unix_ms), escape(&by.note))
        });
        let share = |rate: Option<Rate>| rate.map_or("too few".to_owned(), counts);
        vec![
            moment(alarm.raised_unix_ms),
            escape(&alarm.attribute),
            match alarm.group.as_deref() {
                None => "too few to be named".to_owned(),
                Some("") => "values beyond the first 64".to_owned(),
                Some(group) => escape(group),
            },
            title(alarm.measure).to_owned(),
            share(alarm.own),
            share(alarm.others),
            seen_to,
        ]
    };
    let rows: Vec<Vec<String>> = report.alarms_on_record.iter().map(row).collect();
    let caption = "What the service raised while it ran, with what it knew then. It has judged each measure on its \
                   own, as soon as the fate of tickets was known; this report judges them together.";
    let columns = [
        ("Raised", false),
        ("Attribute", false),
        ("Group", false),
        ("Measure", false),
        ("Group's share", true),
        ("All others", true),
        ("Seen to by", false),
    ];
    row_table(caption, &columns, &rows)
}

fn counts(rate: Rate) -> String {
    let share = rate.value().map_or("–".to_owned(), percent);
    format!("{share} ({} of {})", rate.hits(), rate.count())
}
