//! House rules that a reader should not have to check.

use std::{collections::BTreeSet, fs};

use crate::source::{Token, files, read, root, rust_files, tokens};

/// Longest source file, in lines; tests are not counted.
const SOURCE_LINES_MAX: usize = 600;
/// Largest file of the repository, in bytes.
const FILE_BYTES_MAX: u64 = 30 * 1024 * 1024;
/// Largest file outside [`LARGE_FILES`], in bytes.
const SMALL_FILE_BYTES_MAX: u64 = 256 * 1024;
/// Where models, expected values and the demo's tickets lie.
const LARGE_FILES: [&str; 3] = ["models/", "tests/fixtures/", "src/demo/"];

/// The files people write, which the rules on text are for. Data keeps the form it came in.
fn written() -> Vec<String> {
    let kinds = ["md", "proto", "rs", "sh", "sql", "toml", "yaml", "yml"];
    let by_hand = |file: &String| {
        let kind = file.rsplit_once('.').map_or("", |(_, kind)| kind);
        let plain = [".ci/", "LICENSE"].iter().any(|start| file.starts_with(start));
        (kinds.contains(&kind) || plain) && !file.starts_with("tests/fixtures/")
    };
    files().into_iter().filter(by_hand).collect()
}

/// Fails with every line that breaks a rule.
fn assert_no_line(files: Vec<String>, what: &str, breaks: impl Fn(&str) -> bool) {
    let mut wrong = Vec::new();
    for file in files {
        for (index, line) in read(&file).lines().enumerate().filter(|(_, line)| breaks(line)) {
            wrong.push(format!("{file}:{}: {what}: {}", index + 1, line.trim()));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn all_rust_files() -> Vec<String> {
    let folders = ["src/", "tests/", "benches/", "build.rs"];
    folders.iter().flat_map(|folder| rust_files(folder)).collect()
}

/// Whether a line has a word with nothing of a word beside it.
fn has_word(line: &str, word: &str) -> bool {
    line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|part| part == word)
}

#[test]
fn every_rust_file_begins_by_saying_what_it_is_for() {
    for file in all_rust_files() {
        let text = read(&file);
        let first = text.lines().next().unwrap_or_default();
        assert!(first.starts_with("//! ") && first.len() > 8, "{file} begins with {first:?}");
    }
}

#[test]
fn nothing_is_left_for_later() {
    // Written in halves, so that this file does not find itself.
    let notes = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
    assert_no_line(written(), "left for later", |line| {
        notes.iter().any(|note| has_word(line, note))
    });
    let macros = [concat!("unimplem", "ented!"), concat!("to", "do!("), concat!("db", "g!(")];
    let stubs = [concat!("To be ", "written")];
    let breaks = |line: &str| macros.iter().chain(&stubs).any(|stub| line.contains(stub));
    assert_no_line(all_rust_files(), "left for later", breaks);
}

#[test]
fn no_test_is_switched_off() {
    let ignored = concat!("#[ign", "ore");
    assert_no_line(all_rust_files(), "runs never", |line| line.contains(ignored));
}

#[test]
fn source_files_stay_short_enough_to_read() {
    let is_test = |file: &String| file.ends_with("/tests.rs") || file.contains("/tests/");
    for file in rust_files("src/").into_iter().filter(|file| !is_test(file)) {
        let lines = read(&file).lines().count();
        assert!(lines <= SOURCE_LINES_MAX, "{file} has {lines} lines, {SOURCE_LINES_MAX} at most");
    }
}

#[test]
fn files_stay_small_where_no_data_belongs() {
    for file in files() {
        let bytes = fs::metadata(root().join(&file)).map_or(0, |metadata| metadata.len());
        let large = LARGE_FILES.iter().any(|folder| file.starts_with(folder));
        let max = if large { FILE_BYTES_MAX } else { SMALL_FILE_BYTES_MAX };
        assert!(bytes <= max, "{file} has {bytes} bytes, {max} at most");
    }
}

#[test]
fn no_line_ends_in_blanks_and_every_file_ends_in_one_newline() {
    assert_no_line(written(), "trailing blank", |line| line.trim_end() != line);
    for file in written() {
        let text = read(&file);
        let ends = text.ends_with('\n') && !text.ends_with("\n\n");
        assert!(text.is_empty() || ends, "{file} does not end in one newline");
        assert!(!text.contains('\r'), "{file} has carriage returns");
    }
}

#[test]
fn no_file_names_a_folder_of_one_machine() {
    let folders = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];
    let starts = |line: &str, folder: &str| {
        let before = line.find(folder).map(|at| line[..at].chars().last());
        // Inside a longer path or an address it is something else.
        before.is_some_and(|before| before.is_none_or(|c| !c.is_alphanumeric() && c != '.'))
    };
    let breaks = |line: &str| folders.iter().any(|folder| starts(line, folder));
    assert_no_line(written(), "names a machine's folder", breaks);
}

#[test]
fn every_test_and_source_file_is_part_of_the_build() {
    for file in rust_files("src/").into_iter().chain(rust_files("tests/it/")) {
        if ["src/lib.rs", "src/main.rs", "tests/it/main.rs"].contains(&file.as_str()) {
            continue;
        }
        let path = file.trim_end_matches(".rs");
        let (folder, name) = path.rsplit_once('/').expect("it is in a folder");
        let parent = match folder {
            "src" => "src/lib.rs".to_owned(),
            "tests/it" => "tests/it/main.rs".to_owned(),
            inner => format!("{inner}.rs"),
        };
        let declared = tokens(&read(&parent));
        let declaration = [Token::Word("mod".into()), Token::Word(name.into()), Token::Sign(';')];
        let found = declared.windows(3).any(|window| window == declaration);
        assert!(found, "{parent} does not declare `mod {name};`, so {file} is never compiled");
    }
}

/// Where the comparison with other programs lies: a package of its own, with dependencies of its own.
const PEERS: &str = "benches/peers/";

#[test]
fn every_benchmark_is_part_of_the_build() {
    for file in rust_files("benches/").iter().filter(|file| !file.starts_with(PEERS)) {
        let (folder, name) = file.rsplit_once('/').unwrap();
        // A bench in a folder declares its parts in its main file.
        let (place, named) = match (folder, name) {
            ("benches", _) | (_, "main.rs") => ("Cargo.toml".to_owned(), format!("\"{file}\"")),
            _ => (format!("{folder}/main.rs"), format!("mod {};", name.trim_end_matches(".rs"))),
        };
        assert!(read(&place).contains(&named), "{place} does not name {file}");
    }
}

#[test]
fn the_comparison_with_other_programs_is_apart_from_the_build() {
    let own: toml::Table = read(&format!("{PEERS}Cargo.toml")).parse().expect("it is TOML");
    assert!(own.contains_key("workspace"), "{PEERS}Cargo.toml is of the workspace around it");
    let main = format!("{PEERS}src/main.rs");
    let declared = tokens(&read(&main));
    for file in rust_files(PEERS).iter().filter(|file| **file != main) {
        let name = file.rsplit_once('/').map_or("", |(_, name)| name.trim_end_matches(".rs"));
        let declaration = [Token::Word("mod".into()), Token::Word(name.into()), Token::Sign(';')];
        let found = declared.windows(3).any(|window| window == declaration);
        assert!(found, "{main} does not declare `mod {name};`, so {file} is never compiled");
    }
}

/// The reasons in the pages below `docs/errors`.
fn explained() -> BTreeSet<String> {
    let page = |file: String| {
        let name = file.strip_prefix("docs/errors/")?.strip_suffix(".md")?;
        (name != "README").then(|| name.to_owned())
    };
    files().into_iter().filter_map(page).collect()
}

/// Whether a text is written like a reason: `TICKET_NOT_FOUND`.
fn is_reason(text: &str) -> bool {
    let upper = text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    upper && text.contains('_') && !text.starts_with('_') && !text.ends_with('_')
}

#[test]
fn every_error_reason_has_a_page_and_every_page_a_reason() {
    const ERRORS: &str = "src/service/error.rs";
    let reason = |token| match token {
        Token::Text(text) => Some(text).filter(|text| is_reason(text)),
        _ => None,
    };
    let source = if root().join(ERRORS).exists() { read(ERRORS) } else { String::new() };
    let given: BTreeSet<_> = tokens(&source).into_iter().filter_map(reason).collect();
    assert_eq!(given, explained(), "{ERRORS} on the left, docs/errors on the right");
}

#[test]
fn every_reason_the_proto_files_name_has_a_page() {
    let pages = explained();
    for file in files().into_iter().filter(|file| file.ends_with(".proto")) {
        for line in read(&file).lines() {
            // Comments write a code and its reason as `NOT_FOUND (TICKET_NOT_FOUND)`.
            let in_brackets = line.split('(').skip(1).filter_map(|rest| rest.split(')').next());
            for reason in in_brackets.filter(|text| is_reason(text)) {
                // Without any page, the errors themselves are not there yet.
                let known = pages.is_empty() || pages.contains(reason);
                assert!(known, "{file} names {reason}, which has no page in docs/errors");
            }
        }
    }
}

#[test]
fn every_dependency_comes_from_the_registry() {
    let sources = |line: &str| line.strip_prefix("source = ").map(str::to_owned);
    let registry = "\"registry+https://github.com/rust-lang/crates.io-index\"";
    for lock in ["Cargo.lock".to_owned(), format!("{PEERS}Cargo.lock")] {
        let found: BTreeSet<_> = read(&lock).lines().filter_map(sources).collect();
        assert_eq!(found, BTreeSet::from([registry.to_owned()]), "{lock}");
    }
}

#[test]
fn the_changelog_has_a_place_for_the_next_change() {
    assert!(read("CHANGELOG.md").contains("\n## [Unreleased]\n"));
}

#[test]
fn the_readme_names_the_two_commands() {
    let readme = read("README.md");
    for command in ["cargo run --release -- demo", "cargo test --release"] {
        assert!(readme.contains(command), "README.md does not name `{command}`");
    }
}
