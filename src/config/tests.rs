//! Tests of the configuration: what is wrong is said at once, with its place.

use std::path::PathBuf;

use super::*;

fn written(text: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("evenhand.toml");
    std::fs::write(&file, text).unwrap();
    (dir, file)
}

fn load_text(text: &str) -> Result<Config, Error> {
    let (_dir, file) = written(text);
    load(Some(&file), &Overrides::default())
}

fn problems(text: &str) -> Vec<(String, String)> {
    match load_text(text) {
        Err(Error::Problems(problems)) => {
            problems.into_iter().map(|p| (p.key, p.allowed)).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn without_a_file_everything_has_a_default() {
    let config = load(None, &Overrides::default()).unwrap();
    assert_eq!(config.server, ServerOptions::default());
    assert_eq!(config.store.to_string(), "./evenhand-data");
    assert_eq!(config.model, ModelChoice::Auto);
}

#[test]
fn a_file_is_read_and_the_command_line_wins() {
    let (_dir, file) = written(
        "[server]\nlisten = \"127.0.0.1:7000\"\nshutdown_grace_secs = 3\nadmin = false\n\
         [store]\ndata_dir = \"/var/lib/evenhand\"\n[classifier]\nmodel = \"models/mine\"\n\
         [log]\nformat = \"json\"\nfilter = \"evenhand=debug,warn\"\n",
    );
    let listen: SocketAddr = "127.0.0.1:7001".parse().unwrap();
    let overrides = Overrides { data_dir: None, listen: Some(listen) };
    let config = load(Some(&file), &overrides).unwrap();
    assert_eq!(config.server.listen, listen);
    assert_eq!(config.server.admin_listen, None);
    assert_eq!(config.server.shutdown_grace_secs, 3);
    assert_eq!(config.store.to_string(), "/var/lib/evenhand");
    assert_eq!(config.model, ModelChoice::Directory("models/mine".into()));
    assert!(config.log.json);
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let found = problems(
        "[server]\nlisten = \"0.0.0.0:50051\"\nshutdown_grace_secs = 0\nticket_calls_max = \"many\"\n\
         shutdown_grace = 3\n[log]\nformat = \"xml\"\nfilter = \"a=b=c\"\n[classifer]\nmodel = \"x\"\n",
    );
    let keys: Vec<&str> = found.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(
        keys,
        [
            "server.listen",
            "server.ticket_calls_max",
            "server.shutdown_grace_secs",
            "log.format",
            "log.filter",
            "classifer.model",
            "server.shutdown_grace",
        ]
    );
    assert_eq!(found[2].1, "must be a whole number from 1 to 3600");
    assert_eq!(found[3].1, "must be text or json");
}

#[test]
fn a_problem_names_file_value_and_what_is_allowed() {
    let (_dir, file) = written("[measures]\ninterval_secs = 100000\n");
    let error = load(Some(&file), &Overrides::default()).unwrap_err().to_string();
    assert!(error.starts_with("measures.interval_secs = 100000 ("), "{error}");
    assert!(error.contains("evenhand.toml"), "{error}");
    assert!(error.ends_with("must be a whole number from 1 to 86400"), "{error}");
}

#[test]
fn events_go_nowhere_unless_the_program_can_publish_and_is_told_where() {
    assert_eq!(load_text("[events]\nstream = \"DESK\"\n").unwrap().events, None);
    let text = "[events]\nnats_url = \"nats://ana:hush@127.0.0.1:4222\"\nstream = \"DESK\"\n";
    match load_text(text) {
        Ok(config) => {
            assert!(EventOptions::is_available());
            assert_eq!(config.events.unwrap().stream, "DESK");
        }
        Err(error) => {
            assert!(!EventOptions::is_available(), "{error}");
            let error = error.to_string();
            assert!(error.starts_with("events.nats_url = (hidden)"), "{error}");
            assert!(error.contains("--features nats") && !error.contains("hush"), "{error}");
        }
    }
}

#[test]
fn events_are_refused_with_what_is_wrong() {
    let found = problems(
        "[events]\nnats_url = \"http://ana:hush@a\"\nsubject_prefix = \"a.>\"\nstream = \"a b\"\n\
         source = \"a b\"\nduplicate_window_secs = 1\n",
    );
    let keys: Vec<&str> = found.iter().map(|(key, _)| key.as_str()).collect();
    let others = ["subject_prefix", "stream", "source", "duplicate_window_secs", "nats_url"];
    assert_eq!(keys, others.map(|key| format!("events.{key}")));
    assert_eq!(found[1].1, "must be of a-z A-Z 0-9 _ -");
}

/// 32 bytes.
const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

#[test]
fn webhooks_go_nowhere_unless_told_where() {
    assert_eq!(load_text("[webhooks]\ntypes = \"*\"\n").unwrap().webhooks, None);
    assert_eq!(load_text("[webhooks]\nurl = \"none\"\n").unwrap().webhooks, None);
    let text = format!(
        "[webhooks]\nurl = \"https://ana:hush@desk.example/hook?key=hush\"\nname = \"crm\"\n\
         secret = \"whsec_{KEY}\"\nprevious_secret = \"whsec_{KEY}\"\nca_file = \"/etc/ca.pem\"\n\
         types = [\"ticket_queued\", \"assignment_completed\"]\ntimeout_secs = 3\n\
         [events]\nsource = \"/desk\"\n"
    );
    let config = load_text(&text).unwrap();
    let shown = format!("{config:?}");
    assert!(!shown.contains("hush") && !shown.contains(KEY), "{shown}");
    assert_eq!(config.events, None, "the source alone sends nothing to NATS");
    let options = config.webhooks.unwrap();
    assert_eq!(options.secret, format!("whsec_{KEY}"));
    assert_eq!(options.previous_secret.as_deref(), Some(options.secret.as_str()));
    assert_eq!(options.types, ["assignment_completed", "ticket_queued"].map(str::to_owned).into());
    assert_eq!((options.name.as_str(), options.timeout_secs), ("crm", 3));
    assert_eq!((options.source.as_str(), options.allow_http), ("/desk", false));
    assert_eq!(options.ca_file, Some("/etc/ca.pem".into()));
}

#[test]
fn types_of_events_may_stand_in_one_text_as_the_environment_has_them() {
    let text = format!(
        "[webhooks]\nurl = \"http://localhost:8080\"\nsecret = \"whsec_{KEY}\"\n\
         types = \"offer_made, offer_declined\"\n"
    );
    let options = load_text(&text).unwrap().webhooks.unwrap();
    assert_eq!(options.types, ["offer_declined", "offer_made"].map(str::to_owned).into());
}

#[test]
fn webhooks_are_refused_with_what_is_wrong_and_never_with_a_secret() {
    let text = "[webhooks]\nurl = \"http://ana:hush@desk.example/hush\"\nsecret = \"whsec_hush\"\n\
         previous_secret = [\"hush\"]\nname = \"a b\"\ntypes = [\"offer_mode\"]\ntimeout_secs = 61\n\
         old_secret = \"hush\"\n";
    let error = load_text(text).unwrap_err();
    assert!(!error.to_string().contains("hush"), "{error}");
    let Error::Problems(found) = error else { panic!("{error}") };
    let keys: Vec<&str> = found.iter().map(|problem| problem.key.as_str()).collect();
    let wrong = ["previous_secret", "name", "types", "timeout_secs", "secret", "url", "old_secret"];
    assert_eq!(keys, wrong.map(|key| format!("webhooks.{key}")));
    assert!(found[2].allowed.contains("`offer_mode`") && found[2].allowed.contains("offer_made"));
    assert!(found[5].allowed.contains("webhooks.allow_http"), "{}", found[5].allowed);
    let unsigned = problems("[webhooks]\nurl = \"https://desk.example/\"\n");
    assert_eq!(unsigned[0].0, "webhooks.url");
    assert!(unsigned[0].1.starts_with("needs webhooks.secret"), "{}", unsigned[0].1);
    let error = load_text("[events]\nnats_password = \"hush\"\n").unwrap_err().to_string();
    assert!(error.starts_with("events.nats_password = (hidden)"), "{error}");
}

#[test]
fn a_file_that_is_no_toml_is_shown_with_its_line() {
    let error = load_text("[server]\nlisten = 127\n.0.0.1\n").unwrap_err().to_string();
    assert!(error.contains("line 3"), "{error}");
    for secret in
        ["secret = whsec_hush", "secret = \"whsec_hush", "url = https://ana:hush@a", "url = 'hush"]
    {
        let text = format!("[webhooks]\nname = \"crm\"\n{secret}\n[log]\n");
        let error = load_text(&text).unwrap_err().to_string();
        assert!(error.contains("line 3") && !error.contains("hush"), "{error}");
    }
    let missing = load(Some(Path::new("/nowhere/at/all.toml")), &Overrides::default());
    assert!(missing.unwrap_err().to_string().contains("/nowhere/at/all.toml"));
}

#[test]
fn the_command_line_may_not_open_the_door_either() {
    let overrides = Overrides { listen: Some("0.0.0.0:1".parse().unwrap()), data_dir: None };
    let error = load(None, &overrides).unwrap_err().to_string();
    assert!(
        error.starts_with("--listen = 0.0.0.0:1 (command line): must be a loopback"),
        "{error}"
    );
}
