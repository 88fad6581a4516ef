//! The part of the page on one head.

use super::{
    bars, curves,
    markup::{Card, escape, percent, percents, table},
};
use crate::report::{HeadMeasures, coverage::Coverage, noise::Candidate};

/// Returns all there is to say of a head.
pub(super) fn section(name: &str, measures: &HeadMeasures) -> String {
    let headline = &measures.headline;
    let metrics = &headline.report.metrics;
    let title = escape(name);
    let mut html = format!("<section id=\"head-{title}\"><h2>{title}</h2>\n");
    if metrics.rows == 0 {
        return html + "<p>No row has a label of this head.</p></section>\n";
    }
    let unknown = headline.report.unknown_label_rows;
    let unknown = match unknown {
        0 => String::new(),
        rows => format!(
            " {rows} of them have a label that the model does not know, and count as wrong."
        ),
    };
    html.push_str(&format!("<p>{} rows with a label.{unknown}</p>\n", metrics.rows));
    html.push_str(&format!("<div class=\"cards\">{}</div>\n", cards(measures)));
    let mut pair = curves::reliability(&measures.reliability);
    if let Some(coverage) = &measures.coverage {
        pair.push_str(&format!("<div>{}{}</div>", curves::coverage(coverage), reached(coverage)));
    }
    html.push_str(&format!("<div class=\"two\">{pair}</div>\n"));
    if let (Some(points), Some(scope)) = (&measures.oos_roc, &headline.report.scope) {
        let own = (scope.in_scope_rejected_at_threshold, scope.oos_recall_at_threshold);
        html.push_str(&format!("<div class=\"two\">{}</div>\n", curves::roc(points, own)));
    }
    let classes: Vec<_> = metrics.per_class.iter().collect();
    html.push_str(&format!("<div class=\"wide\">{}</div>\n", bars::classes(&classes)));
    html.push_str(&confusion(measures));
    html.push_str(&noise(measures.noise_rows, &measures.noise_candidates));
    html + "</section>\n"
}

fn cards(measures: &HeadMeasures) -> String {
    let headline = &measures.headline;
    let metrics = &headline.report.metrics;
    let range = |interval: Option<_>| interval.map(percents).unwrap_or_default();
    let mut cards = vec![Card {
        title: "Accuracy",
        value: percent(metrics.accuracy),
        range: range(headline.accuracy_interval),
        means: "Share of tickets that get the right label.".to_owned(),
    }];
    if let Some(top) = headline.top_3_accuracy {
        cards.push(Card {
            title: "Right among the first three",
            value: percent(top),
            range: range(headline.top_3_accuracy_interval),
            means: "Share of tickets whose label is one of the model's three best guesses."
                .to_owned(),
        });
    }
    cards.push(Card {
        title: "Macro-F1",
        value: format!("{:.3}", metrics.macro_f1),
        range: String::new(),
        means: "Like accuracy, but every label counts the same, however rare; 1 is perfect."
            .to_owned(),
    });
    cards.extend(metrics.micro_f1.map(|f1| Card {
        title: "Micro-F1",
        value: format!("{f1:.3}"),
        range: String::new(),
        means: "Over all labels of all tickets, of which one may have several or none; accuracy counts only \
                tickets read with no label more and none less."
            .to_owned(),
    }));
    cards.push(calibration(measures));
    cards.extend(headline.brier.map(|brier| Card {
        title: "Brier score",
        value: format!("{brier:.3}"),
        range: format!("loss {:.3}", metrics.nll),
        means: "How far the probabilities lie from the truth, 0 to 2; lower is better. Both punish being \
                wrong and sure."
            .to_owned(),
    }));
    cards.extend(scope_cards(measures));
    cards.iter().map(Card::html).collect()
}

