//! How often the store is asked at a start.

use object_store::{ObjectStore, path::Path};
use url::Url;

use super::*;
use crate::{
    lake::{
        CountingStore, Lake,
        delta::{CommitOutcome, PreparedCommit, TableProperties},
    },
    progress::TxnAdvance,
};

fn assigned(partitions: i32) -> Vec<Assigned> {
    let partition = |partition| Assigned {
        topic: "t".to_owned(),
        topic_id: "id".to_owned(),
        partition,
    };
    (0..partitions).map(partition).collect()
}

/// Tables of `partitions` partitions each, with some commits since the last checkpoint.
async fn lake(store: &Arc<CountingStore>, tables: usize, partitions: i32) -> (Lake, Vec<String>) {
    let origin = Url::parse("memory:///").expect("a URL");
    let lake = Lake::on_store(
        Arc::clone(store) as Arc<dyn ObjectStore>,
        origin,
        Path::default(),
    );
    let open = LakeTables::new(lake.clone(), Some("p"));
    let schema = crate::lake::dead_letter_schema();
    let mut names = Vec::new();
    for number in 0..tables {
        let name = format!("shop/public.t{number:03}/changes");
        let properties = TableProperties(Vec::new());
        let table = open.get_or_create(&name, &schema, &properties).await;
        let table = table.expect("a table");
        let mut table = table.lock().await;
        for commit in 0..3_i64 {
            let txns = assigned(partitions).into_iter().flat_map(|it| {
                let app_id = app_id_of("p", &it);
                let [_, lsn, ordinal] = RecordOrder::app_ids(&app_id);
                [(app_id, 1), (lsn, 8), (ordinal, 2)].map(|(app_id, by)| TxnAdvance {
                    app_id,
                    from: (commit > 0).then_some(commit * by),
                    to: (commit + 1) * by,
                })
            });
            let commit = PreparedCommit {
                txns: txns.collect(),
                ..PreparedCommit::default()
            };
            let outcome = table.commit(&commit).await.expect("a commit");
            assert!(matches!(outcome, CommitOutcome::Committed(_)));
        }
        names.push(name);
    }
    (lake, names)
}

async fn read(lake: &Lake, tables: &[String], partitions: i32) -> Positions {
    let lake = Arc::new(LakeTables::new(lake.clone(), Some("p")));
    let read = read_positions(&lake, tables.to_vec(), "p", assigned(partitions));
    read.await.expect("the lake can be read")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_requests_for_a_table_do_not_grow_with_the_partitions() {
    let mut asked = Vec::new();
    for partitions in [1, 60] {
        let store = Arc::new(CountingStore::default());
        let (lake, tables) = lake(&store, 3, partitions).await;
        store.asked();
        let positions = read(&lake, &tables, partitions).await;
        asked.push(store.asked());
        let starts: Vec<_> = positions.starts().map(|(_, _, start)| start).collect();
        assert_eq!(starts, vec![Some(3); partitions as usize]);
    }
    assert_eq!(asked[0], asked[1], "requests for 1 and for 60 partitions");
    // Of three tables and of two that are not there.
    assert!(asked[0] <= 3 * 20 + 2 * 10, "{asked:?}");
}

/// Partitions that are not assigned are not asked for, and those of which nothing is stored are read from their beginning.
#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_assigned_is_read() {
    let store = Arc::new(CountingStore::default());
    let (lake, tables) = lake(&store, 2, 4).await;
    let positions = read(&lake, &tables, 2).await;
    assert_eq!(positions.starts().count(), 2);
    let positions = read(&lake, &tables, 5).await;
    let starts: Vec<_> = positions.starts().map(|(_, _, start)| start).collect();
    assert_eq!(starts, [Some(3), Some(3), Some(3), Some(3), None]);
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_are_read_side_by_side_and_not_all_at_once() {
    let store = Arc::new(CountingStore::default());
    let (lake, tables) = lake(&store, 40, 2).await;
    store.slow_down();
    read(&lake, &tables, 2).await;
    let most = store.most();
    assert!(most > 4, "{most} requests at a time");
    // A table may ask for a few entries of its log at a time.
    assert!(most <= TABLES_AT_ONCE * 10, "{most} requests at a time");
}
