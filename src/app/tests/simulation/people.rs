//! Platforms, agents and administrators: what they want, and what they make of what they hear.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use tokio::sync::watch;

use super::{
    chance::Chance,
    checks::must,
    database::Who,
    ops::{Op, Told, Want},
    world::{Core, Event},
};
use crate::{
    app::{Topic, standard_policy},
    domain::{
        agent::{AgentProfile, Presence},
        event::Event as Happened,
        id::{AgentId, OfferId, SkillId, TicketId, WorkspaceId},
        policy::{AgentChoice, Policy, TicketOrder},
        ticket::{Intake, Outcome, Resolution},
    },
    routing::{AgentWrite, Input, Transfer},
    store::Partition,
};

/// The workspaces; servers make the first by themselves.
const WORKSPACES: [&str; 3] = ["default", "acme", "umbrella"];
/// How often a caller sends a call before giving up.
const TRIES: u32 = 6;

/// Everybody.
pub(super) struct People {
    pub(super) workspaces: Vec<WorkspaceId>,
    pub(super) agents: Vec<Agent>,
    /// Tickets somebody was told of.
    tickets: Vec<(WorkspaceId, TicketId)>,
    /// Offers ever made, to be answered late.
    offers: VecDeque<(usize, OfferId)>,
    /// How often tickets come, in milliseconds.
    pace_ms: i64,
}

/// An agent and what they know.
pub(super) struct Agent {
    pub(super) id: AgentId,
    pub(super) workspace: WorkspaceId,
    /// Entries about them that they have seen.
    seen: usize,
    offers: Vec<OfferId>,
    mine: BTreeSet<TicketId>,
    is_online: bool,
    stream: Option<(Who, watch::Receiver<u64>)>,
    opening: Option<usize>,
    /// Went home without a word.
    pub(super) is_gone: bool,
}

impl People {
    pub(super) fn of(chance: &mut Chance) -> Self {
        let count = 1 + chance.below(WORKSPACES.len());
        let workspaces: Vec<WorkspaceId> =
            WORKSPACES[..count].iter().map(|id| WorkspaceId::new(*id).unwrap()).collect();
        let mut agents = Vec::new();
        for workspace in &workspaces {
            for number in 0..1 + chance.below(4) {
                agents.push(Agent {
                    id: AgentId::new(format!("a{number}")).unwrap(),
                    workspace: workspace.clone(),
                    seen: 0,
                    offers: Vec::new(),
                    mine: BTreeSet::new(),
                    is_online: false,
                    stream: None,
                    opening: None,
                    is_gone: false,
                });
            }
        }
        let pace_ms = *chance.one_of(&[200, 1_000, 3_000]);
        Self { workspaces, agents, tickets: Vec::new(), offers: VecDeque::new(), pace_ms }
    }
}

impl Core {
    /// Plans what people do first.
    pub(super) fn begin_people(&mut self) {
        for at in 0..self.people.workspaces.len() {
            let workspace = self.people.workspaces[at].clone();
            if at > 0 {
                self.ask(workspace, Want::Workspace, true);
            }
        }
        for at in 0..self.people.agents.len() {
            let workspace = self.people.agents[at].workspace.clone();
            let profile = self.profile(at);
            let create = Input::SetAgent { profile, write: AgentWrite::Create };
            self.ask(workspace, Want::Do(create), true);
            let first_ms = self.chance.millis(500, 3_000);
            self.plan_in(first_ms, Event::Agent(at));
        }
        self.plan_in(1_000, Event::Platform);
        self.plan_in(500, Event::Admin);
    }

    /// Asks for something.
    pub(super) fn ask(&mut self, workspace: WorkspaceId, want: Want, keyed: bool) -> usize {
        let number = self.ops.all.len();
        let key = keyed.then_some(number);
        self.ask_by(key, workspace, want)
    }

    fn ask_by(&mut self, key: Option<usize>, workspace: WorkspaceId, want: Want) -> usize {
        let number = self.new_op(key, workspace, want);
        self.send(number);
        number
    }

