//! The report as data.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    case::Case,
    evidence::{Comparison, Evidence, evidence},
    figures::{Figure, shown},
    measures::{AVERAGES, SHARES, Share},
    on_record::AlarmOnRecord,
    periods::{Gaps, Periods, gaps},
    reader::Record,
    waits::Waits,
};
use crate::{
    backtest::{Equity, equity},
    domain::{id::TicketId, time::UnixMillis},
    fairness::{Grouping, Mean, Rate, alarms::DIFFERENCE_TOLERATED},
};

/// Segment values by ticket and attribute. They are measured by, and by nothing else.
pub type Segments = BTreeMap<TicketId, BTreeMap<String, String>>;

/// What to report on.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// The workspace.
    pub workspace: &'a str,
    /// Fewest tickets behind a number that is shown; below 1 is taken as 1.
    pub group_tickets_min: u64,
}

/// The report.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The workspace.
    pub workspace: String,
    /// Tickets received from this time on, in milliseconds since 1970-01-01T00:00:00Z; absent for all.
    pub from_unix_ms: Option<i64>,
    /// Tickets received before this time; absent for all.
    pub to_unix_ms: Option<i64>,
    /// When the first of them was received.
    pub first_received_unix_ms: i64,
    /// When the last was.
    pub last_received_unix_ms: i64,
    /// Until when they were seen: the newest entry of the journal.
    pub seen_until_unix_ms: i64,
    /// Fewest tickets behind a number that is shown.
    pub group_tickets_min: u64,
    /// A difference of shares that counts as fair.
    pub difference_tolerated: f64,
    /// Tickets received.
    pub tickets: u64,
    /// All of them together.
    pub overall: Overall,
    /// By declared segment attribute.
    pub attributes: BTreeMap<String, AttributeReport>,
    /// All alarms that are shown, the earliest first.
    pub alarms: Vec<AlarmRaised>,
    /// Alarms that the service raised while it ran, the earliest first.
    pub alarms_on_record: Vec<AlarmOnRecord>,
    /// The parts of time in `by_period` and `gaps_by_period`.
    pub periods: Periods,
    /// How evenly work was spread over agents.
    pub agents: Equity,
    /// What the figures do not know.
    pub not_known: NotKnown,
}

/// Figures of all tickets.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Overall {
    /// By measure.
    pub figures: BTreeMap<&'static str, Figure>,
    /// Share of tickets that wait longer, by time in seconds.
    pub wait_curve: Vec<(f64, f64)>,
}

/// The groups of one attribute beside each other.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AttributeReport {
    /// What is proved of it.
    #[serde(flatten)]
    pub evidence: Evidence,
    /// Tickets that declare it.
    pub declared: u64,
    /// Tickets that do not; they are in no group.
    pub undeclared: u64,
    /// Values that are shown as one group only, so that no small one can be worked out.
    pub values_put_together: usize,
    /// Groups by name; that of small ones together comes last.
    pub groups: Vec<GroupReport>,
    /// By measure, the largest share of a group shown less the smallest, in each part of time.
    pub gaps_by_period: Gaps,
}

/// One group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GroupReport {
    /// The value; absent for small groups together.
    pub group: Option<String>,
    /// Its tickets; absent where they are too few to be told.
    pub tickets: Option<u64>,
    /// By measure.
    pub figures: BTreeMap<&'static str, Figure>,
    /// Share of tickets that wait longer, by time in seconds; empty where they are too few.
    pub wait_curve: Vec<(f64, f64)>,
    /// By share, in each part of time; only what could not be worked out otherwise is left out.
    pub by_period: BTreeMap<&'static str, Vec<Figure>>,
}

/// An alarm of an attribute.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AlarmRaised {
    /// The attribute.
    pub attribute: String,
    /// The comparison.
    #[serde(flatten)]
    pub comparison: Comparison,
}

