//! What the rest of the program calls.

use std::{path::PathBuf, sync::Arc};

use tokio::sync::watch;

use super::types::{
    AgentView, Command, DecisionFilter, DeskView, EntryFilter, Error, Page, PageRequest, Receipt,
    TicketFilter, TicketView, Topic, WorkspaceView,
};
use crate::{
    classifier::{Classify, ModelInfo},
    clock::Clock,
    domain::{
        event::Entry,
        facts::TicketFacts,
        id::{AgentId, SkillId, TicketId, WorkspaceId},
        policy::Policy,
        reading::Reading,
        time::UnixMillis,
    },
};

/// What the engine is made of.
pub struct Parts {
    /// Where the database file `evenhand.db` lies; made when missing.
    pub data_dir: PathBuf,
    /// Reads texts; `None` when no model is loaded (rules read instead).
    pub classifier: Option<Arc<dyn Classify>>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
}

/// Starts the engine: opens the store, replays the journals, and runs until [`Handle::stop`].
///
/// # Errors
/// [`Error::Store`] when the database cannot be opened or read.
pub async fn start(parts: Parts) -> Result<Handle, Error> {
    let _ = parts;
    unimplemented!()
}

/// A cheap handle of the running engine.
#[derive(Clone)]
pub struct Handle {}

impl Handle {
    /// Does something. Returns once it is durable.
    ///
    /// # Errors
    /// [`Error`] says why nothing was done.
    pub async fn command(&self, command: Command) -> Result<Receipt, Error> {
        let _ = command;
        unimplemented!()
    }

    /// Stops: refuses new commands, finishes those taken, closes the store.
    pub async fn stop(&self) {
        unimplemented!()
    }

    /// Returns whether the engine is stopping; streams then say so and end.
    #[must_use]
    pub fn stopping(&self) -> watch::Receiver<bool> {
        unimplemented!()
    }

    /// Returns the workspaces by identifier.
    ///
    /// # Errors
    /// [`Error::PageTokenInvalid`].
    pub async fn workspaces(&self, page: PageRequest) -> Result<Page<WorkspaceView>, Error> {
        let _ = page;
        unimplemented!()
    }

    /// Returns one workspace.
    ///
    /// # Errors
    /// [`Error::WorkspaceUnknown`].
    pub async fn workspace(&self, workspace: &WorkspaceId) -> Result<WorkspaceView, Error> {
        let _ = workspace;
        unimplemented!()
    }

    /// Returns the declared skills and what they mean, by identifier.
    ///
    /// # Errors
    /// [`Error::WorkspaceUnknown`], [`Error::PageTokenInvalid`].
    pub async fn skills(
        &self,
        workspace: &WorkspaceId,
        page: PageRequest,
    ) -> Result<Page<(SkillId, String)>, Error> {
        let _ = (workspace, page);
        unimplemented!()
    }

    /// Returns the agents by identifier.
    ///
    /// # Errors
    /// [`Error::WorkspaceUnknown`], [`Error::PageTokenInvalid`].
    pub async fn agents(
        &self,
        workspace: &WorkspaceId,
        page: PageRequest,
    ) -> Result<Page<AgentView>, Error> {
        let _ = (workspace, page);
        unimplemented!()
    }

    /// Returns one agent.
    ///
    /// # Errors
    /// [`Error::WorkspaceUnknown`]; [`Error::Rejected`] with `AgentUnknown`.
    pub async fn agent(
        &self,
        workspace: &WorkspaceId,
        agent: &AgentId,
    ) -> Result<AgentView, Error> {
        let _ = (workspace, agent);
        unimplemented!()
    }

    /// Returns an agent's desk.
    ///
    /// # Errors
    /// As [`Handle::agent`].
    pub async fn desk(&self, workspace: &WorkspaceId, agent: &AgentId) -> Result<DeskView, Error> {
        let _ = (workspace, agent);
        unimplemented!()
    }