    fn new_op(&mut self, key: Option<usize>, workspace: WorkspaceId, want: Want) -> usize {
        let (number, asked_at) = (self.ops.all.len(), self.now);
        self.ops.all.push(Op {
            number,
            asked_at,
            workspace,
            key,
            tries_left: match (&want, key) {
                // Without its workspace nobody can do anything.
                (Want::Workspace, _) => u32::MAX,
                (_, Some(_)) => TRIES,
                (_, None) => 1,
            },
            want,
            arrived: 0,
            next_send_at: 0,
            answered: false,
            receipt: None,
            done: Vec::new(),
            only: None,
        });
        number
    }

    /// Sends a call, or sends it again.
    pub(super) fn send(&mut self, number: usize) {
        let now = self.now;
        let op = &mut self.ops.all[number];
        let gives_up = op.tries_left == 0 && !(self.faults.is_calm && op.key.is_some());
        if op.answered || gives_up || now < op.next_send_at {
            return;
        }
        op.tries_left = op.tries_left.saturating_sub(1);
        let (keyed, partition) = (op.key.is_some(), Partition::of(&op.workspace));
        let patience_ms = self.chance.millis(1_500, 3_000);
        self.ops.all[number].next_send_at = now + patience_ms;
        self.plan_in(patience_ms, Event::Impatient(number));
        let server = self.pick(partition);
        let faults = self.faults;
        if self.chance.in_1000(faults.lost) {
            return;
        }
        let delay_ms = self.on_the_way();
        self.plan_in(delay_ms, Event::Arrive { op: number, server });
        if keyed && self.chance.in_1000(faults.doubled) {
            let delay_ms = self.on_the_way();
            self.plan_in(delay_ms, Event::Arrive { op: number, server });
        }
    }

    fn on_the_way(&mut self) -> i64 {
        if self.chance.in_1000(self.faults.delayed) {
            self.chance.millis(5, 4_000)
        } else {
            self.chance.millis(0, 3)
        }
    }

    /// Returns the server that a call reaches: as a rule the one that has the workspace.
    fn pick(&mut self, partition: Partition) -> usize {
        let any = self.chance.below(self.servers.len());
        if self.chance.in_1000(self.faults.astray) {
            return any;
        }
        self.servers.iter().position(|server| server.leads(partition)).unwrap_or(any)
    }

    /// An engine has answered: the answer is checked, and goes on its way.
    pub(super) fn has_answered(&mut self, who: Who, (number, was_done): (usize, bool), told: Told) {
        self.ops.told(number, was_done, &told);
        let text = match &told {
            Told::Done(receipt) => {
                let ticket = receipt.ticket.as_ref().map_or("", |ticket| ticket.as_str());
                format!("done {} {ticket} {}", receipt.sequence, receipt.replayed)
            }
            other => format!("{other:?}"),
        };
        self.checks.told(&self.ops.all[number], &text);
        if self.is_verbose {
            let op = &self.ops.all[number];
            let line =
                format!("{who:?} tells op {number} {} in {}: {text}", op.name(), op.workspace);
            self.say(line);
        }
        let is_stream = self.ops.all[number].key.is_none();
        if is_stream || !self.chance.in_1000(self.faults.lost) {
            let delay_ms = if is_stream { 0 } else { self.on_the_way() };
            self.plan_in(delay_ms, Event::Answer { op: number, told, from: who });
        }
    }

