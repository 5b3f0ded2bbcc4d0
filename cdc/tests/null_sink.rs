//! The sink that writes to nothing keeps what all sinks promise.

use std::collections::BTreeMap;

use anyhow::Result;
use cdc::sink::null::NullSink;
use connector::ConnectorConfig;

#[tokio::test]
async fn it_keeps_its_word() -> Result<()> {
    let properties = [
        ("name", "null"),
        ("database.hostname", "nowhere"),
        ("database.user", "u"),
        ("database.dbname", "d"),
        ("topic.prefix", "null"),
    ];
    let properties: BTreeMap<String, String> = properties
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let config = ConnectorConfig::parse(&properties)?.config;
    sinks::keeps_its_word(&mut NullSink::new(&config)).await
}
