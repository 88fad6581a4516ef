//! A full disk: tickets are turned away and told when to come back, agents go on, nothing is lost.
//!
//! The folder lies on a small file system in memory, mounted in a mount namespace of the run's own.

mod mounted;

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tonic::{Code, Status, transport::Channel};
use tonic_types::StatusExt;

use self::mounted::Mounted;
pub use self::mounted::unshared;
use crate::{
    api::v1::{self, agent_service_client::AgentServiceClient},
    book::{Book, DEFAULT_WORKSPACE},
    check::{Rule, Violation},
    client::{self, Ask, Client, by, new_ticket},
    figures::Figures,
    history::{Action, Outcome},
    reading,
    run::Ended,
    server::{self, Program, Server},
    world::{self, agent_name},
};

/// What to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The program that serves.
    pub program: Program,
    /// Size of the file system, in MiB; a quarter of it is given back in the end.
    pub size_mib: u32,
    /// Repeats the choices.
    pub seed: u64,
}

/// Agents, each with room for twelve tickets.
const AGENTS: usize = 8;
/// Tickets that agents have before the disk is full.
const ASSIGNED: usize = 60;
/// Characters of the texts that fill the disk.
const FILL_CHARS: usize = 8_000;
/// How long tickets go on being handed in while the disk is full.
const FULL_FOR: Duration = Duration::from_secs(5);
/// Lines of the log told with a violation.
const LOG_LINES_TOLD: usize = 4;
/// Longest time to fill the disk.
const FILL_WITHIN: Duration = Duration::from_secs(120);
/// Longest time from space coming back to a ticket being taken.
const RECOVER_WITHIN: Duration = Duration::from_secs(5);

/// Fills the disk, sees what goes on, gives space back.
///
/// # Errors
/// The run itself fails.
pub async fn run(plan: &Plan) -> Result<Ended, anyhow::Error> {
    let disk = Mounted::new(plan.size_mib)?;
    let data = disk.folder().join("data");
    world::prepare(&plan.program, &data, AGENTS).await?;
    disk.put_ballast(plan.size_mib / 4)?;
    let server = plan.program.must_start(&data).await?;
    let book = std::sync::Arc::new(Book::new(false));
    book.set_address(Some(server.address.clone()));
    let shop = Client::new("shop", &book, plan.seed);
    let mut story = Story { shop, server, figures: Figures::default(), violations: Vec::new() };
    let held = story.assign().await?;
    story.fill().await?;
    story.stay_full(&held).await?;
    disk.drop_ballast()?;
    story.recover().await;
    story.compare().await;
    let Story { server, figures, violations, .. } = story;
    server.kill().await?;
    Ok(Ended { figures, violations, kept: None })
}

struct Story {
    shop: Client,
    server: Server,
    figures: Figures,
    violations: Vec<Violation>,
}

impl Story {
    fn breach(&mut self, rule: Rule, what: impl Into<String>) {
        let log = self.server.log();
        let newest = log.iter().skip(log.len().saturating_sub(LOG_LINES_TOLD));
        self.violations.push(Violation::new(rule, what).with(newest));
    }

    fn channel(&self) -> Result<Channel, anyhow::Error> {
        server::channel(&self.server.address)
    }

    fn submission(&self, number: usize, chars: usize) -> Ask {
        let body = format!("Where is my order {number}? {}", "x".repeat(chars));
        Ask { key: format!("shop-{number}"), action: Action::Submit { body } }
    }

    /// Has agents accept some tickets; returns agents and tickets.
    async fn assign(&mut self) -> Result<Vec<(String, String)>, anyhow::Error> {
        for number in 0..AGENTS {
            let presence = v1::Presence::Available.into();
            let come = v1::SetPresenceRequest { presence, ..Default::default() };
            let mut agents = AgentServiceClient::new(self.channel()?);
            agents.set_presence(by(&agent_name(number), come)).await?;
        }
        for number in 0..ASSIGNED {
            let ask = self.submission(number, 10);
            self.shop.ask(&ask).await;
        }
        let mut held = Vec::new();
        for number in 0..AGENTS {
            let actor = agent_name(number);
            let mut agents = AgentServiceClient::new(self.channel()?);
            let desk = agents.get_desk(by(&actor, v1::GetDeskRequest {})).await?.into_inner().desk;
            for offer in desk.unwrap_or_default().offers {
                let mut agent = self.agent(&actor);
                let key = format!("a-{}", offer.offer_id);
                let ask = Ask { key, action: Action::Accept { offer: offer.offer_id } };
                if let Outcome::Done { ticket } = agent.ask(&ask).await {
                    held.push((actor.clone(), ticket));
                }
            }
        }
        self.figures.add("assigned_before", held.len());
        Ok(held)
    }

