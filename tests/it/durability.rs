//! A kill at any moment loses nothing that was acknowledged and does nothing twice.
//!
//! The test starts itself again as a child that works an engine and says what was acknowledged; kills
//! it with SIGKILL; opens the folder; and compares. This tests the end of a process, not of power:
//! what the operating system has taken in survives.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command as Process, Stdio},
    sync::{Arc, mpsc},
    time::Duration,
};

use futures::future::join_all;

use evenhand::{
    app::{self, Action, Command, EntryFilter, Error, Handle, Idempotency, Parts, Receipt},
    clock::SystemClock,
    domain::{
        agent::{AgentProfile, Presence},
        event::Event,
        id::{AgentId, SkillId, TicketId, WorkspaceId},
        ticket::{Intake, Outcome, Payload, Resolution, Status},
    },
    routing::{AgentWrite, Input},
};

/// Tells the child which folder to work in.
const FOLDER: &str = "EVENHAND_TEST_FOLDER";
/// Tells the child which keys to use.
const CYCLE: &str = "EVENHAND_TEST_CYCLE";
/// How often the child is killed; each time later in its work.
const CYCLES: u64 = 12;
/// Agents who take and complete tickets in the child.
const AGENTS: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_loses_nothing_acknowledged_and_doubles_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut told = Told::default();
    for cycle in 0..CYCLES {
        let (mut child, output) = start_child(folder.path(), cycle);
        let (began, begun) = mpsc::channel();
        let listener = std::thread::spawn(move || listen(output, &began));
        begun.recv_timeout(Duration::from_secs(60)).unwrap();
        std::thread::sleep(Duration::from_millis(20 + 37 * cycle));
        child.kill().unwrap();
        child.wait().unwrap();
        told.add(listener.join().unwrap());
        check(folder.path(), &told).await;
    }
    println!(
        "{CYCLES} kills: {} tickets acknowledged, {} accepts, {} outcomes",
        told.submitted.len(),
        told.accepted.len(),
        told.completed.len()
    );
    assert!(told.submitted.len() > 50, "only {} tickets", told.submitted.len());
    assert!(told.completed.len() > 5, "only {} completed", told.completed.len());
}

/// Not a test of its own: the child that the test above starts and kills.
#[tokio::test(flavor = "multi_thread")]
async fn child() {
    let Some(folder) = env::var_os(FOLDER) else { return };
    let cycle = env::var(CYCLE).unwrap();
    let handle = open(Path::new(&folder)).await;
    let submitting = async {
        for number in 0.. {
            let key = format!("{cycle}-{number}");
            tell("trying", &[&key]);
            let ticket = submit(&handle, &key).await.unwrap().ticket.unwrap();
            tell("submitted", &[&key, ticket.as_str()]);
        }
    };
    let agents = join_all((0..AGENTS).map(|number| work(&handle, number)));
    tokio::join!(submitting, agents);
}

