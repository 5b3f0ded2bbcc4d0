//! Transactions of every kind, the same for the same seed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;
use tokio_postgres::Client;

use crate::road::PATIENCE;
use crate::servers::Servers;

/// Schema of the databases: the tweet tables, one of every type, and keys of every kind.
pub const SCHEMA: &str = concat!(
    include_str!("../../db/01-schema.sql"),
    include_str!("every_type.sql"),
    include_str!("tables.sql")
);

/// All tables of [`SCHEMA`].
pub const TABLES: [&str; 6] = [
    "public.users",
    "public.tweets",
    "public.every_type",
    "public.composite_key",
    "public.full_identity",
    "public.no_key",
];

/// Time between two transactions of a continuous load: some hundred rows a second, which leaves the cores to who is
/// under test.
const PAUSE: Duration = Duration::from_millis(15);

/// Rows that are there before anybody reads the WAL.
pub const EARLIER_ROWS: &str = "
    insert into users (id, username, name, followers_count, created_at, updated_at)
    select -i, 'early' || i, 'Früh ' || i, i, '2020-01-01', now() from generate_series(1, 200) i;
    insert into tweets (id, author_id, text, lang, source, created_at, hashtags)
    select -i, -i, 'before the snapshot ' || i, 'en', 'web', '2020-01-01 00:00:00.000001', array['a', 'b' || i]
    from generate_series(1, 500) i;
    update tweets set text = (select string_agg(md5(i::text || id), '') from generate_series(1, 120) i) where id > -20;
    insert into composite_key select 'eu', i, 'early' from generate_series(1, 50) i;
    insert into full_identity select -i, 'early', repeat('x', 3000) from generate_series(1, 20) i;
    insert into no_key select -i, 'early' from generate_series(1, 20) i;";

/// SplitMix64: the same numbers for the same seed, for ever.
#[derive(Debug)]
struct Dice(u64);

impl Dice {
    fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// 0 to `end`, without `end`.
    fn below(&mut self, end: u64) -> u64 {
        self.number() % end
    }
}

/// SQL text of transactions, the same for the same seed. Each client works on keys of its own, so that several of them
/// never wait for each other.
#[derive(Debug)]
pub struct Workload {
    dice: Dice,
    client: i64,
    next: i64,
    /// Keys of tweets that are there, and whether the text is long enough to be kept out of line.
    tweets: Vec<(i64, bool)>,
}

impl Workload {
    pub fn new(client: u32, seed: u64) -> Self {
        Self {
            dice: Dice(seed ^ (u64::from(client) << 32)),
            client: i64::from(client),
            next: 0,
            tweets: Vec::new(),
        }
    }

    /// A key that nobody has had yet.
    fn fresh(&mut self) -> i64 {
        self.next += 1;
        (self.client + 1) * 1_000_000_000 + self.next
    }

    /// A text that no compression makes short.
    fn long(&mut self) -> String {
        format!(
            "(select string_agg(md5(i::text || {}), '') from generate_series(1, {}) i)",
            self.dice.below(1 << 31),
            100 + self.dice.below(100)
        )
    }

    fn short(&mut self) -> String {
        let words = [
            "hello",
            "🐘 tweets",
            "l''été",
            "back\\slash",
            "\"quoted\"",
            "日本語",
            "line\nbreak",
            "",
        ];
        let word = words[self.index(words.len())];
        format!("'{word} {}'", self.dice.below(100_000))
    }

    fn index(&mut self, length: usize) -> usize {
        self.dice.below(length as u64) as usize
    }

    fn take(&mut self) -> Option<(i64, bool)> {
        if self.tweets.is_empty() {
            return None;
        }
        let at = self.index(self.tweets.len());
        Some(self.tweets.swap_remove(at))
    }

    fn insert_tweet(&mut self) -> String {
        let id = self.fresh();
        let long = self.dice.below(4) == 0;
        let text = if long { self.long() } else { self.short() };
        self.tweets.push((id, long));
        let likes = self.dice.below(1000);
        format!(
            "insert into tweets (id, author_id, text, lang, source, created_at, hashtags, longitude, latitude, like_count, entities) \
             values ({id}, {likes}, {text}, 'en', 'web', clock_timestamp(), '{{x,\"y,z\"}}', {likes}.25, -0.1, {likes}, '{{\"urls\": [{likes}, null]}}');"
        )
    }

    /// A statement on tweets: an insert where there is none to change.
    fn tweet(&mut self) -> String {
        let dice = self.dice.below(100);
        let (id, long) = match self.take() {
            Some(tweet) if dice >= 50 => tweet,
            Some(tweet) => {
                self.tweets.push(tweet);
                return self.insert_tweet();
            }
            None => return self.insert_tweet(),
        };
        match dice {
            // what is out of line is not sent
            50..75 => {
                self.tweets.push((id, long));
                format!(
                    "update tweets set like_count = like_count + 1, edited_at = clock_timestamp() where id = {id};"
                )
            }
            75..85 => {
                self.tweets.push((id, false));
                let text = self.short();
                format!("update tweets set text = {text}, entities = null where id = {id};")
            }
            // under a new key, a value that is not sent is known to nobody
            85..92 if !long => {
                let new = self.fresh();
                self.tweets.push((new, false));
                format!("update tweets set id = {new} where id = {id};")
            }
            _ => format!("delete from tweets where id = {id};"),
        }
    }

