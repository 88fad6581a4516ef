//! Who may import whom, and what the pure core may not touch.
//!
//! The arrows are those of the code map in ARCHITECTURE.md: an edge is allowed where it is described.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::{Token, paths, read, rust_files, tokens, without_tests};

/// Modules whose results depend on their arguments alone.
const PURE: [&str; 3] = ["domain", "fairness", "routing"];

/// Crates a pure module may use: two that derive code, a form of text, conditions without reach, time zones without
/// files, the functions of probability.
const PURE_CRATES: [&str; 6] = ["cel", "jiff", "serde", "serde_json", "statrs", "thiserror"];

/// Parts of `std` that reach outside the program.
const IMPURE_STD: [&str; 8] = ["env", "fs", "io", "net", "os", "process", "thread", "time"];

/// Fields that hold what only the customer may be asked about.
const PRIVATE_FIELDS: [&str; 5] = ["body", "customer", "segments", "subject", "text"];

/// The module a source file belongs to; `None` for `lib.rs` and `main.rs`.
fn module_of(file: &str) -> Option<&str> {
    let inside = file.strip_prefix("src/")?;
    let (module, _) = inside.split_once(['/', '.'])?;
    (!["lib", "main"].contains(&module)).then_some(module)
}

/// The files of `src` that the program itself is made of, with their tokens.
fn program() -> Vec<(String, Vec<Token>)> {
    let only_tests = |file: &String| file.ends_with("/tests.rs") || file.contains("/tests/");
    rust_files("src/")
        .into_iter()
        .filter(|file| !only_tests(file))
        .map(|file| {
            let code = without_tests(&tokens(&read(&file)));
            (file, code)
        })
        .collect()
}

/// Returns the modules that a file of `module` imports, and what is wrong with how it does.
fn imports(file: &str, code: &[Token]) -> (BTreeSet<String>, Vec<String>) {
    // In `src/name.rs`, `super` is the crate.
    let top_level = file.matches('/').count() == 1;
    let (mut modules, mut wrong) = (BTreeSet::new(), Vec::new());
    for path in paths(code) {
        let shown = path.join("::");
        let supers = path.iter().filter(|segment| *segment == "super").count();
        if supers > 1 || (top_level && supers > 0) {
            wrong.push(format!("{file}: {shown} leaves its module; write crate::…"));
        }
        if path[0] == "crate" {
            match path.get(1).map(String::as_str) {
                None | Some("*" | "self") => wrong.push(format!("{file}: {shown} names no module")),
                Some(module) => drop(modules.insert(module.to_owned())),
            }
        }
    }
    (modules, wrong)
}

/// Returns what is wrong with the imports of a file.
fn violations(file: &str, code: &[Token], allowed: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let (imported, mut wrong) = imports(file, code);
    let Some(own) = module_of(file) else { return wrong };
    let Some(may) = allowed.get(own) else {
        wrong.push(format!("{file}: module {own} is not in the code map of ARCHITECTURE.md"));
        return wrong;
    };
    for module in imported.iter().filter(|module| *module != own) {
        if !may.contains(module) {
            wrong.push(format!("{file}: {own} may not import {module}, only {may:?}"));
        }
    }
    wrong
}

/// One row of the code map: a module and what it may import.
type Row = (String, Vec<String>);

/// Reads the code map of ARCHITECTURE.md: `| `module` | job | may import | never |`, lowest first.
fn code_map(text: &str) -> Vec<Row> {
    let section = text.split("\n## ").find(|section| section.starts_with("Code map"));
    let mut rows: Vec<Row> = Vec::new();
    for line in section.expect("ARCHITECTURE.md has a code map").lines() {
        let cells: Vec<_> = line.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        let [_, module, _, may, ..] = cells[..] else { continue };
        if module == "module" || module.starts_with("---") {
            continue;
        }
        let may = match may {
            "–" => Vec::new(),
            "everything below" | "options of the parts" => {
                rows.iter().map(|(module, _)| module.clone()).collect()
            }
            list => list.split(',').map(|name| name.trim().to_owned()).collect(),
        };
        rows.push((module.to_owned(), may));
    }
    rows
}

