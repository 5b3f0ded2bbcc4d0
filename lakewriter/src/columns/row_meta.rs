/// Where and when a change came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowMeta {
    /// Wall clock, microseconds since the Unix epoch.
    pub ingest_micros: i64,
    /// Kafka partition; 0 on the direct road.
    pub partition: i32,
    /// Kafka offset; on the direct road any number that grows.
    pub offset: i64,
}
