//! A simulated server: the real engine, with a clock, a place among the others, and callers.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{
        Arc, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
};

use generator::{Generator, Gn};
use tokio::sync::{oneshot, watch};

use super::{
    chance::Chance,
    checks::must,
    database::Who,
    faults::Faults,
    ops::Told,
    store::SimStore,
    world::{Core, Event, Sim},
};
use crate::{
    app::{
        Error, Receipt,
        cluster::{Place, place, steps},
        engine::Engine,
        inbox::{Lead, Work},
        recent::Recent,
        steady::SteadyClock,
        topics::Topics,
        workspace::{Workspace, Workspaces},
    },
    clock::Clock,
    domain::{id::TicketId, planted::planted, time::UnixMillis},
    store::{self, Partition, ReplicaId},
};

/// When the simulation begins, by a right clock.
const BEGINNING: i64 = 1_700_000_000_000;
/// How often a server says that it is there, in milliseconds.
const BEAT_MS: i64 = 200;

/// A machine's clock: right but for some milliseconds.
struct MachineClock {
    hands: Arc<AtomicI64>,
    wrong_by: Arc<AtomicI64>,
}

impl Clock for MachineClock {
    fn now(&self) -> UnixMillis {
        let (hands, wrong_by) = (&self.hands, &self.wrong_by);
        UnixMillis(BEGINNING + hands.load(Ordering::Relaxed) + wrong_by.load(Ordering::Relaxed))
    }
}

/// What a server does about its partitions, one after the other.
enum Step {
    LayDown(Partition),
    TakeUp(Partition, Option<ReplicaId>),
}

/// What its place among the others waits for.
enum Wait {
    LaidDown(oneshot::Receiver<()>),
    TakenUp(oneshot::Receiver<bool>),
}

/// Stack of an engine, in words.
const STACK_WORDS: usize = 0x2_0000;

/// The life of an engine: it stops where it waits, and goes on later.
pub(super) type Life = Generator<'static, (), ()>;

/// What passes between the world and an engine.
pub(super) enum Turn {
    /// The world gives it something to do.
    Work(Vec<Work>),
    /// It waits until then.
    Waits(i64),
    /// It has started, or cannot.
    Started(Result<(), Error>),
    /// It has done what there was; the next is due after so many milliseconds.
    Rests(Result<(), store::Error>, i64),
}

/// Returns the life of an engine, not yet begun.
fn life_of(sim: &Arc<Sim>, who: Who, mut engine: Engine) -> Life {
    let sim = Arc::clone(sim);
    Gn::new_opt(STACK_WORDS, move || {
        let is_shared = sim.core().database.is_shared;
        let started = if is_shared { Ok(()) } else { engine.take_up_all() };
        let mut is_over = started.is_err();
        sim.turn(who, Turn::Started(started));
        while !is_over {
            pause();
            // Without work the server is gone.
            let Some(Turn::Work(work)) = sim.take_turn(who) else { break };
            let ended = engine.round(work);
            is_over = ended.is_err();
            let patience_ms = i64::try_from(engine.patience().as_millis()).unwrap();
            sim.turn(who, Turn::Rests(ended, patience_ms));
        }
    })
}

/// Stops the life of an engine, from within, until it is resumed.
#[expect(deprecated, reason = "a store deep in an engine has no scope to hand")]
pub(super) fn pause() {
    generator::yield_with(());
}

/// A call that an engine has, until it is answered.
struct Asked {
    op: usize,
    /// Whether it was done before it came.
    was_done: bool,
    answer: oneshot::Receiver<Result<Receipt, Error>>,
}

/// One run of a server, but for its engine.
pub(super) struct Run {
    pub(super) clock: Arc<SteadyClock>,
    pub(super) recent: Arc<Recent>,
    pub(super) topics: Arc<Topics>,
    pub(super) leads: watch::Receiver<BTreeSet<Partition>>,
    pub(super) inbox: Vec<Work>,
    answers: Vec<Asked>,
    todo: VecDeque<Step>,
    wait: Option<Wait>,
    is_busy: bool,
    /// When the next round is planned.
    next_at: Option<i64>,
    round_at: UnixMillis,
}

