//! The world of a run: a workspace whose timers are short, its agents, and texts that the rules read.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::Context;
use tokio::task::JoinSet;
use tonic::transport::Channel;

use crate::{
    agents::Agent,
    api::v1::{
        self, admin_service_client::AdminServiceClient, agent_service_client::AgentServiceClient,
    },
    book::{Book, DEFAULT_WORKSPACE},
    client::{by, within},
    platform,
    random::Dice,
    server::Program,
};

/// How long an agent has to answer an offer.
pub const OFFER_TIMEOUT: Duration = Duration::from_secs(2);
/// How long an assignment waits for an agent who left, in seconds.
const ASSIGNMENT_RETURN_SECS: u32 = 3;
/// Units of capacity of an agent.
const CAPACITY_UNITS: u32 = 12;
/// Skills of the standard policy that agents have.
pub const SKILLS: [&str; 7] =
    ["triage", "orders", "delivery", "billing", "refunds", "accounts", "feedback"];
/// The channel of tickets.
pub const CHANNEL: &str = "email";
/// The channel of tickets that only measure, and the skill that they need beside that of the route.
pub const PROBE: &str = "probe";
/// Intents that an agent may transfer by.
pub const INTENTS: [&str; 4] = ["get_refund", "track_order", "get_invoice", "complaint"];
/// Texts, of which the rules read some and people triage the others.
const TEXTS: [&str; 6] = [
    "I want a refund for the lamp.",
    "Where is my order of two chairs?",
    "Please send the invoice once more.",
    "I was charged twice.",
    "I have a complaint about the delivery.",
    "There is something with the thing I bought.",
];
/// Tasks that hand tickets in.
const SUBMITTERS: usize = 8;
/// Tasks that meddle with tickets.
const MEDDLERS: usize = 2;

/// How much happens in a run.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Tickets that are open at once.
    pub tickets: usize,
    /// Agents.
    pub agents: usize,
    /// Slowest answer of an agent, in milliseconds.
    pub pace_ms: u64,
}

/// Returns the name of an agent who works.
#[must_use]
pub fn agent_name(number: usize) -> String {
    agent_of("agent", number)
}

/// Returns the name of an agent of some kind.
#[must_use]
pub fn agent_of(kind: &str, number: usize) -> String {
    format!("{kind}-{number}")
}

/// Returns a customer's text.
pub fn text(dice: &mut Dice, number: usize) -> String {
    format!("{} Number {number}.", dice.pick(&TEXTS).unwrap_or(&TEXTS[0]))
}

/// Sets a policy with short timers, and adds the agents.
///
/// # Errors
/// The server refuses something.
pub async fn set_up(
    channel: &Channel,
    workspace: &str,
    agents: usize,
) -> Result<(), anyhow::Error> {
    let mut admin = AdminServiceClient::new(channel.clone());
    let get = within(workspace, v1::GetPolicyRequest::default());
    let policy = admin.get_policy(get).await.context("the policy cannot be read")?;
    let mut policy = policy.into_inner().policy.context("there is no policy")?;
    policy.offer_timeout_secs = u32::try_from(OFFER_TIMEOUT.as_secs())?;
    policy.decline_backoff_secs = 1;
    policy.presence_lease_secs = 2;
    policy.assignment_return_secs = ASSIGNMENT_RETURN_SECS;
    policy.wrap_up_secs = 0;
    let set = v1::SetPolicyRequest { policy: Some(policy), ..Default::default() };
    admin.set_policy(within(workspace, set)).await.context("the policy cannot be set")?;
    for number in 0..agents {
        let skills = SKILLS.iter().enumerate();
        // Each lacks one skill, so that not everybody may take everything.
        let skills = skills.filter(|(index, _)| index + 1 != number % (SKILLS.len() + 1));
        let skills: Vec<&str> = skills.map(|(_, name)| *name).collect();
        create(&mut admin, workspace, &agent_name(number), &skills).await?;
    }
    Ok(())
}

