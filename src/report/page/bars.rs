//! The pictures with a row for each name: labels, confusions and segments.

use super::{
    markup::{escape, figure, named, short},
    plot::{share_axis, svg},
};
use crate::{
    classifier::metrics::{ClassMetrics, as_f64},
    fairness::Interval,
    report::confusion::Matrix,
};

/// Most labels with a bar of their own; the worst come first.
const BARS_MAX: usize = 60;
/// Most labels of a heat map.
const HEAT_MAX: usize = 40;
/// Characters of a name in a picture.
const NAME_CHARS_MAX: usize = 28;
/// Height of a row, in units of the picture.
const ROW: f64 = 24.0;
/// Where bars begin and how long a whole one is.
const BAR: (f64, f64) = (210.0, 560.0);

/// Returns a bar of F1 for each label that occurs, the worst first.
pub(super) fn classes(classes: &[(&String, &ClassMetrics)]) -> String {
    let mut there: Vec<_> = classes.iter().filter(|(_, class)| class.rows > 0).collect();
    there.sort_by(|a, b| a.1.f1.total_cmp(&b.1.f1).then(a.0.cmp(b.0)));
    let left_out = there.len().saturating_sub(BARS_MAX);
    there.truncate(BARS_MAX);
    let mut body = String::new();
    for (place, (label, class)) in there.iter().enumerate() {
        let y = as_f64(place) * ROW;
        let says = format!(
            "{label}: {} rows, precision {:.3}, recall {:.3}, F1 {:.3}",
            class.rows, class.precision, class.recall, class.f1
        );
        body.push_str(&name(label, y));
        body.push_str(&format!(
            "<g><title>{}</title>\
             <rect class=\"track\" x=\"{start}\" y=\"{top:.1}\" width=\"{length}\" height=\"14\" rx=\"3\"/>\
             <rect class=\"bar\" x=\"{start}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"14\" rx=\"3\"/>\
             <text class=\"name\" x=\"{:.1}\" y=\"{base:.1}\">{:.3}</text>\
             <text x=\"{:.1}\" y=\"{base:.1}\">{} rows, precision {:.2}, recall {:.2}</text></g>",
            escape(&says),
            BAR.1 * class.f1,
            BAR.0 + BAR.1 + 10.0,
            class.f1,
            BAR.0 + BAR.1 + 58.0,
            class.rows,
            class.precision,
            class.recall,
            start = BAR.0,
            length = BAR.1,
            top = y + 5.0,
            base = y + 16.0,
        ));
    }
    let more = if left_out > 0 {
        format!(" {left_out} better ones are not shown.")
    } else {
        String::new()
    };
    let caption = format!(
        "F1 is high when the label is found (recall) and, where it is given, is right (precision); 1 is \
         perfect. The worst come first.{more}"
    );
    let height = as_f64(there.len()) * ROW + 4.0;
    figure("Label by label", &caption, &svg((1060.0, height), "F1 of each label", &body))
}

/// Returns the confusion matrix in colours; nothing with more labels than can be read.
pub(super) fn heat(matrix: &Matrix) -> String {
    let labels = matrix.occurring();
    if labels.is_empty() || labels.len() > HEAT_MAX {
        return String::new();
    }
    let count = as_f64(labels.len());
    let cell = (780.0 / count).clamp(16.0, 64.0);
    let (left, top) = (BAR.0, 150.0);
    let mut body = String::new();
    for (row, truth) in labels.iter().enumerate() {
        let y = top + as_f64(row) * cell;
        body.push_str(&name(matrix.name(Some(*truth)), y + cell / 2.0 - 12.0));
        let x = left + (as_f64(row) + 0.5) * cell;
        body.push_str(&format!(
            "<text class=\"name\" transform=\"translate({:.1} {:.1}) rotate(-45)\">{}</text>",
            x + 4.0,
            top - 8.0,
            short(matrix.name(Some(*truth)), NAME_CHARS_MAX)
        ));
        for (column, guess) in labels.iter().enumerate() {
            let at = (left + as_f64(column) * cell, y);
            body.push_str(&heat_cell(matrix, (*truth, *guess), at, cell));
        }
    }
    let caption = "A row for each label given in the file, a column for each guess; the stronger the colour, \
                   the larger the share of the row. Blue on the diagonal is right, orange beside it wrong.";
    let size = (left + count * cell + 110.0, top + count * cell + 6.0);
    figure("What is taken for what", caption, &svg(size, "Confusion matrix", &body))
}