/// A server and its machine.
pub(super) struct Server {
    pub(super) is_up: bool,
    pub(super) life: u32,
    pub(super) connection: u64,
    pub(super) frozen_until: i64,
    pub(super) is_leaving: bool,
    /// Whether a commit failed in this round.
    pub(super) has_failed: bool,
    wrong_by: Arc<AtomicI64>,
    pub(super) run: Option<Run>,
}

impl Run {
    pub(super) fn is_busy(&self) -> bool {
        self.is_busy
    }
}

impl Server {
    pub(super) fn new(chance: &mut Chance, faults: &Faults) -> Self {
        let wrong_by = if faults.skewed { chance.millis(-3_000, 3_000) } else { 0 };
        Self {
            is_up: false,
            life: 0,
            connection: 0,
            frozen_until: 0,
            is_leaving: false,
            has_failed: false,
            wrong_by: Arc::new(AtomicI64::new(wrong_by)),
            run: None,
        }
    }

    pub(super) fn set_clock(&self, wrong_by: i64) {
        self.wrong_by.store(wrong_by, Ordering::Relaxed);
    }

    /// Ends its run; returns what was of it.
    pub(super) fn die(&mut self) -> Option<Run> {
        self.is_up = false;
        self.is_leaving = false;
        self.frozen_until = 0;
        self.run.take()
    }

    /// Says what it does about its partitions, for whoever looks into a violation.
    pub(super) fn busy_with(&self) -> String {
        let Some(run) = &self.run else { return "down".to_owned() };
        let waits = match &run.wait {
            None => "nothing",
            Some(Wait::LaidDown(_)) => "laying down",
            Some(Wait::TakenUp(_)) => "taking up",
        };
        let (todo, busy) = (run.todo.len(), run.is_busy);
        format!("life {}: waits for {waits}, {todo} steps to do, busy: {busy}", self.life)
    }

    pub(super) fn leads(&self, partition: Partition) -> bool {
        self.run.as_ref().is_some_and(|run| run.leads.borrow().contains(&partition))
    }
}

impl Sim {
    /// Starts a server anew.
    pub(super) fn start(self: &Arc<Self>, server: usize) {
        let (who, engine) = {
            let mut core = self.core();
            let hands = Arc::clone(&core.hands);
            let machine = &mut core.servers[server];
            if machine.is_up {
                return;
            }
            machine.life += 1;
            let who = Who { server, life: machine.life };
            let clock = MachineClock { hands, wrong_by: Arc::clone(&machine.wrong_by) };
            let clock = Arc::new(SteadyClock::new(Arc::new(clock)));
            let (recent, topics) = (Arc::new(Recent::default()), Arc::new(Topics::default()));
            let (leads_sender, leads) = watch::channel(BTreeSet::new());
            machine.is_up = true;
            machine.run = Some(Run {
                clock: Arc::clone(&clock),
                recent: Arc::clone(&recent),
                topics: Arc::clone(&topics),
                leads,
                inbox: Vec::new(),
                answers: Vec::new(),
                todo: VecDeque::new(),
                wait: None,
                is_busy: true,
                next_at: None,
                round_at: UnixMillis(0),
            });
            drop(core);
            let store = Box::new(SimStore::new(self, Some(who)));
            let shown = (recent, topics);
            let mut engine = Engine::new(store, clock, shown, watch::Sender::new(0), leads_sender);
            engine.name_tickets(ticket_names(who));
            (who, engine)
        };
        let life = life_of(self, who, engine);
        self.go_on_with(who, life);
    }

    /// Lets a server's engine do what waits for it.
    pub(super) fn round(self: &Arc<Self>, who: Who) {
        let Some(mut work) = self.core().take_work(who) else { return };
        let Some(life) = self.lives.lock().unwrap().remove(&who) else { return };
        let sim = Arc::clone(self);
        let commits = sim.core().servers[who.server].connection;
        work.push(Work::Question(Box::new(move |workspaces| {
            sim.core().look_at(who, commits, workspaces);
        })));
        self.turn(who, Turn::Work(work));
        self.go_on_with(who, life);
    }

