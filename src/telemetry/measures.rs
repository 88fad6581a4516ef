//! Measures fairness again and again, for metrics, logs and alarms, and whether somebody is there for every need.
//!
//! A group below the minimum shows no number, only that there is not enough evidence; one so small
//! that it could be a single person is put together with others and not even named. Logs never name a segment's value.

mod counting;
mod publish;
mod unstaffed;
mod watching;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::time::Instant;

use self::{counting::Counts, publish::Published, unstaffed::Alarm, watching::Watching};
use crate::{
    app::{Error, Handle, PageRequest, WorkspaceView},
    domain::{
        id::WorkspaceId,
        limits::{PAGE_SIZE_MAX, SHOWN_TICKETS_MIN_DEFAULT},
    },
    fairness::{self, AttributeMeasures, Span, Verdict},
};

/// Measuring may take one part in so many of the time.
const REST_FACTOR: u32 = 20;

/// How often fairness is measured, and from how many tickets on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Seconds between two measurements; longer when measuring takes long.
    pub interval_secs: u64,
    /// Fewest tickets a group needs to be compared.
    pub group_tickets_min: u64,
    /// Fewest tickets behind a number of a segment that is published.
    pub shown_tickets_min: u64,
}

impl Default for Options {
    fn default() -> Self {
        let group_tickets_min = fairness::Options::GROUP_TICKETS_MIN_DEFAULT;
        Self { interval_secs: 15, group_tickets_min, shown_tickets_min: SHOWN_TICKETS_MIN_DEFAULT }
    }
}

/// Measures every workspace until the engine stops.
pub async fn run(handle: Handle, options: Options) {
    let mut stopping = handle.stopping();
    let mut monitor = Monitor {
        handle,
        options,
        published: Published::default(),
        logged: BTreeMap::new(),
        alarm: Alarm::default(),
        watching: Watching::default(),
        counts: BTreeMap::new(),
    };
    loop {
        let started = Instant::now();
        if let Err(error) = monitor.measure_all().await {
            tracing::warn!(%error, "fairness was not measured");
        }
        let interval = Duration::from_secs(monitor.options.interval_secs);
        let pause = interval.max(started.elapsed() * REST_FACTOR);
        tokio::select! {
            _ = stopping.wait_for(|stopping| *stopping) => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

struct Monitor {
    handle: Handle,
    options: Options,
    published: Published,
    /// What was last logged, by workspace and attribute.
    logged: BTreeMap<(WorkspaceId, String), Summary>,
    alarm: Alarm,
    watching: Watching,
    counts: BTreeMap<WorkspaceId, Counts>,
}

impl Monitor {
    async fn measure_all(&mut self) -> Result<(), Error> {
        let mut token = String::new();
        let (mut seen, mut measured) = (BTreeSet::new(), BTreeSet::new());
        loop {
            let page = PageRequest { size: PAGE_SIZE_MAX, token };
            let page = self.handle.workspaces(page).await?;
            for view in page.items {
                let workspace = view.workspace.clone();
                let attributes = view.settings.segment_attributes.iter();
                measured.extend(attributes.map(|name| (workspace.clone(), name.clone())));
                // One that cannot be measured keeps no other from being watched.
                if let Err(error) = self.measure(view).await {
                    let workspace = workspace.as_str();
                    tracing::warn!(%error, workspace, "fairness was not measured");
                }
                seen.insert(workspace);
            }
            if page.next.is_empty() {
                self.watching.keep(&seen, &measured);
                self.published.keep(&measured);
                self.counts.retain(|workspace, _| seen.contains(workspace));
                return Ok(());
            }
            token = page.next;
        }
    }

    async fn measure(&mut self, view: WorkspaceView) -> Result<(), Error> {
        let WorkspaceView { workspace, settings, .. } = view;
        let unstaffed = self.handle.unstaffed(&workspace).await?;
        self.alarm.sound(&workspace, &unstaffed);
        if settings.segment_attributes.is_empty() {
            return Ok(());
        }
        self.watching.look(&self.handle, &workspace, &settings).await?;
        // Begun anew where attributes were declared meanwhile.
        let counts = self.counts.remove(&workspace);
        let counts =
            counts.filter(|counts| counts.attributes() == settings.segment_attributes.as_slice());
        let mut counts = counts.unwrap_or_else(|| Counts::new(settings.segment_attributes.clone()));
        counts.catch_up(&self.handle, &workspace).await?;
        let options = fairness::Options {
            group_tickets_min: self.options.group_tickets_min,
            shown_tickets_min: self.options.shown_tickets_min,
            ..fairness::Options::new(settings.segment_attributes, self.handle.now())
        };
        // Arithmetic over all open tickets, beside the threads that answer calls.
        let measure = move || {
            let [all, day] =
                [Span::SinceStart, Span::Recent].map(|span| counts.measures(span, &options));
            (counts, all, day)
        };
        let Ok((counts, all, day)) = tokio::task::spawn_blocking(measure).await else {
            return Ok(());
        };
        for measures in all {
            self.published.publish(&workspace, Span::SinceStart, &measures);
            self.log(&workspace, &measures);
        }
        for measures in day {
            self.published.publish(&workspace, Span::Recent, &measures);
        }
        self.counts.insert(workspace, counts);
        Ok(())
    }

    /// Logs the measures of an attribute when they changed.
    fn log(&mut self, workspace: &WorkspaceId, measures: &AttributeMeasures) {
        let summary = Summary::of(measures);
        let key = (workspace.clone(), measures.attribute.clone());
        if self.logged.get(&key) == Some(&summary) {
            return;
        }
        tracing::info!(
            workspace = workspace.as_str(),
            attribute = measures.attribute,
            verdict = verdict_name(measures.verdict),
            disparity_ratio = measures.disparity_ratio,
            tickets = summary.ticket_count,
            undeclared = measures.undeclared_count,
            groups = summary.group_count,
            comparable_groups = summary.comparable_count,
            "bias measured"
        );
        self.logged.insert(key, summary);
    }
}

/// What a log line says of an attribute.
#[derive(Clone, Debug, PartialEq)]
struct Summary {
    verdict: Verdict,
    disparity_ratio: Option<f64>,
    ticket_count: u64,
    undeclared_count: u64,
    group_count: usize,
    comparable_count: usize,
}

impl Summary {
    fn of(measures: &AttributeMeasures) -> Self {
        Self {
            verdict: measures.verdict,
            disparity_ratio: measures.disparity_ratio,
            ticket_count: measures.segments.iter().map(|segment| segment.ticket_count).sum(),
            undeclared_count: measures.undeclared_count,
            group_count: measures.segments.len(),
            comparable_count: measures.segments.iter().filter(|s| s.enough_evidence).count(),
        }
    }
}

fn verdict_name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::NotEnoughEvidence => "not_enough_evidence",
        Verdict::WithinFourFifths => "within_four_fifths",
        Verdict::BelowFourFifths => "below_four_fifths",
    }
}
