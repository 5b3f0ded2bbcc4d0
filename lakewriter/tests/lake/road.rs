//! Kafka, what cdc writes to it, and a pipeline from it to a lake.

use std::{collections::HashMap, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use debezium::{ChangeEvent, ContractSettings, EventEncoder, Operation, TableSchema};
use lakewriter::{Error, KafkaConfig, Lake, LakeConfig, LakeCounters, LakeWriterConfig};
use rdkafka::{
    ClientConfig,
    message::{Header, OwnedHeaders},
    producer::{FutureProducer, FutureRecord},
};
use stack::Kafka;
use tokio::{sync::OnceCell, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    rows,
    shop::{LINES, ORDERS, Shop},
};

/// For what a healthy machine does in seconds. Members of a group that are starved of their processor lose their session
/// and join anew, which costs some seconds each time and no row.
pub const PATIENCE: Duration = Duration::from_secs(240);

static BROKER: OnceCell<Kafka> = OnceCell::const_new();

pub async fn broker() -> Result<&'static Kafka> {
    BROKER.get_or_try_init(Kafka::start).await
}

/// What cdc does: events with their headers, versions in the schema topic.
pub struct Connector {
    pub producer: FutureProducer,
    pub prefix: String,
    pub settings: ContractSettings,
    pub encoders: HashMap<String, EventEncoder>,
    /// Without our headers, as another Debezium writes them.
    pub foreign: bool,
    /// All tables go into this one.
    pub route: Option<String>,
    /// Of the WAL that the positions are of.
    pub incarnation: u64,
    /// The ordinal of the last row of a snapshot, and how many there are.
    pub last_row: Option<(u64, u64)>,
}

impl Connector {
    pub async fn new(kafka: &Kafka, prefix: &str, partitions: i32) -> Result<Self> {
        let mut settings = ContractSettings::new(prefix);
        settings.value_schemas_enable = false;
        settings.key_schemas_enable = false;
        let connector = Self {
            producer: ClientConfig::new()
                .set("bootstrap.servers", kafka.bootstrap())
                .set("linger.ms", "5")
                .set("partitioner", "murmur2_random")
                .create()?,
            prefix: prefix.to_owned(),
            settings,
            encoders: HashMap::new(),
            foreign: false,
            route: None,
            incarnation: 0,
            last_row: None,
        };
        kafka
            .create_topic_with(
                &format!("{prefix}.tributary.schemas"),
                1,
                &[("cleanup.policy", "compact")],
            )
            .await?;
        for table in ["orders", "lines"] {
            kafka
                .create_topic(&connector.topic(table), partitions)
                .await?;
        }
        Ok(connector)
    }

    pub fn topic(&self, table: &str) -> String {
        match &self.route {
            Some(topic) => topic.clone(),
            None => format!("{}.public.{table}", self.prefix),
        }
    }

    pub async fn publish(&self, table: &TableSchema) -> Result<()> {
        let value = serde_json::json!({"table": table, "settings": self.settings}).to_string();
        let topic = format!("{}.tributary.schemas", self.prefix);
        let key = table.id(&self.settings).to_string();
        self.send(
            FutureRecord::to(&topic)
                .key(key.as_str())
                .payload(value.as_str()),
        )
        .await
    }

    pub async fn send(&self, record: FutureRecord<'_, str, str>) -> Result<()> {
        let sent = self.producer.send(record, Duration::from_secs(20)).await;
        sent.map(drop).map_err(|(error, _)| error.into())
    }

    /// Transaction `n` of the shop.
    pub async fn transaction(&mut self, shop: &Shop, n: u64) -> Result<()> {
        self.some(shop, n, None).await
    }

    /// Transaction `n` of the shop, or what it does to one table.
    pub async fn some(&mut self, shop: &Shop, n: u64, only: Option<&str>) -> Result<()> {
        let mut deliveries = Vec::new();
        for table in [&shop.orders, &shop.lines] {
            if !self.encoders.contains_key(&table.table.table) {
                self.publish(table).await?;
                let encoder = EventEncoder::new(
                    Arc::clone(table),
                    &self.topic(&table.table.table),
                    &self.settings,
                )?;
                self.encoders.insert(table.table.table.clone(), encoder);
            }
        }
        shop.events(n, |event| {
            if only.is_some_and(|only| only != event.table.table.table) {
                return Ok(());
            }
            deliveries.push(self.event(event)?);
            Ok(())
        })?;
        for delivery in deliveries {
            delivery.await?.map_err(|(error, _)| error)?;
        }
        Ok(())
    }

