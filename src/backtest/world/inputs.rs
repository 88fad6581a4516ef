//! From what was recorded to what the core is told.

use super::{Due, RunError, Script, World};
use crate::{
    backtest::past::{Answer, End},
    domain::{
        event::{Event, TransferTarget},
        id::{OfferId, TicketId},
        ticket::Status,
    },
    routing::{AgentWrite, Input, Transfer},
};

impl World<'_> {
    /// Lets something happen that the world did.
    pub(super) fn happen(&mut self, event: &Event) -> Result<(), RunError> {
        let input = match event {
            Event::PolicySet { policy } if self.plot.policy.is_none() => {
                Input::SetPolicy { policy: (**policy).clone(), expected: None }
            }
            // The policy to try takes the place of the first one; there is no other.
            Event::PolicySet { .. } if self.state.policy().is_none() => {
                return self.impose_policy();
            }
            Event::PolicySet { .. } => return Ok(()),
            Event::TicketCancelled { ticket, reason, .. } => {
                if self.plot.script == Script::Habits && self.is_in_work(ticket) {
                    return Ok(());
                }
                Input::Cancel { ticket: ticket.clone(), reason: reason.clone() }
            }
            Event::AgentDeleted { agent } => {
                if !self.tell(Input::DeleteAgent { agent: agent.clone() }) {
                    self.leaving.insert(agent.clone());
                }
                return Ok(());
            }
            Event::AgentSet { profile } => {
                self.leaving.remove(&profile.agent);
                let known = self.state.agent(&profile.agent).is_some();
                let write = if known { AgentWrite::Replace(None) } else { AgentWrite::Create };
                Input::SetAgent { profile: (**profile).clone(), write }
            }
            other => match plain_input(other) {
                Some(input) => input,
                None => return Ok(()),
            },
        };
        self.tell(input);
        Ok(())
    }

    /// Brings the policy to try into force, with the skills it may name.
    pub(super) fn impose_policy(&mut self) -> Result<(), RunError> {
        let Some(policy) = self.plot.policy else { return Ok(()) };
        for (skill, description) in self.history.newest.skills() {
            if !self.state.skills().contains_key(skill) {
                let description = description.clone();
                self.tell(Input::CreateSkill { skill: skill.clone(), description });
            }
        }
        let input = Input::SetPolicy { policy: policy.clone(), expected: None };
        // Told on a copy first, so that a refusal is seen and not passed over.
        crate::routing::step(&mut self.state.clone(), input.clone(), self.now)?;
        self.tell(input);
        Ok(())
    }

    fn is_in_work(&self, ticket: &TicketId) -> bool {
        self.state.ticket(ticket).is_some_and(|open| open.status == Status::Assigned)
    }

    /// Lets an agent do what was planned, unless things have changed since.
    pub(super) fn fall_due(&mut self, due: Due) {
        match due {
            Due::Answer { offer, agent, answer: Answer::Accepted } => {
                self.tell(Input::Accept { offer, agent });
            }
            Due::Answer { offer, agent, answer: Answer::Declined } => {
                let reason = "declined".to_owned();
                self.tell(Input::Decline { offer, agent, reason });
            }
            Due::Answer { answer: Answer::Lapsed, .. } => {}
            Due::End { offer: OfferId { ticket, epoch }, agent, end } => {
                // It may have come back and gone to somebody else.
                let open = self.state.ticket(&ticket);
                if open.is_none_or(|open| open.epoch != epoch) {
                    return;
                }
                let leaves = agent.clone();
                let input = match end {
                    End::Completed(outcome) => Input::Complete { ticket, agent, outcome },
                    End::HandedOn(target, plan) => {
                        let target = match target {
                            TransferTarget::Agent(to) => Transfer::Agent(to),
                            TransferTarget::Intent(intent) => Transfer::Intent(intent),
                            TransferTarget::Skills => Transfer::Skills(plan.requirements.to_vec()),
                        };
                        Input::Transfer { ticket, agent, target }
                    }
                    End::Cancelled(reason) => Input::Cancel { ticket, reason },
                    End::Returned => return,
                };
                self.tell(input);
                if self.leaving.contains(&leaves)
                    && self.tell(Input::DeleteAgent { agent: leaves.clone() })
                {
                    self.leaving.remove(&leaves);
                }
            }
        }
    }
}

/// Returns what the core was told when this happened.
fn plain_input(event: &Event) -> Option<Input> {
    Some(match event {
        Event::WorkspaceSet { settings } => {
            Input::SetWorkspace { settings: settings.clone(), expected: None }
        }
        Event::SkillCreated { skill, description } => {
            Input::CreateSkill { skill: skill.clone(), description: description.clone() }
        }
        Event::SkillDeleted { skill } => Input::DeleteSkill { skill: skill.clone() },
        Event::PresenceChanged { agent, presence, .. } => {
            Input::SetPresence { agent: agent.clone(), presence: *presence }
        }
        Event::StreamOpened { agent } => Input::OpenStream { agent: agent.clone() },
        Event::StreamClosed { agent, .. } => Input::CloseStream { agent: agent.clone() },
        Event::Restarted { .. } => Input::Restart,
        Event::TicketReceived { ticket, intake } => {
            Input::Receive { ticket: ticket.clone(), intake: (**intake).clone() }
        }
        Event::TicketRead { ticket, reading, .. } => {
            Input::Read { ticket: ticket.clone(), reading: (**reading).clone() }
        }
        Event::TicketAssignedByHand { ticket, agent, .. } => {
            Input::Assign { ticket: ticket.clone(), agent: agent.clone() }
        }
        _ => return None,
    })
}