/// What the figures do not know, over all tickets.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct NotKnown {
    /// Tickets that were not read yet.
    pub unread: u64,
    /// Tickets without a target.
    pub without_target: u64,
    /// Tickets that wait for an agent.
    pub waiting: u64,
    /// Tickets that an agent accepted, and that are neither completed nor cancelled.
    pub in_work: u64,
    /// Tickets that were cancelled, waiting or in work: nobody told an outcome.
    pub cancelled: u64,
    /// Completed tickets whose customers said nothing of their satisfaction.
    pub without_satisfaction: u64,
}

/// Measures what was read; `progress` is told the share done, 0 to 1.
#[must_use]
pub fn report(
    record: &Record,
    segments: &Segments,
    options: Options<'_>,
    progress: &dyn Fn(f64),
) -> Report {
    let (cases, end) = (&record.cases, record.end);
    let received = |case: Option<&Case>| case.map_or(end, |case| case.received_at);
    let (first, last) = (received(cases.first()), received(cases.last()));
    let all = Waits::of(cases.iter(), end);
    let frame = Frame {
        cases,
        end,
        tickets_min: options.group_tickets_min.max(1),
        longest_secs: all.drawn_secs(),
        periods: Periods::of(first, last),
    };
    let mut attributes = BTreeMap::new();
    for (place, attribute) in record.attributes.iter().enumerate() {
        progress(place as f64 / record.attributes.len() as f64);
        let value = |case: &Case| Some(segments.get(&case.ticket)?.get(attribute)?.as_str());
        attributes.insert(attribute.clone(), frame.attribute(&cases.iter().map(value).collect()));
    }
    Report {
        workspace: options.workspace.to_owned(),
        from_unix_ms: record.from.map(|from| from.0),
        to_unix_ms: record.to.map(|to| to.0),
        first_received_unix_ms: first.0,
        last_received_unix_ms: last.0,
        seen_until_unix_ms: end.0,
        group_tickets_min: frame.tickets_min,
        difference_tolerated: DIFFERENCE_TOLERATED,
        tickets: cases.len() as u64,
        overall: frame.overall(&all),
        alarms: alarms(&attributes),
        alarms_on_record: record.on_record.alarms(frame.tickets_min),
        attributes,
        agents: equity(&record.agents),
        not_known: not_known(cases),
        periods: frame.periods,
    }
}

/// What all attributes have in common.
struct Frame<'a> {
    cases: &'a [Case],
    end: UnixMillis,
    tickets_min: u64,
    /// Until when waits are drawn.
    longest_secs: f64,
    periods: Periods,
}

/// Figures of the groups side by side, by measure.
type Table = BTreeMap<&'static str, Vec<Figure>>;