fn heat_cell(matrix: &Matrix, (truth, guess): (usize, usize), at: (f64, f64), cell: f64) -> String {
    let share = matrix.share(Some(truth), guess);
    let (x, y) = (at.0 + 0.5, at.1 + 0.5);
    let side = cell - 1.0;
    let mut html = format!(
        "<rect class=\"track\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{side:.1}\" height=\"{side:.1}\"/>"
    );
    if share > 0.0 {
        let class = if truth == guess { "hit" } else { "miss" };
        let rows = matrix.cells.get(&(Some(truth), guess)).copied().unwrap_or(0);
        let says = format!(
            "{} read as {}: {rows} rows, {:.1} %",
            matrix.name(Some(truth)),
            matrix.name(Some(guess)),
            100.0 * share
        );
        // A single row should still be seen.
        let opacity = 0.15 + 0.85 * share;
        html.push_str(&format!(
            "<rect class=\"{class}\" fill-opacity=\"{opacity:.2}\" x=\"{x:.1}\" y=\"{y:.1}\" \
             width=\"{side:.1}\" height=\"{side:.1}\"><title>{}</title></rect>",
            escape(&says)
        ));
    }
    html
}

/// A segment's accuracy, for the picture.
pub(super) struct Spread<'a> {
    /// The segment.
    pub(super) name: &'a str,
    /// Its rows.
    pub(super) rows: usize,
    /// Share right.
    pub(super) accuracy: f64,
    /// Its interval.
    pub(super) interval: Interval,
}

/// Returns a dot with its interval for each segment; the line is the accuracy of all rows.
pub(super) fn segments(title: &str, caption: &str, rows: &[Spread<'_>], all: f64) -> String {
    let low = rows.iter().map(|row| row.interval.low).fold(all, f64::min);
    let (floor, shares) = share_axis(low);
    let x = |share: f64| BAR.0 + BAR.1 * ((share - floor) / (1.0 - floor)).clamp(0.0, 1.0);
    let height = as_f64(rows.len()) * ROW + 26.0;
    let mut body = String::new();
    for share in shares {
        let at = x(share);
        body.push_str(&format!(
            "<line class=\"grid\" x1=\"{at:.1}\" y1=\"0\" x2=\"{at:.1}\" y2=\"{:.1}\"/>\
             <text class=\"mid\" x=\"{at:.1}\" y=\"{:.1}\">{:.0}&nbsp;%</text>",
            height - 22.0,
            height - 7.0,
            100.0 * share
        ));
    }
    body.push_str(&format!(
        "<line class=\"ideal\" x1=\"{0:.1}\" y1=\"0\" x2=\"{0:.1}\" y2=\"{1:.1}\"/>",
        x(all),
        height - 22.0
    ));
    for (place, row) in rows.iter().enumerate() {
        let y = as_f64(place) * ROW;
        let middle = y + 12.0;
        body.push_str(&name(named(row.name), y));
        body.push_str(&format!(
            "<line class=\"whisker\" x1=\"{:.1}\" y1=\"{middle:.1}\" x2=\"{:.1}\" y2=\"{middle:.1}\"/>\
             <circle class=\"dot\" cx=\"{:.1}\" cy=\"{middle:.1}\" r=\"5\"/>\
             <text class=\"name\" x=\"{:.1}\" y=\"{:.1}\">{:.1}&nbsp;%</text>\
             <text x=\"{:.1}\" y=\"{:.1}\">{:.1} to {:.1}&nbsp;%, {} rows</text>",
            x(row.interval.low),
            x(row.interval.high),
            x(row.accuracy),
            BAR.0 + BAR.1 + 14.0,
            middle + 4.0,
            100.0 * row.accuracy,
            BAR.0 + BAR.1 + 72.0,
            middle + 4.0,
            100.0 * row.interval.low,
            100.0 * row.interval.high,
            row.rows,
        ));
    }
    figure(title, caption, &svg((1060.0, height), "Accuracy of each segment", &body))
}

fn name(name: &str, y: f64) -> String {
    format!(
        "<text class=\"name end\" x=\"{:.1}\" y=\"{:.1}\"><title>{}</title>{}</text>",
        BAR.0 - 10.0,
        y + 16.0,
        escape(name),
        short(name, NAME_CHARS_MAX)
    )
}
