//! Open offer streams: few for each agent, and each one's end is told to the engine for certain.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::{
    app::{self, Action, Command, Handle},
    domain::{
        id::{AgentId, WorkspaceId},
        limits::STREAMS_PER_AGENT_MAX,
    },
    routing::Input,
    service::{context::Context, error::Error},
};

/// Pause before telling the engine again, when its queue was full or the store failed.
const CLOSE_RETRY_AFTER: Duration = Duration::from_millis(200);

type AgentKey = (WorkspaceId, AgentId);

/// How many streams each agent has open.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seats(Arc<Mutex<BTreeMap<AgentKey, usize>>>);

impl Seats {
    fn take(&self, key: AgentKey) -> Result<Seat, Error> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(key.clone()).or_default();
        if *count >= STREAMS_PER_AGENT_MAX {
            return Err(Error::TooManyStreams);
        }
        *count += 1;
        metrics::gauge!("evenhand_offer_streams_open").increment(1.0);
        Ok(Seat { seats: self.clone(), key })
    }
}

/// The place of one stream.
#[derive(Debug)]
struct Seat {
    seats: Seats,
    key: AgentKey,
}

impl Drop for Seat {
    fn drop(&mut self) {
        metrics::gauge!("evenhand_offer_streams_open").decrement(1.0);
        let mut open = self.seats.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.key) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                open.remove(&self.key);
            }
        }
    }
}

/// An offer stream the engine knows to be open; dropping it tells the engine that it ended.
pub(super) struct OpenStream {
    handle: Handle,
    context: Context,
    seat: Option<Seat>,
    runtime: tokio::runtime::Handle,
}

impl OpenStream {
    /// Takes a seat and tells the engine.
    pub(super) async fn open(
        handle: &Handle,
        seats: &Seats,
        context: &Context,
    ) -> Result<Self, Error> {
        let agent = context.agent()?;
        let seat = seats.take((context.workspace.clone(), agent.clone()))?;
        let opening = Self {
            handle: handle.clone(),
            context: context.clone(),
            seat: Some(seat),
            runtime: tokio::runtime::Handle::current(),
        };
        // On a task of its own: a caller who leaves meanwhile must not leave a stream open that
        // nobody closes. The task ends either way, and what it holds is dropped.
        let task = tokio::spawn(async move {
            let command = command(&opening.context, Input::OpenStream { agent });
            match opening.handle.command(command).await {
                Ok(_) => Ok(opening),
                Err(error) => {
                    opening.forget();
                    Err(error)
                }
            }
        });
        Ok(task.await.map_err(|_| Error::Internal)??)
    }

    /// Drops a stream the engine never heard of.
    fn forget(mut self) {
        self.seat = None;
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let Some(seat) = self.seat.take() else { return };
        self.runtime.spawn(close(self.handle.clone(), self.context.clone(), seat));
    }
}

/// Tells the engine that a stream ended, until it takes it.
async fn close(handle: Handle, context: Context, seat: Seat) {
    loop {
        let input = Input::CloseStream { agent: seat.key.1.clone() };
        match handle.command(command(&context, input)).await {
            Err(app::Error::Full { .. } | app::Error::Store(_)) => {
                tokio::time::sleep(CLOSE_RETRY_AFTER).await;
            }
            // Done; or the agent or the server is gone, and every open stream with it.
            _ => return,
        }
    }
}

fn command(context: &Context, input: Input) -> Command {
    Command {
        workspace: context.workspace.clone(),
        actor: context.actor.clone(),
        idempotency: None,
        action: Action::Route(input.into()),
    }
}
