//! Tests of errors: codes, details, and what callers never see.

use std::{collections::BTreeMap, fs, path::Path};

use super::*;
use crate::{
    domain::id::{AgentId, TicketId},
    store,
};

fn status(error: Error) -> Status {
    error.into()
}

/// The page of each reason, as a map from reason to the code it names.
fn pages() -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/errors");
    let mut pages = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if name != "README" {
            let text = fs::read_to_string(&path).unwrap();
            let code = text.lines().find_map(|line| line.strip_prefix("Code: ")).unwrap();
            pages.insert(name, code.to_owned());
        }
    }
    pages
}

/// One error of each reason that is built without the engine's help, and some of the engine's.
fn samples() -> Vec<Error> {
    let agent = || AgentId::new("ana").unwrap();
    let ticket = || TicketId::new("t-1").unwrap();
    let rejected = |rejection| Error::Engine(app::Error::Rejected(rejection));
    vec![
        Error::Invalid(Vec::new()),
        Error::Malformed,
        Error::MessageTooLarge,
        Error::MethodUnknown,
        Error::EncodingUnsupported,
        Error::ActorMissing,
        Error::DeadlineExceeded,
        Error::Busy { what: "ticket calls", max: 1 },
        Error::BulkTooLong,
        Error::TooManyStreams,
        Error::ClassifierFull { max: 1 },
        Error::Internal,
        Error::Engine(app::Error::DecisionUnknown(1)),
        Error::Engine(app::Error::PolicyUnknown(1)),
        Error::Engine(app::Error::IdempotencyKeyReused),
        Error::Engine(app::Error::PageTokenInvalid),
        Error::Engine(app::Error::TicketUnknown(ticket())),
        Error::Engine(app::Error::Full { queue: "a queue", max: 1 }),
        Error::Engine(app::Error::ModelUnavailable),
        Error::Engine(app::Error::Stopping),
        Error::Engine(app::Error::Moved),
        Error::Engine(app::Error::DiskFull),
        rejected(Rejection::AgentUnknown(agent())),
        rejected(Rejection::AgentHasAssignments { agent: agent(), count: 2 }),
        rejected(Rejection::VersionConflict { current: 2, expected: 1 }),
        rejected(Rejection::TicketNotOpen(ticket())),
        rejected(Rejection::TooMany { what: "agents", max: limits::AGENTS_MAX }),
        rejected(Rejection::TooMany { what: "open tickets", max: limits::OPEN_TICKETS_MAX }),
    ]
}

#[test]
fn every_page_names_the_code_its_reason_has() {
    let pages = pages();
    for error in samples() {
        let reason = error.reason();
        let code = format!("{:?}", status(error).code());
        let page = pages.get(reason).unwrap_or_else(|| panic!("no page for {reason}"));
        let same = page.replace('_', "").eq_ignore_ascii_case(&code);
        assert!(same, "{reason} is {code}, its page says {page}");
    }
}

#[test]
fn every_status_carries_its_reason_and_the_codes_that_end_carry_a_delay() {
    for error in samples() {
        let reason = error.reason();
        let status = status(error);
        let info = status.get_details_error_info().unwrap();
        assert_eq!((info.reason.as_str(), info.domain.as_str()), (reason, DOMAIN));
        let passes = matches!(status.code(), Code::ResourceExhausted | Code::Unavailable);
        assert_eq!(status.get_details_retry_info().is_some(), passes, "{reason}");
        assert_eq!(status.metadata().contains_key("grpc-retry-pushback-ms"), passes, "{reason}");
    }
}

#[test]
fn a_secret_in_a_cause_never_reaches_the_caller() {
    let source = std::io::Error::other("password=hunter2");
    let cause = store::Error::File { action: "open", path: "/data".into(), source };
    let error = Error::Engine(app::Error::Store(cause));
    assert!(error.cause().unwrap().contains("hunter2"), "the log has the cause");
    let status = status(error);
    let seen = format!("{status:?} {}", String::from_utf8_lossy(status.details()));
    assert!(!seen.contains("hunter2"), "{seen}");
    assert_eq!(status.code(), Code::Unavailable);
}

#[test]
fn every_violation_is_in_the_details_and_the_first_in_the_message() {
    let violation =
        |field: &str| Violation { field: field.to_owned(), message: "must be 1 to 5".to_owned() };
    let status = status(Error::Invalid(vec![violation("a"), violation("b"), violation("c")]));
    assert_eq!(status.message(), "a: must be 1 to 5 (and 2 more)");
    let bad = status.get_details_bad_request().unwrap();
    let fields: Vec<_> = bad.field_violations.iter().map(|v| v.field.as_str()).collect();
    assert_eq!(fields, ["a", "b", "c"]);
}

#[test]
fn identifiers_are_in_the_metadata_for_programs() {
    let conflict = Rejection::VersionConflict { current: 7, expected: 3 };
    let status = status(Error::Engine(app::Error::Rejected(conflict)));
    let metadata = status.get_details_error_info().unwrap().metadata;
    assert_eq!(metadata.get("current").map(String::as_str), Some("7"));
    assert_eq!(metadata.get("expected").map(String::as_str), Some("3"));
}
