//! The doctor asked as a script asks it, and its remedies pasted.

use std::{
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use stack::Postgres;

const PATIENCE: Duration = Duration::from_secs(120);

/// What the doctor answered.
#[derive(Debug)]
pub struct Answer {
    pub code: i32,
    pub text: String,
    document: Value,
}

impl Answer {
    /// Codes of everything that was found.
    pub fn codes(&self) -> Vec<&str> {
        let findings = self.document["findings"].as_array();
        let findings = findings.into_iter().flatten();
        findings.filter_map(|it| it["code"].as_str()).collect()
    }

    pub fn finding(&self, code: &str) -> Option<&Value> {
        let findings = self.document["findings"].as_array()?;
        findings.iter().find(|finding| finding["code"] == code)
    }

    pub fn severity(&self, code: &str) -> &str {
        let severity = self.finding(code).map(|it| &it["severity"]);
        severity.and_then(Value::as_str).unwrap_or("none")
    }

    /// The lines that mend a finding, if they are of this kind.
    pub fn remedy(&self, code: &str, kind: &str) -> Result<Vec<String>> {
        let mend = &self.finding(code).context("no such finding")?["mend"];
        ensure!(mend["kind"] == kind, "{code} is mended by {mend}");
        let lines = mend["lines"].as_array().context("lines")?;
        let lines = lines.iter().filter_map(Value::as_str).map(str::to_owned);
        Ok(lines.collect())
    }
}

/// The doctor with `--json`.
pub async fn ask(arguments: &[&str]) -> Result<Answer> {
    let (code, text, errors) = run(arguments, &["--json"]).await?;
    let document = serde_json::from_str(&text).with_context(|| format!("{text}\n{errors}"))?;
    let text = format!("{text}{errors}");
    Ok(Answer {
        code,
        text,
        document,
    })
}

/// The doctor as it is called: exit code, standard output, standard error.
pub async fn run(arguments: &[&str], more: &[&str]) -> Result<(i32, String, String)> {
    let folder = tempfile::tempdir()?;
    let mut command: Command = stack::tributary()?;
    command.arg("doctor");
    if !arguments.contains(&"--measure") {
        command.args(["--measure", "200ms"]);
    }
    command
        .args(arguments)
        .args(more)
        .current_dir(folder.path())
        .stdin(Stdio::null());
    let output = tokio::process::Command::from(command)
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(PATIENCE, output).await??;
    let code = output.status.code().context("the doctor was killed")?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok((code, text(&output.stdout), text(&output.stderr)))
}

/// Lines pasted into psql by a superuser. A server whose settings change is started again.
pub async fn paste(postgres: &Postgres, database: &str, lines: &[String]) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("pasted.sql");
    std::fs::write(&file, lines.join("\n"))?;
    let output = tokio::process::Command::new(stack::psql().await?)
        .args(["--no-psqlrc", "-v", "ON_ERROR_STOP=1"])
        .arg("-d")
        .arg(postgres.dsn(database))
        .arg("-f")
        .arg(&file)
        .output()
        .await?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "{lines:?}: {said}");
    if lines.iter().any(|line| line.contains("alter system")) {
        restart(postgres).await?;
    }
    Ok(())
}

/// With what ALTER SYSTEM has written: settings of this server's command line would go over it.
async fn restart(postgres: &Postgres) -> Result<()> {
    let written = "select name, setting from pg_file_settings where sourcefile like '%auto.conf'";
    let rows = postgres.query("postgres", written).await?;
    let settings: Vec<(&str, &str)> = rows
        .iter()
        .filter_map(|row| Some((row.first()?.as_deref()?, row.get(1)?.as_deref()?)))
        .collect();
    ensure!(!settings.is_empty(), "nothing was written");
    postgres.restart_with(&settings).await
}
