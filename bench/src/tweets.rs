//! The table that is measured: ten columns, about 350 bytes of WAL a row.

use std::sync::atomic::{AtomicI64, Ordering};

use anyhow::Result;
use pgoutput::Lsn;

use crate::servers::Servers;

const SCHEMA: &str = "create table tweets (
    id bigint primary key,
    user_id bigint not null,
    text text not null,
    lang text not null,
    created_at timestamptz not null,
    like_count int not null default 0,
    reply_to bigint,
    geo double precision[],
    meta jsonb,
    score numeric(10,2)
)";

pub async fn create(servers: &Servers) -> Result<()> {
    servers.execute(SCHEMA).await
}

/// Writes `rows` rows with ids from `first`, `transaction` a transaction: a text of 110 characters, every fifth a
/// reply, every tenth with a place and a document.
pub async fn load(servers: &Servers, first: i64, rows: u32, transaction: u32) -> Result<()> {
    let transactions = rows / transaction;
    servers
        .execute(&format!(
            "do $$ begin
                for i in 0..{transactions} - 1 loop
                    insert into tweets
                    select {first} + i * {transaction} + g,
                           (g * 7919) % 100000,
                           repeat(md5((i * {transaction} + g)::text), 3) || ' #rust #postgres',
                           'en', now(), 0,
                           case when g % 5 = 0 then g end,
                           case when g % 10 = 0 then array[52.5, 13.4] end,
                           case when g % 10 = 0 then '{{\"client\": \"web\"}}'::jsonb end,
                           (g % 1000) / 10.0
                    from generate_series(0, {transaction} - 1) g;
                    commit;
                end loop;
            end $$"
        ))
        .await
}

/// Writes one more row, with a negative id: who has come beyond the returned position has everything before the row.
pub async fn mark(servers: &Servers) -> Result<Lsn> {
    static NEXT: AtomicI64 = AtomicI64::new(-1);
    let end = servers.wal_end().await?;
    let id = NEXT.fetch_sub(1, Ordering::Relaxed);
    servers
        .execute(&format!(
            "set synchronous_commit = on; insert into tweets values ({id}, 0, 'mark', 'en', now())"
        ))
        .await?;
    Ok(end)
}
