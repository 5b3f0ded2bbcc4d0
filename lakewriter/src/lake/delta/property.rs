//! Keys of the table configuration that say which source table this is.

pub const DATABASE: &str = "tributary.database";
pub const SCHEMA: &str = "tributary.schema_name";
pub const TABLE: &str = "tributary.table";
/// JSON list of the key's columns, by their names in PostgreSQL.
pub const KEY: &str = "tributary.key";
/// `default`, `nothing`, `full` or `index`.
pub const REPLICA_IDENTITY: &str = "tributary.replica_identity";
/// JSON list of the pipelines that wrote records of Kafka to the table.
pub const PIPELINES: &str = "tributary.pipelines";
/// The topic prefix, or the database on the direct road: the first folder of the table's path.
pub const NAMESPACE: &str = "tributary.namespace";
/// What the names of properties begin with that tell of a snapshot: its incarnation, its LSN, and how many rows it has.
pub const SNAPSHOT: &str = "tributary.snapshot";
/// JSON list of the table's versions through time.
pub const VERSIONS: &str = "tributary.versions";