    /// An answer reaches its caller.
    pub(super) fn answer(&mut self, number: usize, told: &Told, from: Who) {
        let now = self.now;
        let op = &mut self.ops.all[number];
        if op.answered {
            return;
        }
        if let Some(who) = op.only {
            let again = matches!(told, Told::Later(why) if *why != "moved");
            if again && self.lives(who) {
                self.plan_in(200, Event::Arrive { op: number, server: who.server });
            }
            return;
        }
        if let Told::Later(_) = told {
            let again_ms = self.chance.millis(100, 500);
            op.next_send_at = now + again_ms;
            return self.plan_in(again_ms, Event::Impatient(number));
        }
        op.answered = true;
        let (workspace, is_done) = (op.workspace.clone(), matches!(told, Told::Done(_)));
        match (&op.want, told) {
            (Want::Submit(_), Told::Done(receipt)) => {
                self.people.tickets.extend(receipt.ticket.clone().map(|id| (workspace, id)));
            }
            (Want::Do(Input::OpenStream { agent }), _) if is_done => {
                let agent = agent.clone();
                self.has_stream(&workspace, &agent, from);
            }
            _ => {}
        }
    }

    fn has_stream(&mut self, workspace: &WorkspaceId, agent: &AgentId, from: Who) {
        if !self.lives(from) {
            return;
        }
        let Some(run) = &self.servers[from.server].run else { return };
        let news = run.topics.watch(Topic::Agent(workspace.clone(), agent.clone()));
        let mut agents = self.people.agents.iter_mut();
        if agents.any(|a| a.workspace == *workspace && a.id == *agent && a.is_gone) {
            return self.close_stream(workspace, agent, from);
        }
        let mut agents = self.people.agents.iter_mut();
        let found = agents.find(|a| a.workspace == *workspace && a.id == *agent);
        let before = found.and_then(|agent| agent.stream.replace((from, news)));
        if let Some((who, _)) = before {
            self.close_stream(workspace, agent, who);
        }
    }

    // Platforms

    pub(super) fn platform(&mut self) {
        if self.faults.is_calm {
            return;
        }
        let pace_ms = self.people.pace_ms;
        let next_ms = self.chance.millis(1, 2 * pace_ms);
        self.plan_in(next_ms, Event::Platform);
        let workspace = self.chance.one_of(&self.people.workspaces).clone();
        match self.chance.below(20) {
            0..2 if !self.people.tickets.is_empty() => {
                let (workspace, ticket) = self.chance.one_of(&self.people.tickets).clone();
                let cancel = Input::Cancel { ticket, reason: "gone".to_owned() };
                self.ask(workspace, Want::Do(cancel), true);
            }
            2..4 if !self.ops.all.is_empty() => self.send_once_more(),
            4 => self.use_a_key_again(),
            _ => {
                let intake = self.intake();
                self.ask(workspace, Want::Submit(intake), true);
            }
        }
    }

    /// A call that was answered long ago arrives again.
    fn send_once_more(&mut self) {
        let op = self.chance.below(self.ops.all.len());
        if self.ops.all[op].key.is_some() {
            let server = self.pick(Partition::of(&self.ops.all[op].workspace));
            self.plan_in(0, Event::Arrive { op, server });
        }
    }

    /// A platform uses the key of a ticket it has submitted for another one.
    fn use_a_key_again(&mut self) {
        let op = self.chance.below(self.ops.all.len());
        let (op, next) = (&self.ops.all[op], self.ops.all.len());
        let is_known = op.receipt.is_some() && matches!(op.want, Want::Submit(_));
        if is_known && op.key == Some(op.number) && op.number % 251 != next % 251 {
            let (key, workspace) = (op.key, op.workspace.clone());
            let intake = self.intake();
            self.ask_by(key, workspace, Want::Submit(intake));
        }
    }

    fn intake(&mut self) -> Intake {
        let channel = (*self.chance.one_of(&["chat", "email", "phone"])).to_owned();
        Intake {
            channel,
            language: None,
            attributes: BTreeMap::new(),
            requirements: Vec::new(),
            priority: u8::try_from(self.chance.below(3)).unwrap(),
            target_secs: None,
            preferred_agent: None,
            is_long: false,
        }
    }

    // Administrators