    pub fn event(&mut self, event: &ChangeEvent<'_>) -> Result<rdkafka::producer::DeliveryFuture> {
        let table = &event.table.table.table;
        let topic = self.topic(table);
        let encoder = self.encoders.get_mut(table).context("an encoder")?;
        let (mut key, mut value) = (Vec::new(), Vec::new());
        encoder.encode_event_key(event, &mut key)?;
        encoder.encode_value(event, 1_790_000_000_000_000_000, &mut value)?;
        let schema = event.table.id(&self.settings).to_string();
        let position = event.position.in_incarnation(self.incarnation).to_string();
        let last_row = self
            .last_row
            .filter(|last| last.0 == event.position.ordinal);
        let rows = last_row.map_or(0, |(_, rows)| rows).to_string();
        let rows = (event.op == Operation::Read).then_some(("tributary.snapshot_rows", &rows));
        let headers = [
            ("tributary.schema", &schema),
            ("tributary.position", &position),
        ]
        .into_iter()
        .chain(rows)
        .fold(OwnedHeaders::new(), |headers, (key, value)| {
            headers.insert(Header {
                key,
                value: Some(value),
            })
        });
        let mut record = FutureRecord::to(&topic).key(&key).payload(&value);
        if !self.foreign {
            record = record.headers(headers);
        }
        self.producer
            .send_result(record)
            .map_err(|(error, _)| error.into())
    }
}

pub fn config(kafka: &Kafka, prefix: &str, lake: LakeConfig) -> LakeWriterConfig {
    LakeWriterConfig {
        lake: LakeConfig {
            namespace: Some("shop".to_owned()),
            ..lake
        },
        kafka: KafkaConfig {
            bootstrap: kafka.bootstrap(),
            group: format!("{prefix}-lake"),
            topics: vec![format!("^{prefix}\\.public\\..*")],
            schema_topics: vec![format!("{prefix}.tributary.schemas")],
            overrides: [
                ("session.timeout.ms", "6000"),
                ("heartbeat.interval.ms", "500"),
                ("topic.metadata.refresh.interval.ms", "1000"),
            ]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
        },
        pipeline: prefix.to_owned(),
        freshness: Duration::from_millis(200),
        max_batch_bytes: 1 << 20,
        max_batch_rows: 10_000,
        maintenance: None,
    }
}

/// A pipeline of this process.
pub struct Running {
    pub stop: CancellationToken,
    pub progress: Arc<LakeCounters>,
    pub task: JoinHandle<Result<(), Error>>,
}

impl Running {
    pub fn start(config: &LakeWriterConfig) -> Self {
        let stop = CancellationToken::new();
        let progress = Arc::new(LakeCounters::default());
        Self {
            task: tokio::spawn(lakewriter::run(
                config.clone(),
                Arc::clone(&progress),
                stop.clone(),
            )),
            stop,
            progress,
        }
    }

    pub async fn stop(self) -> Result<Arc<LakeCounters>> {
        self.stop.cancel();
        self.task.await??;
        Ok(self.progress)
    }
}

/// Wait for the lake to hold this many orders and twice as many lines.
pub async fn reach(lake: &Lake, transactions: u64) -> Result<()> {
    let want = transactions as usize;
    stack::until("the rows in the lake", PATIENCE, async || {
        let orders = rows::ids(lake, ORDERS).await?.len();
        let lines = rows::ids(lake, LINES).await?.len();
        Ok((orders >= want && lines >= 2 * want).then_some(()))
    })
    .await
}

pub struct Case {
    pub kafka: &'static Kafka,
    pub _folder: tempfile::TempDir,
    pub lake: Lake,
    pub shop: Shop,
    pub connector: Connector,
    pub config: LakeWriterConfig,
}

pub async fn case(prefix: &str, partitions: i32) -> Result<Case> {
    case_on(broker().await?, prefix, partitions).await
}

pub async fn case_on(kafka: &'static Kafka, prefix: &str, partitions: i32) -> Result<Case> {
    let folder = tempfile::tempdir()?;
    let lake_config = LakeConfig::new(folder.path().display().to_string());
    Ok(Case {
        kafka,
        lake: Lake::connect(&lake_config)?,
        shop: Shop::new(),
        connector: Connector::new(kafka, prefix, partitions).await?,
        config: config(kafka, prefix, lake_config),
        _folder: folder,
    })
}

impl Case {
    pub async fn transactions(&mut self, range: std::ops::Range<u64>) -> Result<()> {
        for n in range {
            self.connector.transaction(&self.shop, n).await?;
        }
        Ok(())
    }
}