    /// Lets a server's engine go on after a wait.
    pub(super) fn wake(self: &Arc<Self>, who: Who) {
        let life = self.lives.lock().unwrap().remove(&who);
        if let Some(life) = life {
            self.go_on_with(who, life);
        }
    }

    /// Lets an engine go on until it waits or has nothing to do, and hands out its answers.
    fn go_on_with(self: &Arc<Self>, who: Who, mut life: Life) {
        life.resume();
        let turn = self.turns.lock().unwrap().remove(&who);
        let mut core = self.core();
        match turn {
            Some(Turn::Waits(until)) => {
                let after_ms = until - core.now;
                core.plan_in(after_ms, Event::Wake(who));
            }
            Some(Turn::Started(started)) => core.has_started(who, started),
            Some(Turn::Rests(ended, patience_ms)) => core.has_rested(who, ended, patience_ms),
            Some(Turn::Work(_)) | None => {}
        }
        drop(core);
        if life.is_done() {
            return;
        }
        self.lives.lock().unwrap().insert(who, life);
    }

    /// Lets all engines come to their end.
    pub(super) fn end_lives(self: &Arc<Self>) {
        let lives = std::mem::take(&mut *self.lives.lock().unwrap_or_else(PoisonError::into_inner));
        lives.into_values().for_each(|mut life| {
            while !life.is_done() {
                life.resume();
            }
        });
    }

    /// Compares a workspace in memory with what its snapshot and its journal give.
    pub(super) fn compare(self: &Arc<Self>, who: Who) {
        let sim = Arc::clone(self);
        let question = move |workspaces: &mut Workspaces| {
            let store = SimStore::new(&sim, None);
            for (id, workspace) in workspaces {
                let holds = sim.core().holds(who, Partition::of(id));
                if !holds {
                    continue;
                }
                let loaded = Workspace::load(&store, id, workspace.created_at);
                let (loaded, _) = loaded.unwrap_or_else(|error| {
                    super::checks::violated(format!("I11: {id} cannot be read: {error:?}"))
                });
                if loaded.sequence != workspace.sequence {
                    // What the last round did is being found out.
                    continue;
                }
                must!(loaded.state == workspace.state, "I11: {id} in memory is not what is stored");
                must!(loaded.rows == workspace.rows, "I11: the rows of {id} are not those stored");
                let same = loaded.state.to_snapshot() == workspace.state.to_snapshot();
                must!(same, "I14: equal states of {id} have other bytes");
            }
        };
        let mut core = self.core();
        if !core.lives(who) {
            return;
        }
        let every_ms = core.chance.millis(500, 8_000);
        core.plan_in(every_ms, Event::Compare(who));
        core.put(who, Work::Question(Box::new(question)));
    }
}

/// Names tickets by who made them and when, in order.
fn ticket_names(who: Who) -> impl Fn(UnixMillis) -> TicketId + Send {
    let made = AtomicI64::new(0);
    move |now| {
        let number = made.fetch_add(1, Ordering::Relaxed);
        let Who { server, life } = who;
        TicketId::new(format!("{:x}-{number:03}-{server}-{life}", now.0)).unwrap()
    }
}

impl Core {
    /// Plans what a server that just started does.
    fn begin(&mut self, who: Who) {
        if let Some(run) = &mut self.servers[who.server].run {
            run.is_busy = false;
        }
        if self.database.is_shared {
            self.plan_in(0, Event::Beat(who));
        }
        self.plan_round(who, 0);
        let (reads_ms, compare_ms) = (self.chance.millis(0, 500), self.chance.millis(0, 5_000));
        self.plan_in(reads_ms, Event::Reads(who));
        self.plan_in(compare_ms, Event::Compare(who));
        if self.faults.snapshots {
            let first_ms = self.chance.millis(0, 5_000);
            self.plan_in(first_ms, Event::Snapshot(who));
        }
    }

    /// Gives a server's engine something to do.
    pub(super) fn put(&mut self, who: Who, work: Work) {
        if !self.lives(who) {
            return;
        }
        if let Some(run) = &mut self.servers[who.server].run {
            run.inbox.push(work);
        }
        let after_ms = i64::from(self.chance.in_1000(300));
        self.plan_round(who, after_ms);
    }

