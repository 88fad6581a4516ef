//! The questions a handle answers: from the engine's thread about now, from the store about the rest.

use std::{collections::BTreeMap, ops::Bound, sync::Arc};

use super::{
    alarms::Alarms,
    choices::StoredChoices,
    handle::Handle,
    page::Cursor,
    types::{
        AgentView, AlarmView, DecisionFilter, DecisionView, DeskView, EntryFilter, Error, LoadView,
        Page, PageRequest, TicketFilter, TicketView, UnstaffedView, WorkspaceView,
    },
    views,
    workspace::{Workspace, Workspaces},
};
use crate::{
    domain::{
        event::{Entry, Event, WorkspaceSettings},
        facts::TicketFacts,
        id::{AgentId, SkillId, TicketId, WorkspaceId},
        policy::{AgentChoice, Policy},
        time::UnixMillis,
    },
    routing::Estimate,
    store::{self, Snapshot, Subject, TicketQuery},
};

impl Handle {
    /// Returns the workspaces that this server has, by identifier.
    ///
    /// # Errors
    /// [`Error::PageTokenInvalid`].
    pub async fn workspaces(&self, page: PageRequest) -> Result<Page<WorkspaceView>, Error> {
        let cursor = Cursor::new(&["workspaces"], &page)?;
        let (after, fetch) = (cursor.after.clone(), count(cursor.fetch()));
        let ask = move |workspaces: &mut Workspaces| {
            let later = workspaces
                .iter()
                .filter(|(id, _)| after.as_ref().is_none_or(|after| id.as_str() > after.as_str()));
            later.take(fetch).map(|(_, workspace)| views::workspace(workspace)).collect()
        };
        let found: Vec<WorkspaceView> = self.shared.inbox.ask(ask).await?;
        Ok(cursor.page(found, |view| view.workspace.to_string()))
    }

    /// Returns the names of all workspaces, on whichever server.
    ///
    /// # Errors
    /// [`Error::PageTokenInvalid`], [`Error::Store`].
    pub async fn workspace_names(&self, page: PageRequest) -> Result<Page<WorkspaceId>, Error> {
        let cursor = Cursor::new(&["workspaces"], &page)?;
        let (after, fetch) = (cursor.after.clone().unwrap_or_default(), cursor.fetch());
        let read = move |snapshot: &Snapshot| store::workspaces_after(snapshot, &after, fetch);
        match self.shared.readers.read(read).await {
            Ok(names) => Ok(cursor.page(names, WorkspaceId::to_string)),
            Err(store::Error::Closed) => Err(Error::Stopping),
            Err(error) => Err(Error::Store(error)),
        }
    }

    /// Returns the settings of a workspace.
    ///
    /// # Errors
    /// [`Error::WorkspaceUnknown`].
    pub fn settings(&self, workspace: &WorkspaceId) -> Result<Arc<WorkspaceSettings>, Error> {
        let settings = self.shared.recent.settings(workspace);
        settings.ok_or_else(|| self.unknown(workspace))
    }

    /// Returns one workspace.
    ///
    /// # Errors
    /// [`Error::WorkspaceUnknown`].
    pub async fn workspace(&self, workspace: &WorkspaceId) -> Result<WorkspaceView, Error> {
        self.ask(workspace, |workspace| Ok(views::workspace(workspace))).await
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
        let cursor = Cursor::new(&["skills", workspace.as_str()], &page)?;
        let (start, fetch) = (start_after(&cursor, SkillId::new)?, count(cursor.fetch()));
        let found = self
            .ask(workspace, move |workspace| {
                let skills = workspace.state.skills().range((start, Bound::Unbounded)).take(fetch);
                Ok(skills.map(|(skill, meaning)| (skill.clone(), meaning.clone())).collect())
            })
            .await?;
        Ok(cursor.page(found, |(skill, _): &(SkillId, String)| skill.to_string()))
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
        let cursor = Cursor::new(&["agents", workspace.as_str()], &page)?;
        let (start, fetch) = (start_after(&cursor, AgentId::new)?, count(cursor.fetch()));
        let now = self.now();
        let found = self
            .ask(workspace, move |workspace| {
                let agents = workspace.state.agents_from(start.as_ref()).take(fetch);
                Ok(agents.map(|(_, agent)| views::agent(workspace, agent, now)).collect())
            })
            .await?;
        Ok(cursor.page(found, |view: &AgentView| view.profile.agent.to_string()))
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
        let (agent, now) = (agent.clone(), self.now());
        self.ask(workspace, move |workspace| {
            Ok(views::agent(workspace, views::known(workspace, &agent)?, now))
        })
        .await
    }

