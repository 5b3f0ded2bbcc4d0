//! Each server of the stack starts, answers, survives a kill, and goes away.

use std::time::Duration;

use anyhow::{Context, Result};
use stack::{Kafka, Minio, Postgres, Process};

#[tokio::test]
async fn postgres_keeps_what_was_committed_before_a_kill() -> Result<()> {
    let postgres = Postgres::start().await?;
    postgres.create_database("shop").await?;
    postgres
        .execute(
            "shop",
            "create table t (id int primary key, note text); insert into t values (1, null)",
        )
        .await?;

    let first = postgres.pid();
    postgres.kill9()?;
    postgres.restart().await?;
    assert_ne!(postgres.pid(), first);

    assert_eq!(
        postgres.query("shop", "select * from t").await?,
        [[Some("1".to_owned()), None]]
    );
    assert_eq!(
        postgres.query("shop", "show wal_level").await?,
        [[Some("logical".to_owned())]]
    );
    let (client, connection) =
        tokio_postgres::connect(&postgres.dsn("shop"), tokio_postgres::NoTls).await?;
    tokio::spawn(connection);
    let row = client.query_one("select current_user::text", &[]).await?;
    assert_eq!(row.get::<_, &str>(0), postgres.user());

    let pid = postgres.pid();
    drop(client);
    drop(postgres);
    assert!(!alive(pid), "the server outlived its handle");
    Ok(())
}

#[tokio::test]
async fn kafka_gives_back_records_headers_and_tombstones() -> Result<()> {
    let kafka = Kafka::start().await?;
    kafka.create_topic("events", 2).await?;
    let header = ("id".to_owned(), Some(b"7".to_vec()));
    kafka
        .produce(
            "events",
            Some(1),
            Some(b"k"),
            Some(b"v"),
            std::slice::from_ref(&header),
        )
        .await?;
    kafka
        .produce("events", Some(0), Some(b"k"), None, &[])
        .await?;

    kafka.kill9()?;
    kafka.restart().await?;

    let records = kafka.read_all("events", true).await?;
    assert_eq!(
        records
            .iter()
            .map(|r| (r.partition, r.offset))
            .collect::<Vec<_>>(),
        [(0, 0), (1, 0)]
    );
    let [tombstone, record] = records.as_slice() else {
        panic!("two records, found {}", records.len())
    };
    assert_eq!(
        (&tombstone.key, &tombstone.value),
        (&Some(b"k".to_vec()), &None)
    );
    assert_eq!(
        (&record.value, &record.headers),
        (&Some(b"v".to_vec()), &vec![header])
    );
    assert_eq!(kafka.end_offsets("events").await?, [1, 1]);

    kafka.delete_topic("events").await?;
    assert!(kafka.read_all("events", false).await.is_err());
    let pid = kafka.pid();
    drop(kafka);
    assert!(!alive(pid), "the broker outlived its handle");
    Ok(())
}

#[tokio::test]
async fn minio_has_its_buckets_before_and_after_a_kill() -> Result<()> {
    let minio = Minio::start(&["lake"]).await?;
    minio.create_bucket("later")?;
    minio.kill9()?;
    minio.restart().await?;
    for bucket in ["lake", "later"] {
        let response = stack::get(&format!("{}/{bucket}/", minio.endpoint())).await?;
        assert_eq!(
            response.status, 403,
            "an unsigned request is refused: {}",
            response.body
        );
    }
    let pid = minio.pid();
    drop(minio);
    assert!(!alive(pid), "the server outlived its handle");
    Ok(())
}

#[tokio::test]
async fn a_process_is_watched_and_ended() -> Result<()> {
    let mut command = std::process::Command::new("sh");
    command.args([
        "-c",
        "trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.05; done",
    ]);
    let mut process = Process::spawn("a shell", command)?;
    assert_eq!(
        process
            .wait_for_line("read", Duration::from_secs(10))
            .await?,
        "ready"
    );
    process.terminate()?;
    assert_eq!(process.wait(Duration::from_secs(10)).await?.code(), Some(3));
    assert!(process.output()?.ends_with("bye\n"));
    let error = process
        .wait_for_line("never", Duration::from_secs(10))
        .await
        .err()
        .context("an ended process")?;
    assert!(format!("{error:#}").contains("bye"), "{error:#}");
    Ok(())
}

fn alive(pid: u32) -> bool {
    std::path::Path::new(&format!("/proc/{pid}")).exists()
}
