//! The position of the direct road never decreases, and a new history of the WAL counts as later than an old one.

use std::{fs, path::Path, sync::Arc};

use anyhow::{Context, Result, ensure};
use lakewriter::{DirectPosition, DirectWriter, Error, ErrorKind, Lake, LakeConfig};

use crate::shop::{LINES, ORDERS, Shop, end, verify};

async fn open(lake: &Lake) -> Result<(DirectWriter, Option<DirectPosition>)> {
    Ok(DirectWriter::open_on(lake.clone(), None, "test", Arc::default()).await?)
}

async fn lake(folder: &tempfile::TempDir) -> Result<Lake> {
    Ok(Lake::open(&LakeConfig::new(folder.path().display().to_string())).await?)
}

/// A restored backup gives LSNs out again: its incarnation is later, so its lower LSNs are.
#[tokio::test]
async fn a_new_history_with_lower_lsns_goes_on() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let lake = lake(&folder).await?;
    let shop = Shop {
        restored_at: 3,
        ..Shop::new()
    };
    for n in 0..6_u64 {
        let (mut writer, position) = open(&lake).await?;
        ensure!(
            position == n.checked_sub(1).map(|n| shop.end(n)),
            "{position:?}"
        );
        // What was written before comes again.
        for n in n.saturating_sub(2)..=n {
            shop.write(&mut writer, n)?;
        }
        ensure!(writer.open_rows() == 3, "{}", writer.open_rows());
        writer.commit_open(shop.end(n)).await?;
    }
    verify(&lake, 6).await
}

#[tokio::test]
async fn a_position_that_would_decrease_halts() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let lake = lake(&folder).await?;
    let shop = Shop {
        restored_at: 3,
        ..Shop::new()
    };
    for n in 0..4 {
        let (mut writer, _) = open(&lake).await?;
        shop.write(&mut writer, n)?;
        writer.commit_open(shop.end(n)).await?;
    }
    // Of an earlier history with the greater LSN; of this one; and the same without a row.
    let never_decreases = "a stored position never decreases";
    for rows in [false, true] {
        for lower in [shop.end(2), end(900)] {
            let (mut writer, _) = open(&lake).await?;
            if rows {
                shop.write(&mut writer, 4)?;
            }
            let error = writer.commit_open(lower).await.err();
            let uncovered = "rows of a commit are at or below its position";
            is_defect(error, if rows { uncovered } else { never_decreases })?;
            // It takes nothing more.
            ensure!(writer.commit_open(shop.end(9)).await.is_err());
        }
    }
    // The same position again is no step back.
    let (mut writer, position) = open(&lake).await?;
    ensure!(position == Some(shop.end(3)), "{position:?}");
    writer.commit_open(shop.end(3)).await?;
    shop.write(&mut writer, 4)?;
    writer.commit_open(shop.end(4)).await?;
    verify(&lake, 5).await
}

/// Rows that the position does not cover, or that an earlier one covers, would be lost or doubled by the next start.
#[tokio::test]
async fn rows_that_the_position_does_not_cover_halt() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let lake = lake(&folder).await?;
    let shop = Shop::new();
    let (mut writer, _) = open(&lake).await?;
    for n in [0, 1] {
        shop.write(&mut writer, n)?;
    }
    let error = writer.commit_open(shop.end(0)).await.err();
    is_defect(error, "rows of a commit are at or below its position")?;

    let (mut writer, position) = open(&lake).await?;
    ensure!(position.is_none(), "{position:?}");
    for n in [0, 1] {
        shop.write(&mut writer, n)?;
    }
    writer.commit_open(shop.end(1)).await?;
    // The reader sends within one life what it has sent already.
    for n in [1, 2] {
        shop.write(&mut writer, n)?;
    }
    let error = writer.commit_open(shop.end(2)).await.err();
    is_defect(error, "rows of a commit are above the stored position")?;

    let (mut writer, _) = open(&lake).await?;
    for n in 0..3 {
        shop.write(&mut writer, n)?;
    }
    writer.commit_open(shop.end(2)).await?;
    verify(&lake, 3).await
}

fn is_defect(error: Option<Error>, invariant: &str) -> Result<()> {
    let error = error.context("a broken invariant went unseen")?;
    ensure!(
        error.kind() == ErrorKind::Defect && error.to_string().contains(invariant),
        "{error:?}"
    );
    Ok(())
}

/// The tables of earlier versions have LSNs where this one has numbers of commits.
#[tokio::test]
async fn a_lake_whose_tables_stand_at_lsns_goes_on() -> Result<()> {
    for half_done in [false, true] {
        let folder = tempfile::tempdir()?;
        let lake = lake(&folder).await?;
        let shop = Shop {
            restored_at: 3,
            ..Shop::new()
        };
        let (mut writer, _) = open(&lake).await?;
        shop.write(&mut writer, 0)?;
        writer.commit_open(shop.end(0)).await?;
        shop.write(&mut writer, 1)?;
        writer.commit_open(shop.end(1)).await?;
        drop(writer);
        make_older(folder.path(), half_done)?;
        for n in 2..6 {
            let (mut writer, position) = open(&lake).await?;
            ensure!(position == Some(shop.end(n - 1)), "{position:?}");
            shop.write(&mut writer, n)?;
            writer.commit_open(shop.end(n)).await?;
        }
        verify(&lake, 6).await?;
    }
    Ok(())
}

/// Two commits as an earlier version wrote them: the commits' LSNs in place of the numbers. `half_done`: it died
/// between the tables of the second one.
fn make_older(folder: &Path, half_done: bool) -> Result<()> {
    let lsn = |number: u64| 1_000_000 + (number - 1) * 100;
    for table in [ORDERS, LINES] {
        for number in 1..=2_u64 {
            let entry = folder
                .join(table)
                .join(format!("_delta_log/{number:020}.json"));
            if half_done && number == 2 && table == LINES {
                fs::remove_file(&entry)?;
                continue;
            }
            replace(&entry, "\"version\":", number, lsn(number))?;
        }
    }
    for number in 1..=2_u64 {
        let record = folder.join(format!("_position/test/{number:020}.json"));
        replace(&record, "\"to\":", number, lsn(number))?;
        if number == 2 {
            replace(&record, "\"from\":", 1, lsn(1))?;
        }
    }
    Ok(())
}

fn replace(file: &Path, name: &str, number: u64, lsn: u64) -> Result<()> {
    let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let (old, new) = (format!("{name}{number}"), format!("{name}{lsn}"));
    ensure!(text.contains(&old), "no `{old}` in {text}");
    fs::write(file, text.replace(&old, &new))?;
    Ok(())
}