    /// A statement on one of the other tables.
    fn other(&mut self) -> String {
        let id = self.fresh();
        let client = self.client;
        match self.dice.below(7) {
            0 => format!(
                "insert into users (id, username, name, created_at, updated_at) values ({id}, 'u{id}', {}, now(), now());",
                self.short()
            ),
            1 => format!(
                "update users set followers_count = followers_count + 1 where id % 7 = {client} and id > 0;"
            ),
            2 => format!(
                "insert into every_type (id, c_int4, c_float8, c_dec, c_text, c_bytea, c_tstz, a_text) values \
                 ({id}, {}, random(), random() * 1000, {}, decode(md5('{id}'), 'hex'), clock_timestamp(), array[{}, null]);",
                self.dice.below(1 << 31),
                self.short(),
                self.short()
            ),
            3 => format!(
                "insert into composite_key values ('c{client}', {}, {}) on conflict (region, number) do update set note = excluded.note;",
                self.dice.below(50),
                self.short()
            ),
            4 => format!(
                "update composite_key set number = {} where region = 'c{client}' and number = {};",
                1000 + id % 1_000_000_000,
                self.dice.below(50)
            ),
            5 => format!(
                "insert into full_identity values ({}, {}, {}) on conflict (id) do update set note = excluded.note || full_identity.note;",
                client * 1000 + self.index(100) as i64,
                self.short(),
                self.long()
            ),
            _ => format!(
                "insert into no_key values ({}, {});",
                id % 1_000_000_000 + client * 100_000_000,
                self.short()
            ),
        }
    }

    fn statement(&mut self) -> String {
        if self.dice.below(3) > 0 {
            self.tweet()
        } else {
            self.other()
        }
    }

    /// Many tweets that nobody changes later.
    fn bulk(&mut self, rows: i64) -> String {
        let from = self.fresh();
        self.next += rows;
        format!(
            "insert into tweets (id, author_id, text, lang, source, created_at) \
             select {from} + i, i, repeat(md5(i::text), 4), 'und', 'bulk', now() from generate_series(1, {rows}) i;"
        )
    }

    /// The next transaction.
    pub fn transaction(&mut self) -> String {
        let dice = self.dice.below(100);
        if dice < 60 {
            return self.statement();
        }
        let mut sql = String::from("begin;");
        for _ in 0..2 + self.dice.below(6) {
            sql.push_str(&self.statement());
        }
        if dice >= 90 {
            let id = self.fresh();
            sql.push_str(&format!(
                "savepoint s; insert into no_key values ({}, 'rolled back'); rollback to s;",
                id % 1_000_000_000 + self.client * 100_000_000
            ));
        }
        if dice >= 98 {
            // large enough to be streamed before its commit, with a part that is taken back
            let taken_back = self.bulk(300);
            let kept = self.bulk(400);
            sql.push_str(&format!("savepoint s; {taken_back} rollback to s; {kept}"));
        }
        sql.push_str("commit;");
        sql
    }

    /// A transaction that leaves nothing behind, though some of it may have been streamed.
    pub fn rolled_back(&mut self) -> String {
        let (from, to) = (
            (self.client + 1) * 1_000_000_000,
            (self.client + 2) * 1_000_000_000,
        );
        let bulk = self.bulk(300);
        format!(
            "begin; {bulk} delete from tweets where id > {from} and id < {to}; truncate no_key; rollback;"
        )
    }
}

/// Clients that write without pause until they are told to stop.
#[derive(Debug)]
pub struct Load {
    stop: watch::Sender<bool>,
    clients: Vec<JoinHandle<Result<u64>>>,
}

impl Load {
    /// Starts `clients` clients on `database`. They outlive a restart of the server: what became of the transaction
    /// that was under way, the audit knows.
    pub fn start(servers: &Arc<Servers>, database: &str, clients: u32) -> Self {
        let (stop, stopped) = watch::channel(false);
        let tasks = (0..clients).map(|client| {
            let work = write(
                client,
                Arc::clone(servers),
                database.to_owned(),
                stopped.clone(),
            );
            tokio::spawn(work)
        });
        Self {
            clients: tasks.collect(),
            stop,
        }
    }

    /// Ends the clients after their present transaction, and returns how many transactions there were.
    pub async fn finish(self) -> Result<u64> {
        self.stop.send_replace(true);
        let mut transactions = 0;
        for client in self.clients {
            transactions += client
                .await
                .context("wait for a client of the workload")??;
        }
        Ok(transactions)
    }
}

/// One client: how many transactions went through.
async fn write(
    client: u32,
    servers: Arc<Servers>,
    database: String,
    stopped: watch::Receiver<bool>,
) -> Result<u64> {
    let mut workload = Workload::new(client, 7);
    let mut connection = servers.postgres.connect(&database).await?;
    let mut pace = tokio::time::interval(PAUSE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut transactions = 0;
    while !*stopped.borrow() {
        pace.tick().await;
        let sql = match transactions % 50 {
            49 => workload.rolled_back(),
            _ => workload.transaction(),
        };
        match connection.batch_execute(&sql).await {
            Ok(()) => transactions += 1,
            Err(error) if connection.is_closed() || is_shutdown(&error) => {
                connection = connect_again(&servers, &database).await?;
            }
            Err(error) => return Err(error).with_context(|| format!("run the workload: {sql}")),
        }
    }
    Ok(transactions)
}

/// SQLSTATE class 57: the server goes down, or a process of it has crashed.
fn is_shutdown(error: &tokio_postgres::Error) -> bool {
    error
        .code()
        .is_some_and(|code| code.code().starts_with("57"))
}

/// A connection to a server that may still be starting. Not `stack::until`, whose future cannot go to another thread.
async fn connect_again(servers: &Servers, database: &str) -> Result<Client> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match servers.postgres.connect(database).await {
            Err(_) if Instant::now() < deadline => tokio::time::sleep(PAUSE).await,
            connected => return connected,
        }
    }
}