fn allowed() -> BTreeMap<String, Vec<String>> {
    code_map(&read("ARCHITECTURE.md")).into_iter().collect()
}

fn assert_none(wrong: Vec<String>) {
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_import_follows_an_arrow_of_the_table() {
    let wrong = program().into_iter().flat_map(|(file, code)| violations(&file, &code, &allowed()));
    assert_none(wrong.collect());
}

#[test]
fn the_code_map_has_every_module_and_its_arrows_go_round_in_no_circle() {
    let mut waiting = allowed();
    let sources = program();
    let found: BTreeSet<_> = sources.iter().filter_map(|(file, _)| module_of(file)).collect();
    assert_eq!(found, waiting.keys().map(String::as_str).collect());
    assert_eq!(code_map(&read("ARCHITECTURE.md")).len(), waiting.len(), "a module is there twice");
    // Taking away what imports nothing that is left must take away everything.
    let mut taken: BTreeSet<String> = BTreeSet::new();
    while !waiting.is_empty() {
        let is_free = |may: &[String]| may.iter().all(|module| taken.contains(module));
        let free: Vec<_> =
            waiting.iter().filter(|(_, may)| is_free(may)).map(|(name, _)| name.clone()).collect();
        assert!(!free.is_empty(), "unknown names or a circle in {waiting:?}");
        free.iter().for_each(|name| drop(waiting.remove(name)));
        taken.extend(free);
    }
}

#[test]
fn the_checks_find_what_they_look_for() {
    let map = "\n## Code map\n| module | job | may import | never |\n| --- | --- | --- | --- |\n\
        | `domain` | | – | |\n| `fairness` | | domain | |\n| `routing` | | domain, fairness | |\n\
        | `app` | | everything below | |\n";
    let allowed: BTreeMap<_, _> = code_map(map).into_iter().collect();
    assert_eq!(allowed["app"], ["domain", "fairness", "routing"]);
    let count = |file: &str, source: &str| violations(file, &tokens(source), &allowed).len();
    assert_eq!(count("src/routing/step.rs", "use crate::{domain::id, fairness::Rate};"), 0);
    assert_eq!(count("src/routing/step.rs", "use crate::{domain::id, service::{a, b}};"), 1);
    assert_eq!(count("src/routing.rs", "fn f() { crate::app::start() }"), 1);
    assert_eq!(count("src/routing.rs", "use super::app;"), 1);
    assert_eq!(count("src/routing/step.rs", "use super::State;"), 0);
    assert_eq!(count("src/routing/step.rs", "use super::super::app;"), 1);
    assert_eq!(count("src/routing/step.rs", "use super::{super::app, State};"), 1);
    assert_eq!(count("src/routing/step.rs", "use crate::*;"), 1);
    assert_eq!(count("src/novel/part.rs", "use crate::domain::id;"), 1);
    assert_eq!(count("src/domain/id.rs", "use crate::domain::limits;"), 0);
    assert_eq!(impurities("x.rs", &tokens("use std::{fmt, fs};")).len(), 1);
    assert_eq!(impurities("x.rs", &tokens("tokio::spawn(f); println!(\"\");")).len(), 2);
    assert_eq!(impurities("x.rs", &tokens("use ::tokio::spawn;")).len(), 1);
    assert_eq!(impurities("x.rs", &tokens("use std::collections::BTreeMap; serde::x();")).len(), 0);
}

/// Returns what a file mentions that has effects or depends on more than its arguments.
fn impurities(file: &str, code: &[Token]) -> Vec<String> {
    let manifest: toml::Table = read("Cargo.toml").parse().expect("Cargo.toml is TOML");
    let dependencies = manifest["dependencies"].as_table().expect("there are dependencies");
    let crates: BTreeSet<_> = dependencies.keys().map(|name| name.replace('-', "_")).collect();
    let mut wrong = Vec::new();
    for path in paths(code) {
        let outside = crates.contains(&path[0]) && !PURE_CRATES.contains(&path[0].as_str());
        let impure_std = path[0] == "std"
            && path.get(1).is_some_and(|part| part == "*" || IMPURE_STD.contains(&part.as_str()));
        if outside || impure_std {
            wrong.push(format!("{file}: a pure module may not use {}", path.join("::")));
        }
    }
    for pair in code.windows(2) {
        if let [Token::Word(word), Token::Sign('!')] = pair
            && ["print", "println", "eprint", "eprintln"].contains(&word.as_str())
        {
            wrong.push(format!("{file}: a pure module may not print"));
        }
    }
    wrong
}

#[test]
fn the_pure_modules_know_neither_clock_nor_files_nor_network_nor_logs() {
    let of_pure = |file: &str| module_of(file).is_some_and(|module| PURE.contains(&module));
    let sources = program();
    let pure = sources.iter().filter(|(file, _)| of_pure(file));
    assert_none(pure.flat_map(|(file, code)| impurities(file, code)).collect());
}

/// Returns the named fields of every struct and enum, by type.
fn fields(code: &[Token]) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let (mut name, mut depth) = (None, 0);
    for window in code.windows(2) {
        match window {
            [Token::Word(kind), Token::Word(next)] if kind == "struct" || kind == "enum" => {
                (name, depth) = (Some(next.clone()), 0);
            }
            [Token::Sign('{'), _] => depth += 1,
            [Token::Sign('}'), _] => {
                depth -= 1;
                name = name.filter(|_| depth > 0);
            }
            [Token::Sign(';'), _] => name = name.filter(|_| depth > 0),
            [Token::Word(field), Token::Sign(':')] if depth > 0 => {
                if let Some(name) = &name {
                    found.entry(name.clone()).or_default().insert(field.clone());
                }
            }
            _ => {}
        }
    }
    found
}

