//! Looks at the tickets of a workspace for a watch over how they are treated.

use super::{Error, Handle};
use crate::{
    domain::{id::WorkspaceId, limits::OUTCOME_WAIT_SECS_DEFAULT},
    fairness::watch::Watch,
};

/// Tickets read at a time.
const TICKETS_AT_ONCE: u32 = 10_000;

impl Handle {
    /// Returns watches over attributes that have seen nothing yet, as the workspace's settings and alarms have it.
    ///
    /// # Errors
    /// [`Error::WorkspaceUnknown`].
    pub async fn watches(
        &self,
        workspace: &WorkspaceId,
        attributes: Vec<String>,
    ) -> Result<Vec<Watch>, Error> {
        self.ask(workspace, |workspace| {
            let wait_secs = workspace.state.settings().0.outcome_wait_secs;
            let wait_secs = wait_secs.unwrap_or(OUTCOME_WAIT_SECS_DEFAULT);
            let watch = |attribute: String| {
                let alarms = workspace.alarms.clone();
                let about = attribute.clone();
                Watch::new(attribute, wait_secs, move |measure| alarms.settled_at(&about, measure))
            };
            Ok(attributes.into_iter().map(watch).collect())
        })
        .await
    }

    /// Lets watches take the tickets they have not seen.
    ///
    /// # Errors
    /// [`Error::WorkspaceUnknown`], [`Error::Store`].
    pub async fn catch_up(
        &self,
        workspace: &WorkspaceId,
        mut watches: Vec<Watch>,
    ) -> Result<Vec<Watch>, Error> {
        let now = self.now();
        // Whatever happened until now is in the store once the engine has answered: it does so between its rounds.
        self.ask(workspace, |_| Ok(())).await?;
        let Some(mut after) = watches.iter_mut().map(Watch::look).min() else {
            return Ok(watches);
        };
        loop {
            let tickets = self.facts_after(workspace, after, TICKETS_AT_ONCE).await?;
            let Some((last, _)) = tickets.last() else { return Ok(watches) };
            after = *last;
            // Arithmetic over many tickets, beside the threads that answer calls.
            let take = move || {
                watches.iter_mut().for_each(|watch| watch.take(&tickets, now));
                watches
            };
            watches = tokio::task::spawn_blocking(take).await.map_err(|_| Error::Stopping)?;
        }
    }
}