    /// Returns an agent's desk.
    ///
    /// # Errors
    /// As [`Handle::agent`].
    pub async fn desk(&self, workspace: &WorkspaceId, agent: &AgentId) -> Result<DeskView, Error> {
        let agent = agent.clone();
        let (mut desk, held) = self
            .ask(workspace, move |workspace| {
                let state = views::known(workspace, &agent)?;
                let desk = DeskView {
                    presence: state.presence,
                    lease_until: state.lease_until,
                    offers: Vec::new(),
                    assignments: Vec::new(),
                    sequence: workspace.sequence,
                };
                Ok((desk, views::held(workspace, &agent)))
            })
            .await?;
        // Payloads never change, so they may be read after the moment the desk is true for.
        let found = self
            .read(workspace, move |snapshot, workspace| {
                let mut found = Vec::with_capacity(held.len());
                for held in held {
                    if let Some(payload) = store::payload(snapshot, workspace, held.ticket())? {
                        found.push((held, payload));
                    }
                }
                Ok(found)
            })
            .await?;
        for (held, payload) in found {
            held.lay_down(payload, &mut desk.offers, &mut desk.assignments);
        }
        Ok(desk)
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
        let unknown = move || Error::PolicyUnknown(version.unwrap_or(0));
        match version {
            None => {
                let policy = |workspace: &Workspace| Ok(workspace.state.policy().cloned());
                self.ask(workspace, policy).await?.ok_or_else(unknown)
            }
            Some(version) => {
                let policy = move |snapshot: &Snapshot, workspace: &WorkspaceId| {
                    store::policy(snapshot, workspace, version)
                };
                self.read(workspace, policy).await?.ok_or_else(unknown)
            }
        }
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
        let id = ticket.clone();
        if let Some(recent) = self.shared.recent.ticket(&(workspace.clone(), id.clone())) {
            return Ok(views::ticket(recent));
        }
        let found = self
            .read(workspace, move |snapshot, workspace| store::ticket(snapshot, workspace, &id))
            .await?;
        found.map(views::ticket).ok_or_else(|| Error::TicketUnknown(ticket.clone()))
    }

    /// Returns how long a waiting ticket may still wait; `None` for one that does not.
    ///
    /// # Errors
    /// [`Error::WorkspaceUnknown`].
    pub async fn estimate(
        &self,
        workspace: &WorkspaceId,
        ticket: &TicketId,
    ) -> Result<Option<Estimate>, Error> {
        let ticket = ticket.clone();
        self.ask(workspace, move |workspace| Ok(workspace.state.estimate(&ticket))).await
    }

    /// Returns the needs for which tickets wait and nobody is on duty, most tickets first.
    ///
    /// # Errors
    /// [`Error::WorkspaceUnknown`].
    pub async fn unstaffed(&self, workspace: &WorkspaceId) -> Result<Vec<UnstaffedView>, Error> {
        self.ask(workspace, |workspace| Ok(views::unstaffed(workspace))).await
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
        let TicketFilter { status, customer } = filter;
        let customer = customer.filter(|customer| !customer.is_empty());
        let status_name = status.map(|status| format!("{status:?}")).unwrap_or_default();
        let customer_name = customer.clone().unwrap_or_default();
        let scope = ["tickets", workspace.as_str(), &status_name, &customer_name];
        let cursor = Cursor::new(&scope, &page)?;
        let (before, limit) = (cursor.after_number()?, cursor.fetch());
        let query = TicketQuery { status, customer, before, limit };
        let found = self
            .read(workspace, move |snapshot, workspace| store::tickets(snapshot, workspace, &query))
            .await?;
        let page = cursor.page(found, |ticket| ticket.row.number.to_string());
        Ok(Page { items: page.items.into_iter().map(views::ticket).collect(), next: page.next })
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
        if let Some(recent) = self.recent_entries(workspace, &filter, after, limit) {
            return Ok(recent);
        }
        let subject = match filter {
            EntryFilter::Ticket(ticket) => Subject::Ticket(ticket),
            EntryFilter::Agent(agent) => Subject::Agent(agent),
            EntryFilter::Alarms => Subject::Alarms,
        };
        self.read(workspace, move |snapshot, workspace| {
            store::entries(snapshot, workspace, &subject, after, limit)
        })
        .await
    }

    /// Returns the same entries from memory, if all are there.
    fn recent_entries(
        &self,
        workspace: &WorkspaceId,
        filter: &EntryFilter,
        after: u64,
        limit: u32,
    ) -> Option<Vec<Entry>> {
        let mut news = self.shared.topics.news(&filter.topic(workspace), after)?;
        news.truncate(count(limit));
        self.shared.recent.entries(workspace, &news)
    }

