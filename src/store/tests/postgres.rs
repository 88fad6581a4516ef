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
    assert!(matches!(error, Error::Newer { found: 99, known: 3, .. }), "{error}");
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

/// Makes a certificate for a name, signed by an authority of its own; returns the authority's certificate, the
/// server's, and its key, in PEM.
fn certificate(name: &str) -> [String; 3] {
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let signed = authority.self_signed(&authority_key).unwrap();
    let issuer = rcgen::Issuer::new(authority, authority_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let server = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    let server = server.signed_by(&key, &issuer).unwrap();
    [signed.pem(), server.pem(), key.serialize_pem()]
}

#[test]
fn with_tls_certificate_and_name_are_checked() {
    let [authority, server, key] = certificate("localhost");
    let settings = ["ssl=on", "ssl_cert_file=server.crt", "ssl_key_file=server.key"];
    let files = [("server.crt", server.as_str()), ("server.key", key.as_str())];
    let Some(cluster) = Cluster::start_with(&settings, &files) else { return };
    drop(cluster.database("tls"));
    let folder = tempfile::tempdir().unwrap();
    let open = |host: &str, trusted: &str| {
        let file = folder.path().join("ca.pem");
        std::fs::write(&file, trusted).unwrap();
        let url = format!("postgres://evenhand@{host}:{}/tls?sslmode=require", cluster.port());
        let options = PostgresOptions::new(&url, Some(file)).unwrap();
        Store::open(&StoreOptions::Postgres(Box::new(options))).map(|_| ())
    };
    open("localhost", &authority).unwrap();
    let shown = cluster.sql("tls", "SELECT count(*) FROM evenhand_schema").unwrap();
    assert_eq!(shown.trim(), "1");
    let [stranger, ..] = certificate("localhost");
    for (host, trusted) in [("localhost", &stranger), ("127.0.0.1", &authority)] {
        let error = open(host, trusted).unwrap_err();
        assert!(matches!(error, Error::Postgres(_)), "{error}");
    }
    let error = open("localhost", "no certificate").unwrap_err();
    assert!(matches!(error, Error::Certificates { .. } | Error::Postgres(_)), "{error}");
}

#[test]
fn a_commit_after_a_take_over_fails_and_one_under_way_is_waited_for() {
    let Some(cluster) = shared() else { return };
    let options = postgres(cluster, "fenced");
    let mut store = Store::open(&options).unwrap();
    let replica = |name: &str| Replica {
        id: ReplicaId(name.to_owned()),
        address: String::new(),
        reads: false,
        draining: false,
    };
    let partition = Partition::of(&workspace());
    let old = Membership::join(&options, replica("old")).unwrap();
    let lease = old.take(partition, None).unwrap().unwrap();
    store.hold(&ReplicaId("old".to_owned()), lease);
    let mut batch = first_batch();
    add_ticket(&mut batch, 1, "T-1", "");
    store.commit(&batch).unwrap();
    // It never said that it is there, so it counts as gone.
    let mut new = Membership::join(&options, replica("new")).unwrap();
    new.beat(false).unwrap();
    let held = "BEGIN; SELECT epoch FROM lease FOR SHARE; SELECT pg_sleep(0.5); COMMIT";
    let newer = std::thread::scope(|scope| {
        scope.spawn(|| cluster.sql("fenced", held).unwrap());
        std::thread::sleep(std::time::Duration::from_millis(150));
        let began = tokio::time::Instant::now();
        let newer = new.take(partition, Some(&ReplicaId("old".to_owned()))).unwrap().unwrap();
        assert!(began.elapsed().as_millis() >= 150, "it waits for what relies on the old lease");
        newer
    });
    assert_eq!(newer.epoch, lease.epoch + 1);
    let mut late = Batch::default();
    add_ticket(&mut late, 2, "T-2", "");
    let error = store.commit(&late).unwrap_err();
    assert!(matches!(error, Error::LeaseLost { partition: lost } if lost == partition), "{error}");
    let mut cursor = Batch::default();
    cursor.cursors.insert((workspace(), "nats/A".to_owned()), 1);
    let error = store.commit(&cursor).unwrap_err();
    assert!(matches!(error, Error::LeaseLost { .. }), "a cursor is fenced too: {error}");
    assert_eq!(replayed(&store).unwrap().len(), 1);
    let recovered = store.recover(&late).unwrap();
    assert_eq!(recovered, Recovered { durable: true, lost: vec![partition] });
    // The holder is there: nobody takes anything from it, but it may take up anew what it lost hold of.
    let third = Membership::join(&options, replica("third")).unwrap();
    let from = ReplicaId("new".to_owned());
    assert_eq!(third.take(partition, Some(&from)).unwrap(), None);
    assert!(new.take(partition, Some(&from)).unwrap().is_some());
}

#[test]
fn after_a_lost_connection_the_store_tells_what_became_durable() {
    let Some(cluster) = shared() else { return };
    let mut store = Store::open(&postgres(cluster, "lost")).unwrap();
    let mut batch = first_batch();
    add_ticket(&mut batch, 1, "T-1", "");
    store.commit(&batch).unwrap();
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = 'lost' AND pid <> pg_backend_pid()";
    cluster.sql("lost", end).unwrap();
    let mut next = Batch::default();
    add_ticket(&mut next, 2, "T-2", "");
    let error = store.commit(&next).unwrap_err();
    assert!(error.is_lost(), "{error}");
    assert_eq!(store.recover(&next).unwrap(), Recovered { durable: false, lost: Vec::new() });
    store.commit(&next).unwrap();
    assert!(store.recover(&next).unwrap().durable);
    assert_eq!(replayed(&store).unwrap().len(), 2);
}