/// Takes and completes whatever is offered to an agent.
async fn work(handle: &Handle, number: usize) {
    let agent = AgentId::new(format!("agent-{number}")).unwrap();
    let skills = ["triage", "delivery"].map(|skill| (SkillId::new(skill).unwrap(), 5));
    let profile = AgentProfile {
        agent: agent.clone(),
        display_name: String::new(),
        skills: BTreeMap::from(skills),
        capacity_units: 4,
        channel_units: BTreeMap::new(),
        speed: 0,
        shifts: None,
    };
    let write = AgentWrite::Create;
    // It exists from the second cycle on.
    let _ = route(handle, Input::SetAgent { profile, write }).await;
    let presence = Presence::Available;
    route(handle, Input::SetPresence { agent: agent.clone(), presence }).await.unwrap();
    loop {
        let desk = handle.desk(&workspace(), &agent).await.unwrap();
        for offer in desk.offers {
            let offer = offer.offer;
            let name = offer.to_string();
            route(handle, Input::Accept { offer, agent: agent.clone() }).await.unwrap();
            tell("accepted", &[&name]);
        }
        for ticket in desk.assignments {
            let resolution = Resolution::Resolved;
            let outcome = Outcome { resolution, right_intent: None, satisfaction: None };
            let ticket = ticket.ticket;
            let name = ticket.to_string();
            let complete = Input::Complete { ticket, agent: agent.clone(), outcome };
            route(handle, complete).await.unwrap();
            tell("completed", &[&name]);
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// What the child said.
#[derive(Default)]
struct Told {
    tried: BTreeSet<String>,
    submitted: BTreeMap<String, String>,
    accepted: BTreeSet<String>,
    completed: BTreeSet<String>,
}

impl Told {
    fn add(&mut self, lines: Vec<String>) {
        for line in lines {
            let words: Vec<&str> = line.split(' ').collect();
            match words.as_slice() {
                ["trying", key] => drop(self.tried.insert((*key).to_owned())),
                ["submitted", key, ticket] => {
                    self.submitted.insert((*key).to_owned(), (*ticket).to_owned());
                }
                ["accepted", offer] => drop(self.accepted.insert((*offer).to_owned())),
                ["completed", ticket] => drop(self.completed.insert((*ticket).to_owned())),
                // The test harness talks too, and the last line may be cut off.
                _ => {}
            }
        }
    }
}

/// Opens what the killed child left, and compares it with what it said.
async fn check(folder: &Path, told: &Told) {
    // Opening replays the journal and refuses gaps.
    let handle = open(folder).await;
    let mut tickets = BTreeSet::new();
    let retries = told.tried.iter().map(|key| submit(&handle, key));
    for (key, receipt) in told.tried.iter().zip(join_all(retries).await) {
        let receipt = receipt.unwrap();
        let ticket = receipt.ticket.unwrap();
        if let Some(submitted) = told.submitted.get(key) {
            assert!(receipt.replayed, "{key} was forgotten");
            assert_eq!(ticket.as_str(), submitted);
        }
        tickets.insert(ticket);
    }
    let facts = handle.facts(&workspace(), None, None).await.unwrap();
    assert_eq!((facts.len(), tickets.len()), (told.tried.len(), told.tried.len()), "one each");
    let mut accepted = BTreeSet::new();
    for ticket in &tickets {
        check_ticket(&handle, ticket, &mut accepted).await;
    }
    let lost: Vec<_> = told.accepted.difference(&accepted).collect();
    assert!(lost.is_empty(), "accepted and forgotten: {lost:?}");
    for ticket in &told.completed {
        let ticket = TicketId::new(ticket.clone()).unwrap();
        let view = handle.ticket(&workspace(), &ticket).await.unwrap();
        assert_eq!(view.status, Status::Completed, "{ticket}");
    }
    handle.stop().await;
}

/// Checks that a ticket has its text, and never had two live offers; notes which were accepted.
async fn check_ticket(handle: &Handle, ticket: &TicketId, accepted: &mut BTreeSet<String>) {
    let view = handle.ticket(&workspace(), ticket).await.unwrap();
    assert_eq!(view.payload.body, "Where is my order?");
    let filter = EntryFilter::Ticket(ticket.clone());
    let mut live = None;
    for entry in handle.entries(&workspace(), filter, 0, 1000).await.unwrap() {
        match entry.event {
            Event::OfferMade { offer, .. } => {
                assert_eq!(live.replace(offer.epoch), None, "two live offers of {ticket}");
            }
            Event::OfferAccepted { offer, .. } => {
                assert_eq!(live.take(), Some(offer.epoch));
                accepted.insert(offer.to_string());
            }
            Event::OfferDeclined { offer, .. }
            | Event::OfferExpired { offer, .. }
            | Event::OfferRevoked { offer, .. } => assert_eq!(live.take(), Some(offer.epoch)),
            _ => {}
        }
    }
}

fn start_child(folder: &Path, cycle: u64) -> (Child, ChildStdout) {
    let program: PathBuf = env::current_exe().unwrap();
    let mut child = Process::new(program)
        .args(["durability::child", "--exact", "--nocapture"])
        .env(FOLDER, folder)
        .env(CYCLE, cycle.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let output = child.stdout.take().unwrap();
    (child, output)
}

/// Returns the complete lines a child says before it is killed; says when it has begun to work.
fn listen(output: ChildStdout, began: &mpsc::Sender<()>) -> Vec<String> {
    let mut output = BufReader::new(output);
    let mut lines = Vec::new();
    let mut line = String::new();
    while output.read_line(&mut line).unwrap() > 0 {
        if let Some(complete) = line.strip_suffix('\n') {
            if complete.starts_with("submitted") {
                // Nobody listens after the first time.
                let _ = began.send(());
            }
            lines.push(complete.to_owned());
        }
        line.clear();
    }
    lines
}

/// Says something in one write, so that a kill cannot mix it with another.
fn tell(what: &str, words: &[&str]) {
    let line = format!("{what} {}\n", words.join(" "));
    std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
}

async fn open(folder: &Path) -> Handle {
    let store = app::StoreOptions::Folder(folder.to_owned());
    app::start(Parts {
        store,
        peering: app::Peering::default(),
        classifier: None,
        clock: Arc::new(SystemClock),
    })
    .await
    .unwrap()
}

fn workspace() -> WorkspaceId {
    WorkspaceId::new("default").unwrap()
}

async fn submit(handle: &Handle, key: &str) -> Result<Receipt, Error> {
    let intake = Intake {
        channel: "chat".to_owned(),
        language: None,
        attributes: BTreeMap::new(),
        requirements: Vec::new(),
        priority: 0,
        target_secs: None,
        preferred_agent: None,
        is_long: false,
    };
    let payload = Payload {
        subject: String::new(),
        body: "Where is my order?".to_owned(),
        customer: String::new(),
        segments: BTreeMap::new(),
    };
    let idempotency = Some(Idempotency { key: key.to_owned(), fingerprint: [1; 32] });
    let action = Action::Submit { intake, payload };
    handle.command(Command { workspace: workspace(), actor: None, idempotency, action }).await
}

async fn route(handle: &Handle, input: Input) -> Result<Receipt, Error> {
    let action = Action::Route(input.into());
    handle.command(Command { workspace: workspace(), actor: None, idempotency: None, action }).await
}
