//! A report as one HTML page: nothing is loaded from anywhere, and nothing in it runs.

mod bars;
mod curves;
mod head;
pub(crate) mod markup;
pub(crate) mod plot;

use std::collections::BTreeMap;

use markup::{Card, escape, named};

use super::{Headline, Report, segments::Segments};

/// How the page looks.
pub(crate) const STYLE: &str = include_str!("page/style.css");
/// Most segments drawn; all are in the data.
const SEGMENTS_MAX: usize = 60;

/// What was measured on what.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// Name and version of the model.
    pub model: &'a str,
    /// Name of the file of labelled texts, without its folder.
    pub data: &'a str,
    /// Its rows with a text.
    pub rows: usize,
    /// The column of segments.
    pub segment: Option<&'a str>,
}

/// Returns the page.
#[must_use]
pub fn page(report: &Report, about: About<'_>) -> String {
    let (model, data) = (escape(about.model), escape(about.data));
    let mut links: Vec<(String, String)> =
        report.heads.keys().map(|head| (format!("head-{head}"), head.clone())).collect();
    if report.segments.is_some() {
        links.push(("segments".to_owned(), "segments".to_owned()));
    }
    let links: String = links
        .iter()
        .map(|(id, name)| format!("<a href=\"#{}\">{}</a>", escape(id), escape(name)))
        .collect();
    let mut body = format!(
        "<header><h1>How well {model} reads</h1>\n<p class=\"muted\">Measured on {} rows of {data}; {:.0} \
         texts read in a second. Intervals are 95&nbsp;% intervals: with other tickets of the same kind, \
         the true value lies inside in 19 cases of 20. Rows are named by their line in the file; no text \
         of a ticket is on this page.</p>\n<nav>{links}</nav></header>\n",
        about.rows, report.tickets_per_second
    );
    for (name, measures) in &report.heads {
        body.push_str(&head::section(name, measures));
    }
    body.push_str(&graded(report));
    if let Some(segments) = &report.segments {
        body.push_str(&by_segment(report, segments, about.segment.unwrap_or("segment")));
    }
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{model} on {data}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{body}</main>\n\
         </body>\n</html>\n"
    )
}

fn graded(report: &Report) -> String {
    let Some(graded) = &report.sentiment_score else { return String::new() };
    let card = Card {
        title: "Agreement with the ratings",
        value: graded.pearson_r.map_or("–".to_owned(), |r| format!("r = {r:.3}")),
        range: graded
            .pearson_r_interval
            .map_or(String::new(), |i| format!("{:.3} to {:.3}", i.low, i.high)),
        means: format!(
            "Pearson's correlation of the graded sentiment with the ratings of {} rows: 1 is a perfect \
             straight line, 0 none at all.",
            graded.rows
        ),
    };
    format!(
        "<section><h2>Graded sentiment</h2>\n<div class=\"cards\">{}</div></section>\n",
        card.html()
    )
}

fn by_segment(report: &Report, segments: &Segments, column: &str) -> String {
    let mut html = format!(
        "<section id=\"segments\"><h2>By {}</h2>\n<p>A model that is better on average and worse for some \
         is not better.</p>\n",
        escape(column)
    );
    for (head, measures) in &report.heads {
        let spreads =
            segments.segments.iter().filter_map(|(name, heads)| spread(name, heads, head));
        let rows: Vec<bars::Spread<'_>> = spreads.take(SEGMENTS_MAX).collect();
        let caption = segments.segment_gaps.get(head).map_or_else(
            || "Too few rows to compare: a segment needs 30.".to_owned(),
            |gap| {
                format!(
                    "{} is read {:.1} points better than {} (interval {:.1} to {:.1}). Of {} segments compared, these are the \
                     best and the worst; among many, such a gap arises by chance alone.",
                    escape(named(&gap.best)),
                    100.0 * gap.gap,
                    escape(named(&gap.worst)),
                    100.0 * gap.gap_interval.low,
                    100.0 * gap.gap_interval.high,
                    gap.segments_compared
                )
            },
        );
        let caption = format!(
            "{caption} The dashed line is the accuracy of all rows, the bars are 95&nbsp;% intervals."
        );
        let title = format!("Accuracy of {head}");
        let all = measures.headline.report.metrics.accuracy;
        html.push_str(&format!(
            "<div class=\"wide\">{}</div>\n",
            bars::segments(&title, &caption, &rows, all)
        ));
    }
    html + "</section>\n"
}

fn spread<'a>(
    name: &'a str,
    heads: &BTreeMap<String, Headline>,
    head: &str,
) -> Option<bars::Spread<'a>> {
    let headline = heads.get(head)?;
    let metrics = &headline.report.metrics;
    Some(bars::Spread {
        name,
        rows: metrics.rows,
        accuracy: metrics.accuracy,
        interval: headline.accuracy_interval?,
    })
}

#[cfg(test)]
mod tests;
