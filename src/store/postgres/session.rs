//! One connection to PostgreSQL, used from one thread at a time.
//!
//! The session has a small runtime of its own, which runs only while something is asked: so an answer
//! comes back on the thread that waits for it. What belongs together is sent without waiting for the
//! answers in between.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    time::Duration,
};

use futures::future::{join_all, try_join_all};
use tokio::{runtime::Runtime, time::timeout};
use tokio_postgres::{
    Client, Row, Statement,
    types::{IsNull, ToSql, Type as PgType, private::BytesMut, to_sql_checked},
};

use super::translate;
use crate::store::{
    Error, Refusal,
    database::{Purpose, Rows, Type, Value},
};

/// How long to wait for an answer. A server that is there answers what we ask in milliseconds; whole
/// journals are read in pages.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// A connection to PostgreSQL.
pub(in crate::store) struct Session {
    client: Client,
    statements: RefCell<BTreeMap<String, Statement>>,
    /// Whether a transaction is open, or may be.
    open: Cell<bool>,
    /// Whether an answer did not come in time.
    silent: Cell<bool>,
    /// `Some` until dropped.
    runtime: Option<Runtime>,
}

impl Session {
    pub(super) fn new(client: Client, runtime: Runtime) -> Self {
        Self {
            client,
            statements: RefCell::default(),
            open: Cell::new(false),
            silent: Cell::new(false),
            runtime: Some(runtime),
        }
    }

