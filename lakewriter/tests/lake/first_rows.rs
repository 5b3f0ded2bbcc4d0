//! The first rows of a partition that feeds several tables: one of them commits, another cannot, and the process ends.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context, Result, ensure};

use crate::{
    road::{Running, case, reach},
    shop::{LINES, verify},
};

/// Files with this ending, in the folder and below it.
fn files(folder: &Path, ending: &str) -> Result<usize> {
    let mut found = 0;
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            found += files(&path, ending)?;
        } else if path.extension().is_some_and(|it| it == ending) {
            found += 1;
        }
    }
    Ok(found)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_table_has_is_not_passed_over_for_another() -> Result<()> {
    let mut case = case("first", 1).await?;
    // Both tables are there, and know nothing of the topic that comes next.
    let running = Running::start(&case.config);
    case.transactions(0..3).await?;
    reach(&case.lake, 3).await?;
    running.stop().await?;
    let topic = "first.public.all".to_owned();
    case.kafka.create_topic(&topic, 1).await?;
    case.connector.route = Some(topic);
    case.connector.encoders.clear();
    case.transactions(3..6).await?;

    // Where its next commit should be, the lines' log has a folder: no commit of theirs succeeds.
    let lines = case._folder.path().join(LINES);
    let version = files(&lines.join("_delta_log"), "json")?;
    let in_the_way = lines.join(format!("_delta_log/{version:020}.json"));
    fs::create_dir(&in_the_way)?;
    let before = files(&lines, "parquet")?;
    let running = Running::start(&case.config);
    stack::until("files of lines", Duration::from_secs(60), async || {
        Ok((files(&lines, "parquet")? > before).then_some(()))
    })
    .await?;
    // It commits what it can, and ends.
    running.stop().await?;
    ensure!(version == files(&lines.join("_delta_log"), "json")?);

    fs::remove_dir(&in_the_way)?;
    let running = Running::start(&case.config);
    let reached = reach(&case.lake, 6).await;
    // First, or a failure would wait for it for ever.
    running.stop().await?;
    reached?;
    verify(&case.lake, 6).await
}
