//! What people ask for: each thing once, however often it is sent.

use std::collections::BTreeMap;

use super::{
    checks::{must, violated},
    database::Who,
};
use crate::{
    app::{Action, Command, Error, Idempotency, Receipt},
    domain::{
        event::{Entry, WorkspaceSettings},
        id::{ActorId, TicketId, WorkspaceId},
        ticket::{Intake, Payload},
    },
    routing::Input,
    store,
};

/// What somebody wants.
#[derive(Clone)]
#[expect(clippy::large_enum_variant, reason = "nearly all are of the large kind")]
pub(super) enum Want {
    Workspace,
    Submit(Intake),
    Do(Input),
}

/// Something somebody asks for, until it is answered.
pub(super) struct Op {
    pub(super) number: usize,
    pub(super) asked_at: i64,
    pub(super) workspace: WorkspaceId,
    pub(super) want: Want,
    /// The number of the op that used the key first; itself as a rule. `None` for calls without keys.
    pub(super) key: Option<usize>,
    /// How often it may still be sent.
    pub(super) tries_left: u32,
    /// Not sent again before.
    pub(super) next_send_at: i64,
    /// The only run of a server it goes to.
    pub(super) only: Option<Who>,
    /// How often it reached an engine.
    pub(super) arrived: u32,
    pub(super) answered: bool,
    /// What the caller was told at last, if it was done.
    pub(super) receipt: Option<(u64, Option<TicketId>)>,
    /// Where the journal has it.
    pub(super) done: Vec<u64>,
}

/// Everything anybody asked for.
#[derive(Default)]
pub(super) struct Ops {
    pub(super) all: Vec<Op>,
}

/// What an answer means for its caller.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Told {
    Done(Receipt),
    /// It will not be done.
    Refused(String),
    /// The key came before with other content.
    Reused,
    /// Try again.
    Later(&'static str),
}

impl Told {
    pub(super) fn of(answer: Result<Receipt, Error>) -> Self {
        match answer {
            Ok(receipt) => Self::Done(receipt),
            Err(Error::IdempotencyKeyReused) => Self::Reused,
            Err(Error::Moved) => Self::Later("moved"),
            Err(Error::Stopping) => Self::Later("stopping"),
            Err(Error::DiskFull) => Self::Later("the disk is full"),
            Err(Error::Store(store::Error::RolledBack)) => Self::Later("rolled back"),
            Err(Error::Store(_)) => Self::Later("the store"),
            Err(Error::WorkspaceUnknown(_)) => Self::Later("no workspace"),
            Err(error) => Self::Refused(error.to_string()),
        }
    }
}

impl Op {
    pub(super) fn command(&self) -> Command {
        let fingerprint = [u8::try_from(self.number % 251).unwrap(); 32];
        let key = self.key.map(|key| Idempotency { key: format!("k{key}"), fingerprint });
        let action = match &self.want {
            Want::Workspace => Action::CreateWorkspace(WorkspaceSettings::default()),
            Want::Submit(intake) => Action::Submit {
                intake: intake.clone(),
                payload: Payload {
                    subject: String::new(),
                    body: format!("text {}", self.number),
                    customer: String::new(),
                    segments: BTreeMap::new(),
                },
            },
            Want::Do(input) => Action::Route(Box::new(input.clone())),
        };
        let actor = ActorId::new(format!("op-{}", self.number)).ok();
        Command { workspace: self.workspace.clone(), actor, idempotency: key, action }
    }

    /// Returns the type of the one entry that says that it was done.
    pub(super) fn name(&self) -> &'static str {
        match &self.want {
            Want::Workspace => "workspace_set",
            Want::Submit(_) => "ticket_received",
            Want::Do(input) => match input {
                Input::SetAgent { .. } => "agent_set",
                Input::SetPolicy { .. } => "policy_set",
                Input::SetPresence { .. } => "presence_changed",
                Input::OpenStream { .. } => "stream_opened",
                Input::CloseStream { .. } => "stream_closed",
                Input::Accept { .. } => "offer_accepted",
                Input::Decline { .. } => "offer_declined",
                Input::Complete { .. } => "assignment_completed",
                Input::Transfer { .. } => "ticket_transferred",
                Input::Assign { .. } => "ticket_assigned_by_hand",
                Input::Cancel { .. } => "ticket_cancelled",
                Input::Read { .. } => "ticket_read",
                _ => "",
            },
        }
    }
}

impl Ops {
    /// Notes an entry, and checks that somebody asked for it and that it happens once.
    pub(super) fn happened(&mut self, workspace: &WorkspaceId, entry: &Entry) {
        let Some(actor) = &entry.actor else { return };
        let number = actor.as_str().strip_prefix("op-").and_then(|number| number.parse().ok());
        let Some(op) = number.and_then(|number: usize| self.all.get_mut(number)) else {
            violated(format!("I11: nobody asked for {entry:?}"));
        };
        must!(
            op.arrived > 0 && op.workspace == *workspace,
            "I13: {entry:?} in {workspace}, asked for in {}",
            op.workspace
        );
        if op.name() != entry.event.name() {
            return;
        }
        op.done.push(entry.sequence);
        let times = u32::try_from(op.done.len()).unwrap();
        let max = if op.key.is_some() { 1 } else { op.arrived };
        must!(times <= max, "I3: op {number:?} was done {times} times: {entry:?}");
        let (key, number) = (op.key, op.number);
        if let Some(first) = key.filter(|first| *first != number) {
            let first = self.all.get(first).map_or(0, |first| first.done.len());
            must!(first == 0, "I3: the key of op {key:?} was used for op {number} too");
        }
    }

    /// Checks what a caller is told against what is durable.
    pub(super) fn told(&mut self, number: usize, was_done: bool, told: &Told) {
        let first = self.all[number].key.filter(|first| *first != number);
        let first_done = first.is_some_and(|first| !self.all[first].done.is_empty());
        let op = &mut self.all[number];
        let has_entry = !op.name().is_empty() && op.name() != "ticket_read";
        match told {
            Told::Done(receipt) => {
                must!(!first_done, "I3: op {number} is done with the key of {first:?}");
                let is_there = !has_entry || !op.done.is_empty();
                must!(is_there, "I11: op {number} ({}) is told of, and not durable", op.name());
                let told = (receipt.sequence, receipt.ticket.clone());
                if op.key.is_some() {
                    let before = op.receipt.get_or_insert_with(|| told.clone());
                    must!(*before == told, "I3: op {number} was told {before:?}, now {told:?}");
                }
            }
            // Of two copies that come at once, the first may be refused and the second not.
            Told::Refused(why) if op.key.is_some() => {
                must!(!was_done, "I3: op {number} was done, now it is refused: {why}");
            }
            Told::Reused => {
                must!(op.done.is_empty(), "I3: op {number} was done, now its key is another's");
                must!(first.is_some(), "I3: the key of op {number} is said to be another's");
            }
            Told::Refused(_) | Told::Later(_) => {}
        }
    }
}