    fn wait<T>(
        &self,
        work: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Error> {
        // There is one until the session is dropped.
        let runtime = self.runtime.as_ref().ok_or(Error::Closed)?;
        let answered = runtime.block_on(async { timeout(ANSWER_WITHIN, work).await });
        let Ok(answer) = answered else {
            self.silent.set(true);
            return Err(Error::Postgres(Refusal::lost("no answer in time")));
        };
        Ok(answer?)
    }

    async fn prepared(&self, sql: String) -> Result<Statement, tokio_postgres::Error> {
        if let Some(statement) = self.statements.borrow().get(&sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(&sql).await?;
        self.statements.borrow_mut().insert(sql, statement.clone());
        Ok(statement)
    }

    pub(in crate::store) fn query(
        &self,
        query: &str,
        values: &[Value<'_>],
    ) -> Result<Vec<Row>, Error> {
        self.wait(async {
            let statement = self.prepared(translate::statement(query)).await?;
            self.client.query(&statement, &parameters(values)).await
        })
    }

    pub(in crate::store) fn execute(
        &self,
        statement: &str,
        values: &[Value<'_>],
    ) -> Result<u64, Error> {
        self.wait(async {
            let statement = self.prepared(translate::statement(statement)).await?;
            self.client.execute(&statement, &parameters(values)).await
        })
    }

    /// Runs statements that take no values, as they are.
    pub(in crate::store) fn run(&self, statements: &str) -> Result<(), Error> {
        self.wait(self.client.batch_execute(statements))
    }

    /// Writes rows; all tables are under way at once, in their order.
    pub(in crate::store) fn write(&self, tables: &[Rows<'_>]) -> Result<(), Error> {
        self.wait(async {
            let filled = tables.iter().filter(|rows| !rows.values.is_empty());
            let inserts = filled.map(|rows| async {
                let statement = self.prepared(translate::insert_many(rows.table)).await?;
                Ok::<_, tokio_postgres::Error>((statement, columns(rows)))
            });
            let inserts = try_join_all(inserts).await?;
            let sent = inserts.iter().map(|(statement, columns)| async move {
                let columns: Vec<&(dyn ToSql + Sync)> =
                    columns.iter().map(|column| column as _).collect();
                self.client.execute(statement, &columns).await
            });
            join_all(sent).await.into_iter().try_for_each(|sent| sent.map(|_| ()))
        })
    }

    pub(in crate::store) fn begin(&self, purpose: Purpose) -> Result<(), Error> {
        self.open.set(true);
        self.run(match purpose {
            Purpose::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            Purpose::Write => "BEGIN ISOLATION LEVEL READ COMMITTED",
        })
    }

    /// Ends the transaction. When the connection breaks meanwhile, nobody knows how.
    pub(in crate::store) fn end(&self, how: &str) -> Result<(), Error> {
        let ended = self.run(how);
        self.open.set(ended.is_err());
        match ended {
            Err(Error::Postgres(failure)) if how == "COMMIT" && failure.is_lost() => {
                Err(Error::Unknown)
            }
            ended => ended,
        }
    }

    pub(in crate::store) fn is_usable(&self) -> bool {
        !self.open.get() && !self.silent.get() && !self.client.is_closed()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Not awaited: a session may be dropped where waiting is not allowed.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn parameters<'a>(values: &'a [Value<'a>]) -> Vec<&'a (dyn ToSql + Sync)> {
    values.iter().map(|value| value as _).collect()
}

/// A column of many rows.
#[derive(Debug)]
enum Column<'a> {
    Integers(Vec<Option<i64>>),
    Texts(Vec<Option<&'a str>>),
    Bytes(Vec<Option<&'a [u8]>>),
}

fn columns<'a>(rows: &'a Rows<'_>) -> Vec<Column<'a>> {
    let column = |(at, (_, kind)): (usize, &(&str, Type))| {
        let values = rows.rows().map(move |row| row.get(at).unwrap_or(&Value::Null));
        match kind {
            Type::Integer => Column::Integers(values.map(as_integer).collect()),
            Type::Text => Column::Texts(values.map(as_text).collect()),
            Type::Bytes => Column::Bytes(values.map(as_bytes).collect()),
        }
    };
    rows.table.columns.iter().enumerate().map(column).collect()
}

fn as_integer(value: &Value<'_>) -> Option<i64> {
    if let Value::Integer(number) = value { Some(*number) } else { None }
}

fn as_text<'a>(value: &'a Value<'_>) -> Option<&'a str> {
    if let Value::Text(text) = value { Some(text) } else { None }
}

fn as_bytes<'a>(value: &'a Value<'_>) -> Option<&'a [u8]> {
    if let Value::Bytes(bytes) = value { Some(bytes) } else { None }
}

type Written = Result<IsNull, Box<dyn std::error::Error + Sync + Send>>;

impl ToSql for Value<'_> {
    fn to_sql(&self, kind: &PgType, out: &mut BytesMut) -> Written {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Integer(number) => number.to_sql(kind, out),
            Self::Text(text) => text.as_ref().to_sql(kind, out),
            Self::Bytes(bytes) => bytes.as_ref().to_sql(kind, out),
        }
    }

    fn accepts(kind: &PgType) -> bool {
        [PgType::INT8, PgType::TEXT, PgType::BYTEA].contains(kind)
    }

    to_sql_checked!();
}

impl ToSql for Column<'_> {
    fn to_sql(&self, kind: &PgType, out: &mut BytesMut) -> Written {
        match self {
            Self::Integers(numbers) => numbers.to_sql(kind, out),
            Self::Texts(texts) => texts.to_sql(kind, out),
            Self::Bytes(bytes) => bytes.to_sql(kind, out),
        }
    }

    fn accepts(kind: &PgType) -> bool {
        [PgType::INT8_ARRAY, PgType::TEXT_ARRAY, PgType::BYTEA_ARRAY].contains(kind)
    }

    to_sql_checked!();
}

/// Reads a column of a row; `None` where it holds something else.
pub(in crate::store) fn value(row: &Row, column: usize, kind: Type) -> Option<Value<'_>> {
    Some(match kind {
        Type::Integer => row.try_get::<_, Option<i64>>(column).ok()?.into(),
        Type::Text => row.try_get::<_, Option<&str>>(column).ok()?.into(),
        Type::Bytes => row.try_get::<_, Option<&[u8]>>(column).ok()?.into(),
    })
}
