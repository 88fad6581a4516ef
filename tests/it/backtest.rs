//! `evenhand backtest` on the journal of a real engine: it does again what it did, and changes nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::{Command as Process, Output},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use evenhand::{
    app::{self, Action, Command, Error, Handle, Parts, Receipt},
    clock::Clock,
    domain::{
        agent::{AgentProfile, Presence},
        event::WorkspaceSettings,
        id::{AgentId, SkillId, TicketId, WorkspaceId},
        ticket::{Intake, Outcome, Payload, Resolution, Status},
        time::UnixMillis,
    },
    routing::{AgentWrite, Input},
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::Value;

const AGENTS: [&str; 4] = ["ana", "bo", "cy", "di"];
pub(crate) const TICKETS: usize = 240;

/// A clock with hands.
struct Hands(AtomicI64);

impl Clock for Hands {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.0.load(Ordering::SeqCst))
    }
}

/// An engine, and people around it whom a seed moves.
pub(crate) struct Day {
    pub(crate) handle: Handle,
    hands: Arc<Hands>,
    random: StdRng,
    assigned: BTreeMap<TicketId, (AgentId, i64)>,
}

impl Day {
    pub(crate) async fn start(folder: &Path) -> Self {
        let hands = Arc::new(Hands(AtomicI64::new(1_750_000_000_000)));
        let clock = Arc::clone(&hands) as Arc<dyn Clock>;
        let parts = Parts {
            store: app::StoreOptions::Folder(folder.to_owned()),
            peering: app::Peering::default(),
            classifier: None,
            clock,
        };
        let handle = app::start(parts).await.unwrap();
        let random = StdRng::seed_from_u64(4);
        let mut day = Self { handle, hands, random, assigned: BTreeMap::new() };
        let segment_attributes = vec!["region".to_owned()];
        let settings = WorkspaceSettings {
            display_name: "Day".to_owned(),
            segment_attributes,
            outcome_wait_secs: None,
        };
        day.tell(Input::SetWorkspace { settings, expected: None }).await.unwrap();
        let policy = day.handle.policy(&workspace(), None).await.unwrap();
        let routes = policy.routes.iter().flat_map(|route| &route.requirements);
        let skills = routes.map(|need| need.skill.clone()).chain([policy.triage_skill]);
        let skills: BTreeSet<SkillId> = skills.collect();
        for (place, name) in AGENTS.into_iter().enumerate() {
            day.add(name, &skills, place).await;
        }
        day
    }

    async fn add(&mut self, name: &str, skills: &BTreeSet<SkillId>, place: usize) {
        let level = 1 + u8::try_from(place % 4).unwrap();
        let profile = AgentProfile {
            agent: agent(name),
            display_name: name.to_owned(),
            skills: skills.iter().map(|skill| (skill.clone(), level)).collect(),
            capacity_units: 2,
            channel_units: BTreeMap::new(),
            speed: 0,
            shifts: None,
        };
        self.tell(Input::SetAgent { profile, write: AgentWrite::Create }).await.unwrap();
        self.tell(Input::OpenStream { agent: agent(name) }).await.unwrap();
        let presence = Presence::Available;
        self.tell(Input::SetPresence { agent: agent(name), presence }).await.unwrap();
    }

    async fn tell(&self, input: Input) -> Result<Receipt, Error> {
        self.command(Action::Route(input.into())).await
    }

    async fn command(&self, action: Action) -> Result<Receipt, Error> {
        let workspace = workspace();
        let command = Command { workspace, actor: None, idempotency: None, action };
        self.handle.command(command).await
    }

    fn now(&self) -> i64 {
        self.hands.0.load(Ordering::SeqCst)
    }

