//! The bare loop: what the server wrote when it took the tickets in, written again in the same commits by
//! nothing but the database's own driver.

use std::{collections::BTreeMap, path::Path};

use rusqlite::{Connection, OpenFlags, params_from_iter, types::Value};
use tokio::time::Instant;
use tokio_postgres::{NoTls, types::ToSql};

/// What is written for a ticket that comes in; each has a workspace and a number.
const TABLES: [&str; 5] = ["journal", "ticket", "ticket_detail", "payload", "idempotency"];

/// What a bare loop did.
pub(crate) struct Bare {
    pub(crate) rate: f64,
    pub(crate) commits: usize,
}

/// Returns which rows of a table belong to a ticket that came in, and when that was: the time of its commit.
fn rows_of(table: &str) -> String {
    let number = if matches!(table, "journal" | "idempotency") { "sequence" } else { "number" };
    format!(
        "SELECT j.at AS moment, t.* FROM {table} t CROSS JOIN journal j
             WHERE j.workspace = t.workspace AND j.sequence = t.{number} AND j.kind = 'ticket_received'
         ORDER BY 1"
    )
}

/// Writes the rows of a data folder's tickets into a new database with the same tables.
pub(crate) fn sqlite(folder: &Path) -> Bare {
    evenhand_vfs::register().unwrap();
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let path = folder.join("evenhand.db");
    let from = Connection::open_with_flags_and_vfs(path, flags, evenhand_vfs::NAME).unwrap();
    let to = Connection::open(folder.join("bare.db")).unwrap();
    to.pragma_update(None, "journal_mode", "WAL").unwrap();
    to.pragma_update(None, "synchronous", "FULL").unwrap();
    to.pragma_update(None, "wal_autocheckpoint", 4096).unwrap();
    let mut schema = from.prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL").unwrap();
    for sql in schema.query_map([], |row| row.get::<_, String>(0)).unwrap() {
        to.execute_batch(&sql.unwrap()).unwrap();
    }
    let mut commits: BTreeMap<i64, Vec<(usize, Vec<Value>)>> = BTreeMap::new();
    let mut tickets = 0;
    for (table, name) in TABLES.iter().enumerate() {
        let mut statement = from.prepare(&rows_of(name)).unwrap();
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let values = (1..columns).map(|column| row.get(column).unwrap()).collect();
            commits.entry(row.get(0).unwrap()).or_default().push((table, values));
            tickets += usize::from(table == 0);
        }
    }
    to.execute_batch("INSERT INTO workspace VALUES ('default', 0)").unwrap();
    let began = Instant::now();
    for rows in commits.values() {
        to.execute_batch("BEGIN IMMEDIATE").unwrap();
        for (table, values) in rows {
            let places = vec!["?"; values.len()].join(",");
            let sql = format!("INSERT INTO {} VALUES ({places})", TABLES[*table]);
            to.prepare_cached(&sql).unwrap().execute(params_from_iter(values)).unwrap();
        }
        to.execute_batch("COMMIT").unwrap();
    }
    Bare { rate: tickets as f64 / began.elapsed().as_secs_f64(), commits: commits.len() }
}

/// Writes the rows of a database's tickets into tables made like its own, a statement for each row, sent
/// without waiting for the answers in between.
pub(crate) fn postgres(url: &str) -> Bare {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        tokio::spawn(connection);
        let mut commits: BTreeMap<i64, Vec<(usize, Vec<Column>)>> = BTreeMap::new();
        let (mut tickets, mut statements) = (0, Vec::new());
        for (table, name) in TABLES.iter().enumerate() {
            let like = format!("CREATE TABLE bare_{name} (LIKE {name} INCLUDING ALL)");
            client.batch_execute(&like).await.unwrap();
            for row in client.query(&rows_of(name), &[]).await.unwrap() {
                let values = (1..row.len()).map(|column| Column::read(&row, column)).collect();
                commits.entry(row.get(0)).or_default().push((table, values));
                tickets += usize::from(table == 0);
            }
            let columns = commits.values().flatten().find(|(of, _)| *of == table).unwrap().1.len();
            let places: Vec<String> = (1..=columns).map(|place| format!("${place}")).collect();
            let insert = format!("INSERT INTO bare_{name} VALUES ({})", places.join(","));
            statements.push(client.prepare(&insert).await.unwrap());
        }
        let began = Instant::now();
        for rows in commits.values() {
            client.batch_execute("BEGIN").await.unwrap();
            let inserts = rows.iter().map(|(table, values)| {
                let (client, statement) = (&client, &statements[*table]);
                async move {
                    let values: Vec<&(dyn ToSql + Sync)> =
                        values.iter().map(Column::as_sql).collect();
                    client.execute(statement, &values).await
                }
            });
            futures::future::try_join_all(inserts).await.unwrap();
            client.batch_execute("COMMIT").await.unwrap();
        }
        Bare { rate: tickets as f64 / began.elapsed().as_secs_f64(), commits: commits.len() }
    })
}

/// A value of a column.
enum Column {
    Integer(Option<i64>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
}

impl Column {
    fn read(row: &tokio_postgres::Row, column: usize) -> Self {
        match row.columns()[column].type_().name() {
            "int8" => Self::Integer(row.get(column)),
            "text" => Self::Text(row.get(column)),
            _ => Self::Bytes(row.get(column)),
        }
    }

    fn as_sql(&self) -> &(dyn ToSql + Sync) {
        match self {
            Self::Integer(value) => value,
            Self::Text(value) => value,
            Self::Bytes(value) => value,
        }
    }
}
