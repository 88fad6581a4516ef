//! Drawing in a frame with two axes, as SVG inside HTML.

use super::markup::{escape, percent};

/// Room for the axes' names and numbers, in units of the picture: left, right, top, bottom.
const MARGINS: [f64; 4] = [62.0, 26.0, 14.0, 46.0];

/// A picture of shares against shares.
pub(crate) struct Plot {
    size: (f64, f64),
    x: (f64, f64),
    y: (f64, f64),
    body: String,
}

impl Plot {
    /// Makes an empty picture of a size, with the ranges of both axes.
    pub(crate) fn new(size: (f64, f64), x: (f64, f64), y: (f64, f64)) -> Self {
        Self { size, x, y, body: String::new() }
    }

    /// Adds grid lines, numbers in percent, and the names of the axes.
    pub(crate) fn axes(&mut self, (x_name, y_name): (&str, &str), x: &[f64], y: &[f64]) {
        let [left, right, top, bottom] = MARGINS;
        let (width, height) = self.size;
        let (floor, end) = (height - bottom, width - right);
        for value in x {
            let at = self.px(*value);
            let label = whole_percent(*value);
            self.body.push_str(&format!(
                "<line class=\"grid\" x1=\"{at:.1}\" y1=\"{top}\" x2=\"{at:.1}\" y2=\"{floor}\"/>\
                 <text class=\"mid\" x=\"{at:.1}\" y=\"{:.1}\">{label}</text>",
                floor + 17.0
            ));
        }
        for value in y {
            let at = self.py(*value);
            let label = whole_percent(*value);
            self.body.push_str(&format!(
                "<line class=\"grid\" x1=\"{left}\" y1=\"{at:.1}\" x2=\"{end}\" y2=\"{at:.1}\"/>\
                 <text class=\"end\" x=\"{:.1}\" y=\"{:.1}\">{label}</text>",
                left - 7.0,
                at + 4.0
            ));
        }
        let (middle, centre) = (f64::midpoint(left, end), f64::midpoint(top, floor));
        self.body.push_str(&format!(
            "<text class=\"mid\" x=\"{middle:.1}\" y=\"{:.1}\">{}</text>\
             <text class=\"mid\" transform=\"translate(14 {centre:.1}) rotate(-90)\">{}</text>",
            height - 8.0,
            escape(x_name),
            escape(y_name)
        ));
    }

    /// Adds a straight line.
    pub(crate) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let (x1, y1, x2, y2) = (self.px(from.0), self.py(from.1), self.px(to.0), self.py(to.1));
        self.body.push_str(&format!(
            "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>"
        ));
    }

    /// Adds a line through points.
    pub(crate) fn curve(&mut self, points: &[(f64, f64)]) {
        let points = self.points(points);
        self.body.push_str(&format!("<polyline class=\"curve\" points=\"{points}\"/>"));
    }

    /// Adds the area between two lines.
    pub(crate) fn band(&mut self, low: &[(f64, f64)], high: &[(f64, f64)]) {
        let around: Vec<(f64, f64)> = low.iter().chain(high.iter().rev()).copied().collect();
        let points = self.points(&around);
        self.body.push_str(&format!("<polygon class=\"band\" points=\"{points}\"/>"));
    }

    /// Adds a box from one corner to the other, with what it says when pointed at.
    pub(crate) fn bar(&mut self, from: (f64, f64), to: (f64, f64), says: &str) {
        let (left, right) = (self.px(from.0), self.px(to.0));
        let (bottom, top) = (self.py(from.1), self.py(to.1));
        self.body.push_str(&format!(
            "<rect class=\"bar\" x=\"{:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{:.1}\">\
             <title>{}</title></rect>",
            left + 1.0,
            (right - left - 2.0).max(0.5),
            (bottom - top).max(0.0),
            escape(says)
        ));
    }

    /// Adds a dot, with what it says when pointed at.
    pub(crate) fn dot(&mut self, class: &str, at: (f64, f64), radius: f64, says: &str) {
        let (x, y) = (self.px(at.0), self.py(at.1));
        self.body.push_str(&format!(
            "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius:.1}\">\
             <title>{}</title></circle>",
            escape(says)
        ));
    }

    /// Adds a word below a point, to its right; to its left when it would not fit there.
    pub(crate) fn word(&mut self, at: (f64, f64), word: &str) {
        let (at, y) = (self.px(at.0), self.py(at.1) + 20.0);
        let fits = at < self.size.0 - 110.0;
        let (class, x) = if fits { ("name", at + 8.0) } else { ("name end", at - 8.0) };
        self.body.push_str(&format!(
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>",
            escape(word)
        ));
    }

    /// Returns the picture; `says` is for those who cannot see it.
    pub(crate) fn svg(self, says: &str) -> String {
        svg(self.size, says, &self.body)
    }

    fn px(&self, value: f64) -> f64 {
        let [left, right, ..] = MARGINS;
        let share = (value - self.x.0) / (self.x.1 - self.x.0);
        left + share.clamp(0.0, 1.0) * (self.size.0 - left - right)
    }

    fn py(&self, value: f64) -> f64 {
        let [_, _, top, bottom] = MARGINS;
        let share = (value - self.y.0) / (self.y.1 - self.y.0);
        self.size.1 - bottom - share.clamp(0.0, 1.0) * (self.size.1 - top - bottom)
    }

    fn points(&self, points: &[(f64, f64)]) -> String {
        let point = |(x, y): &(f64, f64)| format!("{:.1},{:.1}", self.px(*x), self.py(*y));
        points.iter().map(point).collect::<Vec<_>>().join(" ")
    }
}

