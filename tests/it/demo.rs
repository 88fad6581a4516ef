//! `evenhand demo` as people run it: the built program, its exit codes, and figures that add up.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;

/// Rows of the nasty file that are tickets.
const GOOD_ROWS: u64 = 13;
/// Lines of the nasty file that are none.
const BAD_LINES: [u64; 7] = [6, 7, 8, 9, 10, 11, 12];

fn demo(arguments: &[&str], temp_dir: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_evenhand"))
        .arg("demo")
        .args(arguments)
        .env("TMPDIR", temp_dir)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("the program can be started")
}

fn figures(output: &Output) -> Value {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{errors}", output.status);
    serde_json::from_slice(&output.stdout).expect("standard output is one JSON object")
}

fn count(figures: &Value, key: &str) -> u64 {
    figures[key].as_u64().unwrap_or_else(|| panic!("{key} is no count: {}", figures[key]))
}

/// Checks that every ticket is in exactly one group, and that each way to count them gives the same.
fn assert_adds_up(figures: &Value) {
    let submitted = count(figures, "tickets_submitted");
    let groups = ["tickets_assigned", "tickets_waiting", "tickets_cancelled"];
    assert_eq!(groups.map(|key| count(figures, key)).iter().sum::<u64>(), submitted);
    assert_eq!(count(figures, "tickets_lost"), 0);
    assert!(count(figures, "tickets_resolved") <= count(figures, "tickets_assigned"));
    for key in ["by_intent", "by_skill"] {
        let counts = figures[key].as_object().expect("a map").values();
        assert_eq!(counts.filter_map(Value::as_u64).sum::<u64>(), submitted, "{key}");
    }
    for (attribute, measures) in figures["segments"].as_object().expect("a map") {
        let groups = measures["groups"].as_object().expect("a map").values();
        let tickets: u64 = groups.filter_map(|group| group["tickets"].as_u64()).sum();
        assert_eq!(tickets + count(measures, "undeclared"), submitted, "{attribute}");
    }
}

/// Returns whether a folder holds nothing.
fn is_empty(dir: &Path) -> bool {
    fs::read_dir(dir).unwrap().next().is_none()
}

#[test]
fn sixty_tickets_end_where_they_should_and_leave_nothing_behind() {
    let temp_dir = tempfile::tempdir().unwrap();
    let figures = figures(&demo(&["--format", "json", "--count", "60"], temp_dir.path()));
    assert_adds_up(&figures);
    assert_eq!(count(&figures, "tickets_submitted"), 60);
    assert_eq!(count(&figures, "tickets_skipped"), 0);
    assert_eq!(count(&figures, "tickets_waiting"), 0);
    assert!(count(&figures, "tickets_resolved") >= 20);
    assert!(figures["by_skill"].as_object().unwrap().len() >= 5);
    assert_eq!(figures["segments"].as_object().unwrap().len(), 3);
    let waits = ["p50", "p95", "p99"].map(|key| figures["wait_seconds"][key].as_f64().unwrap());
    assert!(waits.is_sorted() && waits[0] >= 0.0, "{waits:?}");
    assert!(is_empty(temp_dir.path()));
}

/// Writes a file with what spreadsheets, exports and accidents do to CSV.
fn nasty_file(dir: &Path) -> PathBuf {
    let long = format!("7a,{},,,,,", "x".repeat(20_001));
    let mut bytes = b"\xef\xbb\xbfID,Text,Subject,Channel,Customer,segment_plan,note\r\n".to_vec();
    // Line 2 spans to line 4.
    bytes.extend(
        "1,\"my order\r\nhas \"\"not\"\"\r\narrived, really\",Late,chat,c1,plus,\r\n".bytes(),
    );
    bytes.extend(b"2,\xc2\xbfD\xc3\xb3nde est\xc3\xa1 mi pedido? No ha llegado,,,,,\xff\r\n");
    let bad: [&[u8]; 7] = [
        b"3,too,few",
        b"4,a,b,c,d,e,f,too many",
        b"5,,,chat,,,",
        b"6,\xe2\x80\x8b \xef\xbb\xbf,,,,,",
        b"7,caf\xe9 bill,,,,,",
        long.as_bytes(),
        b"8,\"never closed,,,,,",
    ];
    for line in bad {
        bytes.extend(line);
        bytes.extend(b"\r\n");
    }
    bytes.extend("9,,Only a subject: refund me please,phone,,premium,\r\n".bytes());
    bytes.extend("10,i want a human,,a carrier pigeon,,,\r\n\r\n\r\n".bytes());
    bytes.extend("11,DROP TABLE tickets;--,,email,,\"a, \"\"b\"\"\",\r\n".bytes());
    bytes.extend("12,\u{1f4a5}\u{1f4a5}\u{1f4a5},,,,,\r\n".bytes());
    bytes.extend("13,my parcel is at sea \0 and sinking,,,,,\r\n".bytes());
    for number in 14..=19 {
        bytes.extend(format!("{number},how do I get invoice {number}?,,,,basic,\r\n").bytes());
    }
    // The last line has no end.
    bytes.truncate(bytes.len() - 2);
    let path = dir.join("nasty.csv");
    fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn of_a_nasty_file_every_row_is_a_ticket_or_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = nasty_file(dir.path());
    let output = demo(&["--tickets", file.to_str().unwrap(), "--format", "json"], dir.path());
    let figures = figures(&output);
    assert_adds_up(&figures);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(count(&figures, "tickets_submitted"), GOOD_ROWS, "{errors}");
    assert_eq!(count(&figures, "tickets_skipped"), BAD_LINES.len() as u64, "{errors}");
    for line in BAD_LINES {
        let named = format!("nasty.csv:{line}: skipped: ");
        assert_eq!(errors.matches(&named).count(), 1, "{named}\n{errors}");
    }
    for private in ["parcel", "too many", "never closed", "xxxx"] {
        assert!(!errors.contains(private), "{errors}");
    }
}

#[test]
fn a_file_that_cannot_be_used_is_the_caller_s_to_mend() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let missing = dir.path().join("missing.csv").to_str().unwrap().to_owned();
    for (path, complaint) in [
        (missing, "it can't be read"),
        (file("empty.csv", ""), "it is empty"),
        (file("no_text.csv", "body,subject\na,b\n"), "no column `text`"),
        (file("no_ticket.csv", "text\n\" \"\n"), "none of its 1 rows can be a ticket"),
    ] {
        let output = demo(&["--tickets", &path, "--format", "json"], dir.path());
        assert_eq!(output.status.code(), Some(2), "{path}");
        assert!(output.stdout.is_empty());
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(errors.contains(complaint) && errors.contains(&path), "{errors}");
    }
    let output = demo(&["--count", "0"], dir.path());
    assert_eq!(output.status.code(), Some(2));
}
