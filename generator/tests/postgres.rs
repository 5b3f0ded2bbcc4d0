//! The generator against a real PostgreSQL.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use generator::{Error, Mix, Pace, Progress, Settings, Summary, create_tables, run};
use stack::{Authority, Postgres, PostgresOptions, PostgresTls, until};
use tokio_util::sync::CancellationToken;

async fn database(postgres: &Postgres, name: &str) -> Result<Settings> {
    postgres.create_database(name).await?;
    let dsn = postgres.dsn(name);
    create_tables(&dsn).await?;
    create_tables(&dsn).await.context("a second time")?;
    Ok(Settings {
        pace: Pace::Unlimited,
        ..Settings::new(dsn)
    })
}

async fn finish(settings: Settings) -> Result<Summary, Error> {
    run(settings, Arc::default(), CancellationToken::new()).await
}

async fn value(postgres: &Postgres, database: &str, sql: &str) -> Result<String> {
    let rows = postgres.query(database, sql).await?;
    rows.into_iter()
        .flatten()
        .next()
        .flatten()
        .with_context(|| format!("no value: {sql}"))
}

/// Everything in both tables.
async fn digest(postgres: &Postgres, database: &str) -> Result<String> {
    value(
        postgres,
        database,
        "select md5(string_agg(t::text, E'\n' order by id)) || (select md5(string_agg(u::text, E'\n' order by id)) from users u) \
         from tweets t",
    )
    .await
}