    fn plan_round(&mut self, who: Who, after_ms: i64) {
        let at = self.now + after_ms;
        let Some(run) = &mut self.servers[who.server].run else { return };
        if run.is_busy || run.next_at.is_some_and(|next| next <= at && next >= self.now) {
            return;
        }
        run.next_at = Some(at);
        self.plan_in(after_ms, Event::Round(who));
    }

    /// Takes what waits for an engine, unless it is busy or frozen.
    fn take_work(&mut self, who: Who) -> Option<Vec<Work>> {
        if !self.lives(who) {
            return None;
        }
        let (now, server) = (self.now, &mut self.servers[who.server]);
        let (frozen_until, run) = (server.frozen_until, server.run.as_mut()?);
        if run.is_busy {
            return None;
        }
        if run.next_at.is_some_and(|next| next <= now) {
            run.next_at = None;
        }
        if frozen_until > now {
            self.plan_round(who, frozen_until - now);
            return None;
        }
        run.is_busy = true;
        run.round_at = run.clock.now();
        Some(std::mem::take(&mut run.inbox))
    }

    /// Returns whether a server has a partition by the leases too, and nothing of it is under way.
    pub(super) fn holds(&self, who: Who, partition: Partition) -> bool {
        if !self.lives(who) || self.database.is_locked(partition) {
            return false;
        }
        let lease = self.database.leases.get(&partition);
        !self.database.is_shared || lease.is_some_and(|(holder, _)| *holder == who.id().0)
    }

    /// Looks at the workspaces of an engine after a round, if nothing went wrong in it.
    fn look_at(&mut self, who: Who, connection: u64, workspaces: &Workspaces) {
        let server = &self.servers[who.server];
        if !self.lives(who) || server.connection != connection || server.has_failed {
            return;
        }
        let round_at = server.run.as_ref().map_or(UnixMillis(0), |run| run.round_at);
        let Self { checks, database, .. } = self;
        let id = who.id().0;
        let holds = |partition| {
            let lease = database.leases.get(&partition);
            let is_mine = !database.is_shared || lease.is_some_and(|(holder, _)| *holder == id);
            is_mine && !database.is_locked(partition)
        };
        checks.round(database, (workspaces, round_at), holds);
    }

    fn has_started(&mut self, who: Who, started: Result<(), Error>) {
        self.say(format!("{who:?} starts: {started:?}"));
        match started {
            Ok(()) if self.lives(who) => self.begin(who),
            Ok(()) => {}
            Err(error) => {
                let damaged = matches!(
                    error,
                    Error::Store(store::Error::Mismatch { .. } | store::Error::Gap { .. })
                );
                must!(!damaged, "I11: {who:?} cannot start: {error:?}");
                if self.lives(who) {
                    self.crash(who.server, 500);
                }
            }
        }
    }

    fn has_rested(&mut self, who: Who, ended: Result<(), store::Error>, patience_ms: i64) {
        if !self.lives(who) {
            return;
        }
        self.after_round(who, patience_ms);
        if let Err(error) = ended {
            self.say(format!("{who:?} ends: {error}"));
            let is_right = matches!(error, store::Error::RolledBack) || error.is_fatal();
            must!(is_right, "I11: {who:?} ends: {error:?}");
            self.crash(who.server, 300);
        }
    }

    fn after_round(&mut self, who: Who, patience_ms: i64) {
        let Some(run) = &mut self.servers[who.server].run else { return };
        run.is_busy = false;
        let answers = std::mem::take(&mut run.answers);
        let has_more = !run.inbox.is_empty();
        let mut waiting = Vec::new();
        for mut asked in answers {
            match asked.answer.try_recv() {
                Ok(answer) => {
                    self.has_answered(who, (asked.op, asked.was_done), Told::of(answer));
                }
                // It came while the engine was busy: the next round has it.
                Err(oneshot::error::TryRecvError::Empty) => waiting.push(asked),
                Err(oneshot::error::TryRecvError::Closed) => {}
            }
        }
        if let Some(run) = &mut self.servers[who.server].run {
            run.answers.append(&mut waiting);
        }
        self.servers[who.server].has_failed = false;
        let after_ms = if has_more { 0 } else { patience_ms };
        if has_more || !planted!(NoTicks) {
            self.plan_round(who, after_ms);
        }
        self.go_on(who);
    }

