//! The settings of snapshots: when one is taken, of what, and how it is read.

use std::{collections::BTreeMap, num::NonZeroUsize, time::Duration};

use regex::Regex;

use super::{filter::regex_list, reader::Reader};

/// `snapshot.mode`. `never` is `NoData` under its old name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SnapshotMode {
    /// Before the first streaming only.
    #[default]
    Initial,
    /// At every start; changes between two starts are covered by its rows, deletes among them are not.
    Always,
    /// Once; nothing is streamed, and there is no slot.
    InitialOnly,
    NoData,
    /// As `Initial`, and where the slot cannot go on from the stored position.
    WhenNeeded,
    /// `snapshot.mode.configuration.based.*`.
    ConfigurationBased {
        /// `snapshot.data`: at every start.
        data: bool,
        /// `start.stream`.
        stream: bool,
        /// `snapshot.on.data.error`: where the slot cannot go on from the stored position.
        on_data_error: bool,
    },
}

impl SnapshotMode {
    /// Whether a start takes a snapshot; `completed` says that an earlier one, or streaming, got to an end.
    pub const fn takes_snapshot(self, completed: bool) -> bool {
        match self {
            Self::Initial | Self::InitialOnly | Self::WhenNeeded => !completed,
            Self::Always => true,
            Self::NoData => false,
            Self::ConfigurationBased { data, .. } => data,
        }
    }

    /// Whether a position that is lost is mended by a snapshot.
    pub const fn takes_snapshot_when_lost(self) -> bool {
        matches!(
            self,
            Self::Always
                | Self::WhenNeeded
                | Self::ConfigurationBased {
                    on_data_error: true,
                    ..
                }
                | Self::ConfigurationBased { data: true, .. }
        )
    }

    pub const fn streams(self) -> bool {
        !matches!(
            self,
            Self::InitialOnly | Self::ConfigurationBased { stream: false, .. }
        )
    }
}

/// `snapshot.tables.order.by.row.count`, by the planner's guess.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RowCountOrder {
    #[default]
    Disabled,
    Ascending,
    Descending,
}

/// `snapshot.isolation.mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SnapshotIsolation {
    #[default]
    Serializable,
    RepeatableRead,
    ReadCommitted,
    ReadUncommitted,
}

impl SnapshotIsolation {
    const ALL: [Self; 4] = [
        Self::Serializable,
        Self::RepeatableRead,
        Self::ReadCommitted,
        Self::ReadUncommitted,
    ];

    /// As the property has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Serializable => "serializable",
            Self::RepeatableRead => "repeatable_read",
            Self::ReadCommitted => "read_committed",
            Self::ReadUncommitted => "read_uncommitted",
        }
    }
}

/// How a snapshot is taken.
#[derive(Debug, Clone)]
pub struct SnapshotConfig {
    /// `snapshot.include.collection.list`, against `schema.table`; None: every captured table.
    pub include: Option<Vec<Regex>>,
    /// `snapshot.select.statement.overrides`: the query in place of the table `schema.table`.
    pub select_overrides: BTreeMap<String, String>,
    /// `snapshot.delay.ms`.
    pub delay: Duration,
    /// `streaming.delay.ms`: after a snapshot.
    pub streaming_delay: Duration,
    pub order: RowCountOrder,
    /// `snapshot.lock.timeout.ms` where `snapshot.locking.mode` is `shared`.
    pub lock_timeout: Option<Duration>,
    /// `snapshot.max.threads`: connections that read tables at the same time.
    pub max_threads: NonZeroUsize,
    /// `snapshot.isolation.mode`; None where it is not set.
    pub isolation: Option<SnapshotIsolation>,
    /// Tables that come into sight after the first snapshot are copied too, and each table's rows alone, without those of
    /// tables that inherit from it. No property: Debezium streams what becomes of such tables and copies nothing.
    pub later_tables: bool,
}

