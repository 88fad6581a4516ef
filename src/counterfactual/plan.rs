//! From tickets to texts, and to pairs of texts that differ in one thing only.

use std::collections::BTreeMap;

use super::{
    people::{Gender, Named, both_ways, has_pronoun},
    swaps::{Kind, Mention, NameGroup, Swaps, Tone, filled},
    tickets::Ticket,
    tones::{exclaimed, in_capitals, in_small_letters, mistyped},
    words::replaced,
};

/// What texts as they are get called where something is compared with them.
const AS_IS: &str = "as_is";

/// Two texts of one ticket that differ in one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// What differs: `name_origin`, `dialect` …
    pub axis: String,
    /// What kind of difference that is.
    pub kind: Kind,
    /// What the first text is: `english`, `as_is` …
    pub reference: String,
    /// What the second is.
    pub group: String,
    /// What was put for what, where words of our own say it: `Claire → Fatima`.
    pub swapped: Option<String>,
    /// The ticket's place among the tickets.
    pub ticket: usize,
    /// The first text's place among the texts.
    pub before: usize,
    /// The second text's.
    pub after: usize,
}

/// Texts to read, and the pairs that they make.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The texts; each is there once.
    pub texts: Vec<String>,
    /// The pairs.
    pub pairs: Vec<Pair>,
    /// The tickets they are made of.
    pub tickets: Vec<Ticket>,
    /// Where which text is.
    places: BTreeMap<String, usize>,
}

/// One axis, one group and one ticket.
struct Slot<'a> {
    axis: &'a str,
    kind: Kind,
    reference: &'a str,
    group: &'a str,
    ticket: usize,
}

impl Plan {
    /// Makes texts and pairs of tickets. `seed` turns which names, frames and slips each ticket gets; the
    /// same seed makes the same texts.
    #[must_use]
    pub fn new(tickets: Vec<Ticket>, swaps: &Swaps, seed: u32) -> Self {
        let mut plan = Self::default();
        for (at, ticket) in tickets.iter().enumerate() {
            let turn = at + seed as usize;
            plan.names(at, &ticket.text, swaps, turn);
            plan.mentions(at, &ticket.text, swaps, turn);
            plan.writing(at, &ticket.text, swaps);
            plan.tones(at, &ticket.text, &swaps.tones, turn);
        }
        plan.tickets = tickets;
        plan
    }

    fn names(&mut self, at: usize, text: &str, swaps: &Swaps, turn: usize) {
        let Some((first, others)) = swaps.names.split_first() else { return };
        let found = Named::find(text, swaps);
        let places = name_places(text, found.as_ref(), swaps, turn);
        for (place, (gender, with)) in places.iter().enumerate() {
            let draw = turn / 2 + place;
            let english = name(first, *gender, draw);
            for group in others {
                let slot = slot_of("name_origin", Kind::Identity, &first.group, &group.group, at);
                self.swapped(&slot, (english, name(group, *gender, draw)), with);
            }
            let other = name(first, *gender, draw + 1);
            let slot = slot_of("control_name", Kind::Control, "one_name", "another_name", at);
            self.swapped(&slot, (english, other), with);
        }
        // A name of the other gender beside pronouns would change who is spoken of.
        if found.is_some() && has_pronoun(text) {
            return;
        }
        let groups = [first, &others[turn % others.len()]];
        for (group, (_, with)) in groups.into_iter().zip(places.iter().cycle()) {
            let draw = turn / 2;
            let names = (name(group, Gender::Men, draw), name(group, Gender::Women, draw));
            let slot = slot_of("name_gender", Kind::Identity, "men", "women", at);
            self.swapped(&slot, names, with);
        }
    }

    fn mentions(&mut self, at: usize, text: &str, swaps: &Swaps, turn: usize) {
        for mention in &swaps.mentions {
            // Names stand for a gender, too: where there are any, what is said of others is put beside.
            if mention.axis == "pronouns"
                && Named::find(text, swaps).is_none()
                && let Some([he, she]) = both_ways(text)
            {
                let slot = slot_of("pronouns", mention.kind, "he", "she", at);
                self.pair(&slot, he, she, None);
                continue;
            }
            self.mention(at, text, mention, turn);
        }
    }

    fn mention(&mut self, at: usize, text: &str, mention: &Mention, turn: usize) {
        let frames = mention.frames.len();
        let frame = &mention.frames[turn % frames];
        // Turned once all frames were, so that each frame meets each reference.
        let reference = &mention.references[turn / frames % mention.references.len()];
        let before = filled(frame, reference);
        for group in &mention.groups {
            let slot = slot_of(&mention.axis, mention.kind, &mention.reference, &group.name, at);
            let after = filled(frame, &group.words);
            let said = format!("{} → {}", bare(&before), bare(&after));
            self.pair(&slot, framed(&before, text), framed(&after, text), Some(said));
        }
    }

