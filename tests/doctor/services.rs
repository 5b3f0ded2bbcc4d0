use anyhow::{Result, ensure};
use stack::{Kafka, Minio};
use std::process::Command;

use crate::ask::ask;

/// Topics that lose what is written, and a cluster that is not there.
#[tokio::test]
async fn topics_that_keep_too_little_are_told() -> Result<()> {
    let kafka = Kafka::start().await?;
    kafka
        .create_topic_with("twitter.public.a", 2, &[("cleanup.policy", "compact")])
        .await?;
    kafka
        .create_topic_with("twitter.public.b", 1, &[("retention.ms", "60000")])
        .await?;
    let bootstrap = kafka.bootstrap();
    let answer = ask(&["--kafka", &bootstrap]).await?;
    for code in ["topic-compacted", "topic-retention-short"] {
        ensure!(
            answer.severity(code) == "warning",
            "{code}: {}",
            answer.text
        );
        let run = answer.remedy(code, "command")?;
        ensure!(
            run[0].contains(&bootstrap) && run[0].contains("--topic twitter.public."),
            "{run:?}"
        );
    }
    ensure!(answer.code == 1, "{}", answer.text);
    ensure!(
        answer.text.contains("2 topics with 3 partitions"),
        "{}",
        answer.text
    );

    let healthy = Kafka::start().await?;
    healthy.create_topic("twitter.public.a", 1).await?;
    let answer = ask(&["--kafka", &healthy.bootstrap()]).await?;
    ensure!(
        answer.code == 0 && answer.codes().is_empty(),
        "{}",
        answer.text
    );

    let answer = ask(&["--kafka", "127.0.0.1:1"]).await?;
    ensure!(
        answer.code == 2 && answer.codes() == ["kafka-unreachable"],
        "{}",
        answer.text
    );
    Ok(())
}

/// A bucket that is not there is made by the command that is told.
#[tokio::test]
async fn a_missing_bucket_is_made_by_what_is_pasted() -> Result<()> {
    let minio = Minio::start(&[]).await?;
    let variables = [
        ("TRIBUTARY_LAKE__ENDPOINT", minio.endpoint()),
        ("AWS_ACCESS_KEY_ID", minio.access_key().to_owned()),
        ("AWS_SECRET_ACCESS_KEY", minio.secret_key().to_owned()),
    ];
    let doctor = || -> Result<(Option<i32>, serde_json::Value)> {
        let output = stack::tributary()?
            .args(["doctor", "--json", "--to", "s3://fresh/lake"])
            .envs(variables.clone())
            .output()?;
        Ok((
            output.status.code(),
            serde_json::from_slice(&output.stdout)?,
        ))
    };
    let (code, document) = doctor()?;
    let finding = &document["findings"][0];
    ensure!(
        code == Some(1) && finding["code"] == "bucket-missing",
        "{document}"
    );
    ensure!(
        !document.to_string().contains(minio.secret_key()),
        "{document}"
    );
    let line = finding["mend"]["lines"][0].as_str().unwrap_or_default();
    let pasted = Command::new("sh")
        .args(["-c", line])
        .envs(variables.clone())
        .output()?;
    ensure!(pasted.status.success(), "{line}: {pasted:?}");
    let (code, document) = doctor()?;
    ensure!(
        code == Some(0) && document["findings"] == serde_json::json!([]),
        "{document}"
    );
    Ok(())
}
