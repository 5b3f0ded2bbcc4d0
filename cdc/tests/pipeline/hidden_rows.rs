//! Rows, columns and operations that the server hides from the snapshot or from the stream.

use anyhow::{Context, Result, ensure};
use cdc::{Error, ErrorKind};
use stack::Postgres;

use crate::{
    connector::{config_with, start, until_events},
    recording::Store,
};

/// A connector that takes a snapshot with this publication, and is refused before it writes anything.
async fn refused(postgres: &Postgres, properties: &[(&str, &str)]) -> Result<Error> {
    let store = Store::default();
    let own = [
        ("publication.autocreate.mode", "disabled"),
        ("errors.max.retries", "0"),
    ];
    let all = [&own[..], properties].concat();
    let running = start(&config_with(postgres, &all), &store, 100);
    let error = running.ended().await?.err().context("it is refused")?;
    ensure!(store.len() == 0, "{} rows were written", store.len());
    Ok(error)
}

/// How many rows a snapshot writes that is not refused.
async fn rows(postgres: &Postgres, properties: &[(&str, &str)], want: usize) -> Result<Store> {
    let store = Store::default();
    let own = [
        ("publication.autocreate.mode", "disabled"),
        ("slot.drop.on.stop", "true"),
    ];
    let all = [&own[..], properties].concat();
    let running = start(&config_with(postgres, &all), &store, 100);
    running.streaming().await?;
    until_events(&store, want).await?;
    running.stop().await?;
    ensure!(store.len() == want, "{} rows", store.len());
    Ok(store)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_behind_a_policy_are_not_left_out_silently() -> Result<()> {
    let postgres = Postgres::start().await?;
    for sql in [
        "create role limited login replication",
        "create table t(id int primary key, owner text); create table plain(id int primary key);
         insert into t select i, case when i % 2 = 0 then 'limited' else 'x' end from generate_series(1, 10) i;
         insert into plain values (1);
         alter table t enable row level security; create policy p on t using (owner = current_user);
         grant select on t, plain to limited; create publication mine for table t, plain",
    ] {
        postgres.execute("postgres", sql).await?;
    }
    let role = [
        ("database.user", "limited"),
        ("publication.name", "mine"),
        ("table.include.list", "public.t,public.plain"),
    ];
    for threads in ["1", "2"] {
        let more = [&role[..], &[("snapshot.max.threads", threads)]].concat();
        let error = refused(&postgres, &more).await?;
        let told = service::render_error(&error, Some(error.hint()));
        ensure!(error.kind() == ErrorKind::Permission, "{told}");
        ensure!(
            told.contains("public.t ") && !told.contains("public.plain"),
            "{told}"
        );
        ensure!(told.contains("row level security"), "{told}");
        ensure!(told.contains("alter role \"limited\" bypassrls"), "{told}");
    }
    // Whoever says which rows are to be read has said it; the policy is circumvented by none.
    let overrides = [
        ("snapshot.select.statement.overrides", "public.t"),
        (
            "snapshot.select.statement.overrides.public.t",
            "select * from public.t where id > 2",
        ),
    ];
    let error = refused(&postgres, &[&role[..], &overrides].concat()).await?;
    let told = service::render_error(&error, None);
    ensure!(
        told.contains("row-level security policy for table \"t\""),
        "{told}"
    );
    let owner = [("database.user", postgres.user()), role[1], role[2]];
    rows(&postgres, &[&owner[..], &overrides].concat(), 9).await?;
    postgres
        .execute("postgres", "alter role limited bypassrls")
        .await?;
    let limited = [&role[..], &[("slot.name", "limited")]].concat();
    rows(&postgres, &limited, 11).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publication_that_leaves_something_out_does_not_fit_a_snapshot() -> Result<()> {
    let postgres = Postgres::start().await?;
    postgres
        .execute(
            "postgres",
            "create table t(id int primary key, v int, w text); create table u(id int primary key);
             insert into t select i, i, 'w' from generate_series(1, 10) i; insert into u values (1);
             create publication filtered for table t where (id > 5), u;
             create publication listed for table t (id, v), u;
             create publication inserts for table t, u with (publish = 'insert');
             create publication whole for table t, u with (publish = 'insert, update, delete')",
        )
        .await?;
    for (publication, words, fitting) in [
        (
            "filtered",
            [
                "row filter for public.t, (id > 5)",
                "snapshot.select.statement.overrides",
            ],
            &[
                ("snapshot.select.statement.overrides", "public.t"),
                (
                    "snapshot.select.statement.overrides.public.t",
                    "select * from public.t where id > 5",
                ),
            ][..],
        ),
        (
            "listed",
            ["leaves out columns of public.t, w", "column.exclude.list"],
            &[("column.exclude.list", "public.t.w")][..],
        ),
        (
            "inserts",
            ["does not publish update, delete", "skipped.operations"],
            &[("skipped.operations", "u,d,t")][..],
        ),
    ] {
        let name = [
            ("publication.name", publication),
            ("slot.name", publication),
        ];
        let error = refused(&postgres, &name).await?;
        let told = service::render_error(&error, Some(error.hint()));
        ensure!(error.kind() == ErrorKind::Configuration, "{told}");
        for word in words {
            ensure!(told.contains(word), "{publication}: {told}");
        }
        let want = if publication == "filtered" { 6 } else { 11 };
        rows(&postgres, &[&name[..], fitting].concat(), want).await?;
        let none = [&name[..], &[("snapshot.mode", "no_data")]].concat();
        rows(&postgres, &none, 0).await?;
    }
    rows(&postgres, &[("publication.name", "whole")], 11).await?;
    Ok(())
}