    pub(super) fn admin(&mut self) {
        if self.faults.is_calm {
            return;
        }
        let next_ms = self.chance.millis(500, 15_000);
        self.plan_in(next_ms, Event::Admin);
        if self.chance.in_1000(500) {
            let workspace = self.chance.one_of(&self.people.workspaces).clone();
            let policy = self.policy();
            self.ask(workspace, Want::Do(Input::SetPolicy { policy, expected: None }), true);
            return;
        }
        let at = self.chance.below(self.people.agents.len());
        let workspace = self.people.agents[at].workspace.clone();
        let profile = self.profile(at);
        let replace = Input::SetAgent { profile, write: AgentWrite::Replace(None) };
        self.ask(workspace, Want::Do(replace), true);
    }

    fn policy(&mut self) -> Policy {
        let chance = &mut self.chance;
        let secs = |chance: &mut Chance, choices: &[u32]| *chance.one_of(choices);
        let mut policy = Policy {
            offer_timeout_secs: secs(chance, &[2, 5, 12]),
            decline_backoff_secs: secs(chance, &[0, 3, 10]),
            presence_lease_secs: secs(chance, &[3, 10]),
            wrap_up_secs: secs(chance, &[0, 2]),
            assignment_return_secs: secs(chance, &[5, 20]),
            reading_wait_ms: secs(chance, &[200, 1_000]),
            triage_after_secs: Some(secs(chance, &[5, 600])),
            ..standard_policy::policy()
        };
        policy.relaxation[0].after_secs = secs(chance, &[2, 120]);
        policy.agent_choice = *chance.one_of(&[
            AgentChoice::LongestCumulativeIdle,
            AgentChoice::LongestCumulativeIdle,
            AgentChoice::LongestIdle,
            AgentChoice::Random,
            AgentChoice::FewestTickets,
        ]);
        policy.ticket_order = match chance.below(2) {
            0 => TicketOrder::HeadStart,
            _ => TicketOrder::Strict,
        };
        policy.batching.gather_ms = secs(chance, &[0, 0, 0, 500]);
        policy
    }

    fn profile(&mut self, at: usize) -> AgentProfile {
        let agent = &self.people.agents[at];
        let mut skills = BTreeMap::from([(SkillId::new("triage").unwrap(), 3)]);
        for skill in ["orders", "refunds"] {
            if self.chance.in_1000(700) {
                let level = u8::try_from(1 + self.chance.below(4)).unwrap();
                skills.insert(SkillId::new(skill).unwrap(), level);
            }
        }
        AgentProfile {
            agent: agent.id.clone(),
            display_name: String::new(),
            skills,
            capacity_units: 2 + u32::try_from(self.chance.below(3)).unwrap(),
            channel_units: BTreeMap::from([("phone".to_owned(), 2)]),
            speed: 0,
            shifts: None,
        }
    }

    // Agents

    pub(super) fn agent(&mut self, at: usize) {
        let is_calm = self.faults.is_calm;
        let next_ms =
            if is_calm { self.chance.millis(200, 700) } else { self.chance.millis(50, 1_500) };
        self.plan_in(next_ms, Event::Agent(at));
        self.hear(at);
        let agent = &self.people.agents[at];
        if let Some((who, news)) = &agent.stream {
            let (who, is_over) = (*who, news.has_changed().is_err());
            if is_over || !self.lives(who) {
                let (workspace, id) = (agent.workspace.clone(), agent.id.clone());
                self.people.agents[at].stream = None;
                self.close_stream(&workspace, &id, who);
            }
        }
        if self.people.agents[at].is_gone {
            return;
        }
        self.come_and_go(at);
        if self.people.agents[at].is_online {
            self.answer_offers(at);
            self.work(at);
        }
    }

