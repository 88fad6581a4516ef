//! What holds with PostgreSQL alone: who is trusted, and who is refused.

use evenhand_postgres_test::{Cluster, shared};

use super::{conformance::postgres, *};

#[test]
fn a_server_that_may_lose_what_it_acknowledges_is_refused() {
    for (setting, name) in [
        ("fsync=off", "fsync"),
        ("full_page_writes=off", "full_page_writes"),
        ("synchronous_commit=off", "synchronous_commit"),
    ] {
        let Some(cluster) = Cluster::start(&[setting]) else { return };
        let error = Store::open(&postgres(&cluster, "unsafe")).err().unwrap();
        let expected = Error::UnsafeSetting { setting: name, value: "off" };
        assert_eq!(error.to_string(), expected.to_string());
    }
}

#[test]
fn servers_that_start_together_make_the_tables_once() {
    let Some(cluster) = shared() else { return };
    let location = postgres(cluster, "together");
    let start = || {
        let location = location.clone();
        std::thread::spawn(move || Store::open(&location).map(|_| ()))
    };
    let servers: Vec<_> = std::iter::repeat_with(start).take(8).collect();
    for server in servers {
        server.join().unwrap().unwrap();
    }
}

#[test]
fn a_database_of_a_newer_program_is_refused() {
    let Some(cluster) = shared() else { return };
    let location = postgres(cluster, "newer");
    drop(Store::open(&location).unwrap());
    cluster.sql("newer", "UPDATE evenhand_schema SET version = 99").unwrap();
    let error = Store::open(&location).err().unwrap();
    assert!(matches!(error, Error::Newer { found: 99, known: 1, .. }), "{error}");
}

#[test]
fn a_refusal_tells_no_value() {
    let Some(cluster) = shared() else { return };
    let mut store = Store::open(&postgres(cluster, "silent")).unwrap();
    let mut batch = first_batch();
    add_ticket(&mut batch, 1, "secret", "secret");
    store.commit(&batch).unwrap();
    let error = store.commit(&batch).unwrap_err();
    assert_eq!(error.to_string(), "postgres: SQLSTATE 23505 workspace_pkey");
    assert!(!format!("{error:?}").contains("secret"));
    assert!(!error.is_fatal() && !error.is_unknown(), "{error:?}");
}

#[test]
fn a_url_that_cannot_be_used_is_explained_without_its_password() {
    for (url, why) in [
        ("postgres://ana:hush@host:no/db", "`port`"),
        ("postgres://ana:hush@/db", "the host is missing"),
        ("postgres://ana:hush@host", "the name of the database is missing"),
    ] {
        let error = PostgresOptions::new(url, None).err().unwrap().to_string();
        assert!(!error.contains("hush"), "{error}");
        assert!(error.contains(why), "{error}");
    }
    let shown = PostgresOptions::new("postgres://ana:hush@db.example:5433/desk", None).unwrap();
    assert_eq!(shown.to_string(), "postgres db.example/desk");
    assert!(!format!("{shown:?}").contains("hush"));
}

#[test]
fn a_server_elsewhere_is_asked_for_tls_unless_the_url_says_otherwise() {
    let mode = |url: &str| format!("{:?}", PostgresOptions::new(url, None).unwrap().ssl_mode());
    assert_eq!(mode("postgres://ana@db.example/desk"), "Require");
    assert_eq!(mode("postgres://ana@db.example/desk?sslmode=disable"), "Disable");
    assert_eq!(mode("postgres://ana@127.0.0.1/desk"), "Prefer");
}
