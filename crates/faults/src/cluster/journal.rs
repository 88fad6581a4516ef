//! The journal as SQL reads it, and who has which partition.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::Context;
use evenhand_postgres_test::Cluster as Postgres;

use crate::check::{Rule, Violation};

/// The database that the servers share.
pub const DATABASE: &str = "faults";
/// For each workspace: how many entries, the numbers of first and last, and how often time goes back.
const ENTRIES: &str = "SELECT workspace, count(*), min(sequence), max(sequence),
        count(*) FILTER (WHERE at < before)
    FROM (SELECT workspace, sequence, at,
            lag(at) OVER (PARTITION BY workspace ORDER BY sequence) AS before FROM journal) AS entries
    GROUP BY workspace ORDER BY workspace";
/// Each partition with the address of its holder and its epoch.
const LEASES: &str = "SELECT partition, coalesce(address, ''), epoch
    FROM lease LEFT JOIN replica ON id = holder ORDER BY partition";

/// Runs SQL without holding up whoever else works.
///
/// # Errors
/// What PostgreSQL says.
pub async fn sql(database: &Arc<Postgres>, query: &str) -> Result<String, anyhow::Error> {
    let (database, query) = (Arc::clone(database), query.to_owned());
    let answer = tokio::task::spawn_blocking(move || database.sql(DATABASE, &query)).await?;
    answer.context("SQL beside the servers")
}

/// Reads the journal; returns how many entries there are, and what is wrong.
///
/// # Errors
/// What PostgreSQL says.
pub async fn read(database: &Arc<Postgres>) -> Result<(usize, Vec<Violation>), anyhow::Error> {
    let lines = sql(database, ENTRIES).await?;
    let count = |line: &str| line.split('|').nth(1).and_then(|count| count.parse().ok());
    let entries: Vec<usize> = lines.lines().filter_map(count).collect();
    Ok((entries.into_iter().sum(), lines.lines().filter_map(breach).collect()))
}

fn breach(line: &str) -> Option<Violation> {
    let what = match line.split('|').collect::<Vec<_>>().as_slice() {
        [_, count, "1", last, "0"] if count == last => return None,
        [workspace, count, first, last, back] => format!(
            "{workspace} has {count} entries from #{first} to #{last}; time goes back {back} times"
        ),
        _ => format!("nobody understands {line:?}"),
    };
    Some(Violation::new(Rule::JournalIsWhole, what))
}

/// Who has a partition, and how often it changed hands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Where the holder is; empty for nobody.
    pub address: String,
    /// How often the lease was taken or renewed.
    pub epoch: u64,
}

/// Reads who has which partition.
///
/// # Errors
/// What PostgreSQL says.
pub async fn holders(database: &Arc<Postgres>) -> Result<BTreeMap<u32, Holder>, anyhow::Error> {
    let lines = sql(database, LEASES).await?;
    let holder = |line: &str| {
        let mut fields = line.split('|');
        let partition = fields.next()?.parse().ok()?;
        let address = fields.next()?.to_owned();
        Some((partition, Holder { address, epoch: fields.next()?.parse().ok()? }))
    };
    Ok(lines.lines().filter_map(holder).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_and_times_that_go_back_are_found() {
        assert_eq!(breach("desk-1|7|1|7|0"), None);
        for wrong in ["desk-1|7|1|8|0", "desk-1|7|2|8|0", "desk-1|7|1|7|1", "desk-1|7"] {
            assert_eq!(
                breach(wrong).map(|found| found.rule),
                Some(Rule::JournalIsWhole),
                "{wrong}"
            );
        }
    }
}