    /// Reads what is new about an agent.
    fn hear(&mut self, at: usize) {
        let agent = &mut self.people.agents[at];
        let Some(space) = self.database.spaces.get(&agent.workspace) else { return };
        let about = space.by_agent.get(&agent.id).map_or(&[][..], |about| &about[..]);
        for sequence in &about[agent.seen.min(about.len())..] {
            let entry = &space.entries[usize::try_from(*sequence).unwrap() - 1];
            match &entry.event {
                Happened::OfferMade { offer, .. } => {
                    agent.offers.push(offer.clone());
                    self.people.offers.push_back((at, offer.clone()));
                    if self.people.offers.len() > 20 {
                        self.people.offers.pop_front();
                    }
                }
                Happened::OfferAccepted { offer, .. } => {
                    agent.mine.insert(offer.ticket.clone());
                }
                Happened::AssignmentCompleted { ticket, .. }
                | Happened::TicketTransferred { ticket, .. }
                | Happened::AssignmentReturned { ticket, .. }
                | Happened::TicketCancelled { ticket, .. } => drop(agent.mine.remove(ticket)),
                _ => {}
            }
        }
        agent.seen = about.len();
        self.check_reads(at);
    }

    /// What a server says from memory is what is stored, or nothing.
    fn check_reads(&mut self, at: usize) {
        let agent = &self.people.agents[at];
        let Some((who, _)) = agent.stream.as_ref().filter(|(who, _)| self.lives(*who)) else {
            return;
        };
        let (id, partition) = (&agent.workspace, Partition::of(&agent.workspace));
        let (server, space) = (&self.servers[who.server], &self.database.spaces[id]);
        let Some(run) = server.run.as_ref().filter(|run| !run.is_busy()) else { return };
        if !server.leads(partition) {
            let ticket = space.numbers.keys().next_back();
            let told = ticket.and_then(|t| run.recent.ticket(&(id.clone(), t.clone())));
            must!(told.is_none(), "I12: {who:?} tells of a ticket of {id}, which it has not");
            let is_open = agent.stream.as_ref().is_some_and(|(_, news)| news.has_changed().is_ok());
            must!(!is_open, "I12: a stream of {id} goes on at {who:?}, which has it not");
            return;
        }
        if !self.holds(*who, partition) {
            return;
        }
        let topic = Topic::Agent(id.clone(), agent.id.clone());
        let about = space.by_agent.get(&agent.id).map_or(&[][..], |about| &about[..]);
        let after = about.len().checked_sub(5).map_or(0, |at| about[at]);
        if let Some(news) = run.topics.news(&topic, after) {
            let stored: Vec<u64> = about.iter().copied().filter(|s| *s > after).collect();
            must!(news == stored, "I12: a stream of {} has {news:?}, not {stored:?}", agent.id);
            for entry in run.recent.entries(id, &news).unwrap_or_default() {
                let stored = &space.entries[usize::try_from(entry.sequence).unwrap() - 1];
                must!(entry == *stored, "I12: {who:?} tells {entry:?}, stored is {stored:?}");
            }
        }
        for ticket in agent.mine.iter().chain(agent.offers.last().map(|offer| &offer.ticket)) {
            let Some(told) = run.recent.ticket(&(id.clone(), ticket.clone())) else { continue };
            let number = space.numbers[ticket];
            let is_right = told.row == space.rows[&number]
                && told.detail == space.details[&number]
                && told.payload == space.payloads[&number];
            must!(is_right, "I12: {who:?} tells {:?}, not {:?}", told.row, space.rows[&number]);
        }
    }

