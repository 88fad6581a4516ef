//! Every row is a ticket or is named, whatever the file looks like.

use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Tickets {
    rows::parse(text.as_bytes()).unwrap()
}

fn error(bytes: &[u8]) -> String {
    rows::parse(bytes).unwrap_err().to_string()
}

fn bodies(tickets: &Tickets) -> Vec<&str> {
    tickets.rows.iter().map(|row| row.ticket.body.as_str()).collect()
}

fn skipped(tickets: &Tickets) -> Vec<(u64, String)> {
    tickets.skipped.iter().map(|row| (row.line, row.reason.to_string())).collect()
}

#[test]
fn all_columns_reach_the_ticket_and_unknown_ones_are_ignored() {
    let tickets = parse(
        "id,Text,subject,channel,customer,segment_plan,segment_Region,colour\n\
         1,where is it,parcel,chat,c-9,plus,north,red\n",
    );
    let ticket = &tickets.rows[0].ticket;
    assert_eq!((ticket.body.as_str(), ticket.subject.as_str()), ("where is it", "parcel"));
    assert_eq!((ticket.channel.as_str(), ticket.customer.as_str()), ("chat", "c-9"));
    let segments = [("plan", "plus"), ("Region", "north")];
    assert_eq!(ticket.segments, segments.map(|(a, b)| (a.to_owned(), b.to_owned())).into());
    assert_eq!(tickets.segment_attributes, ["plan", "Region"]);
    assert!(!tickets.has_truth());
}

#[test]
fn a_ticket_without_a_channel_comes_by_email() {
    let tickets = parse("text,channel\nhello,\nhello,  \nhello,smoke signals\n");
    let channels: Vec<_> = tickets.rows.iter().map(|row| row.ticket.channel.as_str()).collect();
    assert_eq!(channels, ["email", "email", "smoke signals"]);
}

#[test]
fn an_empty_segment_is_not_declared() {
    let tickets = parse("text,segment_plan\nhello,\nhello, plus \n");
    assert!(tickets.rows[0].ticket.segments.is_empty());
    assert_eq!(tickets.rows[1].ticket.segments["plan"], "plus");
}

#[test]
fn marks_and_line_ends_of_other_systems_do_not_matter() {
    for text in [
        "\u{feff}text\none\ntwo\n",
        "text\r\none\r\ntwo\r\n",
        "text\rone\rtwo",
        "\u{feff}text\r\n\r\none\r\n\r\n\r\ntwo",
    ] {
        assert_eq!(bodies(&parse(text)), ["one", "two"], "{text:?}");
    }
}

#[test]
fn lines_are_counted_over_quoted_and_empty_ones() {
    let text = "text,subject\n\"two\nlines\",a\n\nbad\r\n\"x\r\ny\",b\nbad\rbad\n";
    let tickets = parse(text);
    assert_eq!(bodies(&tickets), ["two\nlines", "x\r\ny"]);
    let lines: Vec<u64> = tickets.rows.iter().map(|row| row.line).collect();
    assert_eq!(lines, [2, 6]);
    let lines: Vec<u64> = tickets.skipped.iter().map(|row| row.line).collect();
    assert_eq!(lines, [5, 8, 9]);
}

#[test]
fn quotes_and_commas_within_quotes_are_text() {
    let tickets = parse("text\n\"a \"\"b\"\", c\"\n");
    assert_eq!(bodies(&tickets), ["a \"b\", c"]);
}

#[test]
fn each_row_that_is_no_ticket_says_why() {
    let long = |chars: usize| "x".repeat(chars);
    let text = format!(
        "text,subject,channel,customer,segment_plan\n\
         ok,,,,\n\
         too few\n\
         a,b,c,d,e,f\n\
         ,,chat,,\n\
         \u{200b} \u{feff},\u{ad},,,\n\
         {},,,,\n\
         a,{},,,\n\
         a,,{},,\n\
         a,,,{},\n\
         a,,,,{}\n",
        long(20_001),
        long(513),
        long(65),
        long(129),
        long(65)
    );
    let tickets = parse(&text);
    assert_eq!(tickets.rows.len(), 1);
    let too_long = |column, chars, max| {
        format!("column {column:?} has {chars} characters, at most {max} are allowed")
    };
    let expected = [
        (3, "it has 1 fields, the header has 5".to_owned()),
        (4, "it has 6 fields, the header has 5".to_owned()),
        (5, "there is no visible character in its text".to_owned()),
        (6, "there is no visible character in its text".to_owned()),
        (7, too_long("text", 20_001, 20_000)),
        (8, too_long("subject", 513, 512)),
        (9, too_long("channel", 65, 64)),
        (10, too_long("customer", 129, 128)),
        (11, too_long("segment_plan", 65, 64)),
    ];
    assert_eq!(skipped(&tickets), expected);
}

#[test]
fn a_subject_alone_is_a_ticket() {
    assert_eq!(parse("subject,text\nhelp,\n").rows.len(), 1);
}

#[test]
fn a_row_that_is_not_utf8_is_named_and_the_others_stay() {
    let tickets = rows::parse(b"text,note\none,\xff\ncaf\xe9,x\ntwo,y\n").unwrap();
    // The column `note` is not used, so what it holds does not matter.
    assert_eq!(bodies(&tickets), ["one", "two"]);
    assert_eq!(skipped(&tickets), [(3, "column \"text\" is not valid UTF-8".to_owned())]);
}