pub(super) fn snapshot_mode(reader: &mut Reader<'_>) -> SnapshotMode {
    let mut flag =
        |name: &str| reader.boolean(&format!("snapshot.mode.configuration.based.{name}"));
    let configured = SnapshotMode::ConfigurationBased {
        data: flag("snapshot.data"),
        stream: flag("start.stream"),
        on_data_error: flag("snapshot.on.data.error"),
    };
    // Tables have no schema history that could be snapshotted or lost.
    flag("snapshot.schema");
    flag("snapshot.on.schema.error");
    refuse_custom(
        reader,
        "snapshot.mode",
        "a custom snapshotter is a Java class and cannot be loaded: choose one of the other modes",
    );
    reader.choice(
        "snapshot.mode",
        &[
            ("always", SnapshotMode::Always),
            ("never", SnapshotMode::NoData),
            ("initial_only", SnapshotMode::InitialOnly),
            ("configuration_based", configured),
            ("when_needed", SnapshotMode::WhenNeeded),
            ("initial", SnapshotMode::Initial),
            ("custom", SnapshotMode::Initial),
            ("no_data", SnapshotMode::NoData),
        ],
    )
}

/// `custom` is one of Debezium's values, and no misspelling.
fn refuse_custom(reader: &mut Reader<'_>, property: &str, rule: &str) {
    let value = reader.text(property);
    if value.is_some_and(|value| value.eq_ignore_ascii_case("custom")) {
        reader.problem(property, rule);
    }
}

pub(super) fn snapshot(reader: &mut Reader<'_>) -> SnapshotConfig {
    const INCLUDE: &str = "snapshot.include.collection.list";
    const OVERRIDES: &str = "snapshot.select.statement.overrides";
    let include = regex_list(reader, INCLUDE);
    let mut select_overrides = BTreeMap::new();
    for table in reader.text(OVERRIDES).unwrap_or_default().split(',') {
        let table = table.trim();
        if table.is_empty() {
            continue;
        }
        let property = format!("{OVERRIDES}.{table}");
        match reader.text(&property) {
            Some(query) => {
                let query = query.trim_end_matches(';').trim_end();
                select_overrides.insert(unquoted(table), query.to_owned());
            }
            None => reader.problem(
                OVERRIDES,
                format!("`{table}` needs its query in `{property}`"),
            ),
        }
    }
    let lock_timeout = reader.millis("snapshot.lock.timeout.ms");
    refuse_custom(
        reader,
        "snapshot.locking.mode",
        "a custom lock is a Java class and cannot be loaded: none or shared",
    );
    let locks = reader.choice(
        "snapshot.locking.mode",
        &[("none", false), ("shared", true), ("custom", false)],
    );
    SnapshotConfig {
        include: reader.text(INCLUDE).is_some().then_some(include),
        select_overrides,
        delay: reader.millis("snapshot.delay.ms"),
        streaming_delay: reader.millis("streaming.delay.ms"),
        order: reader.choice(
            "snapshot.tables.order.by.row.count",
            &[
                ("disabled", RowCountOrder::Disabled),
                ("ascending", RowCountOrder::Ascending),
                ("descending", RowCountOrder::Descending),
            ],
        ),
        lock_timeout: locks.then_some(lock_timeout),
        max_threads: max_threads(reader),
        isolation: isolation(reader),
        later_tables: false,
    }
}

fn max_threads(reader: &mut Reader<'_>) -> NonZeroUsize {
    const THREADS: &str = "snapshot.max.threads";
    let value = reader.text_or_default(THREADS);
    // Debezium's largest integer is an i32's. There never are more connections than tables.
    let threads = value.parse::<i32>().ok();
    let threads = threads.and_then(|threads| usize::try_from(threads).ok());
    threads.and_then(NonZeroUsize::new).unwrap_or_else(|| {
        // Debezium's words.
        reader.problem(THREADS, "A positive, non-zero integer value is expected");
        NonZeroUsize::MIN
    })
}

/// None where it is not set: then no line of the log says that something stronger is used.
fn isolation(reader: &mut Reader<'_>) -> Option<SnapshotIsolation> {
    const MODE: &str = "snapshot.isolation.mode";
    let choices = SnapshotIsolation::ALL.map(|isolation| (isolation.as_str(), Some(isolation)));
    reader.text(MODE)?;
    reader.choice(MODE, &choices)
}

