//! The people of the demo: what they can do, how much at once, and what their day brings.

use std::collections::BTreeMap;

use crate::api::v1;

/// What a person's day brings beside tickets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Day {
    /// Nothing else.
    Steady,
    /// Finishes what is on the desk at half-time and goes home.
    GoesHome,
    /// Is away for a moment and comes back.
    TakesBreak,
    /// Loses the connection for a moment and resumes the stream where it broke.
    LosesConnection,
}

/// One simulated person.
#[derive(Clone, Debug)]
pub(super) struct Person {
    /// Agent identifier.
    pub(super) id: &'static str,
    /// Name shown to people.
    pub(super) name: &'static str,
    /// What the day brings.
    pub(super) day: Day,
    /// Skills with proficiency.
    pub(super) skills: BTreeMap<String, u32>,
    /// Units of capacity.
    capacity_units: u32,
    /// Units a phone call takes; other channels take 1.
    phone_units: u32,
}

impl Person {
    /// Returns the person as the service knows agents.
    pub(super) fn profile(&self) -> v1::AgentProfile {
        let skills = self.skills.iter().map(|(skill_id, proficiency)| v1::AgentSkill {
            skill_id: skill_id.clone(),
            proficiency: *proficiency,
        });
        let phone =
            v1::ChannelCapacity { channel: "phone".to_owned(), cost_units: self.phone_units };
        v1::AgentProfile {
            agent_id: self.id.to_owned(),
            display_name: self.name.to_owned(),
            skills: skills.collect(),
            capacity_units: self.capacity_units,
            channels: vec![phone],
            ..v1::AgentProfile::default()
        }
    }
}

/// Identifier, name, day, capacity, units of a phone call, skills with proficiency.
type Line = (&'static str, &'static str, Day, u32, u32, &'static [(&'static str, u32)]);

const PEOPLE: [Line; 18] = [
    (
        "ana",
        "Ana Ferreira",
        Day::Steady,
        3,
        2,
        &[("bookings", 3), ("orders", 5), ("delivery", 3), ("language/pt", 5)],
    ),
    ("ben", "Ben Okafor", Day::Steady, 3, 2, &[("products", 4), ("orders", 4), ("refunds", 1)]),
    (
        "chen",
        "Chen Wei",
        Day::Steady,
        3,
        2,
        &[("technical", 3), ("orders", 3), ("accounts", 3), ("language/zh", 5)],
    ),
    (
        "dina",
        "Dina Haddad",
        Day::Steady,
        3,
        2,
        &[("bookings", 5), ("delivery", 5), ("language/ar", 5), ("language/fr", 4)],
    ),
    (
        "elif",
        "Elif Kaya",
        Day::TakesBreak,
        3,
        2,
        &[("bookings", 4), ("delivery", 4), ("orders", 2), ("language/tr", 5), ("language/de", 3)],
    ),
    ("farid", "Farid Amini", Day::GoesHome, 2, 1, &[("delivery", 3), ("billing", 2)]),
    ("grace", "Grace Mbeki", Day::Steady, 3, 2, &[("casework", 4), ("billing", 5), ("refunds", 3)]),
    (
        "hugo",
        "Hugo Laurent",
        Day::LosesConnection,
        3,
        2,
        &[("security", 4), ("billing", 4), ("language/fr", 5)],
    ),
    (
        "ines",
        "Inés Moreno",
        Day::Steady,
        3,
        3,
        &[("casework", 3), ("billing", 3), ("accounts", 2), ("language/es", 5)],
    ),
    (
        "jonas",
        "Jonas Weber",
        Day::Steady,
        3,
        2,
        &[("products", 4), ("refunds", 5), ("language/de", 5)],
    ),
    (
        "kavya",
        "Kavya Rao",
        Day::Steady,
        3,
        2,
        &[("technical", 5), ("refunds", 4), ("billing", 1), ("language/hi", 5)],
    ),
    (
        "lucas",
        "Lucas Pereira",
        Day::GoesHome,
        2,
        1,
        &[("refunds", 2), ("language/pt", 4), ("language/es", 4)],
    ),
    (
        "mina",
        "Mina Sato",
        Day::Steady,
        3,
        2,
        &[("security", 5), ("accounts", 5), ("language/ja", 5)],
    ),
    (
        "noah",
        "Noah Jansen",
        Day::Steady,
        3,
        2,
        &[("technical", 4), ("accounts", 4), ("feedback", 2), ("language/nl", 5)],
    ),
    (
        "olga",
        "Olga Nowak",
        Day::Steady,
        3,
        2,
        &[
            ("products", 3),
            ("feedback", 5),
            ("language/pl", 5),
            ("language/uk", 4),
            ("language/ru", 4),
        ],
    ),
    ("priya", "Priya Shah", Day::Steady, 4, 2, &[("safety", 5), ("triage", 5), ("feedback", 3)]),
    (
        "quinn",
        "Quinn Murphy",
        Day::Steady,
        4,
        2,
        &[("safety", 4), ("technical", 3), ("triage", 4), ("accounts", 1)],
    ),
    (
        "rosa",
        "Rosa Conti",
        Day::Steady,
        4,
        2,
        &[
            ("safety", 4),
            ("casework", 3),
            ("triage", 3),
            ("feedback", 4),
            ("language/it", 5),
            ("language/es", 3),
        ],
    ),
];

