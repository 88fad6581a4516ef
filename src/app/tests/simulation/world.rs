//! The simulated world: one thread, one clock, one line of events, and chance from a seed.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
};

use super::{
    chance::Chance,
    checks::Checks,
    database::{Database, Who},
    faults::Faults,
    ops::{Ops, Told},
    people::People,
    server::{Life, Server, Turn},
    store::Fate,
};
use crate::{
    domain::{
        id::{TicketId, WorkspaceId},
        planted::planted,
        reading::ReadingSource,
    },
    routing::State,
    store::{Batch, StatePart},
};

/// Something that happens.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// A call reaches a server.
    Arrive { op: usize, server: usize },
    /// An answer reaches its caller.
    Answer { op: usize, told: Told, from: Who },
    /// A caller has waited long enough.
    Impatient(usize),
    /// A server does what waits for it.
    Round(Who),
    /// A server's engine goes on after a wait.
    Wake(Who),
    /// A server says that it is there.
    Beat(Who),
    /// A server goes on with what follows from that.
    GoOn(Who),
    /// A server looks what is to be read.
    Reads(Who),
    /// A ticket has been read.
    Read { who: Who, workspace: WorkspaceId, ticket: TicketId, source: ReadingSource },
    /// A server takes a snapshot.
    Snapshot(Who),
    /// A workspace in memory is compared with what is stored.
    Compare(Who),
    /// A platform does something.
    Platform,
    /// An agent does something.
    Agent(usize),
    /// An administrator does something.
    Admin,
    /// Something goes wrong.
    Trouble,
    /// Something goes right again.
    Mend(Mend),
    /// A server starts.
    Start(usize),
    /// The end of an orphaned transaction.
    Resolve(u64),
    /// The database ends a transaction whose client is silent.
    EndIdle(u64),
}

/// What goes right again.
#[derive(Clone, Copy, Debug)]
pub(super) enum Mend {
    Database,
    Disk,
}

/// Everything but the engines.
pub(super) struct Core {
    pub(super) now: i64,
    /// The same for the servers' clocks.
    pub(super) hands: Arc<AtomicI64>,
    events: BTreeMap<(i64, u64, u64), Event>,
    planned: u64,
    pub(super) happened: u64,
    pub(super) chance: Chance,
    pub(super) faults: Faults,
    pub(super) database: Database,
    pub(super) servers: Vec<Server>,
    pub(super) ops: Ops,
    pub(super) people: People,
    pub(super) checks: Checks,
    pub(super) is_verbose: bool,
    /// How many lines are kept to be shown with a violation.
    pub(super) lines_kept: usize,
    pub(super) said: VecDeque<String>,
}

/// The world, with its engines.
pub(super) struct Sim {
    core: Mutex<Core>,
    /// Engines that wait, or have nothing to do.
    pub(super) lives: Mutex<BTreeMap<Who, Life>>,
    /// What passes between the world and them.
    pub(super) turns: Mutex<BTreeMap<Who, Turn>>,
}

impl Sim {
    pub(super) fn new(seed: u64, lines_kept: usize) -> Arc<Self> {
        let mut chance = Chance::new(seed);
        let faults = Faults::of(&mut chance);
        let hands = Arc::new(AtomicI64::new(0));
        let core = Core {
            now: 0,
            hands,
            events: BTreeMap::new(),
            planned: 0,
            happened: 0,
            database: Database { is_shared: faults.is_shared, ..Database::default() },
            servers: (0..faults.servers).map(|_| Server::new(&mut chance, &faults)).collect(),
            ops: Ops::default(),
            people: People::of(&mut chance),
            checks: Checks::default(),
            chance,
            faults,
            is_verbose: lines_kept > 0,
            lines_kept,
            said: VecDeque::new(),
        };
        Arc::new(Self { core: Mutex::new(core), lives: Mutex::default(), turns: Mutex::default() })
    }

    pub(super) fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands something to an engine, or to the world.
    pub(super) fn turn(&self, who: Who, turn: Turn) {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner).insert(who, turn);
    }

    pub(super) fn take_turn(&self, who: Who) -> Option<Turn> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner).remove(&who)
    }

    /// Lets everything happen until then.
    pub(super) fn run_until(self: &Arc<Self>, until: i64) {
        loop {
            let event = {
                let mut core = self.core();
                let next = core.events.first_entry().filter(|next| next.key().0 <= until);
                let Some(next) = next else {
                    core.set_time(until);
                    return;
                };
                let ((at, _, _), event) = next.remove_entry();
                core.set_time(at);
                core.happened += 1;
                event
            };
            self.happen(event);
        }
    }

    fn happen(self: &Arc<Self>, event: Event) {
        match event {
            Event::Round(who) => self.round(who),
            Event::Wake(who) => self.wake(who),
            Event::Start(server) => self.start(server),
            Event::Reads(who) => self.look_what_to_read(who),
            Event::Compare(who) => self.compare(who),
            event => self.core().happen(event),
        }
    }
}