impl Frame<'_> {
    fn overall(&self, waits: &Waits) -> Overall {
        let all: Vec<&Case> = self.cases.iter().collect();
        let few = (all.len() as u64) < self.tickets_min;
        let first = |(name, figures): (&'static str, Vec<Figure>)| Some((name, *figures.first()?));
        let mut figures: BTreeMap<_, _> =
            self.table(&[all]).into_iter().filter_map(first).collect();
        figures.extend(waits.figures(few));
        let wait_curve = if few { Vec::new() } else { waits.points(self.longest_secs) };
        Overall { figures, wait_curve }
    }

    /// Measures groups, each figure beside that of the other groups.
    fn table(&self, groups: &[Vec<&Case>]) -> Table {
        let share = |share: &Share| {
            let rate = |cases: &Vec<&Case>| -> Rate {
                cases.iter().filter_map(|case| (share.known)(case, self.end)).collect()
            };
            let rates: Vec<Rate> = groups.iter().map(rate).collect();
            (share.name, shown(&rates, Rate::count, self.tickets_min))
        };
        let averages = AVERAGES.iter().map(|average| {
            let mean = |cases: &Vec<&Case>| {
                let numbers = cases.iter().filter_map(|case| (average.number)(case));
                Mean::of(&numbers.collect::<Vec<_>>())
            };
            let means: Vec<Mean> = groups.iter().map(mean).collect();
            (average.name, shown(&means, Mean::count, self.tickets_min))
        });
        SHARES.iter().map(share).chain(averages).collect()
    }

    fn attribute(&self, values: &Vec<Option<&str>>) -> AttributeReport {
        let grouping = Grouping::of(values, self.tickets_min);
        let split = grouping.split(self.cases);
        let table = self.table(&split);
        let is_hidden = |place: usize, measure: &str| {
            let figure = table.get(measure).and_then(|figures| figures.get(place));
            figure.is_none_or(|figure| figure.suppressed)
        };
        let groups: Vec<GroupReport> = split
            .iter()
            .zip(&grouping.names)
            .enumerate()
            .map(|(place, (cases, name))| self.group(place, name.as_deref(), cases, &table))
            .collect();
        AttributeReport {
            evidence: evidence(self.cases, &grouping, self.end, is_hidden),
            declared: grouping.declared(),
            undeclared: self.cases.len() as u64 - grouping.declared(),
            values_put_together: grouping.put_together,
            gaps_by_period: self.gaps(&groups),
            groups,
        }
    }

    fn group(
        &self,
        place: usize,
        name: Option<&str>,
        cases: &[&Case],
        table: &Table,
    ) -> GroupReport {
        let few = (cases.len() as u64) < self.tickets_min;
        let waits = Waits::of(cases.iter().copied(), self.end);
        let own = table.iter().filter_map(|(name, figures)| Some((*name, *figures.get(place)?)));
        let mut figures: BTreeMap<&'static str, Figure> = own.collect();
        let shares = SHARES.into_iter();
        let open = shares.filter(|share| figures.get(share.name).is_some_and(|f| !f.suppressed));
        let by_period: BTreeMap<_, _> = open
            .map(|share| {
                (share.name, self.periods.course(share, cases, self.end, self.tickets_min))
            })
            .collect();
        figures.extend(waits.figures(few));
        GroupReport {
            group: name.map(str::to_owned),
            tickets: (!few).then_some(cases.len() as u64),
            figures,
            wait_curve: if few { Vec::new() } else { waits.points(self.longest_secs) },
            by_period,
        }
    }

    fn gaps(&self, groups: &[GroupReport]) -> Gaps {
        let of = |share: &Share| {
            let courses = groups.iter().filter_map(|group| group.by_period.get(share.name));
            let courses: Vec<&Vec<Figure>> = courses.collect();
            let gaps = gaps(&courses, self.periods.begin_unix_ms.len());
            gaps.iter().any(Option::is_some).then_some((share.name, gaps))
        };
        SHARES.iter().filter_map(of).collect()
    }
}

fn alarms(attributes: &BTreeMap<String, AttributeReport>) -> Vec<AlarmRaised> {
    let of = |(attribute, report): (&String, &AttributeReport)| {
        let raised = report.evidence.comparisons.iter().filter(|it| it.since_unix_ms.is_some());
        let alarm = |comparison: &Comparison| AlarmRaised {
            attribute: attribute.clone(),
            comparison: comparison.clone(),
        };
        raised.map(alarm).collect::<Vec<_>>()
    };
    let mut alarms: Vec<AlarmRaised> = attributes.iter().flat_map(of).collect();
    alarms.sort_by_key(|alarm| alarm.comparison.since_unix_ms);
    alarms
}

fn not_known(cases: &[Case]) -> NotKnown {
    let count =
        |wanted: &dyn Fn(&Case) -> bool| cases.iter().filter(|case| wanted(case)).count() as u64;
    NotKnown {
        unread: count(&|case| case.fast_tracked.is_none()),
        without_target: count(&|case| case.target_secs.is_none()),
        waiting: count(&|case| case.assigned_at.is_none() && case.closed_at.is_none()),
        in_work: count(&|case| case.assigned_at.is_some() && case.closed_at.is_none()),
        cancelled: count(&|case| case.closed_at.is_some() && case.outcome.is_none()),
        without_satisfaction: count(&|case| {
            case.outcome.as_ref().is_some_and(|outcome| outcome.satisfaction.is_none())
        }),
    }
}