    /// A call reaches a server.
    pub(super) fn arrive(&mut self, number: usize, server: usize) {
        let who = Who { server, life: self.servers[server].life };
        let is_other = self.ops.all[number].only.is_some_and(|only| only != who);
        if !self.lives(who) || is_other {
            return;
        }
        let op = &mut self.ops.all[number];
        op.arrived += 1;
        let was_done = !op.done.is_empty();
        let (reply, answer) = oneshot::channel();
        let work = Work::Command(Box::new(op.command()), reply);
        if let Some(run) = &mut self.servers[server].run {
            run.answers.push(Asked { op: number, was_done, answer });
        }
        self.put(who, work);
    }

    // Its place among the others; as `cluster::Member`.

    pub(super) fn beat(&mut self, who: Who) {
        if !self.lives(who) {
            return;
        }
        let server = &self.servers[who.server];
        if server.frozen_until > self.now {
            let after_ms = server.frozen_until - self.now;
            return self.plan_in(after_ms, Event::Beat(who));
        }
        self.plan_in(BEAT_MS, Event::Beat(who));
        let server = &self.servers[who.server];
        let (is_leaving, Some(run)) = (server.is_leaving, &server.run) else { return };
        if self.database.is_down || run.wait.is_some() || !run.todo.is_empty() {
            return self.go_on(who);
        }
        let leads = run.leads.borrow().clone();
        let view = self.database.beat(who, is_leaving, self.now);
        if is_leaving && leads.is_empty() && place(&view, &who.id()) != Place::Empty {
            return self.leave(who);
        }
        let steps = steps(&view, &who.id(), &leads, is_leaving);
        let lay_down = steps.lay_down.into_iter().map(Step::LayDown);
        let take_up = steps.take_up.into_iter().map(|(at, from)| Step::TakeUp(at, from));
        let todo = lay_down.chain(take_up).collect();
        if let Some(run) = &mut self.servers[who.server].run {
            run.todo = todo;
        }
        self.go_on(who);
    }

    fn leave(&mut self, who: Who) {
        self.database.replicas.remove(&who.id());
        let restart_ms = self.chance.millis(100, 5_000);
        self.crash(who.server, restart_ms);
    }

    /// Goes on with what a server does about its partitions, until it has to wait.
    pub(super) fn go_on(&mut self, who: Who) {
        while self.lives(who) && !self.database.is_down {
            let now = self.now;
            let server = &mut self.servers[who.server];
            if server.frozen_until > now {
                return;
            }
            let Some(run) = &mut server.run else { return };
            let is_over = match &mut run.wait {
                None => true,
                Some(Wait::LaidDown(answer)) => is_over(answer),
                Some(Wait::TakenUp(answer)) => is_over(answer),
            };
            if !is_over {
                return;
            }
            run.wait = None;
            let Some(step) = run.todo.pop_front() else { return };
            let lead = match step {
                Step::LayDown(partition) => {
                    let (reply, answer) = oneshot::channel();
                    run.wait = Some(Wait::LaidDown(answer));
                    Lead::LayDown(partition, reply)
                }
                Step::TakeUp(partition, from) => {
                    if self.database.is_locked(partition) {
                        run.todo.push_front(Step::TakeUp(partition, from));
                        return self.plan_in(20, Event::GoOn(who));
                    }
                    let lease = self.database.take(who, partition, from.as_ref(), now);
                    let Some(lease) = lease else { continue };
                    let (reply, answer) = oneshot::channel();
                    run.wait = Some(Wait::TakenUp(answer));
                    Lead::TakeUp(who.id(), lease, reply)
                }
            };
            self.put(who, Work::Lead(lead));
        }
    }
}

fn is_over<T>(answer: &mut oneshot::Receiver<T>) -> bool {
    !matches!(answer.try_recv(), Err(oneshot::error::TryRecvError::Empty))
}