async fn tweets(postgres: &Postgres, database: &str) -> Result<u64> {
    Ok(value(postgres, database, "select count(*) from tweets")
        .await?
        .parse()?)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_seed_writes_the_same_rows_at_any_pace() -> Result<()> {
    let postgres = Postgres::start().await?;
    let mut digests = Vec::new();
    let paces = [
        (Pace::Unlimited, None),
        (Pace::Rate(50_000.0), Some(7)),
        (Pace::Unlimited, Some(333)),
    ];
    for (number, (pace, rows_per_transaction)) in paces.into_iter().enumerate() {
        let name = format!("run{number}");
        let settings = Settings {
            seed: Some(42),
            count: Some(3_000),
            ..database(&postgres, &name).await?
        };
        let settings = Settings {
            pace,
            rows_per_transaction,
            ..settings
        };
        let summary = finish(settings.clone()).await?;
        assert_eq!(summary.changes(), 3_000);
        let once = digest(&postgres, &name).await?;
        // A second run tells the rest of the story, and it too is always the same.
        finish(Settings {
            count: Some(500),
            ..settings
        })
        .await?;
        digests.push((once, digest(&postgres, &name).await?));
    }
    assert_eq!(digests[0], digests[1]);
    assert_eq!(digests[0], digests[2]);
    assert_ne!(digests[0].0, digests[0].1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_say_the_same_in_all_their_columns() -> Result<()> {
    let postgres = Postgres::start().await?;
    let settings = database(&postgres, "rows").await?;
    let summary = finish(Settings {
        count: Some(20_000),
        ..settings
    })
    .await?;
    assert_eq!(summary.changes(), 20_000);
    assert_eq!(
        tweets(&postgres, "rows").await?,
        summary.inserted - summary.deleted
    );
    assert!(
        summary.updated > 2_000 && summary.deleted > 500,
        "{summary}"
    );

    let none = [
        (
            "tags, mentions and links stand where the entities say",
            "select count(*) from tweets, lateral (
                select e->>'start' s, e->>'end' e, '#' || (e->>'tag') part from jsonb_array_elements(entities->'hashtags') e
                union all
                select e->>'start', e->>'end', '@' || (e->>'username') from jsonb_array_elements(entities->'mentions') e
                union all
                select e->>'start', e->>'end', e->>'url' from jsonb_array_elements(entities->'urls') e) x
             where substring(text from s::int + 1 for e::int - s::int) <> part",
        ),
        (
            "hashtags are those of the entities",
            "select count(*) from tweets where hashtags <> coalesce(array(
                select e->>'tag' from jsonb_array_elements(entities->'hashtags') e), '{}')",
        ),
        ("mentioned users exist", "select count(*) from tweets, jsonb_array_elements(entities->'mentions') m
             where not exists (select from users where id = (m->>'id')::bigint and username = m->>'username')"),
        ("authors exist", "select count(*) from tweets where author_id not in (select id from users)"),
        ("ordinary tweets are short", "select count(*) from tweets where length(text) > 280 and length(text) < 2000"),
        (
            "ids are snowflakes of the time",
            "select count(*) from tweets
             where abs(extract(epoch from created_at) * 1000 - ((id >> 22) + 1288834974657)) > 1000",
        ),
    ];
    for (what, sql) in none {
        assert_eq!(value(&postgres, "rows", sql).await?, "0", "{what}");
    }
    let some = [
        (
            "long notes leave their row",
            "select pg_relation_size(reltoastrelid) > 100000 from pg_class where relname = 'tweets'",
        ),
        (
            "tweets are edited",
            "select count(*) > 100 from tweets where edited_at is not null",
        ),
        (
            "users change",
            "select count(*) > 100 from users where updated_at > (select min(updated_at) from users)",
        ),
        (
            "many languages",
            "select count(distinct lang) >= 12 from tweets",
        ),
        (
            "a long tail of likes",
            "select max(like_count) > 100 * avg(like_count) from tweets",
        ),
        (
            "quotes, answers, retweets",
            "select count(quoted_tweet_id) > 100 and count(in_reply_to_tweet_id) > 100
             and count(retweeted_tweet_id) > 100 from tweets",
        ),
    ];
    for (what, sql) in some {
        assert_eq!(value(&postgres, "rows", sql).await?, "t", "{what}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_goes_on_from_the_first() -> Result<()> {
    let postgres = Postgres::start().await?;
    let settings = database(&postgres, "again").await?;
    let mut expected = 0;
    for seed in [None, None, Some(1), Some(1), None] {
        let summary = finish(Settings {
            seed,
            count: Some(2_000),
            ..settings.clone()
        })
        .await?;
        expected += summary.inserted - summary.deleted;
        assert_eq!(tweets(&postgres, "again").await?, expected);
    }
    // Deletes reach all tweets of the table, and their end is an error that says what to do.
    let mix: Mix = "delete=1".parse()?;
    let error = finish(Settings {
        mix,
        ..settings.clone()
    })
    .await;
    assert!(matches!(error, Err(Error::NothingToChange)), "{error:?}");
    assert_eq!(tweets(&postgres, "again").await?, 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn restarts_and_kills_of_the_server_lose_and_repeat_nothing() -> Result<()> {
    for pace in [Pace::Unlimited, Pace::Rate(400.0)] {
        let postgres = Postgres::start().await?;
        let settings = Settings {
            pace,
            ..database(&postgres, "restart").await?
        };
        let progress = Arc::new(Progress::default());
        let shutdown = CancellationToken::new();
        let running = tokio::spawn(run(settings, Arc::clone(&progress), shutdown.clone()));
        let more = async |count| {
            let before = progress.transactions();
            until("transactions", Duration::from_secs(60), async || {
                let enough = progress.transactions() > before + count;
                Ok((running.is_finished() || enough).then_some(()))
            })
            .await
        };
        for round in 0..6 {
            more(50).await?;
            if round % 2 == 0 {
                postgres.kill9()?;
            }
            postgres.restart().await?;
        }
        more(10).await?;
        shutdown.cancel();
        let summary = running.await??;
        assert!(!summary.last_outcome_unknown);
        assert_eq!(
            tweets(&postgres, "restart").await?,
            summary.inserted - summary.deleted,
            "{summary}"
        );
        let users: u64 = value(&postgres, "restart", "select count(*) from users")
            .await?
            .parse()?;
        assert_eq!(users, summary.users_written);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_clearly() -> Result<()> {
    let postgres = Postgres::start().await?;
    let error = finish(Settings::new(postgres.dsn("postgres")))
        .await
        .err()
        .context("tables are missing")?;
    assert_eq!(
        error.hint(),
        Some("create the tables with db/01-schema.sql"),
        "{error:?}"
    );
    let error = finish(Settings::new(postgres.dsn("nowhere")))
        .await
        .err()
        .context("the database is missing")?;
    assert!(matches!(error, Error::Connect { .. }), "{error:?}");
    let settings = Settings {
        rows_per_transaction: Some(0),
        ..Settings::new("")
    };
    assert!(matches!(finish(settings).await, Err(Error::Settings(_))));
    Ok(())
}

/// The string's `sslmode` and what goes with it, on a server that lets nobody in without TLS.
#[tokio::test(flavor = "multi_thread")]
async fn writes_over_tls_as_its_connection_string_says() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let authority = Authority::new("the root")?;
    let root = folder.path().join("root.crt");
    std::fs::write(&root, authority.pem())?;
    let postgres = Postgres::start_with(PostgresOptions {
        tls: Some(PostgresTls {
            server: authority.server(&["localhost"])?,
            client_root: None,
        }),
        hba: Some("local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n".to_owned()),
        ..PostgresOptions::default()
    })
    .await?;
    postgres.create_database("secured").await?;
    let dsn = postgres.dsn("secured").replace("127.0.0.1", "localhost");
    let verified = format!("{dsn}?sslmode=verify-full&sslrootcert={}", root.display());
    create_tables(&verified).await?;
    let summary = finish(Settings {
        pace: Pace::Unlimited,
        count: Some(1000),
        ..Settings::new(verified.as_str())
    })
    .await?;
    assert_eq!(summary.changes(), 1000);
    for (dsn, said) in [
        (
            verified.replace("localhost", "127.0.0.1"),
            "the server's certificate is for",
        ),
        (format!("{dsn}?sslmode=disable"), "no encryption"),
        (format!("{dsn}?sslmode=verify-ca"), "sslrootcert"),
        (format!("{dsn}?sslmode=on"), "sslmode `on`"),
        (format!("{dsn}?sslcrl=x"), "sslcrl is not supported"),
    ] {
        let started = Instant::now();
        let error = finish(Settings::new(dsn.as_str()))
            .await
            .err()
            .context("refused")?;
        let text = service::render_error(&error, error.hint());
        assert!(text.contains(said), "{dsn}: {text}");
        assert!(!text.contains("postgres:postgres"), "{text}");
        assert!(started.elapsed() < Duration::from_secs(10), "{text}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_and_a_period_write_their_batches() -> Result<()> {
    let postgres = Postgres::start().await?;
    let settings = database(&postgres, "turns").await?;
    for pace in [Pace::schedule("* * * * * *", 15)?, Pace::every("50ms", 15)?] {
        let summary = finish(Settings {
            pace,
            count: Some(40),
            ..settings.clone()
        })
        .await?;
        assert_eq!((summary.changes(), summary.transactions), (40, 3));
    }
    Ok(())
}

/// Prints how many tweets a second COPY writes: `cargo test -p generator copy_rate -- --nocapture`.
#[tokio::test(flavor = "multi_thread")]
async fn copy_rate() -> Result<()> {
    // Flushing as in production, since each transaction waits for it.
    let options = PostgresOptions {
        fsync: true,
        ..PostgresOptions::default()
    };
    let postgres = Postgres::start_with(options).await?;
    let settings = database(&postgres, "rate").await?;
    let started = Instant::now();
    let summary = finish(Settings {
        mix: Mix::INSERTS,
        count: Some(300_000),
        ..settings.clone()
    })
    .await?;
    println!("inserts only, COPY of 1,000: {summary}");
    assert!(summary.elapsed <= started.elapsed());
    assert_eq!(tweets(&postgres, "rate").await?, 300_000);
    for rows in [100, 1] {
        let settings = Settings {
            rows_per_transaction: Some(rows),
            ..settings.clone()
        };
        let summary = finish(Settings {
            mix: Mix::INSERTS,
            count: Some(5_000),
            ..settings
        })
        .await?;
        println!("inserts only, {rows} a transaction: {summary}");
    }
    let summary = finish(Settings {
        count: Some(100_000),
        ..settings.clone()
    })
    .await?;
    println!("default mix: {summary}");
    Ok(())
}
