//! Watches every workspace without a break, and raises the alarm where segments are treated differently.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    app::{Action, Alarms, Command, Error, Handle},
    domain::{alarm::Alarm, event::WorkspaceSettings, id::WorkspaceId},
    fairness::{
        alarms::{State, overall},
        watch::Watch,
    },
};

/// The watches over all workspaces of this server.
#[derive(Default)]
pub(super) struct Watching {
    workspaces: BTreeMap<WorkspaceId, Watched>,
    /// What gauges are about.
    published: BTreeSet<(WorkspaceId, String)>,
}

/// The watches over one workspace, and what they were made for.
struct Watched {
    settings: WorkspaceSettings,
    alarms: Alarms,
    watches: Vec<Watch>,
}

impl Watching {
    /// Lets the watches of a workspace take what is new, and raises the alarms that are due.
    pub(super) async fn look(
        &mut self,
        handle: &Handle,
        workspace: &WorkspaceId,
        settings: &WorkspaceSettings,
    ) -> Result<(), Error> {
        let alarms = handle.alarms(workspace).await?;
        let before = self.workspaces.remove(workspace);
        let before = before.filter(|before| before.can_go_on(settings, &alarms));
        let watches = match before {
            Some(before) => before.watches,
            None => handle.watches(workspace, settings.segment_attributes.clone()).await?,
        };
        let watches = handle.catch_up(workspace, watches).await?;
        for watch in &watches {
            publish(workspace, watch, &alarms);
            self.published.insert((workspace.clone(), watch.attribute().to_owned()));
            for alarm in watch.alarms().filter(|alarm| alarms.is_due(alarm)) {
                raise(handle, workspace, alarm).await?;
            }
        }
        let watched = Watched { settings: settings.clone(), alarms, watches };
        self.workspaces.insert(workspace.clone(), watched);
        Ok(())
    }

    /// Forgets all but these: another server has the workspace now, or the attribute is not declared. Its alarms are
    /// not this server's to show.
    pub(super) fn keep(
        &mut self,
        seen: &BTreeSet<WorkspaceId>,
        measured: &BTreeSet<(WorkspaceId, String)>,
    ) {
        for (workspace, attribute) in self.published.difference(measured) {
            set(workspace, attribute, f64::NAN, 0.0);
        }
        self.published.retain(|place| measured.contains(place));
        self.workspaces.retain(|workspace, _| seen.contains(workspace));
    }
}

impl Watched {
    /// Returns whether nothing asks for evidence to begin anew.
    fn can_go_on(&self, settings: &WorkspaceSettings, alarms: &Alarms) -> bool {
        let alike = |settings: &WorkspaceSettings| {
            (settings.segment_attributes.clone(), settings.outcome_wait_secs)
        };
        alike(&self.settings) == alike(settings) && self.alarms.settled_alike(alarms)
    }
}

async fn raise(handle: &Handle, workspace: &WorkspaceId, alarm: &Alarm) -> Result<(), Error> {
    let command = Command {
        workspace: workspace.clone(),
        actor: None,
        idempotency: None,
        action: Action::RaiseAlarm(Box::new(alarm.clone())),
    };
    let alarm_sequence = handle.command(command).await?.sequence;
    // Which segment it is, the API tells those who may know.
    tracing::warn!(
        workspace = workspace.as_str(),
        attribute = alarm.attribute,
        measure = alarm.measure.name(),
        alarm_sequence,
        difference_low = alarm.low,
        difference_high = alarm.high,
        log_evidence = alarm.log_evidence,
        segment_tickets = alarm.own.count,
        other_tickets = alarm.others.count,
        "a segment is treated differently"
    );
    Ok(())
}

fn publish(workspace: &WorkspaceId, watch: &Watch, alarms: &Alarms) {
    let standings: Vec<_> = watch.evidence().flat_map(|one| one.standings).collect();
    let state = match overall(&standings) {
        State::NotEnoughEvidence => 0.0,
        State::FairSoFar => 1.0,
        State::Unfair => 2.0,
    };
    let open = u32::try_from(alarms.open_about(watch.attribute()).count()).unwrap_or(u32::MAX);
    set(workspace, watch.attribute(), state, f64::from(open));
}

fn set(workspace: &WorkspaceId, attribute: &str, state: f64, alarms_open: f64) {
    let labels = [("workspace", workspace.to_string()), ("attribute", attribute.to_owned())];
    metrics::gauge!("evenhand_fairness_state", &labels).set(state);
    metrics::gauge!("evenhand_fairness_alarms_open", &labels).set(alarms_open);
}
