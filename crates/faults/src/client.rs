//! One caller: sends calls, writes down what it was told, and asks again with the same key.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use tonic::{Code, IntoRequest, Request, Status, transport::Channel};
use tonic_types::StatusExt;

use crate::{
    api::v1::{
        self,
        agent_service_client::AgentServiceClient,
        ticket_service_client::TicketServiceClient,
        transfer_ticket_request::{SkillRequirements, Target},
    },
    book::Book,
    history::{Action, Call, Outcome},
    random::Dice,
    server,
    world::{CHANNEL, PROBE},
};

/// Metadata keys of the caller and of the workspace.
const ACTOR_KEY: &str = "evenhand-actor";
const WORKSPACE_KEY: &str = "evenhand-workspace";
/// The reason of a workspace that changes hands.
const MOVED: &str = "WORKSPACE_MOVED";
/// Keys that begin so are of tickets that only measure.
pub const PROBE_KEY: &str = "probe-";

/// A caller.
pub struct Client {
    /// Who calls.
    pub actor: String,
    /// Where it writes.
    pub book: Arc<Book>,
    addresses: watch::Receiver<Vec<String>>,
    channel: Option<(String, Channel)>,
    /// The server that did not answer; the next call goes to another one.
    shunned: Option<String>,
    /// Longest wait for an answer.
    pub answer_within: Duration,
    /// Least wait before asking again, as the last answer said.
    come_back_after: Duration,
    /// Its choices.
    pub dice: Dice,
}

/// What a call is sent as.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The idempotency key.
    pub key: String,
    /// What is asked for.
    pub action: Action,
}

impl Client {
    /// Returns a caller who has not called yet.
    #[must_use]
    pub fn new(actor: &str, book: &Arc<Book>, seed: u64) -> Self {
        Self::through(actor, book, book.addresses(), seed)
    }

    /// Returns a caller with a way to the server of its own.
    #[must_use]
    pub fn through(
        actor: &str,
        book: &Arc<Book>,
        addresses: watch::Receiver<Vec<String>>,
        seed: u64,
    ) -> Self {
        Self {
            actor: actor.to_owned(),
            book: Arc::clone(book),
            addresses,
            channel: None,
            shunned: None,
            answer_within: book.answer_within(),
            come_back_after: Duration::ZERO,
            dice: Dice::new(seed, actor),
        }
    }

    /// Returns a caller with the same connection and other choices.
    #[must_use]
    pub fn fork(&self, dice: Dice) -> Self {
        Self {
            actor: self.actor.clone(),
            book: Arc::clone(&self.book),
            addresses: self.addresses.clone(),
            channel: self.channel.clone(),
            shunned: self.shunned.clone(),
            answer_within: self.answer_within,
            come_back_after: Duration::ZERO,
            dice,
        }
    }

    /// Waits until there is a server; returns a channel to it.
    pub async fn channel(&mut self) -> Channel {
        loop {
            let addresses = self.addresses.borrow_and_update().clone();
            if let Some((known, channel)) = &self.channel
                && addresses.contains(known)
            {
                return channel.clone();
            }
            let others = addresses.iter().filter(|address| Some(*address) != self.shunned.as_ref());
            let others: Vec<&String> = others.collect();
            // Where there is only one server, the next call goes to it again.
            let chosen = self.dice.pick(&others).copied().or(addresses.first());
            match chosen.map(|address| (address, server::channel(address))) {
                Some((address, Ok(channel))) => self.channel = Some((address.clone(), channel)),
                Some((_, Err(_))) => {}
                None if self.addresses.changed().await.is_err() => {
                    // The run is over; whoever waits here is dropped with it.
                    std::future::pending::<()>().await;
                }
                None => {}
            }
        }
    }

    /// Forgets a connection that broke, and keeps away from its server if there are others.
    pub fn hang_up(&mut self) {
        if let Some((address, _)) = self.channel.take() {
            self.shunned = Some(address);
        }
    }

