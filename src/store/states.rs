//! Snapshots of a workspace's state, in parts: a start reads the newest one and what came after it.
//!
//! What is in them is the router's business; here they are bytes with checksums. They follow from the
//! journal: one that is missing, damaged or of another version costs time and nothing else.

use super::{
    Error, checksum,
    database::{Database, Rows, Type, Value},
    records::Record,
    tables,
};
use crate::domain::id::WorkspaceId;

/// Bytes of a part: small enough that writing it holds up nobody.
const PART_BYTES: usize = 256 * 1024;

/// A part of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatePart {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The newest entry that is in the snapshot.
    pub sequence: u64,
    /// The how many-th part this is, from 1 on.
    pub part: u32,
    /// How many there are.
    pub parts: u32,
    /// What is in it.
    pub body: Vec<u8>,
}

impl StatePart {
    /// Cuts a snapshot into parts.
    #[must_use]
    pub fn cut(workspace: &WorkspaceId, sequence: u64, bytes: &[u8]) -> Vec<Self> {
        let pieces: Vec<&[u8]> = bytes.chunks(PART_BYTES).collect();
        let parts = u32::try_from(pieces.len()).unwrap_or(u32::MAX);
        let part = |(part, body): (u32, &[u8])| Self {
            workspace: workspace.clone(),
            sequence,
            part,
            parts,
            body: body.to_vec(),
        };
        (1..).zip(pieces).map(part).collect()
    }
}

/// Writes a part; with the last one, older snapshots go but for one.
pub(super) fn write(database: &Database, part: &StatePart) -> Result<(), Error> {
    let StatePart { workspace, sequence, part: number, parts, body } = part;
    let values: [Value<'_>; 5] = [
        workspace.as_str().into(),
        (*sequence).into(),
        (*number).into(),
        (*parts).into(),
        body.as_slice().into(),
    ];
    let mut rows = Rows::new(&tables::SNAPSHOT);
    let sum = checksum::of(&values);
    rows.values.extend(values);
    rows.values.push(sum.into());
    database.write(&[rows])?;
    if number < parts {
        return Ok(());
    }
    // One that was not finished goes with the old ones.
    let before = list(database, workspace, *sequence)?.into_iter().map(|(before, _)| before);
    if let Some(kept) = before.max() {
        let statement = "DELETE FROM snapshot WHERE workspace = ?1 AND sequence < ?2";
        database.execute(statement, &[workspace.as_str().into(), kept.into()])?;
    }
    Ok(())
}

/// Returns the newest whole snapshot of an entry before `before`, and the number of that entry.
///
/// # Errors
/// What the database says; a damaged snapshot is none.
pub fn state_before(
    database: &Database,
    workspace: &WorkspaceId,
    before: u64,
) -> Result<Option<(u64, Vec<u8>)>, Error> {
    for (sequence, parts) in list(database, workspace, before)? {
        match read(database, workspace, sequence, parts) {
            Ok(Some(bytes)) => return Ok(Some((sequence, bytes))),
            Ok(None) => {}
            Err(error @ Error::Damaged { .. }) => {
                tracing::warn!(%error, "a snapshot is passed over");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Returns the newest entry that is in a snapshot; 0 without one.
///
/// # Errors
/// What the database says.
pub fn newest_state(database: &Database, workspace: &WorkspaceId) -> Result<u64, Error> {
    let newest = list(database, workspace, u64::MAX)?.first().map(|(sequence, _)| *sequence);
    Ok(newest.unwrap_or(0))
}

/// Returns the snapshots before an entry, newest first, and how many parts each should have.
fn list(
    database: &Database,
    workspace: &WorkspaceId,
    before: u64,
) -> Result<Vec<(u64, u32)>, Error> {
    let query = "SELECT sequence, parts FROM snapshot
         WHERE workspace = ?1 AND sequence < ?2 AND part = 1 ORDER BY sequence DESC";
    database.all(query, &[workspace.as_str().into(), before.into()], |row| {
        let record = Record::new("snapshot", workspace, row)?;
        Ok((record.unsigned(0)?, record.unsigned(1)?))
    })
}

fn read(
    database: &Database,
    workspace: &WorkspaceId,
    sequence: u64,
    parts: u32,
) -> Result<Option<Vec<u8>>, Error> {
    let query = "SELECT sequence, part, parts, body, checksum FROM snapshot
         WHERE workspace = ?1 AND sequence = ?2 ORDER BY part";
    let (mut bytes, mut expected) = (Vec::new(), 1);
    database.rows(query, &[workspace.as_str().into(), sequence.into()], |row| {
        let record = Record::new("snapshot", workspace, row)?;
        record.check(&[Type::Integer, Type::Integer, Type::Integer, Type::Bytes], 4)?;
        if record.unsigned::<u32>(1)? != expected {
            return Err(record.damaged("a part"));
        }
        expected += 1;
        bytes.extend_from_slice(&record.bytes(3)?);
        Ok(())
    })?;
    Ok((expected == parts + 1).then_some(bytes))
}
