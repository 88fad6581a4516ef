//! Pieces of HTML; every name goes through [`escape`].

use crate::fairness::Interval;

/// Returns a text as it may stand in HTML, in an attribute too.
#[must_use]
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // Control characters have no meaning in HTML.
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Returns a text, cut to some characters, as it may stand in HTML.
pub(crate) fn short(text: &str, chars_max: usize) -> String {
    if text.chars().count() <= chars_max {
        return escape(text);
    }
    let kept: String = text.chars().take(chars_max.saturating_sub(1)).collect();
    escape(&kept) + "…"
}

/// Returns a name for an empty value, and every other as it is.
pub(crate) fn named(value: &str) -> &str {
    if value.is_empty() { "(none given)" } else { value }
}

/// Returns a share as `98.1 %`.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.1}&nbsp;%", 100.0 * share)
}

/// Returns an interval of shares as `97.6 to 98.5 %`.
pub(crate) fn percents(interval: Interval) -> String {
    format!("{:.1} to {:.1}&nbsp;%", 100.0 * interval.low, 100.0 * interval.high)
}

/// A headline number with what it means.
pub(crate) struct Card<'a> {
    /// What is measured, plain.
    pub(crate) title: &'a str,
    /// The number, as HTML.
    pub(crate) value: String,
    /// How sure it is, as HTML; may be empty.
    pub(crate) range: String,
    /// One sentence for people, as HTML.
    pub(crate) means: String,
}

impl Card<'_> {
    /// Returns it as HTML.
    pub(crate) fn html(&self) -> String {
        let (title, value, means) = (escape(self.title), &self.value, &self.means);
        let range = if self.range.is_empty() {
            String::new()
        } else {
            format!("<div class=\"range\">{}</div>", self.range)
        };
        format!(
            "<div class=\"card\"><h3>{title}</h3><div class=\"value\">{value}</div>{range}\
             <p>{means}</p></div>\n"
        )
    }
}

/// Returns a picture with a title and a sentence.
pub(crate) fn figure(title: &str, caption: &str, svg: &str) -> String {
    format!(
        "<figure><h3>{}</h3><figcaption>{caption}</figcaption>\n{svg}</figure>\n",
        escape(title)
    )
}

/// Returns a table; `columns` are plain, with whether they hold numbers; cells are HTML.
pub(crate) fn table(caption: &str, columns: &[(&str, bool)], rows: &[Vec<String>]) -> String {
    html_table(caption, columns, rows, false)
}

/// Returns a table whose first cells name their rows, and which can be scrolled with keys where it is
/// wider than the page.
pub(crate) fn row_table(caption: &str, columns: &[(&str, bool)], rows: &[Vec<String>]) -> String {
    html_table(caption, columns, rows, true)
}

fn html_table(
    caption: &str,
    columns: &[(&str, bool)],
    rows: &[Vec<String>],
    first_names: bool,
) -> String {
    let class = |number: bool| if number { " class=\"n\"" } else { "" };
    let head: String = columns
        .iter()
        .map(|(name, number)| format!("<th scope=\"col\"{}>{}</th>", class(*number), escape(name)))
        .collect();
    let cell = |(place, (cell, (_, number))): (usize, (&String, &(&str, bool)))| {
        if place == 0 && first_names {
            return format!("<th scope=\"row\"{}>{cell}</th>", class(*number));
        }
        format!("<td{}>{cell}</td>", class(*number))
    };
    let row = |cells: &Vec<String>| {
        let cells: String = cells.iter().zip(columns).enumerate().map(cell).collect();
        format!("<tr>{cells}</tr>\n")
    };
    let body: String = rows.iter().map(row).collect();
    let keys = if first_names { " tabindex=\"0\"" } else { "" };
    format!(
        "<div class=\"scroll\"{keys}><table><caption>{caption}</caption><thead><tr>{head}</tr></thead>\
         <tbody>\n{body}</tbody></table></div>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_become_markup() {
        assert_eq!(
            escape("a <b> & \"c\" 'd'\u{1}"),
            "a &lt;b&gt; &amp; &quot;c&quot; &#39;d&#39; "
        );
        assert_eq!(short("<script>", 4), "&lt;sc…");
        assert_eq!(short("größe", 5), "größe");
        assert_eq!((named(""), named("gold")), ("(none given)", "gold"));
    }

    #[test]
    fn a_table_has_a_cell_for_each_column() {
        let html = table("rows", &[("label", false), ("n", true)], &[vec!["a".into(), "1".into()]]);
        assert!(html.contains("<tr><td>a</td><td class=\"n\">1</td></tr>"), "{html}");
        let html = row_table("rows", &[("label", false)], &[vec!["a".into()]]);
        assert!(html.contains("<tr><th scope=\"row\">a</th></tr>"), "{html}");
        assert!(html.contains("tabindex=\"0\""), "{html}");
        assert_eq!(percent(0.9814), "98.1&nbsp;%");
        assert_eq!(percents(Interval { low: 0.5, high: 0.75 }), "50.0 to 75.0&nbsp;%");
    }
}