    fn come_and_go(&mut self, at: usize) {
        let faults = self.faults;
        let leaves = self.chance.in_1000(faults.flapping);
        let comes = faults.is_calm || self.chance.in_1000(300);
        let agent = &mut self.people.agents[at];
        let (id, workspace) = (agent.id.clone(), agent.workspace.clone());
        let set = |presence| Want::Do(Input::SetPresence { agent: id.clone(), presence });
        if agent.is_online && leaves {
            agent.is_online = false;
            agent.offers.clear();
            let closes = agent.stream.take();
            match self.chance.below(4) {
                0 => drop(self.ask(workspace.clone(), set(Presence::Offline), true)),
                1 => drop(self.ask(workspace.clone(), set(Presence::Away), true)),
                _ => {}
            }
            if let Some((who, _)) = closes {
                self.close_stream(&workspace, &id, who);
            }
            return;
        }
        if !agent.is_online {
            agent.is_online = comes;
            if comes {
                self.ask(workspace, set(Presence::Available), true);
            }
            return;
        }
        let waits = agent.opening.is_some_and(|op| {
            let op = &self.ops.all[op];
            !op.answered && op.next_send_at > self.now
        });
        if agent.stream.is_none() && !waits {
            if self.chance.in_1000(500) {
                self.ask(workspace.clone(), set(Presence::Available), true);
            }
            let open = Want::Do(Input::OpenStream { agent: id.clone() });
            let op = self.ask(workspace, open, false);
            self.people.agents[at].opening = Some(op);
        } else if faults.is_calm && self.chance.in_1000(200) {
            self.ask(workspace, set(Presence::Available), true);
        }
    }

    /// The end of a stream is told to the engine that had it; as `service::offers::seat`.
    fn close_stream(&mut self, workspace: &WorkspaceId, agent: &AgentId, who: Who) {
        if self.lives(who) {
            let close = Want::Do(Input::CloseStream { agent: agent.clone() });
            let op = self.new_op(None, workspace.clone(), close);
            self.ops.all[op].only = Some(who);
            self.plan_in(0, Event::Arrive { op, server: who.server });
        }
    }

    fn answer_offers(&mut self, at: usize) {
        let is_calm = self.faults.is_calm;
        let agent = &mut self.people.agents[at];
        let (id, workspace) = (agent.id.clone(), agent.workspace.clone());
        let offers = std::mem::take(&mut agent.offers);
        for offer in offers {
            let agent = id.clone();
            let answer = match self.chance.below(10) {
                0 if !is_calm => continue,
                1 if !is_calm => Input::Decline { offer, agent, reason: "busy".to_owned() },
                _ => Input::Accept { offer, agent },
            };
            let again = self.chance.in_1000(100).then(|| answer.clone());
            self.ask(workspace.clone(), Want::Do(answer), true);
            if let Some(again) = again {
                self.ask(workspace.clone(), Want::Do(again), true);
            }
        }
        if !is_calm && !self.people.offers.is_empty() && self.chance.in_1000(60) {
            // Somebody else's, or one that is over.
            let offers = self.people.offers.len();
            let (of, offer) = self.people.offers[self.chance.below(offers)].clone();
            if self.people.agents[of].workspace == workspace {
                self.ask(workspace, Want::Do(Input::Accept { offer, agent: id }), true);
            }
        }
    }

    fn work(&mut self, at: usize) {
        let is_calm = self.faults.is_calm;
        let agent = &self.people.agents[at];
        let (id, workspace) = (agent.id.clone(), agent.workspace.clone());
        let first = agent.mine.first().cloned();
        let Some(ticket) = first.filter(|_| self.chance.in_1000(if is_calm { 700 } else { 250 }))
        else {
            return;
        };
        let input = if !is_calm && self.chance.in_1000(150) {
            let target = Transfer::Intent("place_order".to_owned());
            Input::Transfer { ticket, agent: id, target }
        } else {
            let resolution = Resolution::Resolved;
            let outcome = Outcome { resolution, right_intent: None, satisfaction: None };
            Input::Complete { ticket, agent: id, outcome }
        };
        self.ask(workspace, Want::Do(input), true);
    }

    /// Faults are over: everybody who is not gone comes and works; some went without a word.
    pub(super) fn calm_people(&mut self) {
        for at in 0..self.people.agents.len() {
            let first = self.people.agents[at].id.as_str() == "a0";
            let agent = &mut self.people.agents[at];
            agent.is_gone = !first && self.chance.in_1000(400);
            let (id, workspace) = (agent.id.clone(), agent.workspace.clone());
            if agent.is_gone
                && let Some((who, _)) = agent.stream.take()
            {
                self.close_stream(&workspace, &id, who);
            }
        }
    }
}
