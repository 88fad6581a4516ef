//! What is read: tickets of the corpus, alone and in batches.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use evenhand::classifier::{Model, tokenize::Tokens};

/// Tickets of the three workloads of many.
const TICKETS: usize = 200;
/// Texts of a batch.
const BATCH: usize = 32;
/// Shortest and longest of the tickets, in tokens.
const TOKENS: (usize, usize) = (8, 128);
/// A text alone, about the mean of the corpus, in tokens.
const SHORT: usize = 30;
/// A long text alone, in tokens.
const LONG: usize = 128;
/// The workload in batches of texts of similar length.
pub(crate) const BATCHES: &str = "batches";
/// The workload of one text after the other.
pub(crate) const SINGLE: &str = "single";

/// Texts that are read together.
pub(crate) struct Batch {
    /// Which of the tickets they are.
    pub(crate) tickets: Vec<usize>,
    /// The texts.
    pub(crate) texts: Vec<Tokens>,
    /// Tokens of the longest.
    pub(crate) longest: usize,
    /// All texts, padded to the longest.
    pub(crate) ids: Vec<i64>,
    /// One where `ids` has a token of a text.
    pub(crate) mask: Vec<i64>,
}

impl Batch {
    fn new(tickets: &[usize], all: &[Tokens]) -> Self {
        let texts: Vec<_> = tickets.iter().map(|ticket| all[*ticket].clone()).collect();
        let longest = texts.iter().map(|text| text.ids().len()).max().unwrap_or(0);
        let (mut ids, mut mask) = (Vec::new(), Vec::new());
        for (text, end) in texts.iter().zip((1..).map(|count| count * longest)) {
            ids.extend(text.ids().iter().map(|id| i64::from(*id)));
            mask.resize(ids.len(), 1);
            ids.resize(end, 0);
            mask.resize(end, 0);
        }
        Self { tickets: tickets.to_vec(), texts, longest, ids, mask }
    }

    /// Whether all texts are of one length.
    pub(crate) fn is_full(&self) -> bool {
        self.mask.iter().all(|there| *there == 1)
    }
}

/// One column of the table.
pub(crate) struct Work {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its title in the table.
    pub(crate) title: String,
    /// Passes of a turn.
    pub(crate) passes: usize,
    /// As peers read it.
    pub(crate) padded: Vec<Batch>,
    /// As ours does, which needs no padding: always full batches where there are any.
    pub(crate) ours: Vec<Batch>,
}

impl Work {
    /// Returns how many texts there are.
    pub(crate) fn tickets(&self) -> usize {
        self.padded.iter().map(|batch| batch.texts.len()).sum()
    }

    /// Returns tokens, without and with padding.
    pub(crate) fn tokens(&self) -> (usize, usize) {
        let texts = self.padded.iter().flat_map(|batch| &batch.texts);
        let padded = self.padded.iter().map(|batch| batch.ids.len()).sum();
        (texts.map(|text| text.ids().len()).sum(), padded)
    }
}

/// Tickets as tokens.
pub(crate) struct Tickets {
    many: Vec<Tokens>,
    short: Tokens,
    long: Tokens,
}

/// Reads the corpus and takes tickets at equal distances in it, so that all of its files have a part.
pub(crate) fn tickets(model: &Model, corpus: &Path) -> Result<Tickets> {
    let mut all = Vec::new();
    for file in csv_files(corpus)? {
        let mut reader =
            csv::Reader::from_path(&file).with_context(|| file.display().to_string())?;
        let column = reader.headers()?.iter().position(|name| name == "text");
        let column = column.with_context(|| format!("{} has no column text", file.display()))?;
        for row in reader.records() {
            all.push(model.tokens(row?.get(column).unwrap_or_default())?);
        }
    }
    let short = all.iter().find(|text| text.ids().len() == SHORT);
    let short = short.with_context(|| format!("no text has {SHORT} tokens"))?.clone();
    let longer = all.iter().find(|text| text.ids().len() >= LONG && text.windows().len() == 1);
    let longer = longer.with_context(|| format!("no text has {LONG} tokens"))?.ids();
    // The closing token stays.
    let long = Tokens::whole(&[&longer[..LONG - 1], &longer[longer.len() - 1..]].concat());
    all.retain(|text| (TOKENS.0..=TOKENS.1).contains(&text.ids().len()));
    ensure!(all.len() >= TICKETS, "the corpus has {} texts, not {TICKETS}", all.len());
    let many = (0..TICKETS).map(|index| all[index * all.len() / TICKETS].clone()).collect();
    Ok(Tickets { many, short, long })
}

fn csv_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = folder.read_dir().with_context(|| folder.display().to_string())?;
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    files.retain(|file| file.extension().is_some_and(|kind| kind == "csv"));
    files.sort();
    Ok(files)
}

/// Returns the workloads.
pub(crate) fn works(tickets: &Tickets) -> Vec<Work> {
    let many = &tickets.many;
    let mut order: Vec<usize> = (0..many.len()).collect();
    order.sort_by_key(|ticket| many[*ticket].ids().len());
    let batches = || order.chunks(BATCH).map(|some| Batch::new(some, many)).collect();
    let equal = order.chunk_by(|a, b| many[*a].ids().len() == many[*b].ids().len());
    let equal = equal.flat_map(|group| group.chunks(BATCH)).map(|some| Batch::new(some, many));
    let single = || order.chunks(1).map(|one| Batch::new(one, many)).collect();
    let alone = |name, text: &Tokens, passes| {
        let batch = || vec![Batch::new(&[0], std::slice::from_ref(text))];
        let title = format!("one text of {} tokens", text.ids().len());
        Work { name, title, passes, padded: batch(), ours: batch() }
    };
    let of_many = |name, how: &str, padded: Vec<Batch>, ours: Vec<Batch>| {
        let title = format!("{} tickets, {how}", many.len());
        Work { name, title, passes: 1, padded, ours }
    };
    let together = format!("{BATCH} of similar length together, padded");
    vec![
        alone("short", &tickets.short, 11),
        alone("long", &tickets.long, 5),
        of_many(BATCHES, &together, batches(), batches()),
        of_many("equal", "those of equal length together", equal.collect(), batches()),
        of_many(SINGLE, "one after the other", single(), single()),
    ]
}

/// Returns the workload of a name.
pub(crate) fn named<'a>(works: &'a [Work], name: &str) -> Result<&'a Work> {
    works.iter().find(|work| work.name == name).with_context(|| format!("no workload {name}"))
}
