//! What is simulated: classes of tickets, agents, and the policy between them. Times in seconds, rates
//! per second.

mod check;
mod keys;
mod reader;
mod tree;

pub(super) use self::keys::choice_name;
pub use self::reader::Problem;

use super::random::Law;
use crate::domain::policy::AgentChoice;

/// One scenario, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// How long is measured, after the warm-up.
    pub horizon_seconds: f64,
    /// How long runs before anything is measured.
    pub warmup_seconds: f64,
    /// Length of the day by which arrivals and shifts repeat.
    pub period_seconds: f64,
    /// Who is asked first.
    pub agent_choice: AgentChoice,
    /// Which ticket goes first.
    pub ticket_order: Order,
    /// Most tickets waiting and in service together.
    pub system_limit: Option<u32>,
    /// What else the policy says.
    pub policy: PolicyKeys,
    /// The streams of tickets, in the order of the file.
    pub classes: Vec<Class>,
    /// The agents, in the order of the file.
    pub teams: Vec<Team>,
}

/// Which ticket goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// First come, first served.
    Fifo,
    /// Highest priority first, then first come.
    Strict,
    /// Greatest priority times age first.
    Ageing,
}

/// What else the policy says; everything is off by default.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PolicyKeys {
    /// How long capacity stays taken after each ticket.
    pub wrap_up_seconds: f64,
    /// How long tickets and agents gather before they are matched together.
    pub gather_seconds: f64,
    /// Age of a ticket at which it no longer needs its skills.
    pub relax_after_seconds: Option<f64>,
    /// Highest long-run occupancy of an agent, 50 to 99.
    pub occupancy_ceiling_percent: Option<u8>,
    /// Busy time an agent may run up beyond the ceiling.
    pub occupancy_burst_seconds: f64,
}

/// A stream of tickets.
#[derive(Clone, Debug, PartialEq)]
pub struct Class {
    /// Its name, unlike any other's.
    pub name: String,
    /// Tickets a second, where the factor is 1.
    pub arrival_rate: f64,
    /// Law of the gaps between arrivals.
    pub arrival_law: Law,
    /// How the rate changes over the day.
    pub pattern: Option<Pattern>,
    /// Skills needed; none for anybody.
    pub skills: Vec<String>,
    /// Weight for ageing, level for strict order.
    pub priority: f64,
    /// Mean work of a ticket; an agent of `service_rate` needs work / rate seconds on average.
    pub work: f64,
    /// Law of the work.
    pub service_law: Law,
    /// Mean time until a ticket gives up; `None` for never.
    pub patience_mean_seconds: Option<f64>,
    /// Law of the patience.
    pub patience_law: Law,
}

/// How a rate changes over the day: equal parts, each with a factor; then it repeats.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern {
    /// A factor for each part, at least 0, one above 0.
    pub factors: Vec<f64>,
    /// Length of all parts together.
    pub period_seconds: f64,
}

impl Pattern {
    /// Returns the length of a part.
    #[must_use]
    pub fn part_seconds(&self) -> f64 {
        self.period_seconds / self.factors.len().max(1) as f64
    }

    /// Returns the factor of a part, counted on from day to day.
    #[must_use]
    pub fn factor(&self, part: usize) -> f64 {
        let within = part % self.factors.len().max(1);
        self.factors.get(within).copied().unwrap_or(0.0)
    }

    /// Returns the mean of the factors.
    #[must_use]
    pub fn mean_factor(&self) -> f64 {
        self.factors.iter().sum::<f64>() / self.factors.len().max(1) as f64
    }
}

/// Agents who are alike.
#[derive(Clone, Debug, PartialEq)]
pub struct Team {
    /// Name of the agent, or of the team.
    pub name: String,
    /// How many they are, at least 1.
    pub count: u32,
    /// What each can do.
    pub skills: Vec<String>,
    /// Work done in a second on each ticket held.
    pub service_rate: f64,
    /// Tickets at once.
    pub capacity: u32,
    /// Probability of declining an offer, below 1.
    pub decline_probability: f64,
    /// Mean time to answer an offer, exponential; 0 for at once.
    pub answer_mean_seconds: f64,
    /// When the agent is there in each period, from and to; empty for always.
    pub shifts: Vec<(f64, f64)>,
}

impl Team {
    /// Returns the agents' names: the team's own, or numbered from 1.
    pub fn names(&self) -> impl Iterator<Item = String> {
        (1..=self.count).map(|number| match self.count {
            1 => self.name.clone(),
            _ => format!("{}.{number}", self.name),
        })
    }

    /// Returns whether its agents have the skills that a class needs.
    #[must_use]
    pub fn can_serve(&self, class: &Class) -> bool {
        class.skills.iter().all(|skill| self.skills.contains(skill))
    }
}

/// A scenario cannot be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ScenarioError {
    /// The text is no TOML.
    #[error("{0}")]
    Syntax(String),
    /// Keys are missing, unknown or have values that are not allowed.
    #[error("{}", listed(.0))]
    Problems(Vec<Problem>),
}

fn listed(problems: &[Problem]) -> String {
    let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

impl Scenario {
    /// Reads a scenario in TOML.
    ///
    /// # Errors
    /// [`ScenarioError`] names everything that is wrong: line, key, value and what is allowed.
    pub fn parse(text: &str) -> Result<Self, ScenarioError> {
        keys::read(text)
    }

    /// Returns when everything ends that is measured.
    #[must_use]
    pub fn end_seconds(&self) -> f64 {
        self.warmup_seconds + self.horizon_seconds
    }

    /// Returns whether anything depends on the time of day.
    #[must_use]
    pub fn has_days(&self) -> bool {
        self.classes.iter().any(|class| class.pattern.is_some())
            || self.teams.iter().any(|team| !team.shifts.is_empty())
    }

    /// Returns the different priorities, ascending: their places are what the core compares.
    #[must_use]
    pub fn levels(&self) -> Vec<f64> {
        // Adding 0 makes -0 and 0 one.
        let mut levels: Vec<f64> = self.classes.iter().map(|class| class.priority + 0.0).collect();
        levels.sort_by(f64::total_cmp);
        levels.dedup_by(|a, b| a.total_cmp(b).is_eq());
        levels
    }

    /// Returns the classes whose tickets nobody can take, relaxed or not.
    pub fn unservable(&self) -> impl Iterator<Item = &Class> {
        let relaxes = self.policy.relax_after_seconds.is_some() && !self.teams.is_empty();
        let served =
            move |class: &&Class| relaxes || self.teams.iter().any(|team| team.can_serve(class));
        self.classes.iter().filter(move |class| !served(class))
    }
}
