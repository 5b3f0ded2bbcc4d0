//! `stack up`: starts what does not run.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use stack::{ComposeFile, Composition, Lifetime, Observer, Ports, Started, State};

use super::again::again;
use super::place::{compose_file, folder, lake_file, lock, remove, state_file};
use super::status::show;
use super::supervise::ensure_supervisor;

/// Starts what does not run: the whole stack, or what has ended of it.
///
/// Invariant: what runs stands in the state file, whatever becomes of this process and when; the file says so where not
/// all of it was started.
pub async fn up() -> Result<()> {
    let _lock = lock().await?;
    let began = Instant::now();
    let file = compose_file()?;
    let home = folder().canonicalize().context("find `data/stack`")?;
    let mut state = State::load(&state_file())?;
    let say = |line: &str| println!("{:>4} s  {line}", began.elapsed().as_secs());
    if state.unfinished && state.services.iter().any(Started::runs) {
        say("the last start was cut off: what it left is stopped first");
        state.stop(say).await?;
    } else if state.services.iter().any(Started::runs) {
        for place in 0..state.services.len() {
            let ended = state.services.get(place).filter(|it| !it.runs());
            if let Some(ended) = ended {
                say(&format!("{} had ended and starts again", ended.service));
                again(&mut state, place, &file, &home).await?;
            }
        }
        ensure_supervisor(&mut state)?;
        state.save(&state_file())?;
        println!("the stack runs; `make stack-down` stops it");
        show(&state);
        return Ok(());
    }
    let recorder = Recorder {
        say,
        state: State {
            unfinished: true,
            ..State::default()
        },
    };
    let (ports, lifetime) = (Ports::Published, Lifetime::Detached);
    let started = Composition::start(&file, ports, &home, lifetime, recorder).await;
    let composition = match started {
        Ok(composition) => composition,
        Err(error) => {
            forget_stopped()?;
            return Err(error);
        }
    };
    let mut state = State::of(&composition)?;
    ensure_supervisor(&mut state)?;
    state.save(&state_file())?;
    if file.services.contains_key("lakewriter") {
        write_lake(&composition, &file, &lake_file())?;
    }

    println!();
    show(&state);
    introduce(&composition, &file).await
}

/// After a start that was given up, which has stopped what it had started: the state file says so.
pub fn forget_stopped() -> Result<()> {
    let mut state = State::load(&state_file())?;
    if !state.unfinished {
        return Ok(());
    }
    state.services.retain(Started::runs);
    match state.services.is_empty() {
        true => remove(&state_file()),
        false => state.save(&state_file()),
    }
}

/// Writes down each process as soon as it runs.
struct Recorder<F> {
    say: F,
    state: State,
}

impl<F: Fn(&str)> Observer for Recorder<F> {
    fn step(&mut self, line: &str) {
        (self.say)(line);
    }

    fn started(&mut self, started: &Started) -> Result<()> {
        self.state.services.push(started.clone());
        self.state.save(&state_file())
    }
}

/// Where everything is, who gets in, and what to ask.
async fn introduce(composition: &Composition, file: &ComposeFile) -> Result<()> {
    let value = |service: &str, name: &str| -> Result<String> {
        let environment = composition.environment(file, service)?;
        Ok(environment.get(name).cloned().unwrap_or_default())
    };
    let port = |service, port| composition.port(service, port);
    let has = |service| file.services.contains_key(service);
    let mut ask = Vec::new();
    let tributary =
        || -> Result<String> { Ok(shown(Path::new(stack::tributary()?.get_program()))) };
    println!();
    if has("postgres") {
        let (port, database) = (port("postgres", 5432)?, value("postgres", "POSTGRES_DB")?);
        let password = value("postgres", "POSTGRES_PASSWORD")?;
        println!("PostgreSQL     127.0.0.1:{port} database {database}");
        println!("               user postgres, password {password}");
        for (user, variable) in [("cdc", "CDC_PASSWORD"), ("generator", "GENERATOR_PASSWORD")] {
            println!(
                "               user {user}, password {}",
                value("postgres", variable)?
            );
        }
        ask.push(format!(
            "{} postgres://postgres:{password}@127.0.0.1:{port}/{database} -c 'select count(*) from tweets'",
            stack::psql().await?.display(),
        ));
    }
    if has("kafka") {
        println!(
            "Kafka          127.0.0.1:{}, no login",
            port("kafka", 9092)?
        );
    }
    if has("cdc") {
        let port = port("cdc", 8083)?;
        println!("Connect REST   http://127.0.0.1:{port}/connectors, no login");
        ask.push(format!(
            "{} healthcheck --url http://127.0.0.1:{port}/readyz",
            tributary()?
        ));
    }
    if has("minio") {
        let (user, password) = (
            value("minio", "MINIO_ROOT_USER")?,
            value("minio", "MINIO_ROOT_PASSWORD")?,
        );
        println!("MinIO console  http://127.0.0.1:{}", port("minio", 9001)?);
        println!("               user {user}, password {password}");
    }
    if has("lakewriter") {
        ask.push(format!(
            "{} --config {} sql 'select count(*) from public.tweets'",
            tributary()?,
            lake_file().display()
        ));
    }
    if !composition.left_out().is_empty() {
        let left_out = composition.left_out().join(", ");
        println!("\nneed their containers, not started: {left_out}");
    }
    let me = std::env::args().next().unwrap_or_default();
    ask.extend(
        ["status", "logs cdc", "restart cdc", "down"].map(|command| format!("{me} {command}")),
    );
    println!("\nAsk it yourself:");
    for command in ask {
        println!("  {command}");
    }
    Ok(())
}

/// A path below the working folder without that folder.
fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here)
        .unwrap_or(path)
        .display()
        .to_string()
}

/// The settings of the lake as a settings file, for this user's eyes only: the keys are in it.
fn write_lake(composition: &Composition, file: &ComposeFile, path: &Path) -> Result<()> {
    const PREFIX: &str = "TRIBUTARY_LAKE__";
    let mut lake = String::from("[lake]\n");
    for (name, value) in composition.environment(file, "lakewriter")? {
        if let Some(key) = name.strip_prefix(PREFIX) {
            // JSON's strings are TOML's basic strings.
            let value = serde_json::Value::from(value);
            lake.push_str(&format!("{} = {value}\n", key.to_lowercase()));
        }
    }
    let written = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(lake.as_bytes()));
    written.with_context(|| format!("write `{}`", path.display()))
}
