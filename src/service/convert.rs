//! From the domain's types to the API's. Requests are converted where they are checked, in `validate`.

mod agent;
mod alarm;
mod calendar;
mod decision;
mod event;
mod measures;
mod policy;
mod reading;
mod ticket;

pub(crate) use agent::{agent, desk, offer, presence};
pub(crate) use alarm::{acknowledged, alarm, attribute_evidence};
pub(crate) use decision::decision;
pub(crate) use event::{StatusAfter, event};
pub(crate) use measures::{attribute_measures, service_measures};
pub(crate) use policy::{policy, triage_reason};
pub(crate) use reading::{reading, urgency};
pub(crate) use ticket::{status, ticket, wait_estimate};

use prost_types::Timestamp;

use crate::{
    api::v1,
    app::WorkspaceView,
    domain::{id::SkillId, limits::OUTCOME_WAIT_SECS_DEFAULT, time::UnixMillis},
};

/// First and last second that a `google.protobuf.Timestamp` may name: the years 1 to 9999.
const TIMESTAMP_SECONDS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;

/// Returns the time as the API writes it.
pub(crate) fn timestamp(at: UnixMillis) -> Timestamp {
    let nanos = at.0.rem_euclid(1000) * 1_000_000;
    Timestamp { seconds: at.0.div_euclid(1000), nanos: i32::try_from(nanos).unwrap_or(0) }
}

/// Returns the time, or `None` when it is none.
pub(crate) fn millis(timestamp: &Timestamp) -> Option<UnixMillis> {
    let valid = TIMESTAMP_SECONDS.contains(&timestamp.seconds)
        && (0..1_000_000_000).contains(&timestamp.nanos);
    valid.then(|| UnixMillis(timestamp.seconds * 1000 + i64::from(timestamp.nanos / 1_000_000)))
}

/// Returns the workspace as the API shows it.
pub(crate) fn workspace(view: WorkspaceView) -> v1::Workspace {
    v1::Workspace {
        workspace_id: view.workspace.into(),
        display_name: view.settings.display_name,
        segment_attributes: view.settings.segment_attributes,
        outcome_wait_secs: view.settings.outcome_wait_secs.unwrap_or(OUTCOME_WAIT_SECS_DEFAULT),
        create_time: Some(timestamp(view.created_at)),
        version: view.version,
    }
}

/// Returns a skill as the API shows it.
pub(crate) fn skill((skill, description): (SkillId, String)) -> v1::Skill {
    v1::Skill { skill_id: skill.into(), description }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_survive_the_way_out_and_back() {
        for at in [-1, 0, 999, 1000, -62_135_596_800_000, 253_402_300_799_999] {
            assert_eq!(millis(&timestamp(UnixMillis(at))), Some(UnixMillis(at)));
        }
        let never = |seconds, nanos| millis(&Timestamp { seconds, nanos });
        assert_eq!(never(i64::MAX, 0), None);
        assert_eq!(never(0, -1), None);
        assert_eq!(never(0, 1_000_000_000), None);
    }
}
