//! A Kafka node that is broker and controller in one: its files and its start.

use std::path::PathBuf;
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

/// A node that is broker and controller in one, as files in a folder.
#[derive(Debug)]
pub struct Broker {
    /// Where `server.properties`, `log4j.properties` and the log are.
    pub home: PathBuf,
    /// `log.dirs`.
    pub data: PathBuf,
    pub cluster_id: String,
    /// Options of the Java machine for its heap, such as `-Xmx512m`.
    pub heap: Vec<String>,
    /// SCRAM credentials that exist from the start, as `SCRAM-SHA-256=[name=...,password=...]`.
    pub scram: Vec<String>,
}

impl Broker {
    pub fn log(&self) -> PathBuf {
        self.home.join("kafka.log")
    }

    fn config_file(&self) -> PathBuf {
        self.home.join("server.properties")
    }

    /// Writes `server.properties`, the log folder included; of two lines with one name the later one counts.
    pub fn write_config<'a>(
        &self,
        properties: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<()> {
        let mut text: String = properties
            .into_iter()
            .map(|(name, value)| format!("{name}={value}\n"))
            .collect();
        text.push_str(&format!("log.dirs={}\n", self.data.display()));
        std::fs::write(self.config_file(), text).context("write Kafka's server.properties")?;
        std::fs::write(self.home.join("log4j.properties"), LOG4J)
            .context("write Kafka's log4j.properties")
    }

    /// Formats the log folder for the cluster, where that was not done before.
    pub async fn format(&self) -> Result<()> {
        if self.data.join("meta.properties").exists() {
            return Ok(());
        }
        let mut command = self.java(&["-Xmx128m".to_owned()]).await?;
        command
            .args([
                "kafka.tools.StorageTool",
                "format",
                "--cluster-id",
                &self.cluster_id,
                "--config",
            ])
            .arg(self.config_file());
        for credential in &self.scram {
            command.arg("--add-scram").arg(credential);
        }
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
        Ok(())
    }

    pub async fn launch(&self, lifetime: Lifetime) -> Result<Child> {
        let mut command = self.java(&self.heap).await?;
        command.arg("kafka.Kafka").arg(self.config_file());
        Child::spawn("Kafka", command, &self.log(), lifetime)
    }

    async fn java(&self, heap: &[String]) -> Result<Command> {
        let mut command = Command::new("java");
        command
            .args(heap)
            .args(["-XX:+UseG1GC", "-Djava.awt.headless=true"])
            .arg(format!(
                "-Dlog4j.configuration=file:{}",
                self.home.join("log4j.properties").display()
            ))
            .arg("-cp")
            .arg(program::kafka().await?.join("*"))
            .current_dir(&self.home);
        Ok(command)
    }
}

/// `server.properties` of a node on two loopback ports that is its own controller.
pub fn single_node(port: u16, controller_port: u16) -> Vec<(String, String)> {
    let (port, controller) = (
        format!("127.0.0.1:{port}"),
        format!("127.0.0.1:{controller_port}"),
    );
    [
        ("process.roles", "broker,controller".to_owned()),
        ("node.id", "1".to_owned()),
        ("controller.quorum.voters", format!("1@{controller}")),
        ("controller.listener.names", "CONTROLLER".to_owned()),
        (
            "listeners",
            format!("PLAINTEXT://{port},CONTROLLER://{controller}"),
        ),
        ("advertised.listeners", format!("PLAINTEXT://{port}")),
        (
            "listener.security.protocol.map",
            "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT".to_owned(),
        ),
        ("auto.create.topics.enable", "false".to_owned()),
        ("num.partitions", "1".to_owned()),
        ("offsets.topic.replication.factor", "1".to_owned()),
        ("offsets.topic.num.partitions", "1".to_owned()),
        ("transaction.state.log.replication.factor", "1".to_owned()),
        ("transaction.state.log.min.isr", "1".to_owned()),
        ("transaction.state.log.num.partitions", "4".to_owned()),
        // a killed broker is let in again only when its old session has ended: 9 s by default
        ("broker.session.timeout.ms", "3000".to_owned()),
        ("broker.heartbeat.interval.ms", "500".to_owned()),
        ("group.initial.rebalance.delay.ms", "0".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// A cluster id as Kafka makes them: a random UUID in URL-safe base64, never beginning with a dash.
pub fn new_cluster_id() -> String {
    loop {
        let id = URL_SAFE_NO_PAD.encode(uuid::Uuid::new_v4().as_bytes());
        if !id.starts_with('-') {
            return id;
        }
    }
}

/// Whether the broker at `bootstrap` answers and belongs to cluster `cluster_id`. Blocks for some seconds at most.
pub fn answers(bootstrap: &str, cluster_id: &str) -> Result<bool> {
    use rdkafka::consumer::{BaseConsumer, Consumer};
    const REQUEST: std::time::Duration = std::time::Duration::from_secs(2);

    let consumer: BaseConsumer = rdkafka::ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .create()
        .context("make a Kafka consumer")?;
    let metadata = consumer
        .fetch_metadata(None, REQUEST)
        .context("ask Kafka for its brokers")?;
    match consumer.client().fetch_cluster_id(REQUEST) {
        Some(id) if id == cluster_id => Ok(!metadata.brokers().is_empty()),
        other => bail!("cluster {other:?} answers instead of {cluster_id}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_properties_win_and_the_log_folder_is_ours() {
        let folder = tempfile::tempdir().expect("a folder");
        let home = folder.path().to_owned();
        let data = home.join("data");
        let broker = Broker {
            home: home.clone(),
            data: data.clone(),
            cluster_id: new_cluster_id(),
            heap: Vec::new(),
            scram: Vec::new(),
        };
        broker
            .write_config([("a", "1"), ("a", "2")])
            .expect("write");
        let text = std::fs::read_to_string(home.join("server.properties")).expect("read");
        assert_eq!(text, format!("a=1\na=2\nlog.dirs={}\n", data.display()));
        assert_eq!(broker.cluster_id.len(), 22);
    }
}
