//! Proves: every command that the demo prints works as it stands there, pasted into a fresh shell in the same folder, by
//! whichever path the program was called; and `tributary sql` finds the demo's lake by itself.
//! Steps: a demo called by its name, as `make install` leaves it, whose lines are pasted while it runs and after its
//! end; one called by a path, in a folder with a space.
//! Requires: PostgreSQL, Kafka, the readers of the lake.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use stack::{Kafka, Postgres, Process, until};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(120);

/// A folder to work in, beside one with the installed program.
struct Place(TempDir);

impl Place {
    async fn new() -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("tributary-pasted-")
            .tempdir()?;
        let place = Self(folder);
        std::fs::create_dir_all(place.bin())?;
        std::fs::create_dir_all(place.work())?;
        let built = stack::tributary()?;
        std::os::unix::fs::symlink(built.get_program(), place.bin().join("tributary"))?;
        // A checkout has the readers of its tests.
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
        std::os::unix::fs::symlink(tests, place.work().join("tests"))?;
        stack::readers().await?;
        Ok(place)
    }

    fn bin(&self) -> PathBuf {
        self.0.path().join("bin")
    }

    fn work(&self) -> PathBuf {
        self.0.path().join("work")
    }

    /// A fresh shell that knows what `make install` put on the PATH, and no more.
    fn shell(&self, line: &str) -> Command {
        let mut command = Command::new("sh");
        command
            .args(["-c", line])
            .current_dir(self.work())
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", self.bin().display()))
            .envs(std::env::var_os("HOME").map(|home| ("HOME", home)))
            .envs(std::env::var_os("TRIBUTARY_CACHE").map(|it| ("TRIBUTARY_CACHE", it)))
            .stdin(Stdio::null());
        command
    }

    /// What a line that is pasted answers; it must end well and say nothing on standard error but where things are.
    async fn paste(&self, line: &str) -> Result<String> {
        let run = tokio::process::Command::from(self.shell(line)).output();
        let output = tokio::time::timeout(PATIENCE, run)
            .await
            .with_context(|| line.to_owned())??;
        let said = String::from_utf8_lossy(&output.stderr);
        let expected = ["lake: ", "the server's user cannot reach "];
        let quiet = said
            .lines()
            .all(|line| expected.iter().any(|it| line.starts_with(it)));
        ensure!(
            output.status.success() && quiet,
            "`{line}`: {}\n{said}",
            output.status
        );
        Ok(format!("{said}{}", String::from_utf8_lossy(&output.stdout)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for folder in ["data/demo", "my demo"] {
            let clean = format!("tributary demo --clean --folder '{folder}'");
            let _ = self.shell(&clean).stdout(Stdio::null()).status();
        }
    }
}

/// The commands that follow a line: those that are indented by two columns.
fn commands_after<'a>(output: &'a str, title: &str) -> Vec<&'a str> {
    let mut lines = output.lines().skip_while(|line| !line.starts_with(title));
    lines.next();
    // Where there is no terminal, lines with what was read so far come between.
    let block = lines
        .take_while(|line| line.starts_with("  ") || line.starts_with("or by"))
        .filter(|line| !line.contains("s  tweets "));
    block.filter_map(|line| line.strip_prefix("  ")).collect()
}

const WHILE_IT_RUNS: &str = "while it runs";
const AFTERWARDS: &str = "Ask it yourself:";

#[tokio::test]
async fn what_the_demo_prints_works_as_pasted() -> Result<()> {
    let place = Place::new().await?;
    let mut demo = Process::spawn("tributary demo", place.shell("exec tributary demo"))?;
    demo.wait_for_line(WHILE_IT_RUNS, PATIENCE).await?;
    until("rows in the lake", PATIENCE, async || {
        let output = demo.output()?;
        let rows = output
            .lines()
            .rev()
            .find_map(|line| line.split_once("lake rows "));
        Ok(rows
            .is_some_and(|(_, rows)| !rows.starts_with('0'))
            .then_some(()))
    })
    .await
    .with_context(|| demo.output().unwrap_or_default())?;
    let output = demo.output()?;
    let running = commands_after(&output, WHILE_IT_RUNS);
    ensure!(
        running
            .iter()
            .any(|line| line.starts_with("tributary sql --lake data/demo/lake ")),
        "{output}"
    );
    for line in running {
        let answer = place.paste(line).await?;
        ensure!(answer.contains("count"), "`{line}` answers {answer}");
    }
    demo.interrupt()?;
    let status = demo.wait(PATIENCE).await?;
    let output = demo.output()?;
    ensure!(status.success(), "{output}");
    let afterwards = commands_after(&output, AFTERWARDS);
    ensure!(afterwards.len() == 3, "{output}");
    for line in &afterwards {
        place.paste(line).await?;
    }
    let polars = place.paste(afterwards[2]).await?;
    ensure!(polars.contains("_op"), "{polars}");

    // Nothing says which lake: the one that is there, and it is told.
    let found = place
        .paste("tributary sql 'select count(*) from public.tweets'")
        .await?;
    ensure!(
        found.starts_with("lake: the demo's in data/demo/lake\n"),
        "{found}"
    );

    let called = "../bin/tributary demo --folder 'my demo' --seconds 2";
    let output = place.paste(called).await?;
    for line in commands_after(&output, AFTERWARDS) {
        ensure!(line.contains("my demo"), "{line}");
        place.paste(line).await?;
    }
    Ok(())
}

