//! The pictures: lines in time, and dots with their intervals.

use crate::report::page::{
    markup::{escape, figure, short},
    plot::{svg, ticks},
};

/// Most groups drawn, the largest; all are in the tables. Each has a line of its own kind.
pub(super) const GROUPS_MAX: usize = 8;
/// Size of a picture with lines, and its frame: left, right, top, bottom.
const SIZE: (f64, f64) = (1060.0, 340.0);
const FRAME: [f64; 4] = [62.0, 1040.0, 14.0, 284.0];
/// Width of a picture with dots, where its scale begins and how long it is, and the height of a row.
const WIDTH: f64 = 520.0;
const SCALE: (f64, f64) = (130.0, 260.0);
const ROW: f64 = 26.0;
/// Longest name shown, in characters.
const NAME_CHARS_MAX: usize = 18;
/// Room for a name below lines, and how many stand beside each other.
const LEGEND: (f64, usize) = (240.0, 4);

/// A line: its name, and its points, each of both parts 0 to 1; nothing where a point is left out.
pub(super) struct Line<'a> {
    pub(super) name: &'a str,
    pub(super) points: Vec<Option<(f64, f64)>>,
}

/// The scales of a picture with lines.
pub(super) struct Scales {
    /// What stands below, each at its place, 0 to 1.
    pub(super) below: Vec<(f64, String)>,
    /// The share at the top, and whether lines are level between points.
    pub(super) most: f64,
    pub(super) stairs: bool,
}