#[test]
fn a_quote_that_is_never_closed_costs_one_line_only() {
    let tickets = parse("text,subject\none,a\n\"two,b\nthree,c\nfour,d\n");
    assert_eq!(bodies(&tickets), ["one", "three", "four"]);
    assert_eq!(skipped(&tickets), [(3, "a quote is opened here and not closed".to_owned())]);
}

#[test]
fn a_quote_that_the_next_quoted_cell_would_close_costs_one_line_only() {
    let text = "text,subject\n\"one,a\ntwo,b\n\"three, or more\",c\nx,\"four\n\"five\",\"d\"\n";
    let tickets = parse(text);
    assert_eq!(bodies(&tickets), ["two", "three, or more", "five"]);
    let lines: Vec<u64> = tickets.skipped.iter().map(|row| row.line).collect();
    assert_eq!(lines, [2, 5]);
}

#[test]
fn a_stray_quote_within_a_word_is_text() {
    assert_eq!(bodies(&parse("text\n5\" pipe\nnext\n")), ["5\" pipe", "next"]);
}

#[test]
fn no_message_quotes_a_cell() {
    let text = "text,segment_plan\nsecret,secret,secret\n\"secret,x\nsecret,y\n";
    for row in parse(text).skipped {
        assert!(!row.reason.to_string().contains("secret"), "{}", row.reason);
    }
    assert!(!error(b"my secret question\nanother secret\n").contains("secret"));
}

#[test]
fn a_file_that_cannot_be_used_says_why() {
    for empty in ["", "\n\n \n", "\u{feff}"] {
        assert!(error(empty.as_bytes()).starts_with("it is empty"), "{empty:?}");
    }
    assert!(error(b"body,subject\na,b\n").starts_with("its first line names no column `text`"));
    assert_eq!(error(b"text\n"), "it has a header but no rows");
    assert_eq!(error(b"text,text\na,b\n"), "its first line names the column \"text\" twice");
    assert_eq!(error(b"\xff\xfet\0e\0x\0t\0"), "it is UTF-16; save it as UTF-8");
    let missing = read(Path::new("no/such/file.csv")).unwrap_err().to_string();
    assert!(missing.starts_with("it can't be read: "), "{missing}");
}

#[test]
fn columns_beyond_what_a_workspace_measures_are_named() {
    let names: Vec<String> = (0..18).map(|index| format!("segment_{index}")).collect();
    let cells = ",v".repeat(18);
    let header = names.join(",");
    let tickets = parse(&format!("text,{header},segment_\nhello{cells},v\n"));
    assert_eq!(tickets.segment_attributes.len(), limits::SEGMENTS_MAX);
    assert_eq!(tickets.rows[0].ticket.segments.len(), limits::SEGMENTS_MAX);
    assert_eq!(tickets.ignored_columns.len(), 3);
    assert!(tickets.ignored_columns[0].starts_with("column 18 (\"segment_16\") is not used"));
}

#[test]
fn the_demo_s_own_tickets_are_many_and_varied() {
    let tickets = embedded().unwrap();
    assert!(tickets.rows.len() >= 300 && tickets.skipped.is_empty() && tickets.embedded);
    assert!(tickets.segment_attributes.len() >= 2);
    let truths = || tickets.rows.iter().map(|row| &row.truth);
    let languages: std::collections::BTreeSet<_> = truths().map(|truth| &truth.language).collect();
    let intents: std::collections::BTreeSet<_> = truths().map(|truth| &truth.intent).collect();
    assert!(languages.len() >= 3 && intents.len() >= 20);
    assert!(truths().any(|truth| truth.intent.as_deref() == Some("out_of_scope")));
}

/// Writes a cell as RFC 4180 has it.
fn quoted(cell: &str) -> String {
    format!("\"{}\"", cell.replace('"', "\"\""))
}

proptest! {
    #[test]
    fn rows_in_are_tickets_and_skipped_rows_together(
        cells in prop::collection::vec(("\\PC{0,12}|[ \u{200b}\n\r\"]{0,4}", 0_usize..3), 1..30),
    ) {
        let mut text = String::from("text,subject\n");
        for (cell, extra) in &cells {
            text.push_str(&quoted(cell));
            text.push_str(&",".repeat(*extra));
            text.push('\n');
        }
        let tickets = rows::parse(text.as_bytes()).unwrap();
        prop_assert_eq!(tickets.row_count(), cells.len());
        let good = cells.iter().filter(|(cell, extra)| *extra == 1 && !essence(cell).is_empty());
        let good: Vec<&str> = good.map(|(cell, _)| cell.trim()).collect();
        prop_assert_eq!(bodies(&tickets), good);
    }

    #[test]
    fn any_bytes_are_read_without_losing_a_line(
        lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..20),
    ) {
        let mut bytes = b"text,b\n".to_vec();
        bytes.extend(lines.join(&b'\n'));
        if let Ok(tickets) = rows::parse(&bytes) {
            let mut seen: Vec<u64> = tickets.skipped.iter().map(|row| row.line)
                .chain(tickets.rows.iter().map(|row| row.line)).collect();
            seen.sort_unstable();
            let count = seen.len();
            seen.dedup();
            prop_assert_eq!(seen.len(), count, "each record begins on a line of its own");
            prop_assert_eq!(count, tickets.row_count());
        }
    }
}