/// `tributary sql` where there is no lake says what it looked for.
#[tokio::test]
async fn no_lake_is_told_and_none_is_made() -> Result<()> {
    let place = Place::new().await?;
    let output = place.shell("tributary sql 'select 1'").output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.code() == Some(2) && said.contains("--lake"),
        "{}: {said}",
        output.status
    );
    ensure!(!place.work().join("data").exists(), "a folder was made");
    Ok(())
}

/// The worker and the connector of `cdc --help`, with the names of real servers for what is in capitals.
#[tokio::test]
async fn the_connector_of_the_help_is_taken() -> Result<()> {
    let place = Place::new().await?;
    let (kafka, postgres) = tokio::try_join!(Kafka::start(), Postgres::start())?;
    postgres.create_database("shop").await?;
    let table = "create table orders(id int primary key); insert into orders values (1)";
    postgres.execute("shop", table).await?;
    let help = place.paste("tributary cdc --help").await?;
    let worker = help
        .lines()
        .find(|line| line.contains(" --bootstrap-servers 127.0.0.1:9092"));
    let begin = help.find("curl ").context("no curl")?;
    let (_, rest) = help.split_at(begin);
    let end = rest.find("}}'").context("no end of the connector")?;
    let (post, _) = rest.split_at(end + 3);

    let port = stack::free_port()?.to_string();
    let worker = worker.with_context(|| help.clone())?.trim();
    let worker = worker.replace("127.0.0.1:9092", &kafka.bootstrap());
    let worker = format!("exec {worker} --listen 127.0.0.1:{port}");
    let mut cdc = Process::spawn("cdc", place.shell(&worker))?;
    cdc.wait_for_http(&format!("http://127.0.0.1:{port}/readyz"), PATIENCE)
        .await?;
    let mut post = post.replace("8083", &port);
    for (capitals, mine) in [
        ("HOST", "127.0.0.1"),
        ("5432", &postgres.port().to_string()),
        ("DATABASE", "shop"),
        ("USER", postgres.user()),
        ("PASSWORD", postgres.password()),
    ] {
        ensure!(post.contains(capitals), "{capitals} of {post}");
        post = post.replace(capitals, mine);
    }
    let output = place.shell(&post).output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success() && said.contains("\"name\":\"shop\""),
        "{post}: {output:?}"
    );
    let status = format!("http://127.0.0.1:{port}/connectors/shop/status");
    until("the connector to run", PATIENCE, async || {
        let answer = stack::get(&status).await?.body;
        let runs = answer.matches("RUNNING").count() == 2;
        Ok(runs.then_some(()))
    })
    .await
    .with_context(|| cdc.output().unwrap_or_default())?;
    until("the row in Kafka", PATIENCE, async || {
        let records = kafka.read_all("shop.public.orders", true).await?;
        Ok((!records.is_empty()).then_some(()))
    })
    .await
    .with_context(|| cdc.output().unwrap_or_default())?;

    let elsewhere = place.shell("tributary cdc --connectors FOLDER").output()?;
    let said = String::from_utf8_lossy(&elsewhere.stderr);
    ensure!(
        elsewhere.status.code() == Some(2)
            && said.contains("`FOLDER` (flag): there is no such folder"),
        "{said}"
    );
    Ok(())
}

/// Statements that are piped: what fails is told on standard error, the others are answered, and the exit code tells.
/// Whoever has read enough may close the pipe.
#[tokio::test]
async fn statements_are_piped_in_and_answers_out() -> Result<()> {
    let place = Place::new().await?;
    std::fs::create_dir(place.work().join("lake"))?;
    let run = |line: &str| -> Result<(Option<i32>, String, String)> {
        let output = place.shell(line).output()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok((
            output.status.code(),
            text(&output.stdout),
            text(&output.stderr),
        ))
    };
    let piped = |statements: &str| {
        run(&format!(
            "printf '%s\\n' {statements} | tributary sql --lake lake --format csv"
        ))
    };
    for (statements, code, answers, errors) in [
        ("'select 1 as a;' 'select 2 as b;'", 0, "a\n1\nb\n2\n", 0),
        (
            "'select 1 as a;' 'nonsense;' 'select 2 as b;'",
            1,
            "a\n1\nb\n2\n",
            1,
        ),
        ("'select * from no.such_table;'", 1, "", 1),
        ("'\\nosuch' 'select 1 as a;'", 1, "a\n1\n", 1),
        // Divides by zero once it runs.
        ("'select 1/0 as a;'", 1, "", 1),
        // The end of the input ends the last statement.
        ("'select 3 as c'", 0, "c\n3\n", 0),
    ] {
        let (found, said, told) = piped(statements)?;
        let lines = told.lines().filter(|line| line.starts_with("ERROR: "));
        ensure!(
            found == Some(code) && said.ends_with(answers) && lines.count() == errors,
            "{statements}: {found:?}\n{said}\n{told}"
        );
    }

    // More than a pipe holds.
    let many = "select value, value as again from range(0, 100000)";
    for command in [
        format!("tributary sql --lake lake --format csv '{many}'"),
        format!("tributary sql --lake lake --format json '{many}'"),
        format!("tributary sql --lake lake '{many}'"),
        format!("echo '{many};' | tributary sql --lake lake"),
        "tributary config --reference".to_owned(),
    ] {
        let line = format!("{{ {command}; echo \"code $?\" >&2; }} | head -1");
        let (_, said, told) = run(&line)?;
        ensure!(
            said.lines().count() == 1 && told.ends_with("code 0\n") && !told.contains("roken pipe"),
            "{command}: {said}\n{told}"
        );
    }
    Ok(())
}
