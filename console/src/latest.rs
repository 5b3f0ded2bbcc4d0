use std::fmt::Write as _;

/// A column of a `changes` table as far as the view needs to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewColumn {
    pub name: String,
    /// PostgreSQL can leave its value out of an UPDATE (TOAST): then an older change holds it.
    pub toastable: bool,
}

/// Quote an identifier for DataFusion SQL.
pub fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn quote_text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The SELECT of the latest row per key over the log `changes` (an already quoted table name).
///
/// The order of changes is `(_lsn, _seq)`; `_offset` decides between the records of producers that do not say more
/// than an LSN. A value that PostgreSQL did not send is taken from the newest change of the key that has it. Rows
/// before the newest TRUNCATE are gone. Without a key there is no latest row: every inserted row is shown.
pub fn latest_rows(changes: &str, key: &[String], columns: &[ViewColumn]) -> String {
    let mut sql = String::from("SELECT ");
    if key.is_empty() {
        for (i, column) in columns.iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            let _ = write!(sql, "{comma}c.{}", quote(&column.name));
        }
        let _ = write!(sql, " FROM {changes} c{}", after_truncate(changes));
        sql.push_str(" AND c._op IN ('r', 'c')");
        return sql;
    }
    const ORDER: &str = "ORDER BY c._lsn, c._seq, c._offset";
    for (i, column) in columns.iter().enumerate() {
        let comma = if i == 0 { "" } else { ", " };
        let name = quote(&column.name);
        if key.contains(&column.name) {
            let _ = write!(sql, "{comma}c.{name} AS {name}");
        } else if column.toastable {
            let _ = write!(
                sql,
                "{comma}last_value(c.{name} {ORDER}) FILTER (WHERE c._unavailable IS NULL OR NOT array_has(c._unavailable, {})) AS {name}",
                quote_text(&column.name)
            );
        } else {
            let _ = write!(sql, "{comma}last_value(c.{name} {ORDER}) AS {name}");
        }
    }
    let _ = write!(sql, " FROM {changes} c{}", after_truncate(changes));
    sql.push_str(" GROUP BY ");
    for (i, name) in key.iter().enumerate() {
        let comma = if i == 0 { "" } else { ", " };
        let _ = write!(sql, "{comma}c.{}", quote(name));
    }
    let _ = write!(sql, " HAVING last_value(c._op {ORDER}) <> 'd'");
    sql
}

fn after_truncate(changes: &str) -> String {
    format!(
        " LEFT JOIN (SELECT _lsn AS lsn, _seq AS seq FROM {changes} WHERE _op = 't' \
         ORDER BY _lsn DESC, _seq DESC LIMIT 1) t ON true \
         WHERE c._op <> 't' AND (t.lsn IS NULL OR c._lsn > t.lsn OR (c._lsn = t.lsn AND c._seq > t.seq))"
    )
}

#[cfg(test)]
mod tests {
    use datafusion::{arrow::util::pretty::pretty_format_batches, prelude::SessionContext};

    use super::*;

    async fn latest_of(rows: &str, key: &[&str]) -> String {
        let session = SessionContext::new();
        let create = format!(
            "CREATE TABLE log AS SELECT column1 AS _lsn, column2 AS _seq, column3 AS _offset, column4 AS _op, \
             column5 AS id, column6 AS n, column7 AS body, column8 AS _unavailable FROM (VALUES {rows})"
        );
        session.sql(&create).await.unwrap().collect().await.unwrap();
        let columns =
            [("id", false), ("n", false), ("body", true)].map(|(name, toastable)| ViewColumn {
                name: name.to_owned(),
                toastable,
            });
        let key: Vec<String> = key.iter().map(|&name| name.to_owned()).collect();
        let sql = format!(
            "SELECT * FROM ({}) ORDER BY id",
            latest_rows("log", &key, &columns)
        );
        let batches = session.sql(&sql).await.unwrap().collect().await.unwrap();
        let text = pretty_format_batches(&batches).unwrap().to_string();
        text.lines()
            .filter(|line| line.starts_with("| ") && !line.contains("body"))
            .map(|line| line.split_whitespace().collect::<String>())
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[tokio::test]
    async fn newest_change_wins_and_deleted_keys_vanish() {
        let rows = "(10,0,0,'c',1,1,'a',NULL), (10,1,1,'c',2,1,'b',NULL), (20,0,2,'u',1,2,'a2',NULL), \
                    (30,0,3,'d',2,NULL,NULL,NULL), (5,9,4,'r',3,7,'s',['zz'])";
        assert_eq!(latest_of(rows, &["id"]).await, "|1|2|a2| |3|7|s|");
    }

    #[tokio::test]
    async fn unsent_toast_values_come_from_the_change_that_has_them() {
        let rows = "(10,0,0,'c',1,1,'long',NULL), (20,0,1,'u',1,2,NULL,['body']), (30,0,2,'u',1,3,NULL,['body']), \
                    (10,1,3,'c',2,1,'x',NULL), (20,1,4,'u',2,2,NULL,['other'])";
        assert_eq!(latest_of(rows, &["id"]).await, "|1|3|long| |2|2||");
    }

    #[tokio::test]
    async fn truncate_hides_what_came_before_it_also_in_one_transaction() {
        let rows = "(10,0,0,'c',1,1,'a',NULL), (20,1,1,'t',NULL,NULL,NULL,['zz']), (20,0,2,'c',2,1,'b',NULL), (20,2,3,'c',3,1,'c',NULL)";
        assert_eq!(latest_of(rows, &["id"]).await, "|3|1|c|");
        assert_eq!(latest_of(rows, &[]).await, "|3|1|c|");
    }

    #[test]
    fn identifiers_are_quoted() {
        assert_eq!(quote("a\"b"), "\"a\"\"b\"");
    }
}
