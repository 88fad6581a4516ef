//! The result as Markdown: one row for each contender.

use crate::{
    measure::{Likeness, Turns, least, median, ratio},
    work::Work,
};

/// Returns the notes and the table. Ratios are to the first contender.
pub(crate) fn markdown(
    names: &[&str],
    works: &[Work],
    turns: &[Vec<Turns>],
    likeness: &[Likeness],
    notes: &[String],
) -> String {
    let mut lines: Vec<String> = notes.iter().map(|note| format!("- {note}")).collect();
    let rounds = turns[0][0].len();
    lines.push(format!(
        "- median of {rounds} rounds (the best of them) and, as ×, the median of the rounds' ratios of \
         time to {}'s",
        names[0]
    ));
    lines.push(String::new());
    let titles = works.iter().map(title).collect::<Vec<_>>().join(" | ");
    lines.push(format!("| | {titles} | cosine, mean (least) |"));
    lines.push(format!("| --- |{} --: |", " --: |".repeat(works.len())));
    for ((name, own), likeness) in names.iter().zip(turns).zip(likeness) {
        let cell = |column: usize| cell(&works[column], &own[column], &turns[0][column]);
        let cells = (0..works.len()).map(cell).collect::<Vec<_>>().join(" | ");
        let (mean, least) = (likeness.mean, likeness.least);
        lines.push(format!("| {name} | {cells} | {mean:.4} ({least:.4}) |"));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// Returns the head of a column, with its unit and what padding adds.
fn title(work: &Work) -> String {
    let (tokens, padded) = work.tokens();
    let unit = if work.tickets() == 1 { "ms" } else { "tickets/s" };
    let tokens = match padded {
        _ if work.tickets() == 1 => String::new(),
        padded if padded == tokens => format!("; {tokens} tokens"),
        padded => format!("; {tokens} tokens, padded {padded}"),
    };
    format!("{}{tokens}: {unit}", work.title)
}

fn cell(work: &Work, own: &Turns, ours: &Turns) -> String {
    let figure = |seconds: f64| match work.tickets() {
        1 => format!("{:.2}", 1e3 * seconds),
        tickets => format!("{:.0}", tickets as f64 / seconds),
    };
    format!("{} ({}) {:.2}×", figure(median(own)), figure(least(own)), ratio(own, ours))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_the_median_the_best_and_the_ratio() {
        let work = Work {
            name: "none",
            title: "nothing".to_owned(),
            passes: 1,
            padded: Vec::new(),
            ours: Vec::new(),
        };
        let turns = vec![vec![vec![1.0, 2.0, 4.0]], vec![vec![3.0, 6.0, 12.0]]];
        let alike = || Likeness { mean: 1.0, least: 0.5 };
        let text = markdown(&["A", "B"], &[work], &turns, &[alike(), alike()], &[]);
        assert!(text.contains("| B | 0 (0) 3.00× | 1.0000 (0.5000) |"), "{text}");
    }
}