    /// Returns the server that the connection leads to.
    #[must_use]
    pub fn server(&self) -> String {
        self.channel.as_ref().map(|(address, _)| address.clone()).unwrap_or_default()
    }

    /// Returns a request of this caller.
    pub fn by<T>(&self, message: T) -> Request<T> {
        within(self.book.workspace(), by(&self.actor, message))
    }

    /// Asks once and writes down what came of it.
    pub async fn ask(&mut self, ask: &Ask) -> Outcome {
        let channel = self.channel().await;
        let book = Arc::clone(&self.book);
        let _busy = book.begin();
        let start_us = book.now_us();
        let sent = send(channel, self, ask);
        let outcome = match timeout(self.answer_within, sent).await {
            Ok(Ok(ticket)) => Outcome::Done { ticket },
            Ok(Err(status)) => {
                self.come_back_after = come_back_after(&status);
                outcome_of(&status)
            }
            Err(_) => Outcome::Unknown { why: "no answer in time".to_owned() },
        };
        book.write(Call {
            actor: self.actor.clone(),
            key: ask.key.clone(),
            action: ask.action.clone(),
            server: self.server(),
            start_us,
            end_us: book.now_us(),
            outcome: outcome.clone(),
        });
        if matches!(outcome, Outcome::Unknown { .. }) {
            self.hang_up();
        }
        outcome
    }

    /// Asks until there is an answer that is no reason to ask again.
    pub async fn ask_until_answered(&mut self, ask: &Ask) -> Outcome {
        loop {
            match self.ask(ask).await {
                Outcome::Unknown { .. } => {}
                Outcome::Refused { reason } if is_for_now(&reason) => {}
                answered => return answered,
            }
            let told = std::mem::take(&mut self.come_back_after);
            sleep(self.dice.millis(20, 120).max(told)).await;
        }
    }
}

/// Returns how long whoever has a workspace says that it takes to change hands. Other waits are for those
/// who ask the same server again, which we do not where there are others.
fn come_back_after(status: &Status) -> Duration {
    let moves = status.get_details_error_info().is_some_and(|info| info.reason == MOVED);
    let told = status.get_details_retry_info().and_then(|info| info.retry_delay);
    told.filter(|_| moves).unwrap_or_default()
}

/// Whether a refusal says to come again later.
#[must_use]
pub fn is_for_now(reason: &str) -> bool {
    ["SERVER_BUSY", "QUEUE_FULL", "STREAM_LIMIT_REACHED", "RESOURCE_EXHAUSTED"].contains(&reason)
}

/// Returns what a status says about whether something was done.
#[must_use]
pub fn outcome_of(status: &Status) -> Outcome {
    let reason = status.get_details_error_info().map(|info| info.reason);
    let told = || reason.clone().unwrap_or_else(|| format!("{:?}", status.code()));
    match status.code() {
        Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unauthenticated
        | Code::PermissionDenied
        | Code::Unimplemented => Outcome::Refused { reason: told() },
        // Without a reason it comes from the transport, which knows nothing of the call.
        Code::ResourceExhausted if reason.is_some() => Outcome::Refused { reason: told() },
        _ => Outcome::Unknown { why: format!("{:?}: {}", status.code(), status.message()) },
    }
}

/// Returns a request of an actor.
pub fn by<T>(actor: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    if let Ok(actor) = actor.parse() {
        request.metadata_mut().insert(ACTOR_KEY, actor);
    }
    request
}

/// Returns a request about a workspace.
pub fn within<T>(workspace: &str, message: impl IntoRequest<T>) -> Request<T> {
    let mut request = message.into_request();
    if let Ok(workspace) = workspace.parse() {
        request.metadata_mut().insert(WORKSPACE_KEY, workspace);
    }
    request
}

