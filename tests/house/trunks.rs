/// Every folder that holds the sources of a crate of ours.
pub const TRUNKS: [&str; 13] = [
    "src",
    "connector/src",
    "connect/src",
    "cdc/src",
    "lakewriter/src",
    "generator/src",
    "console/src",
    "mirror/src",
    "crates/pgoutput/src",
    "crates/pgtext/src",
    "crates/debezium/src",
    "crates/service/src",
    "crates/postgres-tls/src",
];