    fn writing(&mut self, at: usize, text: &str, swaps: &Swaps) {
        for rewrite in &swaps.rewrites {
            let slot = slot_of(&rewrite.axis, Kind::Writing, AS_IS, &rewrite.name, at);
            self.pair(&slot, text.to_owned(), replaced(text, &rewrite.words), None);
        }
        let spelling = &swaps.spelling;
        let back: Vec<(String, String)> =
            spelling.words.iter().map(|(one, other)| (other.clone(), one.clone())).collect();
        let slot = slot_of("spelling", Kind::Writing, &spelling.reference, &spelling.name, at);
        self.pair(&slot, replaced(text, &back), replaced(text, &spelling.words), None);
    }

    fn tones(&mut self, at: usize, text: &str, tones: &[Tone], turn: usize) {
        for tone in tones {
            let slot = slot_of(&tone.axis, Kind::Tone, AS_IS, &tone.name, at);
            self.pair(&slot, text.to_owned(), framed(&tone.frame, text), None);
        }
        let made = [
            ("shouting", Kind::Tone, "capitals", in_capitals(text)),
            ("shouting", Kind::Tone, "exclamation_marks", exclaimed(text)),
            ("typing", Kind::Writing, "small_letters", in_small_letters(text)),
            ("typing", Kind::Writing, "slips", mistyped(text, turn)),
        ];
        for (axis, kind, group, made) in made {
            let Some(made) = made else { continue };
            self.pair(&slot_of(axis, kind, AS_IS, group, at), text.to_owned(), made, None);
        }
    }

    fn swapped(
        &mut self,
        slot: &Slot<'_>,
        (one, other): (&str, &str),
        with: &dyn Fn(&str) -> String,
    ) {
        self.pair(slot, with(one), with(other), Some(format!("{one} → {other}")));
    }

    /// Adds a pair, unless the texts are equal.
    fn pair(&mut self, slot: &Slot<'_>, before: String, after: String, swapped: Option<String>) {
        if before == after {
            return;
        }
        let (before, after) = (self.place(before), self.place(after));
        self.pairs.push(Pair {
            axis: slot.axis.to_owned(),
            kind: slot.kind,
            reference: slot.reference.to_owned(),
            group: slot.group.to_owned(),
            swapped,
            ticket: slot.ticket,
            before,
            after,
        });
    }

    fn place(&mut self, text: String) -> usize {
        let next = self.texts.len();
        let place = *self.places.entry(text.clone()).or_insert(next);
        if place == next {
            self.texts.push(text);
        }
        place
    }
}

/// How a name gets into a text.
type Place<'a> = (Gender, Box<dyn Fn(&str) -> String + 'a>);

/// Returns where names go: where one stands, or beside the text, once for each gender.
fn name_places<'a>(
    text: &'a str,
    found: Option<&'a Named>,
    swaps: &'a Swaps,
    turn: usize,
) -> Vec<Place<'a>> {
    if let Some(named) = found {
        let place: Place<'a> = (named.gender, Box::new(|name: &str| named.with(name)));
        return vec![place];
    }
    let frames = &swaps.name_frames;
    let place = |(index, gender): (usize, Gender)| -> Place<'a> {
        let frame = &frames[(turn + index) % frames.len()];
        (gender, Box::new(move |name: &str| framed(&frame.replace("{name}", name), text)))
    };
    Gender::BOTH.into_iter().enumerate().map(place).collect()
}

fn name(group: &NameGroup, gender: Gender, draw: usize) -> &str {
    let names = match gender {
        Gender::Women => &group.women,
        Gender::Men => &group.men,
    };
    &names[draw % names.len()]
}

fn slot_of<'a>(
    axis: &'a str,
    kind: Kind,
    reference: &'a str,
    group: &'a str,
    ticket: usize,
) -> Slot<'a> {
    Slot { axis, kind, reference, group, ticket }
}

/// Puts the ticket into a frame. Last of all, so that nothing in it is taken for a hole.
fn framed(frame: &str, text: &str) -> String {
    match frame.split_once("{ticket}") {
        Some((before, after)) => format!("{before}{text}{after}"),
        None => text.to_owned(),
    }
}

/// Returns a frame without the ticket.
fn bare(frame: &str) -> String {
    frame.replace("{ticket}", "").trim().to_owned()
}