/// A table's name without the quotes that identifiers may have.
fn unquoted(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    let mut characters = name.chars().peekable();
    let mut inside = false;
    while let Some(character) = characters.next() {
        if character != '"' {
            text.push(character);
        } else if inside && characters.next_if_eq(&'"').is_some() {
            text.push('"');
        } else {
            inside = !inside;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader_of(properties: &[(&str, &str)]) -> BTreeMap<String, String> {
        properties
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn modes_say_when_to_snapshot_and_whether_to_stream() {
        for (mode, first, again, lost, streams) in [
            ("initial", true, false, false, true),
            ("always", true, true, true, true),
            ("initial_only", true, false, false, false),
            ("no_data", false, false, false, true),
            ("never", false, false, false, true),
            ("when_needed", true, false, true, true),
            ("configuration_based", false, false, false, false),
        ] {
            let properties = reader_of(&[("snapshot.mode", mode)]);
            let found = snapshot_mode(&mut Reader::new(&properties));
            assert_eq!(found.takes_snapshot(false), first, "{mode}");
            assert_eq!(found.takes_snapshot(true), again, "{mode}");
            assert_eq!(found.takes_snapshot_when_lost(), lost, "{mode}");
            assert_eq!(found.streams(), streams, "{mode}");
        }
        let properties = reader_of(&[
            ("snapshot.mode", "configuration_based"),
            ("snapshot.mode.configuration.based.snapshot.data", "true"),
            ("snapshot.mode.configuration.based.start.stream", "true"),
        ]);
        let found = snapshot_mode(&mut Reader::new(&properties));
        assert!(found.takes_snapshot(true) && found.streams());
        let properties = reader_of(&[("snapshot.mode", "custom")]);
        let mut reader = Reader::new(&properties);
        snapshot_mode(&mut reader);
        assert_eq!(reader.problems.len(), 1);
    }

    #[test]
    fn tables_may_be_quoted() {
        for (name, bare) in [
            ("public.a", "public.a"),
            ("public.\"Mixed\"", "public.Mixed"),
            ("\"My Sch\".\"T.x\"", "My Sch.T.x"),
            ("s.\"a\"\"b\"", "s.a\"b"),
        ] {
            assert_eq!(unquoted(name), bare);
        }
    }

    #[test]
    fn overrides_need_their_query() {
        let properties = reader_of(&[
            ("snapshot.select.statement.overrides", "public.a, public.b"),
            (
                "snapshot.select.statement.overrides.public.a",
                "select * from a where id > 1;",
            ),
            ("snapshot.locking.mode", "shared"),
        ]);
        let mut reader = Reader::new(&properties);
        let config = snapshot(&mut reader);
        assert_eq!(
            config.select_overrides["public.a"],
            "select * from a where id > 1"
        );
        assert_eq!(config.lock_timeout, Some(Duration::from_secs(10)));
        assert_eq!(reader.problems.len(), 1);
    }

    #[test]
    fn there_is_at_least_one_thread() {
        for (value, want, problems) in [
            ("", 1, 0),
            ("1", 1, 0),
            ("16", 16, 0),
            ("2147483647", 2_147_483_647, 0),
            ("2147483648", 1, 1),
            ("0", 1, 1),
            ("-1", 1, 1),
            ("many", 1, 1),
        ] {
            let properties = reader_of(&[("snapshot.max.threads", value)]);
            let mut reader = Reader::new(&properties);
            let config = snapshot(&mut reader);
            assert_eq!(config.max_threads.get(), want, "{value}");
            let found: Vec<String> = reader.problems.iter().map(ToString::to_string).collect();
            assert_eq!(found.len(), problems, "{value}: {found:?}");
            let told = "The 'snapshot.max.threads' value is invalid: A positive, non-zero integer value is expected";
            assert!(found.iter().all(|it| it == told), "{value}: {found:?}");
        }
    }

    #[test]
    fn isolation_is_one_of_four() {
        use SnapshotIsolation::{ReadCommitted, ReadUncommitted, RepeatableRead, Serializable};
        for (value, want, problems) in [
            ("", None, 0),
            ("serializable", Some(Serializable), 0),
            ("REPEATABLE_READ", Some(RepeatableRead), 0),
            ("read_committed", Some(ReadCommitted), 0),
            ("read_uncommitted", Some(ReadUncommitted), 0),
            ("snapshot", None, 1),
        ] {
            let properties = reader_of(&[("snapshot.isolation.mode", value)]);
            let mut reader = Reader::new(&properties);
            assert_eq!(snapshot(&mut reader).isolation, want, "{value}");
            assert_eq!(reader.problems.len(), problems, "{value}");
        }
    }
}