    /// Returns the policy in force, or a version.
    ///
    /// # Errors
    /// [`Error::WorkspaceUnknown`], [`Error::PolicyUnknown`].
    pub async fn policy(
        &self,
        workspace: &WorkspaceId,
        version: Option<u32>,
    ) -> Result<Policy, Error> {
        let _ = (workspace, version);
        unimplemented!()
    }

    /// Returns one ticket.
    ///
    /// # Errors
    /// [`Error::WorkspaceUnknown`], [`Error::TicketUnknown`].
    pub async fn ticket(
        &self,
        workspace: &WorkspaceId,
        ticket: &TicketId,
    ) -> Result<TicketView, Error> {
        let _ = (workspace, ticket);
        unimplemented!()
    }

    /// Returns tickets, newest first.
    ///
    /// # Errors
    /// [`Error::WorkspaceUnknown`], [`Error::PageTokenInvalid`].
    pub async fn tickets(
        &self,
        workspace: &WorkspaceId,
        filter: TicketFilter,
        page: PageRequest,
    ) -> Result<Page<TicketView>, Error> {
        let _ = (workspace, filter, page);
        unimplemented!()
    }

    /// Returns up to `limit` journal entries after `after`, oldest first.
    ///
    /// # Errors
    /// [`Error::WorkspaceUnknown`], [`Error::Store`].
    pub async fn entries(
        &self,
        workspace: &WorkspaceId,
        filter: EntryFilter,
        after: u64,
        limit: u32,
    ) -> Result<Vec<Entry>, Error> {
        let _ = (workspace, filter, after, limit);
        unimplemented!()
    }

    /// Returns the entry of a decision, and the plan and model in force then.
    ///
    /// # Errors
    /// [`Error::WorkspaceUnknown`], [`Error::DecisionUnknown`].
    pub async fn decision(
        &self,
        workspace: &WorkspaceId,
        sequence: u64,
    ) -> Result<super::DecisionView, Error> {
        let _ = (workspace, sequence);
        unimplemented!()
    }

    /// Returns decisions, newest first.
    ///
    /// # Errors
    /// [`Error::WorkspaceUnknown`], [`Error::PageTokenInvalid`].
    pub async fn decisions(
        &self,
        workspace: &WorkspaceId,
        filter: DecisionFilter,
        page: PageRequest,
    ) -> Result<Page<super::DecisionView>, Error> {
        let _ = (workspace, filter, page);
        unimplemented!()
    }

    /// Returns the facts of tickets received in `start..end`.
    ///
    /// # Errors
    /// [`Error::WorkspaceUnknown`], [`Error::Store`].
    pub async fn facts(
        &self,
        workspace: &WorkspaceId,
        start: Option<UnixMillis>,
        end: Option<UnixMillis>,
    ) -> Result<Vec<TicketFacts>, Error> {
        let _ = (workspace, start, end);
        unimplemented!()
    }

    /// Returns what each agent carried.
    ///
    /// # Errors
    /// [`Error::WorkspaceUnknown`], [`Error::Store`].
    pub async fn loads(&self, workspace: &WorkspaceId) -> Result<Vec<super::LoadView>, Error> {
        let _ = workspace;
        unimplemented!()
    }

    /// Returns a counter that changes with each durable entry about the topic.
    #[must_use]
    pub fn watch(&self, topic: Topic) -> watch::Receiver<u64> {
        let _ = topic;
        unimplemented!()
    }

    /// Reads texts without making tickets of them.
    ///
    /// # Errors
    /// [`Error::ModelUnavailable`], [`Error::Full`].
    pub async fn classify(&self, texts: Vec<String>) -> Result<Vec<Reading>, Error> {
        let _ = texts;
        unimplemented!()
    }

    /// Returns what is known of the model.
    ///
    /// # Errors
    /// [`Error::ModelUnavailable`].
    pub fn model(&self) -> Result<ModelInfo, Error> {
        unimplemented!()
    }

    /// Returns now, by the engine's clock.
    #[must_use]
    pub fn now(&self) -> UnixMillis {
        unimplemented!()
    }
}
