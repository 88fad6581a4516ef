//! What goes wrong: each seed has some of it and not the rest, so that rare things meet.

use super::{
    chance::Chance,
    database::Who,
    world::{Core, Event, Mend},
};

/// What goes wrong in a run, and how often: times in a thousand.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Faults {
    pub(super) is_calm: bool,
    pub(super) is_shared: bool,
    pub(super) servers: usize,
    pub(super) fails: usize,
    pub(super) unknown: usize,
    pub(super) hangs: usize,
    reads_break: usize,
    connects_fail: usize,
    pub(super) lost: usize,
    pub(super) doubled: usize,
    pub(super) delayed: usize,
    pub(super) astray: usize,
    pub(super) flapping: usize,
    pub(super) skewed: bool,
    pub(super) snapshots: bool,
    pub(super) model_ms: i64,
    crashes: bool,
    freezes: bool,
    jumps: bool,
    outages: bool,
    full_disks: bool,
    breaks: bool,
    damage: bool,
    leaves: bool,
}

impl Faults {
    pub(super) fn of(chance: &mut Chance) -> Self {
        let is_shared = chance.in_1000(750);
        let servers = if is_shared { 1 + chance.below(3) } else { 1 };
        let some = |chance: &mut Chance, rates: &[usize]| {
            if chance.in_1000(400) { *chance.one_of(rates) } else { 0 }
        };
        Self {
            is_calm: false,
            is_shared,
            servers,
            fails: some(chance, &[5, 30, 100]),
            unknown: some(chance, &[5, 30, 100]),
            hangs: some(chance, &[10, 40]),
            reads_break: some(chance, &[1, 10]),
            connects_fail: some(chance, &[100, 500]),
            lost: some(chance, &[20, 200]),
            doubled: some(chance, &[20, 200]),
            delayed: some(chance, &[20, 200]),
            astray: some(chance, &[20, 300]),
            flapping: some(chance, &[10, 60]),
            skewed: chance.in_1000(400),
            snapshots: chance.in_1000(600),
            model_ms: *chance.one_of(&[50, 50, 300, 5_000, i64::MAX]),
            crashes: chance.in_1000(500),
            freezes: chance.in_1000(300),
            jumps: chance.in_1000(300),
            outages: chance.in_1000(200),
            full_disks: chance.in_1000(200),
            breaks: chance.in_1000(300),
            damage: chance.in_1000(300),
            leaves: chance.in_1000(300),
        }
    }

    /// Ends everything that goes wrong.
    pub(super) fn calm(&mut self) {
        let Self { is_shared, servers, snapshots, skewed, model_ms, .. } = *self;
        let is_calm = true;
        *self =
            Self { is_calm, is_shared, servers, snapshots, skewed, model_ms, ..Self::default() };
    }
}

impl Core {
    pub(super) fn breaks_a_read(&mut self) -> bool {
        let rate = if self.faults.is_shared { self.faults.reads_break } else { 0 };
        self.chance.in_1000(rate)
    }

    /// Says how long a read takes, if it takes time.
    pub(super) fn slow_read(&mut self) -> Option<i64> {
        let rate = if self.faults.is_shared { self.faults.hangs } else { 0 };
        self.chance.in_1000(rate).then(|| self.chance.millis(1, 50))
    }

    pub(super) fn fails_to_connect(&mut self) -> bool {
        self.chance.in_1000(self.faults.connects_fail)
    }

    pub(super) fn break_connection(&mut self, server: usize) {
        self.servers[server].connection += 1;
    }

    /// Ends a server's process: what it had in memory is gone, what it had under way ends this way or that.
    pub(super) fn crash(&mut self, server: usize, restart_ms: i64) {
        let life = self.servers[server].life;
        let Some(dead) = self.servers[server].die() else { return };
        self.say(format!("server {server}-{life} is gone"));
        drop(dead);
        let who = Who { server, life };
        let (is_shared, mut ended) = (self.database.is_shared, Vec::new());
        for open in &mut self.database.open {
            if open.who == who && open.orphan.is_none() {
                open.orphan = Some(self.chance.in_1000(500));
                ended.push(open.number);
            }
        }
        for number in ended {
            let slowly = is_shared && self.chance.in_1000(500);
            let after_ms = if slowly { self.chance.millis(0, 1_500) } else { 0 };
            if after_ms == 0 {
                self.resolve(number);
            } else {
                self.plan_in(after_ms, Event::Resolve(number));
            }
        }
        self.plan_in(restart_ms, Event::Start(server));
    }

    /// Lets one thing go wrong, if that kind does in this run.
    pub(super) fn trouble(&mut self) {
        if self.faults.is_calm {
            return;
        }
        let server = self.chance.below(self.servers.len());
        let faults = self.faults;
        match self.chance.below(8) {
            0 if faults.crashes => {
                let restart_ms = self.chance.millis(1, 6_000);
                self.crash(server, restart_ms);
            }
            1 if faults.freezes => {
                let millis = self.chance.millis(10, 8_000);
                self.say(format!("server {server} is frozen for {millis} ms"));
                self.servers[server].frozen_until = self.now + millis;
            }
            2 if faults.jumps => {
                let by_ms = self.chance.millis(-20_000, 20_000);
                self.servers[server].set_clock(by_ms);
                self.database.ahead_ms = self.chance.millis(-5_000, 5_000);
                self.say(format!("the clock of server {server} is set to {by_ms} ms"));
            }
            3 if faults.outages && faults.is_shared => self.outage(),
            4 if faults.full_disks => {
                let millis = self.chance.millis(100, 10_000);
                self.database.is_full = true;
                self.say(format!("the disk is full for {millis} ms"));
                self.plan_in(millis, Event::Mend(Mend::Disk));
            }
            5 if faults.breaks && faults.is_shared => {
                self.break_connection(server);
                self.say(format!("the connection of server {server} breaks"));
            }
            6 if faults.damage => self.damage(),
            7 if faults.leaves && faults.is_shared => {
                self.servers[server].is_leaving = true;
                self.say(format!("server {server} leaves"));
            }
            _ => {}
        }
        let next_ms = self.chance.millis(100, 2_000);
        self.plan_in(next_ms, Event::Trouble);
    }

    fn outage(&mut self) {
        let millis = self.chance.millis(10, 7_000);
        self.say(format!("the database is down for {millis} ms"));
        self.database.is_down = true;
        for open in std::mem::take(&mut self.database.open) {
            // Whether those that were on their way to the disk came there is settled now.
            if open.orphan.unwrap_or(false) && self.chance.in_1000(500) {
                self.durable(open.who, &open.batch, &open.locks);
            }
        }
        (0..self.servers.len()).for_each(|server| self.break_connection(server));
        self.plan_in(millis, Event::Mend(Mend::Database));
    }

    /// Damages a snapshot, or makes it one that another program wrote.
    fn damage(&mut self) {
        let spaces = self.database.spaces.values_mut();
        let mut parts: Vec<_> = spaces.flat_map(|space| space.parts.values_mut()).collect();
        if parts.is_empty() {
            return;
        }
        let at = self.chance.below(parts.len());
        let (part, is_damaged) = &mut *parts[at];
        if part.part == 1 && self.chance.in_1000(500) {
            part.body[0] ^= 0x40;
        } else {
            let at = self.chance.below(part.body.len());
            part.body[at] ^= 1 << self.chance.below(8);
            *is_damaged = true;
        }
    }
}