    /// Returns the entry of a decision, and the plan and model in force then.
    ///
    /// # Errors
    /// [`Error::WorkspaceUnknown`], [`Error::DecisionUnknown`].
    pub async fn decision(
        &self,
        workspace: &WorkspaceId,
        sequence: u64,
    ) -> Result<DecisionView, Error> {
        let decision = self
            .read(workspace, move |snapshot, workspace| {
                let entry = store::entry(snapshot, workspace, sequence)?;
                let choices = &mut StoredChoices::default();
                entry.map(|entry| decision_view(snapshot, workspace, entry, choices)).transpose()
            })
            .await?;
        decision.flatten().ok_or(Error::DecisionUnknown(sequence))
    }

    /// Returns what ordered the eligible agents at a decision.
    ///
    /// # Errors
    /// [`Error::WorkspaceUnknown`], [`Error::Store`].
    pub async fn agent_choice(
        &self,
        workspace: &WorkspaceId,
        decision: u64,
    ) -> Result<AgentChoice, Error> {
        if let Some(choice) = self.shared.recent.choice(workspace, decision) {
            return Ok(choice);
        }
        self.read(workspace, move |snapshot, workspace| {
            StoredChoices::default().at(snapshot, workspace, decision)
        })
        .await
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
    ) -> Result<Page<DecisionView>, Error> {
        let DecisionFilter { ticket, agent } = filter;
        let ticket_name = ticket.as_ref().map(TicketId::as_str).unwrap_or_default();
        let agent_name = agent.as_ref().map(AgentId::as_str).unwrap_or_default();
        let scope = ["decisions", workspace.as_str(), ticket_name, agent_name];
        let cursor = Cursor::new(&scope, &page)?;
        let (before, limit) = (cursor.after_number()?, cursor.fetch());
        let found = self
            .read(workspace, move |snapshot, workspace| {
                let (ticket, agent) = (ticket.as_ref(), agent.as_ref());
                let entries = store::decisions(snapshot, workspace, ticket, agent, before, limit)?;
                let mut choices = StoredChoices::default();
                let view = |entry| decision_view(snapshot, workspace, entry, &mut choices);
                let views = entries.into_iter().map(view).map(Result::transpose);
                views.flatten().collect::<Result<Vec<_>, _>>()
            })
            .await?;
        Ok(cursor.page(found, |view| view.entry.sequence.to_string()))
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
        self.read(workspace, move |snapshot, workspace| {
            store::facts(snapshot, workspace, start, end)
        })
        .await
    }

