//! The validated settings of a lake writer.

use std::{collections::BTreeMap, fmt, path::PathBuf, time::Duration};

use service::{HIDDEN, Secret, ShownSettings, without_passwords};

use crate::maintain::Maintenance;

/// Where the lake is.
#[derive(Clone, Default)]
pub struct LakeConfig {
    /// `s3://bucket/prefix`, `file:///folder`, a folder of the local disk, or any URL that object_store knows.
    pub url: String,
    /// S3: the endpoint of a server that is not Amazon's, as `http://minio:9000`.
    pub endpoint: Option<String>,
    /// S3: without it AWS_REGION, then `us-east-1`.
    pub region: Option<String>,
    /// S3: without keys, object_store looks for them in the usual `AWS_*` variables and metadata services.
    pub access_key: Option<String>,
    pub secret_key: Option<Secret>,
    /// S3: PEM file of root certificates that are trusted beside the system's.
    pub ca_file: Option<PathBuf>,
    /// S3: the endpoint may be plain HTTP.
    pub allow_http: bool,
    /// S3: `bucket.endpoint` instead of `endpoint/bucket`.
    pub virtual_hosted_style: bool,
    /// Passed to object_store as they are (`aws_session_token`, ...).
    pub options: BTreeMap<String, String>,
    /// First folder below the root. None: the topic prefix where there is one, else the database's name.
    pub namespace: Option<String>,
}

/// Options of object stores that are named so hold what opens them.
fn is_secret(option: &str) -> bool {
    let option = option.to_ascii_lowercase();
    ["key", "secret", "token", "password", "credential", "sas"]
        .iter()
        .any(|word| option.contains(word))
}

/// Without the keys.
impl fmt::Debug for LakeConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options = ShownSettings {
            settings: &self.options,
            is_secret,
        };
        f.debug_struct("LakeConfig")
            .field("url", &without_passwords(&self.url))
            .field("endpoint", &self.endpoint)
            .field("region", &self.region)
            .field("access_key", &self.access_key.as_ref().map(|_| HIDDEN))
            .field("secret_key", &self.secret_key)
            .field("ca_file", &self.ca_file)
            .field("options", &options)
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

impl LakeConfig {
    /// A lake at `url`, everything else by default.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            ..Self::default()
        }
    }

    /// Where it is, for messages.
    pub fn place(&self) -> String {
        let url = without_passwords(&self.url);
        match &self.endpoint {
            Some(endpoint) => format!("`{url}` on `{}`", without_passwords(endpoint)),
            None => format!("`{url}`"),
        }
    }
}

/// A regular expression as librdkafka takes it, for topics whose whole name it matches: `a|b` means the topics `a` and
/// `b`, not those that begin with `a` or end with `b`.
pub fn whole_names(pattern: &str) -> String {
    format!("^({pattern})$")
}

/// Where change events come from.
#[derive(Clone)]
pub struct KafkaConfig {
    /// `host:port,host:port`.
    pub bootstrap: String,
    /// `group.id`.
    pub group: String,
    /// Topic names; those that begin with `^` are regular expressions of librdkafka.
    pub topics: Vec<String>,
    /// `<topic prefix>.tributary.schemas` of the connectors that write to the topics: what is read at start. Empty, or
    /// where a record names a version that none of them has: every topic whose name ends so.
    pub schema_topics: Vec<String>,
    /// Settings that are passed through, by the names of librdkafka; those of security also by those of Kafka's Java
    /// client.
    pub overrides: BTreeMap<String, String>,
}

/// Values of overrides may be passwords.
impl fmt::Debug for KafkaConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaConfig")
            .field("bootstrap", &self.bootstrap)
            .field("group", &self.group)
            .field("topics", &self.topics)
            .field("schema_topics", &self.schema_topics)
            .field("overrides", &self.overrides.keys())
            .finish()
    }
}

/// Everything that the Kafka -> lake road needs.
#[derive(Debug, Clone)]
pub struct LakeWriterConfig {
    pub lake: LakeConfig,
    pub kafka: KafkaConfig,
    /// Part of the names under which offsets are kept in the lake: two pipelines never share progress.
    pub pipeline: String,
    /// Rows become visible at most this long after they were read. Shorter makes more and smaller files, longer staler
    /// reads.
    pub freshness: Duration,
    /// Commit when this many bytes of columns are open: 64 MiB of them become 8 to 20 MiB of Parquet. More needs more
    /// memory, less makes smaller files.
    pub max_batch_bytes: usize,
    /// Commit when this many rows are open, which bounds the time that one commit takes for narrow rows.
    pub max_batch_rows: usize,
    /// How the tables are kept small; None: they are left to grow, or to somebody else.
    pub maintenance: Option<Maintenance>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_is_printed_with_the_lake() {
        let mut config = LakeConfig::new("s3://bucket/prefix");
        config.access_key = Some("hunter2".to_owned());
        config.secret_key = Some(Secret::new("hunter2"));
        for option in [
            "aws_session_token",
            "azure_storage_sas_key",
            "google_service_account_key",
        ] {
            config
                .options
                .insert(option.to_owned(), "hunter2".to_owned());
        }
        config
            .options
            .insert("timeout".to_owned(), "30s".to_owned());
        let shown = format!("{config:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(
            shown.contains("s3://bucket/prefix") && shown.contains("30s"),
            "{shown}"
        );
    }
}
