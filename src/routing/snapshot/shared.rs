//! What tickets share, each written once: plans, intakes, and the needs in them.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    read::{Read, Reader},
    write::Writer,
};
use crate::{
    domain::{
        id::{AgentId, SkillId},
        policy::{Plan, Requirement, SkillLevel, TriageReason},
        ticket::Intake,
    },
    routing::class::{Pace, Spec},
};

/// In the order of their numbers; new ones go to the end.
const TRIAGE_REASONS: [TriageReason; 6] = [
    TriageReason::LowConfidence,
    TriageReason::OutOfScope,
    TriageReason::LanguageUnsupported,
    TriageReason::NoRoute,
    TriageReason::WaitedTooLong,
    TriageReason::Unread,
];

impl<'a> Writer<'a> {
    /// Writes which of a few it is.
    pub(super) fn one_of<T: PartialEq>(&mut self, all: &[T], value: &T) {
        // What is not among them becomes what is not read.
        self.len(all.iter().position(|one| one == value).unwrap_or(all.len()));
    }

    pub(super) fn plan(&mut self, plan: &'a Arc<Plan>) {
        let number = self.plans.of(plan);
        self.u64(number);
        if number > 0 {
            return;
        }
        let Plan {
            policy_version,
            route,
            triage,
            requirements,
            head_start_secs,
            target_secs,
            preferred,
            around_the_clock,
            overflowed,
            hard,
        } = &**plan;
        self.u32(*policy_version);
        self.known(route);
        self.maybe(triage.as_ref(), |w, triage| w.one_of(&TRIAGE_REASONS, triage));
        self.needs(requirements);
        self.u32(*head_start_secs);
        self.maybe(*target_secs, Self::u32);
        self.levels(preferred);
        self.bool(*around_the_clock);
        self.maybe(overflowed.as_deref(), Self::known);
        self.bool(*hard);
    }

    pub(super) fn intake(&mut self, intake: &'a Arc<Intake>) {
        let number = self.intakes.of(intake);
        self.u64(number);
        if number > 0 {
            return;
        }
        let Intake {
            channel,
            language,
            attributes,
            requirements,
            priority,
            target_secs,
            preferred_agent,
            is_long,
        } = &**intake;
        self.known(channel);
        self.maybe(language.as_deref(), Self::known);
        self.len(attributes.len());
        for (name, value) in attributes {
            self.known(name);
            self.known(value);
        }
        self.needs(requirements);
        self.u32(u32::from(*priority));
        self.maybe(*target_secs, Self::u32);
        self.maybe(preferred_agent.as_ref(), |w, agent| w.known(agent.as_str()));
        self.bool(*is_long);
    }

    fn needs(&mut self, needs: &'a [Requirement]) {
        self.len(needs.len());
        for need in needs {
            let Requirement { skill, proficiency_min, permanent, alternatives, expires_after_secs } =
                need;
            self.known(skill.as_str());
            self.bytes.push(*proficiency_min);
            self.bool(*permanent);
            self.levels(alternatives);
            self.maybe(*expires_after_secs, Self::u32);
        }
    }

    fn levels(&mut self, levels: &'a [SkillLevel]) {
        self.len(levels.len());
        for SkillLevel { skill, proficiency_min } in levels {
            self.known(skill.as_str());
            self.bytes.push(*proficiency_min);
        }
    }

    pub(super) fn paces(&mut self, paces: Vec<(&'a Spec, Pace)>) {
        self.len(paces.len());
        for (spec, pace) in paces {
            let Spec { needs, preferred, channel, only, around_the_clock } = spec;
            self.needs(needs);
            self.levels(preferred);
            self.known(channel);
            self.maybe(only.as_ref(), |w, agent| w.known(agent.as_str()));
            self.bool(*around_the_clock);
            self.time(pace.departed_at);
            self.maybe(pace.gap_ms, Self::u64);
        }
    }
}

impl Reader<'_> {
    pub(super) fn plan(&mut self) -> Read<Arc<Plan>> {
        let number = self.u64()?;
        if let Some(at) = number.checked_sub(1) {
            let plan = usize::try_from(at).ok().and_then(|at| self.plans.get(at));
            return self.some(plan.cloned(), "a plan that came before");
        }
        let plan = Arc::new(Plan {
            policy_version: self.u32()?,
            route: self.known()?.as_ref().to_owned(),
            triage: self.maybe(|r| r.one_of(&TRIAGE_REASONS))?,
            requirements: self.needs()?.into(),
            head_start_secs: self.u32()?,
            target_secs: self.maybe(Self::u32)?,
            preferred: self.levels()?.into(),
            around_the_clock: self.bool()?,
            overflowed: self.maybe(|r| Ok(r.known()?.as_ref().to_owned()))?,
            hard: self.bool()?,
        });
        self.plans.push(plan.clone());
        Ok(plan)
    }

    pub(super) fn intake(&mut self) -> Read<Arc<Intake>> {
        let number = self.u64()?;
        if let Some(at) = number.checked_sub(1) {
            let intake = usize::try_from(at).ok().and_then(|at| self.intakes.get(at));
            return self.some(intake.cloned(), "an intake that came before");
        }
        let text = |r: &mut Self| Ok(r.known()?.as_ref().to_owned());
        let intake = Arc::new(Intake {
            channel: text(self)?,
            language: self.maybe(text)?,
            attributes: self.list(2, |r| Ok((text(r)?, text(r)?)))?.into_iter().collect(),
            requirements: self.needs()?,
            priority: self.byte()?,
            target_secs: self.maybe(Self::u32)?,
            preferred_agent: self.maybe(Self::agent_id)?,
            is_long: self.bool()?,
        });
        self.intakes.push(intake.clone());
        Ok(intake)
    }

    pub(super) fn agent_id(&mut self) -> Read<AgentId> {
        let name = self.known()?;
        self.some(AgentId::new(&*name).ok(), "an agent's identifier")
    }

    fn skill_id(&mut self) -> Read<SkillId> {
        let name = self.known()?;
        self.some(SkillId::new(&*name).ok(), "a skill's identifier")
    }

    fn needs(&mut self) -> Read<Vec<Requirement>> {
        self.list(5, |r| {
            Ok(Requirement {
                skill: r.skill_id()?,
                proficiency_min: r.byte()?,
                permanent: r.bool()?,
                alternatives: r.levels()?,
                expires_after_secs: r.maybe(Self::u32)?,
            })
        })
    }

    fn levels(&mut self) -> Read<Vec<SkillLevel>> {
        self.list(2, |r| Ok(SkillLevel { skill: r.skill_id()?, proficiency_min: r.byte()? }))
    }

    pub(super) fn paces(&mut self) -> Read<BTreeMap<Spec, Pace>> {
        let paces = self.list(7, |r| {
            let spec = Spec {
                needs: r.needs()?.into(),
                preferred: r.levels()?.into(),
                channel: r.known()?,
                only: r.maybe(Self::agent_id)?,
                around_the_clock: r.bool()?,
            };
            Ok((spec, Pace { departed_at: r.time()?, gap_ms: r.maybe(Self::count)? }))
        });
        Ok(paces?.into_iter().collect())
    }
}
