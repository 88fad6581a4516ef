//! The texts that the shipped model learns from, and what each is used for.
//!
//! Every set keeps its own parts: training texts train, validation texts choose and measure, and no
//! test part is read. models/README.md says where the sets come from.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use rand::{RngExt, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

use super::variants::{Names, mistyped, signed, toned};
use crate::classifier::rows::{self, RowsError};

/// Files of the corpus.
const CORPUS_FILES: [&str; 8] =
    ["a.csv", "b.csv", "c.csv", "d.csv", "e.csv", "f.csv", "g.csv", "h.csv"];
/// Share of the corpus kept for validation.
const CORPUS_HELD_OUT: f64 = 0.2;
/// GoEmotions comments that are measured on.
const COMMENTS_MEASURED: usize = 1_500;
/// Turns of chats that hold no request at all.
const CHAT_TURNS_MAX: usize = 600;
/// Plain requests that count as neutral in sentiment.
const PLAIN_MAX: usize = 2_500;

/// A text and what is known of it.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// The text.
    pub text: String,
    /// Name of its set.
    pub set: &'static str,
    /// Whether it chooses and measures rather than trains.
    pub held_out: bool,
    /// Its intent, or `None` where that is not known.
    pub intent: Option<String>,
    /// Whether no intent fits.
    pub outside: bool,
    /// Its sentiment.
    pub sentiment: Option<&'static str>,
    /// Its graded sentiment, -1 to 1.
    pub grade: Option<f32>,
    /// Its urgency.
    pub urgency: Option<String>,
    /// Its label in the set's own taxonomy, where the encoder learns that beside ours so that it stays good
    /// at telling any intents apart.
    pub own_label: Option<String>,
}

/// Reads all sets: the public ones from `data_dir`, the corpus from `corpus_dir`.
///
/// # Errors
/// [`RowsError`] names the file or the column that is missing.
pub fn read(data_dir: &Path, corpus_dir: &Path, seed: u64) -> Result<Vec<Sample>, RowsError> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut samples = corpus(corpus_dir, &mut rng)?;
    // Other draws stay what they would be without them.
    let mut rng_of_variants = ChaCha8Rng::seed_from_u64(seed ^ 1);
    samples.extend(variants(&samples, &names(data_dir)?, &mut rng_of_variants));
    for held_out in [false, true] {
        let part = if held_out { "validation" } else { "train" };
        let sets = Sets { dir: data_dir, part, held_out };
        samples.extend(sets.support(&mut rng)?);
        samples.extend(sets.banking()?);
        samples.extend(sets.assistants()?);
        samples.extend(sets.chats(&mut rng)?);
        samples.extend(sets.reviews()?);
        samples.extend(sets.ratings()?);
        samples.extend(sets.comments(&mut rng)?);
    }
    Ok(samples)
}

/// Tickets written for this project. Pairs of tickets that differ in one fact stay together.
fn corpus(dir: &Path, rng: &mut ChaCha8Rng) -> Result<Vec<Sample>, RowsError> {
    let mut held_out: BTreeMap<String, bool> = BTreeMap::new();
    let mut samples = Vec::new();
    for file in CORPUS_FILES {
        let columns = ["urgency", "sentiment", "intent", "pair"];
        for row in rows::read(&dir.join(file), "text", &columns)? {
            let [urgency, sentiment, intent, pair] = row.values.as_slice() else { continue };
            let draw = rng.random_bool(CORPUS_HELD_OUT);
            let held_out = if pair.is_empty() {
                draw
            } else {
                *held_out.entry(format!("{file} {pair}")).or_insert(draw)
            };
            let outside = intent == "out_of_scope";
            samples.push(Sample {
                text: row.text,
                set: "corpus",
                held_out,
                intent: (!outside).then(|| intent.clone()),
                outside,
                sentiment: three_way(sentiment),
                grade: five_way(sentiment),
                // Labels on which two readers disagreed are left empty.
                urgency: Some(urgency.clone()).filter(|label| !label.is_empty()),
                own_label: None,
            });
        }
    }
    Ok(samples)
}

/// Reads the names that tickets are signed with.
///
/// # Errors
/// [`RowsError`] names the file or the column that is missing.
pub fn names(data_dir: &Path) -> Result<Names, RowsError> {
    Names::read(&data_dir.join("audit_names/names.csv"))
}

/// Returns each ticket that trains twice more: signed by somebody, and in another tone.
fn variants(tickets: &[Sample], names: &Names, rng: &mut ChaCha8Rng) -> Vec<Sample> {
    let mut samples = Vec::new();
    for ticket in tickets.iter().filter(|ticket| !ticket.held_out) {
        let set = "corpus_variants";
        let mut text = signed(&ticket.text, names, rng);
        if rng.random_bool(0.5) {
            text = mistyped(&text, rng);
        }
        samples.push(Sample { text, set, ..ticket.clone() });
        let mut text = toned(&ticket.text, rng);
        if rng.random_bool(0.3) {
            text = mistyped(&signed(&text, names, rng), rng);
        }
        // Facts decide urgency, whatever the tone; mood is in the tone.
        samples.push(Sample { text, set, sentiment: None, grade: None, ..ticket.clone() });
    }
    samples
}