    /// Returns the numbers and the facts of at most `limit` tickets with numbers above `after`, oldest first.
    ///
    /// # Errors
    /// [`Error::WorkspaceUnknown`], [`Error::Store`].
    pub async fn facts_after(
        &self,
        workspace: &WorkspaceId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<(u64, TicketFacts)>, Error> {
        self.read(workspace, move |snapshot, workspace| {
            store::facts_after(snapshot, workspace, after, limit)
        })
        .await
    }

    /// Returns the numbers and the facts of tickets, by ascending numbers; those there are not are left out.
    ///
    /// # Errors
    /// [`Error::WorkspaceUnknown`], [`Error::Store`].
    pub async fn facts_of(
        &self,
        workspace: &WorkspaceId,
        numbers: Vec<u64>,
    ) -> Result<Vec<(u64, TicketFacts)>, Error> {
        self.read(workspace, move |snapshot, workspace| {
            store::facts_of(snapshot, workspace, &numbers)
        })
        .await
    }

    /// Returns which alarms are open, and from when on evidence counts anew.
    ///
    /// # Errors
    /// [`Error::WorkspaceUnknown`].
    pub async fn alarms(&self, workspace: &WorkspaceId) -> Result<Alarms, Error> {
        self.ask(workspace, |workspace| Ok(workspace.alarms.clone())).await
    }

    /// Returns alarms, newest first.
    ///
    /// # Errors
    /// [`Error::WorkspaceUnknown`], [`Error::PageTokenInvalid`], [`Error::Store`].
    pub async fn alarm_list(
        &self,
        workspace: &WorkspaceId,
        only_open: bool,
        page: PageRequest,
    ) -> Result<Page<AlarmView>, Error> {
        let scope = ["alarms", workspace.as_str(), if only_open { "open" } else { "" }];
        let cursor = Cursor::new(&scope, &page)?;
        let (before, fetch) = (cursor.after_number()?.unwrap_or(u64::MAX), count(cursor.fetch()));
        // One is raised again only after somebody has acknowledged it, so there are few.
        let entries = self
            .read(workspace, |snapshot, workspace| {
                store::entries(snapshot, workspace, &Subject::Alarms, 0, u32::MAX)
            })
            .await?;
        let alarms = views::alarms(entries).into_iter().rev();
        let asked = alarms
            .filter(|view| view.sequence < before)
            .filter(|view| !only_open || view.acknowledgement.is_none());
        Ok(cursor.page(asked.take(fetch).collect(), |view| view.sequence.to_string()))
    }

    /// Returns what each agent carried.
    ///
    /// # Errors
    /// [`Error::WorkspaceUnknown`], [`Error::Store`].
    pub async fn loads(&self, workspace: &WorkspaceId) -> Result<Vec<LoadView>, Error> {
        let now = self.now();
        let idle = self
            .ask(workspace, move |workspace| {
                let agents = workspace.state.agents();
                let idle = agents.map(|(id, _)| (id.to_string(), workspace.state.idle_ms(id, now)));
                Ok(idle.collect::<BTreeMap<_, _>>())
            })
            .await?;
        let counts = self.read(workspace, store::agent_counts).await?;
        let load = |(agent, [offered, accepted, declined, completed]): (String, [u64; 4])| {
            let idle_ms = idle.get(&agent).copied().unwrap_or(0);
            LoadView { agent, offered, accepted, declined, completed, idle_ms }
        };
        Ok(counts.into_iter().map(load).collect())
    }

    /// Returns a workspace as the engine has it.
    #[cfg(test)]
    pub(super) async fn inspect(&self, id: &WorkspaceId) -> Workspace {
        self.ask(id, |workspace| Ok(workspace.clone())).await.unwrap()
    }

    /// Asks about a workspace on the engine's thread.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        id: &WorkspaceId,
        question: impl FnOnce(&Workspace) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let asked = id.clone();
        let ask = move |workspaces: &mut Workspaces| workspaces.get(&asked).map(question);
        self.shared.inbox.ask(ask).await?.unwrap_or_else(|| Err(self.unknown(id)))
    }

    /// Returns why a workspace is not here.
    fn unknown(&self, id: &WorkspaceId) -> Error {
        if self.shared.cluster.leads(id) {
            Error::WorkspaceUnknown(id.clone())
        } else {
            Error::Moved
        }
    }

    /// Asks the store about a workspace, on a thread that may block.
    async fn read<T: Send + 'static>(
        &self,
        id: &WorkspaceId,
        question: impl FnOnce(&Snapshot, &WorkspaceId) -> Result<T, store::Error> + Send + 'static,
    ) -> Result<T, Error> {
        let workspace = id.clone();
        let read = move |snapshot: &Snapshot| {
            let exists = store::workspace_exists(snapshot, &workspace)?;
            exists.then(|| question(snapshot, &workspace)).transpose()
        };
        match self.shared.readers.read(read).await {
            Ok(answer) => answer.ok_or_else(|| self.unknown(id)),
            Err(store::Error::Closed) => Err(Error::Stopping),
            Err(error) => Err(Error::Store(error)),
        }
    }
}

/// Returns where a range over identifiers starts.
fn start_after<T, E>(
    cursor: &Cursor,
    parse: impl Fn(String) -> Result<T, E>,
) -> Result<Bound<T>, Error> {
    let after = cursor.after.clone().map(parse).transpose().map_err(|_| Error::PageTokenInvalid)?;
    Ok(after.map_or(Bound::Unbounded, Bound::Excluded))
}

/// Returns an entry with what was in force before it; `None` when it is no decision.
fn decision_view(
    snapshot: &Snapshot,
    workspace: &WorkspaceId,
    entry: Entry,
    choices: &mut StoredChoices,
) -> Result<Option<DecisionView>, store::Error> {
    let ticket = match &entry.event {
        Event::OfferMade { offer, .. } => &offer.ticket,
        Event::TicketQueued { ticket, .. } => ticket,
        _ => return Ok(None),
    };
    let (plan, model) = store::plan_before(snapshot, workspace, ticket, entry.sequence)?;
    let choice = choices.at(snapshot, workspace, entry.sequence)?;
    // A supervisor may have given it to an agent before anybody read it.
    let model = model.unwrap_or_default();
    Ok(plan.map(|plan| DecisionView { entry, plan, model, choice }))
}

fn count(size: u32) -> usize {
    usize::try_from(size).unwrap_or(usize::MAX)
}
