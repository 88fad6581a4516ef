//! The pictures of a simulation: means with their intervals, and the course of a day.

use crate::{
    report::page::{
        markup::{escape, figure, short},
        plot::{svg, ticks},
    },
    simulate::{statistics::Measure, text::number},
};

/// Where the scale of a picture with names begins, and how long it is.
const SCALE: (f64, f64) = (230.0, 520.0);
/// Height of a row.
const ROW: f64 = 26.0;
/// Longest name shown, in characters.
const NAME_CHARS_MAX: usize = 30;
/// Size of the picture of a day, and its margins: left, right, top, bottom.
const DAY: (f64, f64) = (1060.0, 260.0);
const DAY_MARGINS: [f64; 4] = [62.0, 16.0, 12.0, 44.0];

/// A measure with its name.
pub(super) struct Whisker<'a> {
    pub(super) name: &'a str,
    pub(super) measure: Measure,
}

/// Returns a dot with its interval for each row, on a scale from 0; `line` is drawn across all.
pub(super) fn whiskers(
    title: &str,
    caption: &str,
    rows: &[Whisker<'_>],
    (times, unit): (f64, &str),
    line: Option<f64>,
) -> String {
    let high = |row: &Whisker<'_>| row.measure.high.unwrap_or(row.measure.mean);
    let most = nice(rows.iter().map(high).chain(line).fold(0.0, f64::max) * times);
    let x = |value: f64| SCALE.0 + SCALE.1 * (times * value / most).clamp(0.0, 1.0);
    let floor = rows.len() as f64 * ROW + 4.0;
    let mut body = String::new();
    for value in ticks(0.0, most, 5) {
        let at = SCALE.0 + SCALE.1 * value / most;
        body.push_str(&format!(
            "<line class=\"grid\" x1=\"{at:.1}\" y1=\"0\" x2=\"{at:.1}\" y2=\"{floor:.1}\"/>\
             <text class=\"mid\" x=\"{at:.1}\" y=\"{:.1}\">{}{unit}</text>",
            floor + 15.0,
            plain(value)
        ));
    }
    if let Some(line) = line {
        body.push_str(&format!(
            "<line class=\"ideal\" x1=\"{0:.1}\" y1=\"0\" x2=\"{0:.1}\" y2=\"{floor:.1}\"/>",
            x(line)
        ));
    }
    for (place, row) in rows.iter().enumerate() {
        body.push_str(&whisker(row, place as f64 * ROW, &x, (times, unit)));
    }
    figure(title, caption, &svg((1060.0, floor + 22.0), title, &body))
}

fn whisker(
    row: &Whisker<'_>,
    y: f64,
    x: &impl Fn(f64) -> f64,
    (times, unit): (f64, &str),
) -> String {
    let Measure { mean, low, high } = row.measure;
    let middle = y + 12.0;
    let mut html = format!(
        "<text class=\"name end\" x=\"{:.1}\" y=\"{:.1}\"><title>{}</title>{}</text>",
        SCALE.0 - 10.0,
        middle + 4.0,
        escape(row.name),
        short(row.name, NAME_CHARS_MAX)
    );
    if let (Some(low), Some(high)) = (low, high) {
        html.push_str(&format!(
            "<line class=\"whisker\" x1=\"{:.1}\" y1=\"{middle:.1}\" x2=\"{:.1}\" y2=\"{middle:.1}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\">{} to {}{unit}</text>",
            x(low),
            x(high),
            SCALE.0 + SCALE.1 + 110.0,
            middle + 4.0,
            number(times * low),
            number(times * high)
        ));
    }
    html + &format!(
        "<circle class=\"dot\" cx=\"{:.1}\" cy=\"{middle:.1}\" r=\"4.5\"/>\
         <text class=\"name\" x=\"{:.1}\" y=\"{:.1}\">{}{unit}</text>",
        x(mean),
        SCALE.0 + SCALE.1 + 24.0,
        middle + 4.0,
        number(times * mean)
    )
}

/// Returns the number of tickets waiting over a day of some seconds, in equal parts.
pub(super) fn day(waiting: &[f64], period_seconds: f64) -> String {
    let [left, right, top, bottom] = DAY_MARGINS;
    let (end, floor) = (DAY.0 - right, DAY.1 - bottom);
    let most = nice(waiting.iter().copied().fold(0.0, f64::max));
    let x = |share: f64| left + (end - left) * share;
    let y = |value: f64| floor - (floor - top) * (value / most).clamp(0.0, 1.0);
    let mut body = String::new();
    for value in ticks(0.0, most, 4) {
        body.push_str(&format!(
            "<line class=\"grid\" x1=\"{left}\" y1=\"{0:.1}\" x2=\"{end}\" y2=\"{0:.1}\"/>\
             <text class=\"end\" x=\"{1:.1}\" y=\"{2:.1}\">{3}</text>",
            y(value),
            left - 7.0,
            y(value) + 4.0,
            plain(value)
        ));
    }
    for share in ticks(0.0, 1.0, 12) {
        body.push_str(&format!(
            "<text class=\"mid\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            x(share),
            floor + 17.0,
            time(share * period_seconds)
        ));
    }
    body.push_str(&format!(
        "<text class=\"mid\" x=\"{:.1}\" y=\"{:.1}\">time of day</text>",
        f64::midpoint(left, end),
        DAY.1 - 6.0
    ));
    let parts = waiting.len() as f64;
    let points = waiting.iter().enumerate().flat_map(|(place, value)| {
        let (from, to) = (place as f64 / parts, (place as f64 + 1.0) / parts);
        [(from, *value), (to, *value)]
    });
    let points: Vec<String> =
        points.map(|(share, value)| format!("{:.1},{:.1}", x(share), y(value))).collect();
    body.push_str(&format!("<polyline class=\"curve\" points=\"{}\"/>", points.join(" ")));
    let caption = "Tickets waiting, on average over all days and runs, in equal parts of the day.";
    figure("When tickets wait", caption, &svg(DAY, "Tickets waiting over the day", &body))
}

/// Returns a round number that is no less: 1, 2 or 5 and zeros; 1 for nothing.
fn nice(most: f64) -> f64 {
    if most <= 0.0 || !most.is_finite() {
        return 1.0;
    }
    let power = 10_f64.powf(most.log10().floor());
    [1.0, 2.0, 5.0]
        .into_iter()
        .map(|digit| digit * power)
        .find(|it| *it >= most)
        .unwrap_or(10.0 * power)
}

/// Returns a round number without zeros behind.
fn plain(value: f64) -> String {
    let text = format!("{value:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Returns a time as hours and minutes where it is that long.
fn time(seconds: f64) -> String {
    let minutes = (seconds / 60.0).round();
    if seconds > 0.0 && minutes < 1.0 {
        return format!("{} s", plain(seconds));
    }
    let hours = (minutes / 60.0).floor();
    format!("{hours:02.0}:{:02.0}", minutes - 60.0 * hours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_end_in_round_numbers() {
        for (most, end) in
            [(0.0, 1.0), (0.7, 1.0), (1.0, 1.0), (1.1, 2.0), (34.0, 50.0), (0.06, 0.1)]
        {
            assert!((nice(most) - end).abs() < 1e-9, "{most}: {}", nice(most));
        }
        assert_eq!((plain(0.2), plain(20.0), plain(0.0)), ("0.2".into(), "20".into(), "0".into()));
        assert_eq!((time(0.0), time(30_600.0)), ("00:00".into(), "08:30".into()));
    }

    #[test]
    fn a_dot_stands_where_the_scale_says() {
        let measure = Measure { mean: 0.5, low: Some(0.25), high: Some(1.0) };
        let rows = [Whisker { name: "<ana>", measure }];
        let html = whiskers("t", "c", &rows, (100.0, " %"), Some(0.5));
        assert!(html.contains("cx=\"490.0\"") && html.contains("x1=\"360.0\""), "{html}");
        assert!(html.contains("&lt;ana&gt;") && !html.contains("<ana>"), "{html}");
    }
}