/// The calibration error means something only beside what chance makes of it.
fn calibration(measures: &HeadMeasures) -> Card<'static> {
    let error = measures.headline.report.metrics.ece_15;
    let (range, means) = measures.headline.ece_15_floor.as_ref().map_or_else(
        || (String::new(), String::new()),
        |floor| {
            let verdict = if error > floor.p95 {
                "<span class=\"warn\">This is more than chance: the confidence is off.</span>"
            } else {
                "<span class=\"good\">This is no more than chance.</span>"
            };
            (
                format!("chance alone: {}, up to {}", percent(floor.mean), percent(floor.p95)),
                format!(
                    "How far the confidence is from the share right, on average. A perfectly honest model \
                     would not show 0 on so few rows. {verdict}"
                ),
            )
        },
    );
    Card { title: "Calibration error", value: percent(error), range, means }
}

fn scope_cards(measures: &HeadMeasures) -> Vec<Card<'static>> {
    let Some(scope) = &measures.headline.report.scope else { return Vec::new() };
    vec![
        Card {
            title: "Out of scope told apart",
            value: format!("{:.3}", scope.oos_auroc),
            range: format!("{} rows out of scope", scope.oos_rows),
            means: "Chance that a ticket that fits no intent looks stranger to the model than one that \
                    does (AUROC); 0.5 is guessing."
                .to_owned(),
        },
        Card {
            title: "Out of scope found",
            value: percent(scope.oos_recall),
            range: "rejecting 5&nbsp;% of the others".to_owned(),
            means: format!(
                "At the model's own threshold it finds {} and rejects {} of those in scope.",
                percent(scope.oos_recall_at_threshold),
                percent(scope.in_scope_rejected_at_threshold)
            ),
        },
    ]
}

fn reached(coverage: &Coverage) -> String {
    let rows: Vec<Vec<String>> = coverage
        .at
        .iter()
        .map(|at| {
            vec![
                percent(at.accuracy_wanted),
                at.threshold.map_or("none".to_owned(), |threshold| format!("{threshold:.3}")),
                percent(at.coverage),
                at.accuracy_interval.map(percents).unwrap_or_default(),
            ]
        })
        .collect();
    let columns = [
        ("right at least", true),
        ("confidence from", true),
        ("tickets", true),
        ("interval", true),
    ];
    let caption = format!(
        "The largest share of tickets for each accuracy. It was sought on these very rows, so it is a \
         little hopeful. Area under the risk-coverage curve: {:.4}.",
        coverage.risk_area
    );
    format!("<div class=\"panel wide\">{}</div>", table(&caption, &columns, &rows))
}

fn confusion(measures: &HeadMeasures) -> String {
    let mut html = String::new();
    let heat = bars::heat(&measures.matrix);
    if !heat.is_empty() {
        html.push_str(&format!("<div class=\"wide\">{heat}</div>\n"));
    }
    if measures.confusion.is_empty() {
        return html;
    }
    let rows: Vec<Vec<String>> = measures
        .confusion
        .iter()
        .map(|pair| {
            vec![
                escape(&pair.truth),
                escape(&pair.guess),
                pair.rows.to_string(),
                percent(pair.share),
            ]
        })
        .collect();
    let columns =
        [("label in the file", false), ("read as", false), ("rows", true), ("of the label", true)];
    let table = table("The most frequent confusions.", &columns, &rows);
    html + &format!("<div class=\"panel wide\"><h3>Most frequent confusions</h3>{table}</div>\n")
}

fn noise(all: usize, candidates: &[Candidate]) -> String {
    if candidates.is_empty() {
        return String::new();
    }
    let rows: Vec<Vec<String>> = candidates
        .iter()
        .map(|row| {
            vec![
                row.line.to_string(),
                escape(&row.given),
                percent(row.given_probability),
                escape(&row.suggested),
                percent(row.suggested_probability),
            ]
        })
        .collect();
    let columns = [
        ("line", true),
        ("label in the file", false),
        ("probability", true),
        ("rather", false),
        ("probability", true),
    ];
    let caption = format!(
        "{all} rows whose label is probably wrong, {} shown here: the model is less sure of \
         the label than it usually is, and as sure of another as it usually is of that. It may be the \
         model that errs: look before changing. Rows it has learned from are not found.",
        if candidates.len() < all {
            format!("the clearest {}", candidates.len())
        } else {
            "all".into()
        }
    );
    let table = table(&caption, &columns, &rows);
    format!("<div class=\"panel wide\"><h3>Labels to look at again</h3>{table}</div>\n")
}
