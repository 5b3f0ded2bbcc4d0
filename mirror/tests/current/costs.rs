//! What a fold asks of the store.

use std::sync::Arc;

use anyhow::{Result, ensure};
use datafusion::prelude::SessionContext;
use mirror::{Follower, Step};

use crate::{
    counting_store::CountingStore,
    equal::{advance, assert_equal},
    log::{Body, CHANGES, Event, Log, lake_on},
    random::settings,
};

/// Two looks for entries of the log that are not there, the new entry and its file; whether the last entry of `current` is
/// what it was; then the rows, and the commit.
const REQUESTS: usize = 7;

/// Every fourth fold looks at so many entries of `current` more.
const EARLIER_ENTRIES: usize = 7;

#[tokio::test]
async fn a_fold_of_a_small_commit_takes_few_requests() -> Result<()> {
    let store = Arc::new(CountingStore::default());
    let lake = lake_on(store.clone())?;
    let mut log = Log::create(lake.clone()).await?;
    let mut follower = Follower::new(&lake, &SessionContext::new(), CHANGES, settings());
    let mut longer = 0;
    for commit in 1..=8_i64 {
        let events: Vec<Event> = (0..200)
            .map(|row| Event {
                op: if commit > 1 && row < 20 { 'u' } else { 'c' },
                incarnation: 1,
                lsn: commit * 1000,
                seq: row,
                id: if commit > 1 && row < 20 {
                    row
                } else {
                    commit * 1000 + row
                },
                n: commit,
                body: Body::Sent(Some(format!("text {row}"))),
                partition: 0,
                offset: commit * 1000 + row,
            })
            .collect();
        let events = if commit == 1 {
            (0..200)
                .zip(events)
                .map(|(id, event)| Event { id, ..event })
                .collect()
        } else {
            events
        };
        log.commit(&events).await?;
        store.asked();
        let began = std::time::Instant::now();
        let steps = advance(&mut follower).await?;
        let asked = store.asked();
        println!("commit {commit}: {asked} requests, {:?}", began.elapsed());
        // The first makes the table, the second reads what the log is.
        if commit > 2 {
            ensure!(
                matches!(steps.as_slice(), [Step::Folded { .. }]),
                "{steps:?}"
            );
            ensure!(asked <= REQUESTS + EARLIER_ENTRIES, "{asked} requests");
            if asked > REQUESTS {
                longer += 1;
            }
        }
    }
    ensure!(longer <= 2, "{longer} of six folds");
    assert_equal(&lake, CHANGES).await
}
