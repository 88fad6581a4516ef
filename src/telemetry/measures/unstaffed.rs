//! The alarm: tickets wait for what nobody on duty can do.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    app::UnstaffedView,
    domain::{id::WorkspaceId, limits::UNSTAFFED_SHOWN_MAX, policy::Requirement},
};

/// Warns once of each need for as long as nobody is there for it.
#[derive(Debug, Default)]
pub(super) struct Alarm {
    /// The needs that were warned of, by workspace.
    warned: BTreeMap<WorkspaceId, BTreeSet<String>>,
}

impl Alarm {
    /// Sets the gauge of a workspace and warns of needs that are new; returns how many are.
    pub(super) fn sound(&mut self, workspace: &WorkspaceId, unstaffed: &[UnstaffedView]) -> usize {
        let tickets: usize = unstaffed.iter().map(|need| need.waiting).sum();
        let tickets = u32::try_from(tickets).unwrap_or(u32::MAX);
        let labels = [("workspace", workspace.to_string())];
        metrics::gauge!("evenhand_unstaffed_tickets", &labels).set(f64::from(tickets));
        let before = self.warned.remove(workspace).unwrap_or_default();
        let mut new = 0;
        let mut now = BTreeSet::new();
        for need in unstaffed.iter().take(UNSTAFFED_SHOWN_MAX) {
            let needs = named(&need.requirements);
            if !before.contains(&needs) && now.insert(needs.clone()) {
                new += 1;
                tracing::warn!(
                    workspace = workspace.as_str(),
                    needs,
                    tickets = need.waiting,
                    fit_agents = need.fit,
                    "tickets wait and nobody who could take them is on duty"
                );
            }
            now.insert(needs);
        }
        if !now.is_empty() {
            self.warned.insert(workspace.clone(), now);
        }
        new
    }
}

/// Returns needs by skill identifier: `refunds>=3|billing, legal`.
fn named(requirements: &[Requirement]) -> String {
    let skill = |skill: &str, min: u8| match min {
        0 | 1 => skill.to_owned(),
        min => format!("{skill}>={min}"),
    };
    let need = |need: &Requirement| {
        let others = need.alternatives.iter();
        let others = others.map(|other| skill(other.skill.as_str(), other.proficiency_min));
        let own = skill(need.skill.as_str(), need.proficiency_min);
        std::iter::once(own).chain(others).collect::<Vec<_>>().join("|")
    };
    requirements.iter().map(need).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;
    use crate::domain::{id::SkillId, policy::SkillLevel};

    fn skill(name: &str) -> SkillId {
        SkillId::new(name).unwrap()
    }

    fn view(requirements: Vec<Requirement>, waiting: usize) -> UnstaffedView {
        UnstaffedView { requirements: requirements.into(), waiting, fit: 0 }
    }

    #[test]
    fn each_need_is_warned_of_once_while_it_lasts_and_counted_always() {
        let workspace = WorkspaceId::new("acme").unwrap();
        let recorder = PrometheusBuilder::new().build_recorder();
        let mut alarm = Alarm::default();
        let refunds = || view(vec![Requirement::new(skill("refunds"), 3, false)], 2);
        let legal = || view(vec![Requirement::new(skill("legal"), 1, true)], 5);
        for (unstaffed, new, gauge) in [
            (vec![refunds()], 1, 2),
            (vec![legal(), refunds()], 1, 7),
            (vec![legal()], 0, 5),
            (vec![], 0, 0),
            (vec![legal()], 1, 5),
        ] {
            let sound = || alarm.sound(&workspace, &unstaffed);
            assert_eq!(metrics::with_local_recorder(&recorder, sound), new);
            let text = recorder.handle().render();
            let line = format!("evenhand_unstaffed_tickets{{workspace=\"acme\"}} {gauge}\n");
            assert!(text.contains(&line), "{text}");
        }
    }

    #[test]
    fn needs_are_named_by_skill() {
        let level = SkillLevel { skill: skill("billing"), proficiency_min: 1 };
        let refunds = Requirement::new(skill("refunds"), 3, false);
        let either = Requirement { alternatives: vec![level], ..refunds };
        let legal = Requirement::new(skill("legal"), 1, true);
        assert_eq!(named(&[either, legal]), "refunds>=3|billing, legal");
        assert_eq!(named(&[]), "");
    }
}