/// Adds agents with a name of their own, and their skills where they are not declared yet.
///
/// # Errors
/// The server refuses something.
pub async fn add_people(
    channel: &Channel,
    name: &str,
    count: usize,
    skills: &[&str],
) -> Result<(), anyhow::Error> {
    let mut admin = AdminServiceClient::new(channel.clone());
    for skill in skills.iter().filter(|skill| !SKILLS.contains(skill)) {
        let skill = v1::Skill { skill_id: (*skill).to_owned(), description: String::new() };
        let declare = v1::CreateSkillRequest { skill: Some(skill), ..Default::default() };
        admin.create_skill(declare).await.context("a skill cannot be declared")?;
    }
    for number in 0..count {
        create(&mut admin, DEFAULT_WORKSPACE, &agent_of(name, number), skills).await?;
    }
    Ok(())
}

async fn create(
    admin: &mut AdminServiceClient<Channel>,
    workspace: &str,
    name: &str,
    skills: &[&str],
) -> Result<(), anyhow::Error> {
    let skill = |name: &&str| v1::AgentSkill { skill_id: (*name).to_owned(), proficiency: 5 };
    // Whoever has the skill of probes takes nothing else.
    let only_probes = skills.contains(&PROBE).then(|| v1::ChannelCapacity {
        channel: CHANNEL.to_owned(),
        cost_units: 2 * CAPACITY_UNITS,
    });
    let profile = v1::AgentProfile {
        agent_id: name.to_owned(),
        skills: skills.iter().map(skill).collect(),
        capacity_units: CAPACITY_UNITS,
        channels: only_probes.into_iter().collect(),
        ..v1::AgentProfile::default()
    };
    let create = v1::CreateAgentRequest { profile: Some(profile), ..Default::default() };
    admin.create_agent(within(workspace, create)).await.context("an agent cannot be added")?;
    Ok(())
}

/// Sends everybody home and waits until nothing moves any more, whatever time passes.
///
/// # Errors
/// The server refuses something.
pub async fn still(channel: &Channel, agents: usize) -> Result<(), anyhow::Error> {
    let mut admin = AdminServiceClient::new(channel.clone());
    let policy = admin.get_policy(v1::GetPolicyRequest::default()).await?;
    let mut policy = policy.into_inner().policy.context("there is no policy")?;
    policy.relaxation.clear();
    policy.triage_after_secs = 0;
    let set = v1::SetPolicyRequest { policy: Some(policy), ..Default::default() };
    admin.set_policy(set).await?;
    for number in 0..agents {
        let presence = v1::Presence::Offline.into();
        let leave = v1::SetPresenceRequest { presence, ..Default::default() };
        let mut client = AgentServiceClient::new(channel.clone());
        client.set_presence(by(&agent_name(number), leave)).await?;
    }
    // Assignments of agents who left go back to the queue.
    tokio::time::sleep(Duration::from_secs(u64::from(ASSIGNMENT_RETURN_SECS) + 1)).await;
    Ok(())
}

/// Starts a server on a new folder, sets it up and stops it; the folder is ready for a run.
///
/// # Errors
/// The server refuses something.
pub async fn prepare(program: &Program, folder: &Path, agents: usize) -> Result<(), anyhow::Error> {
    let server = program.must_start(folder).await?;
    set_up(&crate::server::channel(&server.address)?, DEFAULT_WORKSPACE, agents).await?;
    server.stop().await?;
    Ok(())
}

/// Starts everybody; they wait until the book says where the server is.
#[must_use]
pub fn start(size: Size, book: &Arc<Book>, seed: u64) -> JoinSet<()> {
    let mut people = JoinSet::new();
    for number in 0..size.agents {
        people.spawn(Agent::new(number, size.agents, size.pace_ms, book, seed).run());
    }
    for number in 0..SUBMITTERS {
        let name = format!("shop{number}");
        people.spawn(platform::submit(name, size.tickets, Arc::clone(book), seed));
    }
    for number in 0..MEDDLERS {
        let name = format!("boss{number}");
        people.spawn(platform::meddle(name, size.agents, Arc::clone(book), seed));
    }
    people
}