/// Returns the people with the skills that the workspace declares and its policy asks for.
///
/// Skills the workspace does not know are left out. What the policy asks for and nobody can do is
/// learned by two people who stay all day, so that every ticket has somebody to go to.
pub(super) fn people(declared: &[String], policy: &v1::Policy) -> Vec<Person> {
    let mut people: Vec<Person> = PEOPLE.iter().map(|line| person(line, declared)).collect();
    let mut turn = 0;
    for (skill, proficiency_min) in asked_for(policy) {
        let able = |person: &Person| {
            person.day != Day::GoesHome
                && person.skills.get(&skill).is_some_and(|has| *has >= proficiency_min)
        };
        let missing = 2_usize.saturating_sub(people.iter().filter(|person| able(person)).count());
        for _ in 0..missing {
            let count = people.len();
            let learns = |offset: &usize| {
                let person = &people[(turn + offset) % count];
                person.day != Day::GoesHome && !able(person)
            };
            let Some(offset) = (0..count).find(learns) else { break };
            let index = (turn + offset) % count;
            people[index].skills.insert(skill.clone(), proficiency_min.max(3));
            turn = index + 1;
        }
    }
    people.retain(|person| !person.skills.is_empty());
    people
}

fn person(line: &Line, declared: &[String]) -> Person {
    let (id, name, day, capacity_units, phone_units, skills) = *line;
    let known = skills.iter().filter(|(skill, _)| declared.iter().any(|known| known == skill));
    let skills = known.map(|(skill, proficiency)| ((*skill).to_owned(), *proficiency)).collect();
    Person { id, name, day, skills, capacity_units, phone_units }
}

/// Returns the skills a policy may ask for, with the proficiency it asks for.
fn asked_for(policy: &v1::Policy) -> BTreeMap<String, u32> {
    let mut needs = BTreeMap::new();
    let mut need = |skill: &str, proficiency: u32| {
        let entry = needs.entry(skill.to_owned()).or_insert(1);
        *entry = proficiency.max(*entry);
    };
    need(&policy.triage_skill, 1);
    for skill in policy.language_skills.values() {
        need(skill, 1);
    }
    for requirement in policy.routes.iter().flat_map(|route| &route.requirements) {
        need(&requirement.skill_id, requirement.proficiency_min);
    }
    needs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> v1::Policy {
        let requirement = v1::SkillRequirement {
            skill_id: "magic".into(),
            proficiency_min: 4,
            ..Default::default()
        };
        v1::Policy {
            routes: vec![v1::Route { requirements: vec![requirement], ..Default::default() }],
            triage_skill: "triage".into(),
            language_skills: [("fi".to_owned(), "language/fi".to_owned())].into(),
            ..Default::default()
        }
    }

    #[test]
    fn every_skill_asked_for_has_two_people_who_stay() {
        let declared = ["triage", "language/fi", "magic", "orders"].map(str::to_owned);
        let people = people(&declared, &policy());
        for (skill, proficiency) in [("triage", 1), ("language/fi", 1), ("magic", 4)] {
            let able = people.iter().filter(|person| {
                person.day != Day::GoesHome
                    && person.skills.get(skill).is_some_and(|has| *has >= proficiency)
            });
            assert!(able.count() >= 2, "{skill}");
        }
    }

    #[test]
    fn nobody_has_a_skill_that_is_not_declared() {
        let declared = ["triage", "language/fi", "magic"].map(str::to_owned);
        for person in people(&declared, &policy()) {
            assert!(person.skills.keys().all(|skill| declared.contains(skill)), "{}", person.id);
        }
    }

    #[test]
    fn the_whole_team_can_take_every_channel() {
        for (id, _, _, capacity, phone, skills) in PEOPLE {
            assert!(phone <= capacity && !skills.is_empty(), "{id}");
        }
        assert!(PEOPLE.len() >= 14);
        for day in [Day::GoesHome, Day::TakesBreak, Day::LosesConnection] {
            assert!(PEOPLE.iter().any(|line| line.2 == day));
        }
    }
}