    fn agent(&self, name: &str) -> Client {
        let mut agent = self.shop.fork(self.shop.dice.clone());
        name.clone_into(&mut agent.actor);
        agent
    }

    /// Hands large tickets in until one is turned away.
    async fn fill(&mut self) -> Result<(), anyhow::Error> {
        let until = Instant::now() + FILL_WITHIN;
        let mut number = 1000;
        while Instant::now() < until {
            number += 1;
            let ask = self.submission(number, FILL_CHARS);
            if !matches!(self.shop.ask(&ask).await, Outcome::Done { .. }) {
                self.figures.add("tickets_until_full", number - 1000);
                return Ok(());
            }
        }
        anyhow::bail!("the disk does not get full")
    }

    /// Goes on handing tickets in, and completes what agents have.
    async fn stay_full(&mut self, held: &[(String, String)]) -> Result<(), anyhow::Error> {
        let until = Instant::now() + FULL_FOR;
        let mut number = 100_000;
        let mut completions = held.iter();
        while Instant::now() < until {
            number += 1;
            self.turned_away(number).await?;
            if let Some((actor, ticket)) = completions.next() {
                let ticket = ticket.clone();
                let key = format!("c-{ticket}");
                let action = Action::Complete { ticket, outcome: "2/5".to_owned() };
                let outcome = self.agent(actor).ask(&Ask { key, action }).await;
                let done = matches!(outcome, Outcome::Done { .. });
                self.figures.add(if done { "completed_full" } else { "completions_failed" }, 1);
                if !done && self.violations.len() < 3 {
                    let what = format!("{actor} cannot complete a ticket: {outcome:?}");
                    self.breach(Rule::FullIsSaid, what);
                }
            }
            if let Some(exit) = self.server.ended() {
                self.breach(Rule::FullIsSaid, format!("the server ended with {exit}"));
                return Ok(());
            }
        }
        Ok(())
    }

    /// Hands one ticket in; it must be taken, or be told when to come back.
    async fn turned_away(&mut self, number: usize) -> Result<(), anyhow::Error> {
        let ask = self.submission(number, FILL_CHARS);
        let outcome = self.shop.ask(&ask).await;
        if let Outcome::Done { .. } = outcome {
            self.figures.add("taken_while_full", 1);
            return Ok(());
        }
        self.figures.add("turned_away", 1);
        // The same once more, to see the whole status: the book keeps the reason only.
        let Action::Submit { body } = &ask.action else { return Ok(()) };
        let ticket = Some(new_ticket(&ask.key, body));
        let submit = v1::SubmitTicketRequest {
            ticket,
            idempotency_key: ask.key.clone(),
            wait_for_reading: false,
        };
        let channel = self.channel()?;
        let mut tickets = v1::ticket_service_client::TicketServiceClient::new(channel);
        match tickets.submit_ticket(by("shop", submit)).await {
            Ok(_) => {
                // So that the book knows what the store has.
                client::Client::ask(&mut self.shop, &ask).await;
            }
            Err(status) if says_when(&status) => self.figures.add("told_when_to_come_back", 1),
            Err(status) => {
                self.figures.add("not_told_when", 1);
                if self.violations.len() < 3 {
                    self.breach(Rule::FullIsSaid, format!("turned away with {status}"));
                }
            }
        }
        Ok(())
    }

    /// Waits until a ticket is taken again.
    async fn recover(&mut self) {
        let began = Instant::now();
        let mut number = 200_000;
        while began.elapsed() < RECOVER_WITHIN {
            number += 1;
            let ask = self.submission(number, 10);
            if let Outcome::Done { .. } = self.shop.ask(&ask).await {
                self.figures.time("recovered_after_ms", began.elapsed());
                return;
            }
            sleep(Duration::from_millis(50)).await;
        }
        self.breach(Rule::FullIsSaid, "no ticket is taken though there is space again");
    }

    /// Compares everything that was said with what the store has.
    async fn compare(&mut self) {
        match reading::everything(&self.server.address, DEFAULT_WORKSPACE).await {
            Ok(stored) => {
                self.figures.stored(&stored);
                let found = crate::check::check(&self.shop.book.history(), &stored);
                self.violations.extend(found);
            }
            Err(status) => {
                let what = format!("not everything can be read: {status}");
                self.breach(Rule::EverybodyIsAnswered, what);
            }
        }
        self.figures.history(&self.shop.book.history());
    }
}

/// Whether a status says that it is for now only, and when to come again.
fn says_when(status: &Status) -> bool {
    let for_now = matches!(status.code(), Code::ResourceExhausted | Code::Unavailable);
    let retry = status.get_details_retry_info().is_some_and(|info| info.retry_delay.is_some());
    for_now && (retry || status.metadata().contains_key("grpc-retry-pushback-ms"))
}
