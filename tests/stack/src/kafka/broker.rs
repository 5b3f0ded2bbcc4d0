use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::child::{Child, Lifetime};
use crate::program;

const LOG4J: &str = "\
log4j.rootLogger=INFO, out
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=[%d] %p %m (%c)%n
";

pub fn log_file(folder: &Path) -> PathBuf {
    folder.join("kafka.log")
}

fn config_file(folder: &Path) -> PathBuf {
    folder.join("server.properties")
}

/// Writes `server.properties` of a node that is its own controller; later `properties` win.
pub fn write_config(
    folder: &Path,
    port: u16,
    controller_port: u16,
    properties: &[(String, String)],
) -> Result<()> {
    let ours = format!(
        "process.roles=broker,controller\n\
         node.id=1\n\
         controller.quorum.voters=1@127.0.0.1:{controller_port}\n\
         controller.listener.names=CONTROLLER\n\
         listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n\
         listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\n\
         log.dirs={}\n\
         auto.create.topics.enable=false\n\
         num.partitions=1\n\
         offsets.topic.replication.factor=1\n\
         offsets.topic.num.partitions=1\n\
         transaction.state.log.replication.factor=1\n\
         transaction.state.log.min.isr=1\n\
         transaction.state.log.num.partitions=4\n\
         group.initial.rebalance.delay.ms=0\n",
        folder.join("data").display()
    );
    let theirs: String = properties
        .iter()
        .map(|(name, value)| format!("{name}={value}\n"))
        .collect();
    std::fs::write(config_file(folder), ours + &theirs)
        .context("write Kafka's server.properties")?;
    std::fs::write(folder.join("log4j.properties"), LOG4J).context("write Kafka's log4j.properties")
}

/// Formats the log folder for a new cluster and returns the cluster's id.
pub async fn format(folder: &Path) -> Result<String> {
    let id = new_cluster_id();
    let mut command = java(folder, 128).await?;
    command
        .args([
            "kafka.tools.StorageTool",
            "format",
            "--cluster-id",
            &id,
            "--config",
        ])
        .arg(config_file(folder));
    let output = tokio::process::Command::from(command)
        .output()
        .await
        .context("run Kafka's StorageTool")?;
    if !output.status.success() {
        let text = [output.stdout, output.stderr].concat();
        bail!(
            "Kafka's StorageTool ended with {}:\n{}",
            output.status,
            String::from_utf8_lossy(&text)
        );
    }
    Ok(id)
}

pub async fn launch(folder: &Path, heap_mib: u32) -> Result<Child> {
    let mut command = java(folder, heap_mib).await?;
    command.arg("kafka.Kafka").arg(config_file(folder));
    Child::spawn("Kafka", command, &log_file(folder), Lifetime::Owned)
}

async fn java(folder: &Path, heap_mib: u32) -> Result<Command> {
    let mut command = Command::new("java");
    command
        .args([
            "-Xms128m",
            &format!("-Xmx{heap_mib}m"),
            "-XX:+UseG1GC",
            "-Djava.awt.headless=true",
        ])
        .arg(format!(
            "-Dlog4j.configuration=file:{}",
            folder.join("log4j.properties").display()
        ))
        .arg("-cp")
        .arg(program::kafka().await?.join("*"))
        .current_dir(folder);
    Ok(command)
}

/// A cluster id as Kafka makes them: a random UUID in URL-safe base64, never beginning with a dash.
fn new_cluster_id() -> String {
    loop {
        let id = URL_SAFE_NO_PAD.encode(uuid::Uuid::new_v4().as_bytes());
        if !id.starts_with('-') {
            return id;
        }
    }
}
