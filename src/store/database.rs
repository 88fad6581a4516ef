//! The seam to the database: one SQL, four types of value, two engines.
//!
//! Everything that is asked or written goes through [`Database`]. Statements use only what SQLite,
//! PostgreSQL, CockroachDB and YugabyteDB share, written as SQLite writes it; `postgres` translates the
//! little that differs. So both engines run the same code above this file, and the same tests.

use std::borrow::Cow;

use rusqlite::{
    ToSql, params_from_iter,
    types::{ToSqlOutput, ValueRef},
};

use super::{Error, postgres::Session};

/// A connection to the database; within [`Database::within`], the database at one moment.
pub struct Database(pub(super) Engine);

/// Which engine keeps the data.
pub(super) enum Engine {
    Sqlite(rusqlite::Connection),
    Postgres(Session),
}

/// What a transaction is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Reads what was durable at its begin.
    Read,
    /// Writes; SQLite lets one begin at a time.
    Write,
}

/// A value in a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// None.
    Null,
    /// A number, a time in milliseconds, or a truth value as 0 or 1.
    Integer(i64),
    /// A text.
    Text(Cow<'a, str>),
    /// Bytes.
    Bytes(Cow<'a, [u8]>),
}

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Integer,
    Text,
    Bytes,
}

/// A table as it is written.
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) columns: &'static [(&'static str, Type)],
    /// What to do where the row is there already: SQL, or nothing for an error.
    pub(super) conflict: &'static str,
}

/// Rows to write into a table, one after the other.
pub(super) struct Rows<'a> {
    pub(super) table: &'static Table,
    pub(super) values: Vec<Value<'a>>,
}

impl<'a> Rows<'a> {
    pub(super) fn new(table: &'static Table) -> Self {
        Self { table, values: Vec::new() }
    }

