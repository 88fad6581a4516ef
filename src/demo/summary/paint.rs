//! Colours, bars and columns of a text for people.

/// How to write for people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Whether to use colours.
    pub colour: bool,
}

/// Width of the page, in columns.
pub(super) const PAGE: usize = 98;

const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

impl Style {
    /// Writes a heading.
    pub(super) fn heading(self, text: &str) -> String {
        self.code("1;36", text)
    }

    /// Writes something that stands out.
    pub(super) fn strong(self, text: &str) -> String {
        self.code("1", text)
    }

    /// Writes something in the background.
    pub(super) fn faint(self, text: &str) -> String {
        self.code("2", text)
    }

    /// Writes a bar.
    pub(super) fn cyan(self, text: &str) -> String {
        self.code("36", text)
    }

    /// Writes good news.
    pub(super) fn good(self, text: &str) -> String {
        self.code("32", text)
    }

    /// Writes news to look at.
    pub(super) fn look(self, text: &str) -> String {
        self.code("33", text)
    }

    /// Writes bad news.
    pub(super) fn bad(self, text: &str) -> String {
        self.code("1;31", text)
    }

    fn code(self, code: &str, text: &str) -> String {
        if self.colour && !text.is_empty() {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}

/// Returns a bar of `value` of `max`, at most `width` columns, filled up with blanks.
pub(super) fn bar(value: u64, max: u64, width: usize) -> String {
    let eighths_max = u64::try_from(width).unwrap_or(0) * 8;
    let eighths = value.min(max) * eighths_max / max.max(1);
    // Something is never nothing.
    let eighths = eighths.max(u64::from(value > 0));
    let (full, rest) = (eighths / 8, eighths % 8);
    let mut bar = "█".repeat(usize::try_from(full).unwrap_or(0));
    bar.push_str(EIGHTHS[usize::try_from(rest).unwrap_or(0)]);
    pad(&bar, width)
}

/// Returns a line of columns whose heights are the counts.
pub(super) fn sparkline(counts: &[u64]) -> String {
    let max = counts.iter().copied().max().unwrap_or(0).max(1);
    let level = |count: &u64| match count {
        0 => ' ',
        count => LEVELS[usize::try_from(count.saturating_mul(7).div_ceil(max)).unwrap_or(7).min(7)],
    };
    counts.iter().map(level).collect()
}

/// Returns a track from 0 to `max` with a point and its interval on it, `width` columns wide.
pub(super) fn track(low: f64, value: f64, high: f64, max: f64, width: usize) -> String {
    let cells = u32::try_from(width.saturating_sub(1)).unwrap_or(0);
    let position = |share: f64| {
        let place = (share / max.max(f64::MIN_POSITIVE) * f64::from(cells)).round();
        (0..=cells).find(|cell| f64::from(*cell) >= place).unwrap_or(cells)
    };
    let (low, value, high) = (position(low), position(value), position(high));
    let cell = |at: u32| match at {
        at if at == value => '●',
        at if at == low => '├',
        at if at == high => '┤',
        at if low < at && at < high => '─',
        _ => '·',
    };
    (0..=cells).map(cell).collect()
}

/// Returns how many columns a text takes on a terminal.
pub(super) fn columns(text: &str) -> usize {
    text.chars().map(|c| if is_wide(c) { 2 } else { usize::from(!is_combining(c)) }).sum()
}

/// Fills a text up with blanks.
pub(super) fn pad(text: &str, width: usize) -> String {
    let blanks = width.saturating_sub(columns(text));
    format!("{text}{}", " ".repeat(blanks))
}

/// Cuts a text to a width, with a mark where something is missing. Line ends become blanks.
pub(super) fn cut(text: &str, width: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if columns(&line) <= width {
        return line;
    }
    let mut kept = String::new();
    for c in line.chars() {
        if columns(&kept) + columns(c.encode_utf8(&mut [0; 4])) + 1 > width {
            break;
        }
        kept.push(c);
    }
    format!("{}…", kept.trim_end())
}

/// Breaks a text into lines.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && columns(&line) + 1 + columns(word) > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&cut(word, width));
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// Returns whether a character takes two columns: East Asian scripts and pictures.
fn is_wide(c: char) -> bool {
    matches!(c, '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{303e}' | '\u{3041}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}' | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ff60}' | '\u{ffe0}'..='\u{ffe6}' | '\u{1f300}'..='\u{1faff}'
        | '\u{20000}'..='\u{3fffd}')
}

/// Returns whether a character takes no column of its own.
fn is_combining(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{5b0}'..='\u{5bd}' | '\u{610}'..='\u{61a}'
        | '\u{64b}'..='\u{65f}' | '\u{93c}' | '\u{941}'..='\u{948}' | '\u{94d}'
        | '\u{e31}' | '\u{e34}'..='\u{e3a}' | '\u{e47}'..='\u{e4e}'
        | '\u{200b}'..='\u{200f}' | '\u{fe00}'..='\u{fe0f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_grow_by_eighths_and_never_hide_something() {
        assert_eq!(bar(0, 10, 4), "    ");
        assert_eq!(bar(5, 10, 4), "██  ");
        assert_eq!(bar(10, 10, 4), "████");
        assert_eq!(bar(1, 1000, 4), "▏   ");
        assert_eq!(bar(3, 0, 4), "▏   ");
    }

    #[test]
    fn a_track_shows_the_point_within_its_interval() {
        assert_eq!(track(0.25, 0.5, 0.75, 1.0, 9), "··├─●─┤··");
        assert_eq!(track(0.0, 0.0, 0.0, 0.0, 5), "●····");
    }

    #[test]
    fn texts_are_measured_as_a_terminal_shows_them() {
        assert_eq!(columns("naïve"), 5);
        assert_eq!(columns("e\u{301}"), 1);
        assert_eq!(columns("荷物"), 4);
        assert_eq!(pad("荷", 4), "荷  ");
        assert_eq!(cut("one\n  two three", 9), "one two…");
        assert_eq!(columns(&cut("荷物が届きません", 7)), 7);
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
    }

    #[test]
    fn without_colour_nothing_is_added() {
        assert_eq!(Style { colour: false }.bad("x"), "x");
        assert_eq!(Style { colour: true }.good("x"), "\u{1b}[32mx\u{1b}[0m");
    }

    #[test]
    fn a_sparkline_has_a_column_for_each_count() {
        assert_eq!(sparkline(&[0, 1, 4, 8]), " ▂▅█");
    }
}
