//! Our SQL as PostgreSQL wants it.

use crate::store::database::{Table, Type};

/// Translates a statement: parameters are `$1` there, hints for SQLite's planner mean nothing, and a join
/// whose order SQLite must keep is any join.
pub(super) fn statement(sql: &str) -> String {
    let mut words = sql.replace("CROSS JOIN", "JOIN").replace('?', "$");
    const HINT: &str = " INDEXED BY ";
    while let Some(start) = words.find(HINT) {
        let rest = &words[start + HINT.len()..];
        let name = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        words.replace_range(start..start + HINT.len() + name, "");
    }
    words
}

/// Returns the statement that inserts many rows, each column an array.
pub(super) fn insert_many(table: &Table) -> String {
    let Table { name, columns, conflict } = table;
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let arrays: Vec<String> = columns
        .iter()
        .zip(1..)
        .map(|((_, kind), place)| format!("${place}::{}[]", type_name(*kind)))
        .collect();
    let (names, arrays) = (names.join(", "), arrays.join(", "));
    format!("INSERT INTO {name} ({names}) SELECT * FROM unnest({arrays}) {conflict}")
}

fn type_name(kind: Type) -> &'static str {
    match kind {
        Type::Integer => "BIGINT",
        Type::Text => "TEXT",
        Type::Bytes => "BYTEA",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_go_and_parameters_are_renamed() {
        let ours = "SELECT a FROM t INDEXED BY t_a CROSS JOIN u USING (a) WHERE a = ?1 AND b < ?12";
        assert_eq!(statement(ours), "SELECT a FROM t JOIN u USING (a) WHERE a = $1 AND b < $12");
        assert_eq!(statement("SELECT a FROM t INDEXED BY t_a"), "SELECT a FROM t");
    }

    #[test]
    fn many_rows_go_in_as_one_array_for_each_column() {
        const TABLE: Table = Table {
            name: "t",
            columns: &[("a", Type::Text), ("b", Type::Integer), ("c", Type::Bytes)],
            conflict: "ON CONFLICT (a) DO NOTHING",
        };
        assert_eq!(
            insert_many(&TABLE),
            "INSERT INTO t (a, b, c) SELECT * FROM unnest($1::TEXT[], $2::BIGINT[], $3::BYTEA[]) \
             ON CONFLICT (a) DO NOTHING"
        );
    }
}
