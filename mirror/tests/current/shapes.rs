//! Tables as our own writer writes them: what is not a plain fold is made anew, and shown no sooner than it is whole.

use anyhow::{Result, ensure};
use datafusion::prelude::SessionContext;
use debezium::{
    PgType,
    PgTypeKind::{Array, Int4, Int8, Text, UnconstrainedNumeric, Uuid, Varchar},
};
use mirror::{Follower, Reason, Settings, Step};

use crate::{
    equal::{advance, assert_equal, current},
    random::settings,
    written::{Lake as Written, NULL, Table, UNSENT},
};

const CHANGES: &str = "shop/public.t/changes";
const CURRENT: &str = "shop/public.t/current";

struct Scene {
    written: Written,
    lake: lakewriter::Lake,
    follower: Follower,
}

impl Scene {
    async fn new(settings: Settings) -> Result<Self> {
        let written = Written::new().await?;
        let lake = lakewriter::Lake::connect(&written.config())?;
        let follower = Follower::new(&lake, &SessionContext::new(), CHANGES, settings);
        Ok(Self {
            written,
            lake,
            follower,
        })
    }

    async fn equal(&mut self, reason: Option<Reason>) -> Result<()> {
        let steps = advance(&mut self.follower).await?;
        let rebuilt = steps.iter().find_map(|step| match step {
            Step::Rebuilt { reason, .. } => Some(*reason),
            _ => None,
        });
        ensure!(rebuilt == reason, "{steps:?} for {reason:?}");
        assert_equal(&self.lake, CHANGES).await
    }

    /// The first columns of the rows.
    async fn rows(&self, columns: usize) -> Result<Vec<String>> {
        let (rows, _) = current(&self.lake, CURRENT).await?;
        let first = |row: &String| row.split('|').take(columns).collect::<Vec<_>>().join("|");
        Ok(rows.iter().map(first).collect())
    }
}

#[tokio::test]
async fn columns_keys_and_types_change() -> Result<()> {
    let mut scene = Scene::new(settings()).await?;
    let first = Table::new("t", 1, &[("id", 1, Int4), ("a", 2, Text)], &["id"]);
    scene.written.insert(&first, &["1", "one"]).await?;
    scene.written.insert(&first, &["2", "two"]).await?;
    scene.equal(Some(Reason::NoCurrent)).await?;
    scene.written.update(&first, None, &["2", "zwei"]).await?;
    scene.equal(None).await?;

    let added = Table::new(
        "t",
        1,
        &[("id", 1, Int4), ("a", 2, Text), ("b", 3, Int8)],
        &["id"],
    );
    scene.written.insert(&added, &["3", "three", "30"]).await?;
    scene.equal(Some(Reason::NewShape)).await?;
    scene
        .written
        .update(&added, None, &["1", UNSENT, "10"])
        .await?;
    scene.equal(None).await?;
    ensure!(scene.rows(3).await? == ["1|one|10", "2|zwei|NULL", "3|three|30"]);

    let renamed = Table::new(
        "t",
        1,
        &[("id", 1, Int4), ("name", 2, Text), ("b", 3, Text)],
        &["id"],
    );
    scene
        .written
        .update(&renamed, None, &["3", "drei", "x"])
        .await?;
    scene.equal(Some(Reason::NewShape)).await?;

    let columns = [("id", 1, Int4), ("name", 2, Text), ("b", 3, Text)];
    let rekeyed = Table::new("t", 1, &columns, &["name"]);
    scene
        .written
        .update(&rekeyed, None, &["30", "drei", "y"])
        .await?;
    scene.equal(Some(Reason::NewShape)).await?;
    scene.written.insert(&rekeyed, &["4", "vier", "z"]).await?;
    scene
        .written
        .delete(&rekeyed, &[NULL, "zwei", NULL])
        .await?;
    scene.equal(None).await?;
    ensure!(
        scene.rows(3).await? == ["1|one|10", "30|drei|y", "4|vier|z"],
        "{:?}",
        scene.rows(3).await?
    );

    // Dropped and made again.
    let again = Table::new(
        "t",
        2,
        &[("id", 1, Int4), ("Id", 2, Text), ("_lsn", 3, Text)],
        &["id"],
    );
    scene
        .written
        .insert(&again, &["1", "upper", "mine"])
        .await?;
    scene.equal(Some(Reason::NewShape)).await?;
    scene
        .written
        .update(&again, None, &["1", "upper 2", UNSENT])
        .await?;
    scene.equal(None).await?;
    ensure!(scene.rows(3).await? == ["1|upper 2|mine"]);

    scene.written.truncate(&again).await?;
    scene.equal(Some(Reason::Truncated)).await?;
    ensure!(scene.rows(3).await?.is_empty());
    scene
        .written
        .insert(&again, &["1", "upper", "mine"])
        .await?;
    scene.equal(None).await
}

fn text() -> PgType {
    PgType {
        oid: 25,
        name: "text".to_owned(),
        modifier: -1,
        kind: Text,
    }
}

#[tokio::test]
async fn keys_are_compared_as_postgresql_does() -> Result<()> {
    let mut scene = Scene::new(settings()).await?;
    let columns = [
        ("u", 1, Uuid),
        ("n", 2, UnconstrainedNumeric),
        ("v", 3, Varchar),
        (
            "tags",
            4,
            Array {
                element: Box::new(text()),
            },
        ),
    ];
    let table = Table::new("t", 1, &columns, &["u", "n", "v"]);
    let u = "6f3d6b1e-8f2b-4c8e-9a53-3a9d8f1f2a10";
    for n in ["1", "2", "3"] {
        scene
            .written
            .insert(&table, &[u, n, "x", "{a,b,NULL}"])
            .await?;
    }
    scene.equal(Some(Reason::NoCurrent)).await?;
    // Numbers are equal by their value.
    scene
        .written
        .update(&table, None, &[u, "1.0", "x", UNSENT])
        .await?;
    scene
        .written
        .delete(&table, &[u, "2.000", "x", NULL])
        .await?;
    scene
        .written
        .update(&table, Some(&[u, "3", "x", NULL]), &[u, "3", "y", UNSENT])
        .await?;
    scene.equal(None).await?;
    let rows = scene.rows(4).await?;
    ensure!(
        rows.len() == 2 && rows.iter().all(|row| row.contains("[a, b, ")),
        "{rows:?}"
    );
    Ok(())
}

#[tokio::test]
async fn without_a_key_there_is_none() -> Result<()> {
    let mut scene = Scene::new(settings()).await?;
    let table = Table::new("t", 1, &[("a", 1, Text)], &[]).full();
    scene.written.insert(&table, &["x"]).await?;
    ensure!(scene.follower.step().await? == Step::NoKey);
    ensure!(!scene.lake.is_delta_table(CURRENT).await?);
    Ok(())
}