impl Core {
    fn set_time(&mut self, at: i64) {
        self.now = self.now.max(at);
        self.hands.store(self.now, Ordering::Relaxed);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrive { op, server } => self.arrive(op, server),
            Event::Answer { op, told, from } => self.answer(op, &told, from),
            Event::Impatient(op) => self.send(op),
            Event::Beat(who) => self.beat(who),
            Event::GoOn(who) => self.go_on(who),
            Event::Read { who, workspace, ticket, source } => {
                self.has_read(who, workspace, ticket, source);
            }
            Event::Snapshot(who) => self.snapshot(who),
            Event::Platform => self.platform(),
            Event::Agent(agent) => self.agent(agent),
            Event::Admin => self.admin(),
            Event::Trouble => self.trouble(),
            Event::Mend(Mend::Database) => self.database.is_down = false,
            Event::Mend(Mend::Disk) => self.database.is_full = false,
            Event::Resolve(number) => self.resolve(number),
            Event::EndIdle(number) => {
                if self.database.open.iter().any(|o| o.number == number && o.orphan.is_none()) {
                    self.database.end(number);
                }
            }
            Event::Round(_)
            | Event::Wake(_)
            | Event::Start(_)
            | Event::Reads(_)
            | Event::Compare(_) => {}
        }
    }

    /// Plans an event; what happens at the same time happens in an order of chance.
    pub(super) fn plan_in(&mut self, millis: i64, event: Event) {
        self.planned += 1;
        let key = (self.now + millis, self.chance.next(), self.planned);
        self.events.insert(key, event);
    }

    /// Notes a line to be shown with a violation.
    pub(super) fn say(&mut self, line: String) {
        if self.said.len() >= self.lines_kept.max(1) {
            self.said.pop_front();
        }
        self.said.push_back(format!("{:>9.3} {line}", self.now as f64 / 1000.0));
    }

    pub(super) fn lives(&self, who: Who) -> bool {
        let server = &self.servers[who.server];
        server.is_up && server.life == who.life
    }

    /// Ends a transaction whose client is gone.
    pub(super) fn resolve(&mut self, number: u64) {
        let Some(open) = self.database.end(number) else { return };
        if open.orphan == Some(true) {
            self.durable(open.who, &open.batch, &open.locks);
        }
    }

    /// Says how the next commit goes.
    pub(super) fn fate(&mut self) -> (i64, Fate) {
        let Faults { fails, unknown, hangs, is_shared, .. } = self.faults;
        let is_slow = self.chance.in_1000(hangs);
        let delay_ms = match is_slow {
            true => self.chance.millis(1, 4_000),
            false if self.chance.in_1000(hangs) => self.chance.millis(1, 20),
            false => 0,
        };
        if self.chance.in_1000(fails) {
            let is_fatal = !is_shared && self.chance.in_1000(200);
            return (delay_ms, if is_fatal { Fate::Fatal } else { Fate::Fails });
        }
        if is_shared && self.chance.in_1000(unknown) {
            let applies = self.chance.in_1000(500);
            let at_once = self.chance.in_1000(500);
            let after_ms = if at_once { 0 } else { self.chance.millis(1, 1_800) };
            return (delay_ms, Fate::Unknown(applies, after_ms));
        }
        (delay_ms, Fate::Done)
    }

    /// A snapshot of what is not durable, for whoever takes one of it by mistake.
    pub(super) fn keep_uncommitted(&mut self, batch: &Batch) {
        if !planted!(SnapshotOfUncommitted) || !self.chance.in_1000(20) {
            return;
        }
        let Some((id, newest)) = batch.entries.last() else { return };
        let mut state = State::default();
        let Some(space) = self.database.spaces.get_mut(id) else { return };
        space.entries.iter().for_each(|entry| state.apply(entry.at, &entry.event));
        let new = batch.entries.iter().filter(|(of, _)| of == id);
        new.for_each(|(_, entry)| state.apply(entry.at, &entry.event));
        let bytes = state.to_snapshot().unwrap();
        StatePart::cut(id, newest.sequence, &bytes).iter().for_each(|part| space.keep(part));
    }
}