#[test]
fn nothing_the_journal_holds_has_a_field_for_text_customer_or_segments() {
    // Payload is stored apart and erasable; TicketFacts is joined when measuring, never stored.
    let kept_apart = ["Payload", "TicketFacts"];
    let mut types = BTreeMap::new();
    for (file, code) in program().iter().filter(|(file, _)| module_of(file) == Some("domain")) {
        types.extend(fields(code));
        let journalled = file == "src/domain/event.rs";
        let mentions = |name: &&str| code.contains(&Token::Word((*name).to_owned()));
        assert!(!journalled || !kept_apart.iter().any(mentions), "{file}");
    }
    for name in ["Event", "Intake", "Plan", "Reading", "Decision", "Outcome", "Payload"] {
        assert!(types.contains_key(name), "{name} was not found: {:?}", types.keys());
    }
    assert_eq!(types["Payload"].len(), 4, "fields are found: {:?}", types["Payload"]);
    for (name, fields) in types.iter().filter(|(name, _)| !kept_apart.contains(&name.as_str())) {
        let private: Vec<_> =
            PRIVATE_FIELDS.into_iter().filter(|field| fields.contains(*field)).collect();
        assert!(private.is_empty(), "{name} has {private:?}");
    }
}

#[test]
fn routing_cannot_name_what_it_may_not_know() {
    for (file, code) in program().iter().filter(|(file, _)| module_of(file) == Some("routing")) {
        for unknown in ["Payload", "TicketFacts", "segments", "customer"] {
            assert!(!code.contains(&Token::Word(unknown.to_owned())), "{file} mentions {unknown}");
        }
    }
}

#[test]
fn configuration_takes_only_options_from_the_parts() {
    for (file, code) in program().iter().filter(|(file, _)| module_of(file) == Some("config")) {
        for path in paths(code).iter().filter(|path| path[0] == "crate" && path[1] != "domain") {
            let shown = path.join("::");
            let options = path.last().is_some_and(|name| name.ends_with("Options"));
            assert!(options || path[1] == "config", "{file}: {shown} is no Options type");
        }
    }
}