/// Returns a picture of a size in its own units.
pub(crate) fn svg((width, height): (f64, f64), says: &str, body: &str) -> String {
    let says = escape(says);
    format!(
        "<svg viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\" aria-label=\"{says}\">{body}</svg>\n"
    )
}

/// Returns evenly spaced values from one to the other.
pub(crate) fn ticks(from: f64, to: f64, steps: u32) -> Vec<f64> {
    (0..=steps).map(|k| from + (to - from) * f64::from(k) / f64::from(steps)).collect()
}

/// Returns where an axis of shares begins that shows this one, and its ticks up to 1.
pub(crate) fn share_axis(least: f64) -> (f64, Vec<f64>) {
    // In hundredths, so that the numbers are round; never an axis of length 0.
    let least = least.min(0.98);
    let step = match least {
        least if least >= 0.9 => 2,
        least if least >= 0.7 => 5,
        least if least >= 0.4 => 10,
        _ => 20,
    };
    let ticks: Vec<f64> = (0..=100)
        .step_by(step)
        .map(|below| 1.0 - f64::from(below) / 100.0)
        .scan(false, |done, tick| (!std::mem::replace(done, tick <= least)).then_some(tick))
        .collect();
    (ticks.last().copied().unwrap_or(0.0), ticks)
}

/// A share in percent, without decimals where there are none.
fn whole_percent(share: f64) -> String {
    let value = 100.0 * share;
    if (value - value.round()).abs() < 1e-6 { format!("{value:.0}&nbsp;%") } else { percent(share) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_lie_where_the_axes_say() {
        let plot = Plot::new((188.0, 160.0), (0.0, 1.0), (0.5, 1.0));
        assert_eq!(
            plot.points(&[(0.0, 0.5), (1.0, 1.0), (0.5, 0.75)]),
            "62.0,114.0 162.0,14.0 112.0,64.0"
        );
        // What lies outside is drawn on the edge.
        assert_eq!(plot.points(&[(2.0, 0.0)]), "162.0,114.0");
    }

    #[test]
    fn what_a_picture_says_is_escaped() {
        let mut plot = Plot::new((100.0, 100.0), (0.0, 1.0), (0.0, 1.0));
        plot.axes(("a<b", "c"), &[0.0, 0.125], &[1.0]);
        plot.dot("dot", (0.5, 0.5), 3.0, "<x>");
        let svg = plot.svg("\"quoted\"");
        assert!(svg.contains("a&lt;b") && svg.contains("&lt;x&gt;"), "{svg}");
        assert!(svg.contains("12.5&nbsp;%") && svg.contains("&quot;quoted&quot;"), "{svg}");
        assert_eq!(ticks(0.0, 1.0, 4), [0.0, 0.25, 0.5, 0.75, 1.0]);
    }

    #[test]
    fn an_axis_of_shares_is_round_and_shows_the_least() {
        for (least, floor, count) in
            [(1.0, 0.98, 2), (0.95, 0.94, 4), (0.71, 0.7, 7), (0.47, 0.4, 7), (0.0, 0.0, 6)]
        {
            let (found, ticks) = share_axis(least);
            assert!((found - floor).abs() < 1e-9 && ticks.len() == count, "{least}: {ticks:?}");
        }
    }
}