/// Returns a ticket of a key with a text; one that only measures, if the key says so.
#[must_use]
pub fn new_ticket(key: &str, body: &str) -> v1::NewTicket {
    let measures = key.starts_with(PROBE_KEY);
    let need = v1::SkillRequirement {
        skill_id: PROBE.to_owned(),
        permanent: true,
        ..v1::SkillRequirement::default()
    };
    v1::NewTicket {
        channel: if measures { PROBE } else { CHANNEL }.to_owned(),
        skill_requirements: measures.then_some(need).into_iter().collect(),
        body: body.to_owned(),
        customer: key.to_owned(),
        language: "en".to_owned(),
        ..v1::NewTicket::default()
    }
}

/// Returns the outcome that is written as `2/5`.
fn outcome(written: &str) -> Option<v1::Outcome> {
    let (resolution, satisfaction) = written.split_once('/')?;
    Some(v1::Outcome {
        resolution: resolution.parse().ok()?,
        right_intent: String::new(),
        satisfaction: satisfaction.parse().ok()?,
    })
}

/// Returns the target that is written as `agent:ana`, `intent:get_refund` or `skill:refunds`.
fn target(written: &str) -> Option<Target> {
    let (kind, name) = written.split_once(':')?;
    let name = name.to_owned();
    Some(match kind {
        "agent" => Target::AgentId(name),
        "intent" => Target::Intent(name),
        _ => {
            let need = v1::SkillRequirement { skill_id: name, ..v1::SkillRequirement::default() };
            Target::Skills(SkillRequirements { requirements: vec![need] })
        }
    })
}

/// Sends a call; returns the ticket that the answer names, or nothing.
async fn send(channel: Channel, caller: &Client, ask: &Ask) -> Result<String, Status> {
    let idempotency_key = ask.key.clone();
    let id = |ticket: Option<v1::Ticket>| ticket.map(|ticket| ticket.ticket_id).unwrap_or_default();
    let mut tickets = TicketServiceClient::new(channel.clone());
    let mut agents = AgentServiceClient::new(channel);
    Ok(match ask.action.clone() {
        Action::Submit { body } => {
            let ticket = Some(new_ticket(&ask.key, &body));
            let wait_for_reading = false;
            let submit = v1::SubmitTicketRequest { ticket, idempotency_key, wait_for_reading };
            id(tickets.submit_ticket(caller.by(submit)).await?.into_inner().ticket)
        }
        Action::Accept { offer: offer_id } => {
            let accept = v1::AcceptOfferRequest { offer_id, idempotency_key };
            id(agents.accept_offer(caller.by(accept)).await?.into_inner().ticket)
        }
        Action::Decline { offer: offer_id } => {
            let reason = "not_now".to_owned();
            let decline = v1::DeclineOfferRequest { offer_id, reason, idempotency_key };
            agents.decline_offer(caller.by(decline)).await?;
            String::new()
        }
        Action::Complete { ticket: ticket_id, outcome: written } => {
            let outcome = outcome(&written);
            let done = v1::CompleteAssignmentRequest { ticket_id, outcome, idempotency_key };
            id(agents.complete_assignment(caller.by(done)).await?.into_inner().ticket)
        }
        Action::Transfer { ticket: ticket_id, to } => {
            let target = target(&to);
            let transfer = v1::TransferTicketRequest { ticket_id, target, idempotency_key };
            id(agents.transfer_ticket(caller.by(transfer)).await?.into_inner().ticket)
        }
        Action::Cancel { ticket: ticket_id } => {
            let reason = "customer_left".to_owned();
            let cancel = v1::CancelTicketRequest { ticket_id, reason, idempotency_key };
            id(tickets.cancel_ticket(caller.by(cancel)).await?.into_inner().ticket)
        }
        Action::Assign { ticket: ticket_id, agent: agent_id } => {
            let assign = v1::AssignTicketRequest { ticket_id, agent_id, idempotency_key };
            id(tickets.assign_ticket(caller.by(assign)).await?.into_inner().ticket)
        }
    })
}
