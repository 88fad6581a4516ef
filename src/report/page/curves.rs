//! The pictures of shares against shares: reliability, coverage and scope.

use super::{
    markup::figure,
    plot::{Plot, share_axis, ticks},
};
use crate::report::{
    calibration::Bin,
    coverage::{Coverage, Point},
    scores::RocPoint,
};

/// Size of a picture, in its own units.
const SIZE: (f64, f64) = (520.0, 360.0);
/// Size of the histogram below the reliability diagram.
const LOW: (f64, f64) = (520.0, 150.0);
/// Coverage from which a curve's accuracy decides the range shown: fewer rows jump about.
const STEADY_COVERAGE: f64 = 0.05;

/// Returns the reliability diagram with the histogram of confidences below it.
pub(super) fn reliability(bins: &[Bin]) -> String {
    let mut plot = Plot::new(SIZE, (0.0, 1.0), (0.0, 1.0));
    let fifths = ticks(0.0, 1.0, 5);
    plot.axes(("confidence: how sure the model says it is", "share right"), &fifths, &fifths);
    plot.line("ideal", (0.0, 0.0), (1.0, 1.0));
    for bin in bins {
        let (Some(sure), Some(right), Some(interval)) =
            (bin.confidence, bin.accuracy, bin.accuracy_interval)
        else {
            continue;
        };
        plot.line("whisker", (sure, interval.low), (sure, interval.high));
        let says = format!(
            "{} rows: on average {:.1} % sure, {:.1} % right",
            bin.rows,
            100.0 * sure,
            100.0 * right
        );
        plot.dot("dot", (sure, right), 5.0, &says);
    }
    let caption = "Each dot gathers tickets on which the model was about equally sure. On the dashed line, \
                   it is right exactly as often as it says; below it, it is too sure of itself. The \
                   upright lines are 95&nbsp;% intervals: long where there are few tickets.";
    let pictures =
        plot.svg("Reliability diagram: share right against confidence") + &histogram(bins);
    figure("Can its confidence be believed?", caption, &pictures)
}

fn histogram(bins: &[Bin]) -> String {
    let all: u64 = bins.iter().map(|bin| bin.rows).sum();
    let share = |bin: &Bin| if all == 0 { 0.0 } else { bin.rows as f64 / all as f64 };
    let most = bins.iter().map(share).fold(0.0, f64::max);
    let top = ((most * 10.0).ceil() / 10.0).max(0.1);
    let mut plot = Plot::new(LOW, (0.0, 1.0), (0.0, top));
    plot.axes(("confidence", "share of rows"), &ticks(0.0, 1.0, 5), &ticks(0.0, top, 2));
    for bin in bins.iter().filter(|bin| bin.rows > 0) {
        let says = format!("{} rows, {:.1} %", bin.rows, 100.0 * share(bin));
        plot.bar((bin.from, 0.0), (bin.to, share(bin)), &says);
    }
    plot.svg("Histogram of confidence")
}

/// Returns the curve of coverage against accuracy.
pub(super) fn coverage(coverage: &Coverage) -> String {
    let low = |point: &Point| point.rate.interval().map_or(point.accuracy, |i| i.low);
    let high = |point: &Point| point.rate.interval().map_or(point.accuracy, |i| i.high);
    let steady = coverage.curve.iter().filter(|point| point.coverage >= STEADY_COVERAGE);
    let least = steady.map(low).fold(1.0, f64::min);
    let (floor, shares) = share_axis(least);
    let mut plot = Plot::new(SIZE, (0.0, 1.0), (floor, 1.0));
    let names = ("coverage: share of tickets left to the model", "share right among them");
    plot.axes(names, &ticks(0.0, 1.0, 5), &shares);
    let of = |y: &dyn Fn(&Point) -> f64| -> Vec<(f64, f64)> {
        coverage.curve.iter().map(|point| (point.coverage, y(point))).collect()
    };
    plot.band(&of(&low), &of(&high));
    plot.curve(&of(&|point| point.accuracy));
    for at in &coverage.at {
        if let (Some(threshold), Some(accuracy)) = (at.threshold, at.accuracy) {
            let says = format!(
                "confidence {threshold:.3} or more: {:.1} % of tickets, {:.1} % right",
                100.0 * at.coverage,
                100.0 * accuracy
            );
            plot.dot("mark", (at.coverage, accuracy), 4.5, &says);
        }
    }
    let caption = "Tickets are left to the model from the surest on; the others go to people. Further right, \
                   more tickets are automatic. The band is the 95&nbsp;% interval; the marks are the \
                   accuracies of the table.";
    let svg = plot.svg("Coverage curve: share right against share of tickets answered");
    figure("How much can be left to it?", caption, &svg)
}

/// Returns the ROC curve of the out-of-scope score; the mark is the model's own threshold.
pub(super) fn roc(points: &[RocPoint], own: (f64, f64)) -> String {
    let mut plot = Plot::new(SIZE, (0.0, 1.0), (0.0, 1.0));
    let fifths = ticks(0.0, 1.0, 5);
    let names = ("in-scope tickets rejected by mistake", "out-of-scope tickets found");
    plot.axes(names, &fifths, &fifths);
    plot.line("ideal", (0.0, 0.0), (1.0, 1.0));
    let curve: Vec<(f64, f64)> = points.iter().map(|p| (p.rejected, p.found)).collect();
    plot.curve(&curve);
    let says = format!(
        "at the model's own threshold: {:.1} % found, {:.1} % rejected by mistake",
        100.0 * own.1,
        100.0 * own.0
    );
    plot.dot("mark", own, 5.5, &says);
    plot.word(own, "own threshold");
    let caption = "Finding more tickets that fit no intent costs rejecting some that do. The nearer the curve \
                   comes to the upper left corner, the better; the dashed line is guessing. The mark is the \
                   model's own threshold.";
    figure(
        "Does it know what it does not know?",
        caption,
        &plot.svg("ROC curve of the out-of-scope score"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{answers::Answer, calibration, coverage as curve};

    fn answers() -> Vec<Answer> {
        let of = |row: u32| {
            let sure = 0.5 + f64::from(row) / 200.0;
            Answer::new(u64::from(row), vec![sure, 1.0 - sure], Some(usize::from(row < 10)))
        };
        (0..100).map(of).collect()
    }

    #[test]
    fn a_dot_is_drawn_for_each_bin_with_rows() {
        let bins = calibration::reliability(&answers());
        let html = reliability(&bins);
        let there = bins.iter().filter(|bin| bin.rows > 0).count();
        assert_eq!(html.matches("class=\"dot\"").count(), there);
        assert_eq!(html.matches("class=\"bar\"").count(), there);
        assert!(
            !html.contains("NaN") && !reliability(&calibration::reliability(&[])).contains("NaN")
        );
    }

    #[test]
    fn the_coverage_curve_marks_every_accuracy_reached() {
        let found = curve::coverage(&answers()).unwrap();
        let reached = found.at.iter().filter(|at| at.threshold.is_some()).count();
        let html = coverage(&found);
        assert_eq!(html.matches("class=\"mark\"").count(), reached);
        assert!(reached > 0 && !html.contains("NaN"), "{html}");
    }

    #[test]
    fn the_roc_curve_starts_and_ends_in_the_corners() {
        let points =
            [RocPoint { rejected: 0.0, found: 0.0 }, RocPoint { rejected: 1.0, found: 1.0 }];
        assert!(roc(&points, (0.05, 0.6)).contains("points=\"62.0,314.0 494.0,14.0\""));
    }
}