fn three_way(label: &str) -> Option<&'static str> {
    match label {
        "negative" | "very_negative" => Some("negative"),
        "neutral" => Some("neutral"),
        "positive" | "very_positive" => Some("positive"),
        _ => None,
    }
}

/// Banking77 intents that mean the same as one of ours.
const BANKING: &[(&str, &str)] = &[
    ("Refund_not_showing_up", "track_refund"),
    ("request_refund", "get_refund"),
    ("terminate_account", "delete_account"),
    ("edit_personal_details", "edit_account"),
    ("passcode_forgotten", "recover_password"),
    ("transaction_charged_twice", "payment_issue"),
    ("declined_card_payment", "payment_issue"),
    ("compromised_card", "report_fraud"),
    ("card_not_working", "technical_issue"),
];

/// CLINC150 intents that mean the same as one of ours.
const ASSISTANT: &[(&str, &str)] = &[
    ("order_status", "track_order"),
    ("report_fraud", "report_fraud"),
    ("damaged_card", "product_defect"),
    ("cancel_reservation", "booking_issue"),
    ("confirm_reservation", "booking_issue"),
    ("restaurant_reservation", "booking_issue"),
    ("book_flight", "booking_issue"),
    ("book_hotel", "booking_issue"),
    ("flight_status", "booking_issue"),
    ("lost_luggage", "file_claim"),
    ("schedule_maintenance", "repair_request"),
];

/// MultiDoGO intents that mean the same as one of ours.
const CHATS: &[(&str, &str)] = &[
    ("closeaccount", "delete_account"),
    ("viewbillsintent", "check_invoice"),
    ("startorder", "place_order"),
    ("changeorder", "change_order"),
    ("stoporder", "cancel_order"),
];

/// MultiDoGO turns that ask for nothing of ours.
const CHATTER: &[&str] = &["openinggreeting", "closinggreeting", "outofdomain"];

/// CLINC150 domains that no support desk hears about.
const CLINC_OUTSIDE: &[&str] = &[
    "auto_and_commute",
    "home",
    "kitchen_and_dining",
    "meta",
    "oos",
    "small_talk",
    "travel",
    "utility",
    "work",
];

/// Bitext intents whose texts carry a mood of their own.
const MOODY: &[&str] = &["complaint", "review", "payment_issue", "registration_problems"];

struct Sets<'a> {
    dir: &'a Path,
    part: &'static str,
    held_out: bool,
}

