//! With a real receiver: everything that is wanted arrives, signed and in order, whatever the receiver does.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use tempfile::TempDir;
use tokio::{task::JoinHandle, time::Instant};
use tokio_rustls::{TlsAcceptor, rustls};

use super::{
    receiver::{Act, OTHER, Receiver, SECRET, TAKE, signature},
    workspace,
    world::{PRIVATE, assert_once_and_in_order, engine, found, settled, submit},
};
use crate::{
    app::{Handle, Owner, PostgresOptions, StoreOptions},
    clock::{Clock, SystemClock},
    domain::id::WorkspaceId,
    events::{CloudEvent, Receipt, Sink, SinkError, WebhookOptions, post, webhook::Webhook},
};

const SINK: &str = "webhook/default";

async fn start(folder: &TempDir) -> Handle {
    engine(&StoreOptions::Folder(folder.path().to_owned())).await
}

/// Starts to post, and waits until the webhook has begun.
async fn begin(handle: &Handle, options: WebhookOptions) -> JoinHandle<()> {
    let since = format!("webhook/{}#since", options.name);
    let running = tokio::spawn(post(handle.clone(), options));
    while handle.cursors(&since).await.unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // Entries of this millisecond are new.
    tokio::time::sleep(Duration::from_millis(5)).await;
    running
}

/// Waits until nothing happens any more; returns the newest entries.
async fn quiet(handle: &Handle) -> BTreeMap<WorkspaceId, u64> {
    loop {
        let before = handle.newest();
        tokio::time::sleep(Duration::from_millis(500)).await;
        if handle.newest() == before {
            return before;
        }
    }
}

async fn finish(handle: Handle, running: JoinHandle<()>) {
    handle.stop().await;
    tokio::time::timeout(Duration::from_secs(5), running).await.expect("it ends").unwrap();
}

/// Returns the newest entries of the workspaces that a test has made.
async fn posted(handle: &Handle) -> BTreeMap<WorkspaceId, u64> {
    let mut newest = settled(handle, SINK).await;
    newest.remove(&workspace("default"));
    newest
}

/// Identifiers but those of the workspace that is always there.
fn made(ids: Vec<String>) -> Vec<String> {
    ids.into_iter().filter(|id| !id.starts_with("default/")).collect()
}

