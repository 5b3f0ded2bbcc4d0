//! The oracle can fail: its own tests give it lakes with lost, doubled and changed rows.

use std::process::Stdio;

use anyhow::Result;

use crate::verdict::{python, run};

#[tokio::test]
async fn the_oracle_finds_what_is_wrong() -> Result<()> {
    let mut command = python().await?;
    command
        .args(["-m", "unittest", "-q", "test_oracle"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    run(command, "the oracle's own tests").await?;
    Ok(())
}
