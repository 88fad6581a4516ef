//! The platform that submits tickets, and the agents who answer.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use evenhand::{
    api::v1::{
        self, admin_service_client::AdminServiceClient, agent_service_client::AgentServiceClient,
        stream_offers_response::Update, ticket_service_client::TicketServiceClient,
    },
    service::{ACTOR_KEY, WORKSPACE_KEY},
};
use tokio::{
    sync::{Notify, Semaphore},
    time::Instant,
};
use tonic::{Request, transport::Channel};

use crate::texts::Ticket;

pub(crate) const WORKSPACE: &str = "bench";
/// What an agent may hold, in units: the hundred agents together all tickets that are open at once.
pub(crate) const CAPACITY_UNITS: u32 = 100;

/// What the agents saw.
pub(crate) struct Board {
    /// Tickets that may still be submitted before others are offered.
    pub(crate) window: Semaphore,
    /// When tickets were offered, by number.
    pub(crate) offered: Mutex<Vec<Option<Instant>>>,
    pub(crate) offers: AtomicUsize,
    pub(crate) done: AtomicUsize,
    pub(crate) changed: Notify,
}

impl Board {
    pub(crate) fn note_offer(&self, offer: &v1::Offer) {
        let customer = &offer.ticket.as_ref().unwrap().customer;
        let number: usize = customer.strip_prefix("c-").unwrap().parse().unwrap();
        let mut offered = self.offered.lock().unwrap();
        if offered.len() <= number {
            offered.resize(number + 1, None);
        }
        assert!(offered[number].replace(Instant::now()).is_none(), "offered twice: {number}");
        drop(offered);
        self.window.add_permits(1);
        self.offers.fetch_add(1, Relaxed);
        self.changed.notify_one();
    }

    pub(crate) fn note_done(&self) {
        self.done.fetch_add(1, Relaxed);
        self.changed.notify_one();
    }
}

pub(crate) fn submission(Ticket { number, text }: Ticket) -> v1::SubmitTicketRequest {
    let ticket = v1::NewTicket {
        channel: "email".to_owned(),
        subject: String::new(),
        body: text,
        customer: format!("c-{number}"),
        segments: [("plan".to_owned(), ["gold", "basic"][number % 2].to_owned())].into(),
        ..v1::NewTicket::default()
    };
    let idempotency_key = format!("key-{number}");
    v1::SubmitTicketRequest { ticket: Some(ticket), idempotency_key, wait_for_reading: false }
}

/// Submits a ticket; returns when it was acknowledged.
pub(crate) async fn submit(channel: Channel, ticket: Ticket) -> Instant {
    let mut client = TicketServiceClient::new(channel);
    client.submit_ticket(by(None, submission(ticket))).await.unwrap();
    Instant::now()
}

pub(crate) fn by<T>(agent: Option<&str>, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert(WORKSPACE_KEY, WORKSPACE.parse().unwrap());
    if let Some(agent) = agent {
        request.metadata_mut().insert(ACTOR_KEY, agent.parse().unwrap());
    }
    request
}

/// Makes the workspace and a skill, and lets offers stand for an hour; returns all skills.
pub(crate) async fn set_up(channel: Channel) -> Vec<v1::Skill> {
    let mut admin = AdminServiceClient::new(channel);
    let workspace = v1::Workspace {
        workspace_id: WORKSPACE.to_owned(),
        segment_attributes: vec!["plan".to_owned()],
        ..v1::Workspace::default()
    };
    let create = v1::CreateWorkspaceRequest { workspace: Some(workspace), ..Default::default() };
    admin.create_workspace(create).await.unwrap();
    let skill = v1::Skill { skill_id: "jackets".to_owned(), description: String::new() };
    let create = v1::CreateSkillRequest { skill: Some(skill), ..Default::default() };
    admin.create_skill(by(None, create)).await.unwrap();
    let policy = admin.get_policy(by(None, v1::GetPolicyRequest::default())).await.unwrap();
    let mut policy = policy.into_inner().policy.unwrap();
    policy.offer_timeout_secs = 3600;
    let set = v1::SetPolicyRequest { policy: Some(policy), ..Default::default() };
    admin.set_policy(by(None, set)).await.unwrap();
    let list = v1::ListSkillsRequest { page_size: 500, ..Default::default() };
    admin.list_skills(by(None, list)).await.unwrap().into_inner().skills
}

pub(crate) async fn create_agent(channel: Channel, agent: &str, skills: &[v1::Skill]) {
    let skill =
        |skill: &v1::Skill| v1::AgentSkill { skill_id: skill.skill_id.clone(), proficiency: 5 };
    let profile = v1::AgentProfile {
        agent_id: agent.to_owned(),
        skills: skills.iter().map(skill).collect(),
        capacity_units: CAPACITY_UNITS,
        ..v1::AgentProfile::default()
    };
    let create = v1::CreateAgentRequest { profile: Some(profile), ..Default::default() };
    AdminServiceClient::new(channel).create_agent(by(None, create)).await.unwrap();
}

/// Makes an agent available, who from now on notes every offer, and answers it or not.
pub(crate) async fn sign_in(channel: Channel, agent: String, board: Arc<Board>, answering: bool) {
    let mut client = AgentServiceClient::new(channel);
    let presence = v1::SetPresenceRequest {
        presence: v1::Presence::Available.into(),
        idempotency_key: String::new(),
    };
    client.set_presence(by(Some(&agent), presence)).await.unwrap();
    let open = v1::StreamOffersRequest { after_sequence: 0 };
    let mut stream = client.stream_offers(by(Some(&agent), open)).await.unwrap().into_inner();
    tokio::spawn(async move {
        // The server is killed in the end.
        while let Ok(Some(message)) = stream.message().await {
            let Some(Update::Offer(offer)) = message.update else { continue };
            board.note_offer(&offer);
            if answering {
                let answer = complete(client.clone(), agent.clone(), offer, Arc::clone(&board));
                tokio::spawn(answer);
            }
        }
    });
}

pub(crate) async fn complete(
    mut client: AgentServiceClient<Channel>,
    agent: String,
    offer: v1::Offer,
    board: Arc<Board>,
) {
    let accept = v1::AcceptOfferRequest { offer_id: offer.offer_id, ..Default::default() };
    let accepted = client.accept_offer(by(Some(&agent), accept)).await.unwrap().into_inner();
    let outcome = v1::Outcome {
        resolution: v1::Resolution::FirstContact.into(),
        right_intent: String::new(),
        satisfaction: 5,
    };
    let complete = v1::CompleteAssignmentRequest {
        ticket_id: accepted.ticket.unwrap().ticket_id,
        outcome: Some(outcome),
        idempotency_key: String::new(),
    };
    client.complete_assignment(by(Some(&agent), complete)).await.unwrap();
    board.note_done();
}
