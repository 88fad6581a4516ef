//! What the checksums cost: rows written with every commit synced, with and without the layer.
//!
//! `cargo run --release -p evenhand-vfs --example cost [FOLDER]`

use std::{error::Error, path::Path};

use evenhand_vfs as vfs;
use rusqlite::{Connection, OpenFlags, params};

/// Rows written in all.
const ROWS: u32 = 20_000;
/// Rows of a commit.
const ROWS_A_COMMIT: u32 = 256;
/// Bytes of a row.
const ROW_BYTES: usize = 800;
/// Times that each is measured; they take turns.
const ROUNDS: usize = 5;

fn main() -> Result<(), Box<dyn Error>> {
    vfs::register()?;
    let base = std::env::args_os().nth(1).unwrap_or_else(|| std::env::temp_dir().into_os_string());
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        for layer in [Some(vfs::NAME), None] {
            let folder = tempfile::tempdir_in(&base)?;
            let (written, read) = measure(&folder.path().join("cost.db"), layer)?;
            println!(
                "round {round}, {:8}: written in {written:.3} s, read in {read:.4} s",
                layer.unwrap_or("without")
            );
            if layer.is_some() { &mut with } else { &mut without }.push((written, read));
        }
    }
    let least = |times: &[(f64, f64)], of: fn(&(f64, f64)) -> f64| {
        times.iter().map(of).fold(f64::INFINITY, f64::min)
    };
    let (written, read) = (|times: &(f64, f64)| times.0, |times: &(f64, f64)| times.1);
    println!(
        "least time with the layer to least time without: writing {:.3}, reading {:.3}",
        least(&with, written) / least(&without, written),
        least(&with, read) / least(&without, read)
    );
    Ok(())
}

/// Writes the rows and reads them again from an empty cache; returns seconds for each.
#[expect(clippy::disallowed_methods, reason = "it measures time")]
fn measure(path: &Path, layer: Option<&str>) -> Result<(f64, f64), Box<dyn Error>> {
    let connection = open(path, layer)?;
    if layer.is_some() {
        vfs::prepare(&connection)?;
    }
    let _: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    connection.execute_batch(
        "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4096;
         CREATE TABLE row (number INTEGER PRIMARY KEY, body BLOB NOT NULL)",
    )?;
    let body = [0x5a_u8; ROW_BYTES];
    let begun = std::time::Instant::now();
    for first in (0..ROWS).step_by(ROWS_A_COMMIT as usize) {
        connection.execute_batch("BEGIN IMMEDIATE")?;
        let mut insert = connection.prepare_cached("INSERT INTO row VALUES (?1, ?2)")?;
        for number in first..ROWS.min(first + ROWS_A_COMMIT) {
            insert.execute(params![number, body])?;
        }
        connection.execute_batch("COMMIT")?;
    }
    let written = begun.elapsed().as_secs_f64();
    let reader = open(path, layer)?;
    let begun = std::time::Instant::now();
    let _: i64 = reader.query_row("SELECT sum(length(body)) FROM row", [], |row| row.get(0))?;
    Ok((written, begun.elapsed().as_secs_f64()))
}

fn open(path: &Path, layer: Option<&str>) -> rusqlite::Result<Connection> {
    match layer {
        Some(layer) => Connection::open_with_flags_and_vfs(path, OpenFlags::default(), layer),
        None => Connection::open(path),
    }
}