impl Sets<'_> {
    fn rows(
        &self,
        set: &str,
        prefix: &str,
        columns: &[&str],
    ) -> Result<Vec<(String, Vec<String>)>, RowsError> {
        let path = self.dir.join(set).join(format!("{prefix}{}.csv", self.part));
        let rows = rows::read(&path, "text", columns)?.into_iter();
        Ok(rows.filter(|row| !row.text.is_empty()).map(|row| (row.text, row.values)).collect())
    }

    fn sample(&self, set: &'static str, text: String) -> Sample {
        Sample { text, set, held_out: self.held_out, ..Sample::default() }
    }

    fn support(&self, rng: &mut ChaCha8Rng) -> Result<Vec<Sample>, RowsError> {
        let mut samples = Vec::new();
        let mut plain = Vec::new();
        for (text, values) in self.rows("bitext_support", "", &["intent", "flags"])? {
            let intent = values[0].clone();
            // W marks offensive words.
            if !MOODY.contains(&intent.as_str()) && !values[1].contains('W') {
                plain.push(samples.len());
            }
            samples.push(Sample { intent: Some(intent), ..self.sample("bitext_support", text) });
        }
        plain.shuffle(rng);
        plain.truncate(if self.held_out { PLAIN_MAX / 10 } else { PLAIN_MAX });
        for index in plain {
            samples[index].sentiment = Some("neutral");
            samples[index].grade = Some(0.0);
        }
        Ok(samples)
    }

    fn banking(&self) -> Result<Vec<Sample>, RowsError> {
        let rows = self.rows("banking77", "", &["intent"])?.into_iter();
        Ok(rows
            .map(|(text, values)| {
                let ours = BANKING.iter().find(|(theirs, _)| *theirs == values[0]);
                Sample {
                    intent: ours.map(|(_, ours)| (*ours).to_owned()),
                    own_label: values.into_iter().next(),
                    ..self.sample("banking77", text)
                }
            })
            .collect())
    }

    /// CLINC150 and HWU64: other kinds of request, and some that are ours.
    fn assistants(&self) -> Result<Vec<Sample>, RowsError> {
        let mut samples = Vec::new();
        for (text, values) in self.rows("clinc150", "", &["intent", "domain"])? {
            let theirs = values[0].as_str();
            let ours = ASSISTANT.iter().find(|(name, _)| *name == theirs);
            samples.push(Sample {
                intent: ours.map(|(_, ours)| (*ours).to_owned()),
                outside: ours.is_none() && CLINC_OUTSIDE.contains(&values[1].as_str()),
                own_label: (theirs != "oos").then(|| theirs.to_owned()),
                ..self.sample("clinc150", text)
            });
        }
        for (text, values) in self.rows("hwu64", "", &["intent"])? {
            samples.push(Sample {
                outside: true,
                own_label: values.into_iter().next(),
                ..self.sample("hwu64", text)
            });
        }
        Ok(samples)
    }

    fn chats(&self, rng: &mut ChaCha8Rng) -> Result<Vec<Sample>, RowsError> {
        let (mut samples, mut chatter) = (Vec::new(), Vec::new());
        // The same greeting a thousand times teaches nothing more.
        let mut seen = BTreeSet::new();
        for (text, values) in self.rows("multidogo", "", &["intents"])? {
            if !seen.insert(text.to_lowercase()) {
                continue;
            }
            let theirs = values[0].as_str();
            let sample = self.sample("multidogo", text);
            if let Some((_, ours)) = CHATS.iter().find(|(name, _)| *name == theirs) {
                samples.push(Sample { intent: Some((*ours).to_owned()), ..sample });
            } else if CHATTER.contains(&theirs) {
                chatter.push(Sample { outside: true, ..sample });
            }
        }
        chatter.shuffle(rng);
        chatter.truncate(if self.held_out { CHAT_TURNS_MAX / 4 } else { CHAT_TURNS_MAX });
        samples.extend(chatter);
        Ok(samples)
    }

    /// SST-5 sentences and phrases, and the UCI sentences.
    fn reviews(&self) -> Result<Vec<Sample>, RowsError> {
        let mut rows = self.rows("sst5", "", &["label"])?;
        let sentences = rows.len();
        if !self.held_out {
            rows.extend(phrases(self.dir)?);
        }
        let set = |index: usize| if index < sentences { "sst5" } else { "sst5_phrases" };
        let mut samples: Vec<Sample> = rows
            .into_iter()
            .enumerate()
            .map(|(index, (text, values))| Sample {
                sentiment: three_way(&values[0]),
                grade: five_way(&values[0]),
                ..self.sample(set(index), text)
            })
            .collect();
        for (text, values) in self.rows("uci_sentences", "", &["sentiment"])? {
            let sentiment = three_way(&values[0]);
            samples.push(Sample { sentiment, ..self.sample("uci_sentences", text) });
        }
        Ok(samples)
    }

    /// The VADER sentences, with the mean rating of twenty people.
    fn ratings(&self) -> Result<Vec<Sample>, RowsError> {
        let mut samples = Vec::new();
        for (set, prefix) in
            [("vader_amazon", "amazon_"), ("vader_tweets", "tweets_"), ("vader_nyt", "nyt_")]
        {
            for (text, values) in self.rows("vader_sentences", prefix, &["label", "mean_rating"])? {
                // Ratings run from -4 to 4.
                let grade = values[1].parse::<f32>().ok().map(|rating| rating / 4.0);
                let sentiment = three_way(&values[0]);
                samples.push(Sample { sentiment, grade, ..self.sample(set, text) });
            }
        }
        Ok(samples)
    }

    fn comments(&self, rng: &mut ChaCha8Rng) -> Result<Vec<Sample>, RowsError> {
        let mut samples: Vec<Sample> = self
            .rows("goemotions", "", &["sentiment"])?
            .into_iter()
            .filter_map(|(text, values)| {
                let sentiment = Some(three_way(&values[0])?);
                Some(Sample { sentiment, ..self.sample("goemotions", text) })
            })
            .collect();
        if self.held_out {
            samples.shuffle(rng);
            samples.truncate(COMMENTS_MEASURED);
        }
        Ok(samples)
    }
}

fn phrases(dir: &Path) -> Result<Vec<(String, Vec<String>)>, RowsError> {
    let rows = rows::read(&dir.join("sst5/train_phrases.csv"), "text", &["label"])?;
    Ok(rows.into_iter().map(|row| (row.text, row.values)).collect())
}

/// Where SST's classes lie on the scale of the graded sentiment.
fn five_way(label: &str) -> Option<f32> {
    match label {
        "very_negative" => Some(-0.7),
        "negative" => Some(-0.35),
        "neutral" => Some(0.0),
        "positive" => Some(0.35),
        "very_positive" => Some(0.7),
        _ => None,
    }
}
