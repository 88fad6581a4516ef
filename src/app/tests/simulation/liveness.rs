//! When everything is mended: nothing waits that need not wait.

use std::sync::Arc;

use super::{
    checks::must,
    database::Who,
    world::{Core, Event, Sim},
};
use crate::{
    app::{inbox::Work, workspace::Workspaces},
    domain::{agent::Presence, ticket::Status, time::UnixMillis},
    store::Partition,
};

/// How long the last try of a call may take when nothing goes wrong, in milliseconds.
const ANSWERED_WITHIN_MS: i64 = 10_000;

impl Core {
    /// Mends everything and lets nothing go wrong any more.
    pub(super) fn calm(&mut self) {
        self.say("all is mended".to_owned());
        self.faults.calm();
        self.database.is_down = false;
        self.database.is_full = false;
        for at in 0..self.servers.len() {
            let server = &mut self.servers[at];
            server.is_leaving = false;
            server.frozen_until = server.frozen_until.min(self.now);
            if !server.is_up {
                self.plan_in(0, Event::Start(at));
            }
        }
        self.calm_people();
    }

    /// Who has what, and who still waits for an answer.
    pub(super) fn check_calm(&self) {
        for partition in Partition::all() {
            let leads = |at: &usize| self.servers[*at].leads(partition);
            let leaders: Vec<usize> = (0..self.servers.len()).filter(leads).collect();
            let lease = self.database.leases.get(&partition);
            let is_locked = self.database.is_locked(partition);
            must!(
                leaders.len() == 1,
                "L1: {partition:?} is led by {leaders:?}, the lease is {lease:?}, locked: {is_locked}; {:?}",
                self.servers.iter().map(|s| s.busy_with()).collect::<Vec<_>>()
            );
            let who = Who { server: leaders[0], life: self.servers[leaders[0]].life };
            must!(self.holds(who, partition), "L1: {who:?} leads {partition:?} without its lease");
        }
        for op in self.ops.all.iter().filter(|op| op.key.is_some()) {
            if op.asked_at > self.now - ANSWERED_WITHIN_MS {
                continue;
            }
            let gave_up = op.tries_left == 0 && op.next_send_at < self.now - 20_000;
            must!(op.answered || gave_up, "L3: op {} ({}) has no answer", op.number, op.name());
            let kept = op.receipt.is_none() || op.name().is_empty() || !op.done.is_empty();
            must!(kept, "I12: op {} was told of and is gone", op.number);
        }
    }

    fn check_workspaces(&self, who: Who, workspaces: &Workspaces) {
        let Some(run) = &self.servers[who.server].run else { return };
        let now = run.clock.now();
        for (id, workspace) in workspaces {
            for open in workspace.state.tickets() {
                let ticket = &open.ticket;
                let read = open.status != Status::Received;
                must!(read, "L2: nobody has read {ticket} of {id}");
                let in_time = open.offer_expires_at.is_none_or(|at| at.0 > now.0 - 100);
                must!(in_time, "L2: the offer of {ticket} outlived its time: {open:?}");
            }
            for agent in self.people.agents.iter().filter(|agent| agent.workspace == *id) {
                let Some(state) = workspace.state.agent(&agent.id) else { continue };
                if !agent.is_gone {
                    continue;
                }
                // How patient a workspace is, its policy says; what matters is that the time runs.
                let runs = |until: Option<UnixMillis>| until.is_some_and(|at| at.0 > now.0 - 100);
                let is_there = state.presence != Presence::Offline;
                must!(
                    !is_there || runs(state.lease_until),
                    "L2: {} is gone, not offline",
                    agent.id
                );
                let waits = workspace.state.held_tickets(&agent.id).len();
                let returns = is_there || runs(state.return_at);
                must!(waits == 0 || returns, "L2: {} is gone with {waits}", agent.id);
            }
        }
    }
}

impl Sim {
    /// Checks what every engine has in the end.
    pub(super) fn check_engines(self: &Arc<Self>) {
        let servers = self.core().servers.len();
        for server in 0..servers {
            let who = Who { server, life: self.core().servers[server].life };
            let sim = Arc::clone(self);
            let question = move |workspaces: &mut Workspaces| {
                sim.core().check_workspaces(who, workspaces);
            };
            self.core().put(who, Work::Question(Box::new(question)));
            self.compare(who);
        }
    }
}
