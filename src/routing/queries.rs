//! What people ask about the queue: how long, and for what nobody is there.

use std::sync::Arc;

use super::{class::Class, state::State};
use crate::domain::{id::TicketId, limits::AHEAD_COUNTED_MAX, policy::Requirement};

/// How long a ticket may still wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// Tickets with equal needs that come before, counted up to [`AHEAD_COUNTED_MAX`].
    pub ahead: usize,
    /// Estimated time to an offer, in milliseconds; `None` until two tickets with equal needs were offered.
    pub wait_ms: Option<u64>,
}

/// Tickets that wait though nobody who could take them is on duty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unstaffed {
    /// What they need now.
    pub requirements: Arc<[Requirement]>,
    /// How many wait.
    pub waiting: usize,
    /// Agents who could take them, were they on duty.
    pub fit: usize,
}

impl State {
    /// Returns how long a waiting ticket may still wait; `None` for one that does not.
    ///
    /// Tickets with equal needs leave the queue at some pace, whatever else their agents do. The pace is
    /// the mean time between the last few of them.
    #[must_use]
    pub fn estimate(&self, ticket: &TicketId) -> Option<Estimate> {
        let key = self.tickets.key(ticket)?;
        let open = self.tickets.get(key)?;
        let entered = open.links.spot?;
        let class = self.index.classes.get(entered.class)?;
        let ahead = class.waiting.before(&open.spot(key, &entered), AHEAD_COUNTED_MAX);
        let turns = u64::try_from(ahead).unwrap_or(u64::MAX).saturating_add(1);
        let gap_ms = class.pace.and_then(|pace| pace.gap_ms);
        Some(Estimate { ahead, wait_ms: gap_ms.map(|gap_ms| gap_ms.saturating_mul(turns)) })
    }

    /// Returns the needs for which tickets wait and nobody is on duty, most tickets first.
    #[must_use]
    pub fn unstaffed(&self) -> Vec<Unstaffed> {
        let classes = self.index.classes.iter().map(|(_, class)| class);
        let mut unstaffed: Vec<Unstaffed> = classes
            .filter(|class| class.waiting.len() > 0 && class.is_unstaffed())
            .map(|class| Unstaffed {
                requirements: class.spec.needs.clone(),
                waiting: class.waiting.len(),
                fit: class.fit.len(),
            })
            .collect();
        unstaffed.sort_by(|a, b| {
            b.waiting.cmp(&a.waiting).then_with(|| a.requirements.cmp(&b.requirements))
        });
        unstaffed
    }
}

impl Class {
    /// Returns whether nobody on duty has the skills. Who waits for one agent waits for no skill.
    fn is_unstaffed(&self) -> bool {
        let [.., on_duty] = self.by_duty;
        on_duty == 0 && self.spec.only.is_none()
    }
}