/// Draws lines; a letter on each says whose it is, as do its dashes and its colour.
pub(super) fn lines(title: &str, caption: &str, lines: &[Line<'_>], scales: &Scales) -> String {
    let [left, right, top, floor] = FRAME;
    let at = |(x, y): (f64, f64)| {
        let y = (y / scales.most).clamp(0.0, 1.0);
        (left + (right - left) * x.clamp(0.0, 1.0), floor - (floor - top) * y)
    };
    let mut body = String::new();
    for share in ticks(0.0, scales.most, 4) {
        let (_, y) = at((0.0, share));
        body.push_str(&format!(
            "<line class=\"grid\" x1=\"{left}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\"/>\
             <text class=\"end\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            left - 7.0,
            y + 4.0,
            share_label(share)
        ));
    }
    for (place, label) in &scales.below {
        body.push_str(&format!(
            "<text class=\"mid\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            at((*place, 0.0)).0,
            floor + 18.0,
            escape(label)
        ));
    }
    for (kind, line) in lines.iter().take(GROUPS_MAX).enumerate() {
        body.push_str(&drawn(kind, lines.len(), line, scales.stairs, &at));
    }
    let rows = lines.len().min(GROUPS_MAX).div_ceil(LEGEND.1) as f64;
    body.push_str(&legend(lines, floor + 46.0));
    let size = (SIZE.0, floor + 36.0 + 22.0 * rows);
    figure(title, caption, &svg(size, title, &body))
}

fn share_label(share: f64) -> String {
    let text = format!("{:.2}", 100.0 * share);
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

fn letter(kind: usize) -> char {
    u8::try_from(kind).map_or('?', |kind| char::from(b'A' + kind % 26))
}

fn drawn(
    kind: usize,
    all: usize,
    line: &Line<'_>,
    stairs: bool,
    at: &impl Fn((f64, f64)) -> (f64, f64),
) -> String {
    let mut html = String::new();
    for run in line.points.split(Option::is_none) {
        let points: Vec<(f64, f64)> = run.iter().flatten().map(|point| at(*point)).collect();
        let mut shown: Vec<String> = Vec::new();
        let mut before: Option<f64> = None;
        for (x, y) in &points {
            shown.extend(before.filter(|_| stairs).map(|before| format!("{x:.1},{before:.1}")));
            shown.push(format!("{x:.1},{y:.1}"));
            before = Some(*y);
        }
        html.push_str(&format!(
            "<polyline class=\"line s{kind}\" points=\"{}\"/>",
            shown.join(" ")
        ));
        if !stairs {
            html.extend(points.iter().map(|(x, y)| {
                format!("<circle class=\"line s{kind}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"/>")
            }));
        }
    }
    // Letters stand at different places, so that they do not hide each other.
    let known: Vec<(f64, f64)> = line.points.iter().flatten().copied().collect();
    let place = (kind + 1) * known.len() / (all.min(GROUPS_MAX) + 1);
    if let Some(point) = known.get(place.min(known.len().saturating_sub(1))) {
        let (x, y) = at(*point);
        html.push_str(&format!(
            "<text class=\"letter mid\" x=\"{x:.1}\" y=\"{:.1}\">{}</text>",
            y - 5.0,
            letter(kind)
        ));
    }
    html
}

fn legend(lines: &[Line<'_>], top: f64) -> String {
    let entry = |(kind, line): (usize, &Line<'_>)| {
        let x = FRAME[0] + LEGEND.0 * (kind % LEGEND.1) as f64;
        let y = top + 22.0 * (kind / LEGEND.1) as f64;
        format!(
            "<line class=\"line s{kind}\" x1=\"{x:.1}\" y1=\"{0:.1}\" x2=\"{1:.1}\" y2=\"{0:.1}\"/>\
             <text class=\"name\" x=\"{2:.1}\" y=\"{y:.1}\">{3} {4}</text>",
            y - 4.0,
            x + 40.0,
            x + 48.0,
            letter(kind),
            short(line.name, NAME_CHARS_MAX + 4)
        )
    };
    lines.iter().take(GROUPS_MAX).enumerate().map(entry).collect()
}

/// A share with its interval.
pub(super) struct Dot<'a> {
    pub(super) name: &'a str,
    pub(super) share: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

/// Draws a dot with its interval for each group, on a scale from 0.
pub(super) fn dots(title: &str, caption: &str, dots: &[Dot<'_>]) -> String {
    let most = round_up(dots.iter().map(|dot| dot.high).fold(0.0, f64::max));
    let x = |share: f64| SCALE.0 + SCALE.1 * (share / most).clamp(0.0, 1.0);
    let floor = dots.len() as f64 * ROW + 4.0;
    let mut body = String::new();
    for share in ticks(0.0, most, 4) {
        body.push_str(&format!(
            "<line class=\"grid\" x1=\"{0:.1}\" y1=\"0\" x2=\"{0:.1}\" y2=\"{floor:.1}\"/>\
             <text class=\"mid\" x=\"{0:.1}\" y=\"{1:.1}\">{2}</text>",
            x(share),
            floor + 16.0,
            share_label(share)
        ));
    }
    for (place, dot) in dots.iter().enumerate() {
        let y = place as f64 * ROW + 14.0;
        body.push_str(&format!(
            "<text class=\"name end\" x=\"{:.1}\" y=\"{base:.1}\">{}</text>\
             <line class=\"whisker\" x1=\"{:.1}\" y1=\"{y:.1}\" x2=\"{:.1}\" y2=\"{y:.1}\"/>\
             <circle class=\"dot\" cx=\"{:.1}\" cy=\"{y:.1}\" r=\"4.5\"/>\
             <text class=\"name\" x=\"{:.1}\" y=\"{base:.1}\">{:.1} % ({:.1} to {:.1})</text>",
            SCALE.0 - 8.0,
            short(dot.name, NAME_CHARS_MAX),
            x(dot.low),
            x(dot.high),
            x(dot.share),
            SCALE.0 + SCALE.1 + 8.0,
            100.0 * dot.share,
            100.0 * dot.low,
            100.0 * dot.high,
            base = y + 4.0,
        ));
    }
    figure(title, caption, &svg((WIDTH, floor + 22.0), title, &body))
}

/// Draws a bar for each name, with its number beside it.
pub(super) fn bars(title: &str, caption: &str, bars: &[(&str, u64)]) -> String {
    let most = bars.iter().map(|(_, number)| *number).max().unwrap_or(0).max(1) as f64;
    let bar = |(place, (name, number)): (usize, &(&str, u64))| {
        let y = place as f64 * ROW;
        format!(
            "<text class=\"name end\" x=\"220\" y=\"{base:.1}\">{}</text>\
             <rect class=\"bar\" x=\"230\" y=\"{:.1}\" width=\"{:.1}\" height=\"14\" rx=\"3\"/>\
             <text class=\"name\" x=\"{:.1}\" y=\"{base:.1}\">{number}</text>",
            short(name, NAME_CHARS_MAX + 10),
            y + 5.0,
            740.0 * *number as f64 / most,
            238.0 + 740.0 * *number as f64 / most,
            base = y + 16.0,
        )
    };
    let body: String = bars.iter().enumerate().map(bar).collect();
    let size = (SIZE.0, bars.len() as f64 * ROW + 6.0);
    figure(title, caption, &svg(size, title, &body))
}

/// Returns a round share that is no less.
pub(super) fn round_up(share: f64) -> f64 {
    [0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8].into_iter().find(|it| *it >= share).unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_breaks_where_a_point_is_left_out_and_stands_where_the_scale_says() {
        let points = vec![Some((0.0, 0.1)), Some((0.5, 0.2)), None, Some((1.0, 0.0))];
        let scales = Scales { below: vec![(0.0, "<1>".into())], most: 0.2, stairs: false };
        let html = lines("t", "c", &[Line { name: "<es>", points }], &scales);
        assert_eq!(html.matches("<polyline").count(), 2, "{html}");
        assert!(html.contains("points=\"62.0,149.0 551.0,14.0\""), "{html}");
        assert!(html.contains("A &lt;es&gt;") && html.contains("&lt;1&gt;"), "{html}");
    }

    #[test]
    fn the_estimate_is_level_between_its_points() {
        let points = vec![Some((0.0, 1.0)), Some((1.0, 0.0))];
        let scales = Scales { below: Vec::new(), most: 1.0, stairs: true };
        let html = lines("t", "c", &[Line { name: "a", points }], &scales);
        assert!(html.contains("points=\"62.0,14.0 1040.0,14.0 1040.0,284.0\""), "{html}");
    }

    #[test]
    fn a_dot_stands_where_the_scale_says() {
        let html = dots("t", "c", &[Dot { name: "<x>", share: 0.1, low: 0.05, high: 0.2 }]);
        assert!(html.contains("cx=\"260.0\"") && html.contains("x1=\"195.0\""), "{html}");
        assert!(html.contains("&lt;x&gt;") && html.contains("10.0 % (5.0 to 20.0)"), "{html}");
        assert!((round_up(0.3) - 0.4).abs() < 1e-12 && (round_up(0.9) - 1.0).abs() < 1e-12);
    }
}