    /// Adds a row, its values in the order of the table's columns.
    pub(super) fn push<const N: usize>(&mut self, row: [Value<'a>; N]) {
        debug_assert_eq!(N, self.table.columns.len(), "{}", self.table.name);
        self.values.extend(row);
    }

    /// Returns the rows.
    pub(super) fn rows(&self) -> impl Iterator<Item = &[Value<'a>]> {
        self.values.chunks(self.table.columns.len())
    }
}

impl Database {
    /// Hands each row that a query finds to `each`, in order.
    pub(super) fn rows(
        &self,
        query: &str,
        values: &[Value<'_>],
        mut each: impl FnMut(&Row<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        match &self.0 {
            Engine::Sqlite(connection) => {
                let mut statement = connection.prepare_cached(query)?;
                let mut rows = statement.query(params_from_iter(values))?;
                while let Some(row) = rows.next()? {
                    each(&Row(Source::Sqlite(row)))?;
                }
                Ok(())
            }
            Engine::Postgres(session) => {
                let rows = session.query(query, values)?;
                rows.iter().try_for_each(|row| each(&Row(Source::Postgres(row))))
            }
        }
    }

    /// Reads all rows that a query finds.
    pub(super) fn all<T>(
        &self,
        query: &str,
        values: &[Value<'_>],
        mut read: impl FnMut(&Row<'_>) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let mut found = Vec::new();
        self.rows(query, values, |row| {
            found.push(read(row)?);
            Ok(())
        })?;
        Ok(found)
    }

    /// Reads the row that a query finds, if there is one.
    pub(super) fn first<T>(
        &self,
        query: &str,
        values: &[Value<'_>],
        read: impl FnMut(&Row<'_>) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        Ok(self.all(query, values, read)?.pop())
    }

    /// Runs a statement and returns how many rows it changed.
    pub(super) fn execute(&self, statement: &str, values: &[Value<'_>]) -> Result<u64, Error> {
        match &self.0 {
            Engine::Sqlite(connection) => {
                let mut statement = connection.prepare_cached(statement)?;
                let changed = statement.execute(params_from_iter(values))?;
                Ok(u64::try_from(changed).unwrap_or(u64::MAX))
            }
            Engine::Postgres(session) => session.execute(statement, values),
        }
    }

    /// Runs statements that take no values.
    pub(super) fn run(&self, statements: &str) -> Result<(), Error> {
        match &self.0 {
            Engine::Sqlite(connection) => Ok(connection.execute_batch(statements)?),
            Engine::Postgres(session) => session.run(statements),
        }
    }

    /// Writes rows, table by table.
    pub(super) fn write(&self, tables: &[Rows<'_>]) -> Result<(), Error> {
        match &self.0 {
            Engine::Sqlite(connection) => {
                for rows in tables.iter().filter(|rows| !rows.values.is_empty()) {
                    let mut insert = connection.prepare_cached(&insert_one(rows.table))?;
                    for row in rows.rows() {
                        insert.execute(params_from_iter(row))?;
                    }
                }
                Ok(())
            }
            Engine::Postgres(session) => session.write(tables),
        }
    }

    /// Does something within a transaction: all of it becomes durable, or nothing.
    ///
    /// # Errors
    /// What `work` says, or the database. [`Error::is_unknown`] tells when it may be durable even so.
    pub(super) fn within<T>(
        &self,
        purpose: Purpose,
        work: impl FnOnce(&Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.begin(purpose)?;
        match work(self) {
            Ok(done) => {
                self.end("COMMIT")?;
                Ok(done)
            }
            Err(error) => {
                // Where this fails too, the connection is broken, and with it the transaction.
                let _ = self.end("ROLLBACK");
                Err(error)
            }
        }
    }

    fn begin(&self, purpose: Purpose) -> Result<(), Error> {
        match (&self.0, purpose) {
            (Engine::Sqlite(_), Purpose::Read) => self.run("BEGIN"),
            (Engine::Sqlite(_), Purpose::Write) => self.run("BEGIN IMMEDIATE"),
            (Engine::Postgres(session), purpose) => session.begin(purpose),
        }
    }

    fn end(&self, how: &str) -> Result<(), Error> {
        match &self.0 {
            Engine::Sqlite(connection) => {
                let ended = self.run(how);
                if ended.is_err() && !connection.is_autocommit() {
                    self.run("ROLLBACK")?;
                }
                ended
            }
            Engine::Postgres(session) => session.end(how),
        }
    }

    /// Returns whether it can be used again.
    pub(super) fn is_usable(&self) -> bool {
        match &self.0 {
            Engine::Sqlite(connection) => connection.is_autocommit(),
            Engine::Postgres(session) => session.is_usable(),
        }
    }
}

/// Returns the statement that inserts one row.
fn insert_one(table: &Table) -> String {
    let Table { name, columns, conflict } = table;
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let places: Vec<String> = (1..=columns.len()).map(|place| format!("?{place}")).collect();
    let (names, places) = (names.join(", "), places.join(", "));
    format!("INSERT INTO {name} ({names}) VALUES ({places}) {conflict}")
}

/// A row that was found.
pub(super) struct Row<'a>(Source<'a>);

enum Source<'a> {
    Sqlite(&'a rusqlite::Row<'a>),
    Postgres(&'a tokio_postgres::Row),
}

/// A column does not hold what belongs there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mistyped;

impl Row<'_> {
    /// Reads a text that is always there.
    pub(super) fn required_text(&self, column: usize) -> Result<String, Error> {
        match self.value(column, Type::Text) {
            Ok(Value::Text(text)) => Ok(text.into_owned()),
            _ => Err(Error::unexpected("a text")),
        }
    }

    /// Reads a number that is always there.
    pub(super) fn required_integer(&self, column: usize) -> Result<i64, Error> {
        match self.value(column, Type::Integer) {
            Ok(Value::Integer(number)) => Ok(number),
            _ => Err(Error::unexpected("a number")),
        }
    }

    /// Reads a column.
    pub(super) fn value(&self, column: usize, kind: Type) -> Result<Value<'_>, Mistyped> {
        match self.0 {
            Source::Sqlite(row) => {
                let value = match row.get_ref(column).map_err(|_| Mistyped)? {
                    ValueRef::Null => return Ok(Value::Null),
                    ValueRef::Integer(number) => Value::Integer(number),
                    ValueRef::Text(text) => {
                        Value::Text(std::str::from_utf8(text).map_err(|_| Mistyped)?.into())
                    }
                    ValueRef::Blob(bytes) => Value::Bytes(bytes.into()),
                    ValueRef::Real(_) => return Err(Mistyped),
                };
                (value.kind() == Some(kind)).then_some(value).ok_or(Mistyped)
            }
            Source::Postgres(row) => super::postgres::value(row, column, kind).ok_or(Mistyped),
        }
    }
}

impl Value<'_> {
    fn kind(&self) -> Option<Type> {
        match self {
            Self::Null => None,
            Self::Integer(_) => Some(Type::Integer),
            Self::Text(_) => Some(Type::Text),
            Self::Bytes(_) => Some(Type::Bytes),
        }
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<u32> for Value<'_> {
    fn from(value: u32) -> Self {
        Self::Integer(value.into())
    }
}

impl From<u64> for Value<'_> {
    /// Sequence numbers never come near the limit.
    fn from(value: u64) -> Self {
        Self::Integer(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Self::Integer(value.into())
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(value.into())
    }
}

impl From<String> for Value<'_> {
    fn from(value: String) -> Self {
        Self::Text(value.into())
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(value: &'a [u8]) -> Self {
        Self::Bytes(value.into())
    }
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}