fn event(id: &str) -> CloudEvent {
    let body = format!(r#"{{"id":"{id}","data":"a-word-of-the-event"}}"#);
    CloudEvent { id: id.to_owned(), path: ["a", "b", "c"].map(str::to_owned), body }
}

/// Delivers one event without an engine.
async fn deliver(options: WebhookOptions) -> Result<Receipt, SinkError> {
    let sink = Webhook::new(options, Arc::new(SystemClock));
    sink.prepare().await?;
    sink.deliver(event("acme.de/7")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_new_is_posted_once_in_order_signed_and_without_anything_private() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start().await;
    let handle = start(&folder).await;
    let running = begin(&handle, receiver.options()).await;
    for name in ["acme", "b.c"] {
        found(&handle, &workspace(name)).await;
        submit(&handle, &workspace(name), 8).await;
    }
    let newest = posted(&handle).await;
    assert_eq!(newest.len(), 2);
    let (ids, again) = receiver.ids();
    assert_once_and_in_order(&made(ids), &newest);
    assert_eq!((again, receiver.held.lock().unwrap().forged), (0, 0));
    let (mut names, taken) = (BTreeSet::new(), receiver.taken());
    for got in &taken {
        let id = format!("/evenhand/{}", got.id().replace('.', "%2E"));
        assert_eq!(got.headers["webhook-id"], id);
        assert_eq!(got.headers["content-type"], "application/cloudevents+json");
        assert_eq!(got.headers["host"], receiver.address.to_string());
        assert!(got.headers["user-agent"].starts_with("evenhand/"));
        assert_eq!(got.target, "/hook?a=b");
        let body = got.event.to_string();
        assert!(PRIVATE.iter().all(|private| !body.contains(private)), "{body}");
        names.insert(got.event["type"].as_str().unwrap().to_owned());
    }
    for name in ["workspace_set", "agent_set", "ticket_received", "ticket_read", "offer_made"] {
        assert!(names.contains(&format!("evenhand.v1.{name}")), "{name} is not among {names:?}");
    }
    let connections = receiver.held.lock().unwrap().connections;
    assert!(connections <= 32 && taken.len() > 2 * connections, "{connections} connections");
    finish(handle, running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_webhook_gets_what_is_new_and_another_start_goes_on_there() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start().await;
    let handle = start(&folder).await;
    let space = workspace("acme");
    found(&handle, &space).await;
    submit(&handle, &space, 5).await;
    let before = quiet(&handle).await[&space];
    let running = begin(&handle, receiver.options()).await;
    settled(&handle, SINK).await;
    assert_eq!(receiver.requests(), 0, "nothing of the time before");
    submit(&handle, &space, 2).await;
    settled(&handle, SINK).await;
    finish(handle, running).await;
    let handle = start(&folder).await;
    submit(&handle, &space, 2).await;
    let running = begin(&handle, receiver.options()).await;
    let newest = posted(&handle).await;
    let (ids, again) = receiver.ids();
    let expected: Vec<String> =
        (before + 1..=newest[&space]).map(|n| format!("acme/{n}")).collect();
    assert_eq!((made(ids), again), (expected, 0));
    // Another name is another webhook, and starts anew.
    let requests = receiver.requests();
    let other = WebhookOptions { name: "other".to_owned(), ..receiver.options() };
    let second = begin(&handle, other).await;
    settled(&handle, "webhook/other").await;
    assert_eq!(receiver.requests(), requests);
    finish(handle, running).await;
    second.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn workspaces_without_a_cursor_get_what_came_after_the_webhook_had_begun() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start().await;
    let handle = start(&folder).await;
    let [old, both, new] = ["old", "both", "new"].map(workspace);
    for space in [&old, &both] {
        found(&handle, space).await;
        submit(&handle, space, 7).await;
    }
    let before = quiet(&handle).await;
    // As a program leaves it that ends between beginning and the first cursors.
    let now = u64::try_from(SystemClock.now().0).unwrap();
    let since = BTreeMap::from([(old.clone(), now)]);
    handle.keep_cursors("webhook/default#since", since).await.unwrap();
    found(&handle, &new).await;
    for space in [&both, &new] {
        submit(&handle, space, 3).await;
    }
    let running = begin(&handle, receiver.options()).await;
    let newest = posted(&handle).await;
    let (ids, _) = receiver.ids();
    for (space, after) in [(&old, before[&old]), (&both, before[&both]), (&new, 0)] {
        let start = format!("{space}/");
        let of_space = ids.iter().filter(|id| id.starts_with(&start)).cloned();
        let expected = (after + 1..=newest[space]).map(|n| format!("{space}/{n}"));
        assert_eq!(of_space.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    }
    assert!(newest[&both] > before[&both]);
    finish(handle, running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_while_the_receiver_is_down_arrives_even_after_another_start() {
    let folder = tempfile::tempdir().unwrap();
    let mut receiver = Receiver::start().await;
    receiver.die().await;
    let handle = start(&folder).await;
    let running = begin(&handle, receiver.options()).await;
    // Made when nothing can be delivered, and so without a cursor when the program ends.
    found(&handle, &workspace("acme")).await;
    submit(&handle, &workspace("acme"), 5).await;
    running.abort();
    handle.stop().await;
    let handle = start(&folder).await;
    assert!(!handle.cursors(SINK).await.unwrap().contains_key(&workspace("acme")));
    found(&handle, &workspace("b")).await;
    let running = begin(&handle, receiver.options()).await;
    submit(&handle, &workspace("b"), 5).await;
    receiver.listen().await;
    submit(&handle, &workspace("acme"), 1).await;
    let newest = posted(&handle).await;
    assert_eq!(newest.len(), 2);
    assert_once_and_in_order(&made(receiver.ids().0), &newest);
    finish(handle, running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_fails_in_every_way_gets_everything_in_order_in_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let mut receiver = Receiver::start().await;
    let acts = [
        Act::Answer(500, "", "no"),
        TAKE,
        Act::Answer(429, "retry-after: 1\r\n", ""),
        Act::TakeAndBreak,
        Act::Hang,
        Act::Answer(404, "", ""),
        Act::TakeAndBreak,
        Act::Drip,
        Act::Answer(302, "location: /other\r\n", ""),
        TAKE,
        Act::Flood,
        Act::Answer(422, "", ""),
        Act::Answer(503, "", ""),
        Act::Endless,
        Act::NoBody,
        Act::Answer(200, "", "thanks"),
    ];
    let count = acts.len();
    receiver.next(acts);
    let handle = start(&folder).await;
    let running = begin(&handle, receiver.options()).await;
    for name in ["acme", "b"] {
        found(&handle, &workspace(name)).await;
        submit(&handle, &workspace(name), 4).await;
    }
    receiver.requested(count + 3).await;
    receiver.die().await;
    submit(&handle, &workspace("acme"), 4).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    receiver.listen().await;
    let newest = posted(&handle).await;
    let (ids, again) = receiver.ids();
    assert_once_and_in_order(&made(ids), &newest);
    assert!((2..=4).contains(&again), "came again: what was taken without a word, {again}");
    assert!(
        receiver.taken().iter().all(|got| got.target == "/hook?a=b"),
        "no redirect is followed"
    );
    finish(handle, running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_refused_holds_up_its_workspace_only_and_is_not_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start().await;
    let handle = start(&folder).await;
    let running = begin(&handle, receiver.options()).await;
    receiver.always(Act::AnswerIf(400, r#""id":"acme/5""#.to_owned()));
    for name in ["acme", "b"] {
        found(&handle, &workspace(name)).await;
        submit(&handle, &workspace(name), 4).await;
    }
    // However busy others are, the refused one is not tried more often.
    for _ in 0..100 {
        submit(&handle, &workspace("b"), 1).await;
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
    let refused = receiver.held.lock().unwrap().refused;
    assert!((2..=9).contains(&refused), "refused {refused} times in 4 s");
    let wanted = |handle: &Handle| handle.newest()[&workspace("b")];
    let wait = async {
        while handle.cursors(SINK).await.unwrap().get(&workspace("b")) != Some(&wanted(&handle)) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), wait).await.expect("b need not wait");
    let of_acme = || made(receiver.ids().0).into_iter().filter(|id| id.starts_with("acme/"));
    assert_eq!(of_acme().collect::<Vec<_>>(), ["acme/1", "acme/2", "acme/3", "acme/4"]);
    let requests = receiver.requests();
    receiver.requested(requests + 2).await;
    receiver.always(TAKE);
    let newest = posted(&handle).await;
    let (ids, again) = receiver.ids();
    assert_once_and_in_order(&made(ids), &newest);
    assert_eq!(again, 0);
    finish(handle, running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_asks_for_time_is_left_alone_as_long() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start().await;
    let handle = start(&folder).await;
    let running = begin(&handle, receiver.options()).await;
    receiver.next([Act::Answer(503, "retry-after: 2\r\n", "")]);
    found(&handle, &workspace("acme")).await;
    receiver.requested(1).await;
    let asked = Instant::now();
    receiver.requested(2).await;
    let waited = asked.elapsed();
    assert!((1_900..5_000).contains(&waited.as_millis()), "{waited:?}");
    // Gone for good, it says: left alone for minutes, and everything stays in the journal.
    posted(&handle).await;
    receiver.always(Act::Answer(410, "", ""));
    let requests = receiver.requests();
    submit(&handle, &workspace("acme"), 1).await;
    receiver.requested(requests + 1).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let gone = receiver.requests();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(receiver.requests(), gone);
    receiver.always(TAKE);
    finish(handle, running).await;
    // Another start asks again.
    let handle = start(&folder).await;
    let running = begin(&handle, receiver.options()).await;
    let newest = posted(&handle).await;
    assert_once_and_in_order(&made(receiver.ids().0), &newest);
    finish(handle, running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn types_that_are_not_wanted_are_passed_over_without_a_request() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start().await;
    let handle = start(&folder).await;
    let types = ["ticket_received", "offer_made"].map(str::to_owned).into();
    let running = begin(&handle, WebhookOptions { types, ..receiver.options() }).await;
    found(&handle, &workspace("acme")).await;
    submit(&handle, &workspace("acme"), 4).await;
    let newest = posted(&handle).await;
    assert!(newest[&workspace("acme")] > 12);
    let sent = || -> Vec<String> {
        let name = |got: &super::receiver::Got| got.event["type"].as_str().unwrap().to_owned();
        receiver.taken().iter().map(name).collect()
    };
    let wanted = ["evenhand.v1.ticket_received", "evenhand.v1.offer_made"];
    assert!(sent().iter().all(|name| wanted.contains(&name.as_str())), "{:?}", sent());
    assert_eq!(sent().iter().filter(|name| *name == wanted[0]).count(), 4);
    assert_eq!((receiver.requests(), receiver.ids().1), (sent().len(), 0));
    finish(handle, running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_secret_is_changed_receivers_with_either_take_events() {
    let folder = tempfile::tempdir().unwrap();
    let old = Receiver::with(OTHER, None).await;
    let handle = start(&folder).await;
    // Whoever knows another secret only refuses everything, and nothing is lost.
    let running = begin(&handle, old.options()).await;
    found(&handle, &workspace("acme")).await;
    old.requested(2).await;
    assert!(old.taken().is_empty());
    finish(handle, running).await;
    let both = WebhookOptions { previous_secret: Some(OTHER.to_owned()), ..old.options() };
    let handle = start(&folder).await;
    let running = begin(&handle, both.clone()).await;
    let newest = posted(&handle).await;
    assert_once_and_in_order(&made(old.ids().0), &newest);
    let new = Receiver::start().await;
    let both = WebhookOptions { url: new.options().url, ..both };
    assert_eq!(deliver(both).await, Ok(Receipt::New));
    let got = new.taken().remove(0);
    let signatures = got.headers["webhook-signature"].split(' ').count();
    assert_eq!((signatures, got.headers["webhook-id"].as_str()), (2, "/evenhand/acme%2Ede/7"));
    finish(handle, running).await;
}

/// Returns the server that has a workspace.
async fn leader(servers: &[Handle], space: &WorkspaceId) -> Handle {
    loop {
        for server in servers {
            if matches!(server.owner(space).await, Ok(Owner::Here)) {
                return server.clone();
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_share_a_database_begin_at_one_time_and_take_over() {
    let cluster = tokio::task::spawn_blocking(evenhand_postgres_test::shared).await.unwrap();
    let Some(cluster) = cluster else { return };
    let options = PostgresOptions::new(&cluster.database("webhooks"), None).unwrap();
    let store = StoreOptions::Postgres(Box::new(options));
    let servers = [engine(&store).await, engine(&store).await];
    // The second one takes its share within a few beats.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let [first, second] = &servers;
    let spaces: Vec<WorkspaceId> = (0..8).map(|n| workspace(&format!("space-{n}"))).collect();
    for space in &spaces {
        let leader = leader(&servers, space).await;
        found(&leader, space).await;
        submit(&leader, space, 2).await;
    }
    let mut before = quiet(first).await;
    before.extend(quiet(second).await);
    assert!(!first.newest().is_empty() && !second.newest().is_empty(), "both have some");
    let receiver = Receiver::start().await;
    begin(first, receiver.options()).await;
    // What the second one's workspaces do before it begins is new, too.
    for space in &spaces {
        submit(&leader(&servers, space).await, space, 2).await;
    }
    begin(second, receiver.options()).await;
    first.leave().await;
    first.stop().await;
    for space in &spaces {
        submit(&leader(&servers[1..], space).await, space, 2).await;
    }
    let newest = settled(second, SINK).await;
    let (ids, _) = receiver.ids();
    for space in &spaces {
        let start = format!("{space}/");
        let of_space: Vec<&String> = ids.iter().filter(|id| id.starts_with(&start)).collect();
        let expected = before[space] + 1..=newest[space];
        assert_eq!(
            of_space,
            expected.map(|n| format!("{space}/{n}")).collect::<Vec<_>>().iter().collect::<Vec<_>>()
        );
    }
    second.stop().await;
}

/// A certificate for a name, made by an authority of its own; also returns the authority's, in PEM.
fn certified(name: &str) -> (TlsAcceptor, String) {
    let mut authority = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let authority_pem = authority.self_signed(&authority_key).unwrap().pem();
    let issuer = rcgen::Issuer::new(authority, authority_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), authority_pem)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_is_trusted_by_its_certificate_only() {
    let folder = tempfile::tempdir().unwrap();
    let (tls, authority) = certified("localhost");
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, authority).unwrap();
    let receiver = Receiver::with(SECRET, Some(tls)).await;
    let url = |host: &str| format!("https://{host}:{}/hook", receiver.address.port());
    let options =
        WebhookOptions { url: url("localhost"), ca_file: Some(file.clone()), ..receiver.options() };
    assert_eq!(deliver(options.clone()).await, Ok(Receipt::New));
    assert_eq!(receiver.taken().len(), 1);
    let connections = receiver.held.lock().unwrap().connections;
    for wrong in [
        WebhookOptions { ca_file: None, ..options.clone() },
        WebhookOptions { url: url("127.0.0.1"), ..options.clone() },
    ] {
        let error = deliver(wrong).await.unwrap_err();
        assert_eq!(error.reason(), "unfit", "{error}");
        assert!(error.to_string().contains("certificate"), "{error}");
    }
    assert_eq!(receiver.held.lock().unwrap().connections, connections + 2, "both were asked");
    let missing = folder.path().join("none.pem");
    let error = deliver(WebhookOptions { ca_file: Some(missing), ..options.clone() }).await;
    assert!(error.unwrap_err().to_string().contains("webhooks.ca_file"));
    // A server without TLS, and one with it that is asked without.
    let plain = Receiver::start().await;
    let mixed = format!("https://localhost:{}/", plain.address.port());
    let error = deliver(WebhookOptions { url: mixed, ..options.clone() }).await.unwrap_err();
    assert_eq!(error.reason(), "down", "{error}");
    let mixed = format!("http://localhost:{}/", receiver.address.port());
    let error = deliver(WebhookOptions { url: mixed, ..options }).await.unwrap_err();
    assert_eq!(error.reason(), "down", "{error}");
    assert_eq!((receiver.taken().len(), plain.requests()), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_receiver_can_hold_a_delivery_for_longer_than_the_timeout() {
    for (act, expected) in [
        (Act::Hang, Err("silent")),
        (Act::Drip, Err("silent")),
        (Act::Flood, Err("down")),
        (Act::Answer(101, "", ""), Err("unfit")),
        (Act::TakeAndBreak, Err("down")),
        (Act::Endless, Ok(())),
        (Act::NoBody, Ok(())),
    ] {
        let receiver = Receiver::start().await;
        receiver.always(act.clone());
        let began = Instant::now();
        let result = deliver(receiver.options()).await;
        assert!(began.elapsed() < Duration::from_millis(2_500), "{act:?}: {:?}", began.elapsed());
        let flooded = receiver.held.lock().unwrap().flooded;
        assert!(flooded < 32 << 20, "what does not fit into buffers is not read: {flooded}");
        assert_eq!(result.as_ref().map(drop).map_err(SinkError::reason), expected, "{act:?}");
    }
    // One that never answers the greeting of TLS.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let receiver = Receiver::start().await;
    let began = Instant::now();
    let error = deliver(WebhookOptions { url, ..receiver.options() }).await.unwrap_err();
    assert!(
        began.elapsed() < Duration::from_millis(2_500) && error == SinkError::Silent(1),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_hold_neither_the_event_nor_what_is_secret() {
    let mut receiver = Receiver::start().await;
    let url = format!("http://ana:hush@{}/hidden?key=private", receiver.address);
    let options = WebhookOptions { url, ..receiver.options() };
    assert_eq!(deliver(options.clone()).await, Ok(Receipt::New));
    let got = receiver.taken().remove(0);
    assert_eq!(got.headers["authorization"], "Basic YW5hOmh1c2g=");
    assert_eq!(
        (got.target.as_str(), got.headers["host"].clone()),
        ("/hidden?key=private", receiver.address.to_string())
    );
    let mut said = Vec::new();
    let answer = |status| {
        Act::Answer(status, "x-note: a-word-of-the-receiver\r\n", "a-word-of-the-receiver")
    };
    for act in [
        answer(302),
        answer(400),
        answer(403),
        answer(410),
        answer(503),
        Act::Hang,
        Act::TakeAndBreak,
    ] {
        receiver.always(act);
        said.push(deliver(options.clone()).await.unwrap_err());
    }
    receiver.die().await;
    said.push(deliver(options.clone()).await.unwrap_err());
    let nowhere = options.url.replace("127.0.0.1", "nowhere.invalid");
    said.push(
        deliver(WebhookOptions { url: nowhere, allow_http: true, ..options.clone() })
            .await
            .unwrap_err(),
    );
    said.push(
        deliver(WebhookOptions { url: "http://ana:hush@".to_owned(), ..options.clone() })
            .await
            .unwrap_err(),
    );
    said.push(
        deliver(WebhookOptions { secret: "whsec_hush".to_owned(), ..options.clone() })
            .await
            .unwrap_err(),
    );
    let reasons: Vec<&str> = said.iter().map(SinkError::reason).collect();
    let expected = [
        "unfit", "rejected", "unfit", "gone", "refused", "silent", "down", "down", "down", "unfit",
        "unfit",
    ];
    assert_eq!(reasons, expected);
    for error in &said {
        let text = format!("{error} {error:?}");
        for secret in ["hush", "hidden", "private", "a-word-of", "whsec_M", "acme"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_hangs_does_not_hold_up_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start().await;
    receiver.always(Act::Hang);
    let handle = start(&folder).await;
    let running = begin(&handle, WebhookOptions { timeout_secs: 60, ..receiver.options() }).await;
    found(&handle, &workspace("acme")).await;
    receiver.requested(1).await;
    let began = Instant::now();
    finish(handle, running).await;
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn the_receiver_of_these_tests_knows_the_published_signature() {
    let message = r#"msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314}"#;
    let signed = signature("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", message);
    assert_eq!(signed, "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}