    async fn submit(&mut self) {
        let texts = ["I want a refund", "Where is my order?", "The invoice is wrong", "Hello"];
        let body = texts[self.random.random_range(0..texts.len())].to_owned();
        let region = ["north", "south"][self.random.random_range(0..2)].to_owned();
        let intake = Intake {
            channel: "chat".to_owned(),
            language: Some("en".to_owned()),
            attributes: BTreeMap::new(),
            requirements: Vec::new(),
            priority: 0,
            target_secs: Some(20),
            preferred_agent: None,
            is_long: false,
        };
        let payload = Payload {
            subject: String::new(),
            body,
            customer: "c".to_owned(),
            segments: BTreeMap::from([("region".to_owned(), region)]),
        };
        let receipt = self.command(Action::Submit { intake, payload }).await.unwrap();
        // Rules read it in their own time: the clock stands until they have.
        let ticket = receipt.ticket.unwrap();
        while self.handle.ticket(&workspace(), &ticket).await.unwrap().status == Status::Received {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Lets some of the people do what is theirs.
    async fn work(&mut self) {
        for name in AGENTS {
            let offers = self.handle.desk(&workspace(), &agent(name)).await.unwrap().offers;
            for view in offers {
                if self.random.random_bool(0.5) {
                    let (offer, agent) = (view.offer, agent(name));
                    let work = self.random.random_range(5_000..45_000);
                    let accepted = Input::Accept { offer: offer.clone(), agent: agent.clone() };
                    self.tell(accepted).await.unwrap();
                    self.assigned.insert(offer.ticket, (agent, self.now() + work));
                }
            }
        }
        let now = self.now();
        let done: Vec<_> = self
            .assigned
            .iter()
            .filter(|(_, (_, at))| *at <= now)
            .map(|(t, _)| t.clone())
            .collect();
        for ticket in done {
            let (agent, _) = self.assigned.remove(&ticket).unwrap();
            let resolution = Resolution::Resolved;
            let outcome = Outcome { resolution, right_intent: None, satisfaction: None };
            self.tell(Input::Complete { ticket, agent, outcome }).await.unwrap();
        }
    }

    pub(crate) async fn live(&mut self) {
        let mut submitted = 0;
        while submitted < TICKETS || !self.assigned.is_empty() {
            let step = self.random.random_range(1..3_000);
            self.hands.0.fetch_add(step, Ordering::SeqCst);
            if submitted < TICKETS && self.random.random_bool(0.4) {
                self.submit().await;
                submitted += 1;
            }
            self.work().await;
        }
    }
}

fn workspace() -> WorkspaceId {
    WorkspaceId::new("default").unwrap()
}

fn agent(name: &str) -> AgentId {
    AgentId::new(name).unwrap()
}

fn backtest(data: &Path, policy: &Path, more: &[&str]) -> Output {
    Process::new(env!("CARGO_BIN_EXE_evenhand"))
        .args(["backtest", "--format", "json", "--data-dir"])
        .args([data, Path::new("--policy"), policy])
        .args(more)
        .output()
        .unwrap()
}

fn report(output: &Output) -> Value {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{errors}", output.status);
    serde_json::from_slice(&output.stdout).expect("standard output is one JSON object")
}

/// Returns what a folder holds, by name.
pub(crate) fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let file = |entry: fs::DirEntry| {
        (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())
    };
    entries.map(file).collect()
}

fn assert_same_day(report: &Value) {
    assert_eq!(report["tickets"], TICKETS);
    let (offers, same) = (&report["replayed"]["offers"], &report["replayed"]["same"]);
    assert!(offers.as_u64().unwrap() >= TICKETS as u64, "{report}");
    assert_eq!(offers, same, "every decision is made again: {}", report["warnings"]);
    assert_eq!(report["baseline"], report["candidate"]);
    assert_eq!(report["difference"]["wait_seconds"]["mean"], 0.0);
    assert_eq!(report["recorded"]["tickets"], report["baseline"]["tickets"]);
    let groups = &report["baseline"]["fairness"]["region"]["groups"];
    let counted: u64 =
        ["north", "south"].map(|g| groups[g]["tickets"].as_u64().unwrap()).iter().sum();
    assert_eq!(counted, TICKETS as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_day_of_a_real_engine_is_done_again_and_its_folder_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut day = Day::start(&data).await;
    day.live().await;
    let same = folder.path().join("same.toml");
    fs::write(&same, "").unwrap();
    assert_same_day(&report(&backtest(&data, &same, &[])));
    day.handle.stop().await;
    drop(day);
    let before = contents(&data);
    let page = folder.path().join("page.html");
    assert_same_day(&report(&backtest(&data, &same, &["--html", page.to_str().unwrap()])));
    let mut after = contents(&data);
    // What SQLite needs to read beside a writer: an index in shared memory, and a log without entries.
    after.remove("evenhand.db-shm");
    assert!(after.remove("evenhand.db-wal").is_none_or(|log| log.is_empty()));
    assert!(before == after, "{:?} became {:?}", before.keys(), after.keys());
    assert!(fs::read_to_string(&page).unwrap().contains("<svg"));
    let closed = folder.path().join("other.json");
    fs::write(&closed, "{\"open_tickets_max\": 3}").unwrap();
    let other = report(&backtest(&data, &closed, &[]));
    assert!(other["candidate"]["tickets"].as_u64().unwrap() < TICKETS as u64, "{other}");
    assert_eq!(other["policy_versions"]["changed"][0], "open_tickets_max");
    errors(&data, folder.path());
}

/// Says what is wrong, with the exit code that scripts rely on.
fn errors(data: &Path, folder: &Path) {
    let file = folder.join("bad.toml");
    let fails = |text: &str, more: &[&str], code: i32, wanted: &str| {
        fs::write(&file, text).unwrap();
        let output = backtest(data, &file, more);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(wanted) && output.stdout.is_empty(), "{said}");
    };
    fails("wrap_up_sec = 1", &[], 2, "the nearest is wrap_up_secs");
    fails("triage_skill = 'nobody'", &[], 2, "must be a declared skill");
    fails("offer_timeout_secs = 0", &[], 2, "offer_timeout_secs = 0: must be 1 to 86400");
    fails("", &["--workspace", "other"], 4, "no workspace other; there are default");
    fails("", &["--from", "tomorrow"], 2, "RFC 3339");
    let turned = ["--from", "2026-01-02T00:00:00Z", "--to", "2026-01-01T00:00:00Z"];
    fails("", &turned, 2, "2026-01-02T00:00:00Z is not before 2026-01-01T00:00:00Z");
    fails("", &["--from", "2040-01-01T00:00:00Z"], 4, "nothing happened");
    let output = backtest(&folder.join("nowhere"), &file, &[]);
    assert_eq!(output.status.code(), Some(4));
    assert!(!folder.join("nowhere").exists());
}
