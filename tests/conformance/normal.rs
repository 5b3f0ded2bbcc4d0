//! What two runs of one scenario can never have in common, replaced by its rank.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::LazyLock,
};

use anyhow::{Context, Result, ensure};
use chrono::DateTime;
use regex::Regex;

use crate::leaves::leaves;

/// A record as it is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub topic: String,
    pub partition: i32,
    /// Its number among the records of its partition.
    pub number: usize,
    pub key: Option<String>,
    /// None is a tombstone.
    pub value: Option<String>,
    pub headers: Vec<(String, Option<String>)>,
}

/// What a number in a record is. Numbers of one kind are ranked together, those of a time by their microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Lsn,
    /// End of a commit. How far it is from the next change depends on what else the server wrote in between.
    CommitLsn,
    /// In the id of a transaction's record that does not say whether it is a BEGIN, whose LSN is that of the first change,
    /// or an END, whose LSN is that of the commit. A BEGIN may or may not be where the last END was, as above.
    Bound,
    Transaction,
    /// `source.ts_*`: when the transaction was committed.
    Committed(Unit),
    /// When the event was made: the same in no two runs, so only its three forms have to agree.
    Made(Unit),
    /// `ts_ms` of a transaction's record: the same moment as `source.ts_ms` of its rows.
    Ended,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Unit {
    Millis,
    Micros,
    Nanos,
}

/// A number that is ranked: where it stands.
struct Mark {
    kind: Kind,
    span: Range<usize>,
    value: i64,
}

static SEQUENCE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"^\[(?:null|\\?"(?<last>\d+)\\?"),(?:null|\\?"(?<this>\d+)\\?")\]$"#)
        .expect("two LSNs")
});
static TRANSACTION: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^(?<tx>\d+):(?<lsn>\d+)$").expect("a transaction's id"));
static CLOUD_EVENT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^name:[^;]*;lsn:(?<lsn>\d+);txId:(?<tx>\d+);sequence:(?<sequence>\[.*\])$")
        .expect("a cloud event's id")
});

static UUID: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new("[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}").expect("a UUID")
});

/// Marks of a text. `transaction` is the kind of LSN that a transaction's own id has.
fn marks(text: &str, transaction: Option<Kind>) -> Result<Vec<Mark>> {
    let mut found = Vec::new();
    let mut of_snapshot = false;
    for leaf in leaves(text) {
        let path: Vec<&str> = leaf.path.iter().map(String::as_str).collect();
        let value = text.get(leaf.span.clone()).unwrap_or_default();
        of_snapshot |= matches!(
            path.as_slice(),
            ["source", "snapshot"] | ["iodebeziumsnapshot"]
        ) && value != "false";
        let mut add = |kind, part: Range<usize>| -> Result<()> {
            let span = leaf.span.start + part.start..leaf.span.start + part.end;
            let value = text.get(span.clone()).unwrap_or_default();
            let value = value.parse().with_context(|| format!("{path:?} {value}"))?;
            found.push(Mark { kind, span, value });
            Ok(())
        };
        if value == "null" {
            continue;
        }
        let whole = 0..value.len();
        let sequence = |add: &mut dyn FnMut(Kind, Range<usize>) -> Result<()>, from: usize| {
            let part = value.get(from..).unwrap_or_default();
            let both = SEQUENCE
                .captures(part)
                .with_context(|| format!("sequence {part}"))?;
            for (name, kind) in [("last", Kind::CommitLsn), ("this", Kind::Lsn)] {
                if let Some(lsn) = both.name(name) {
                    add(kind, from + lsn.start()..from + lsn.end())?;
                }
            }
            anyhow::Ok(())
        };
        match path.as_slice() {
            ["source", "ts_ms"] | ["iodebeziumtsms"] => add(Kind::Committed(Unit::Millis), whole)?,
            ["source", "ts_us"] | ["iodebeziumtsus"] => add(Kind::Committed(Unit::Micros), whole)?,
            ["source", "ts_ns"] | ["iodebeziumtsns"] => add(Kind::Committed(Unit::Nanos), whole)?,
            ["source", "lsn"] | ["iodebeziumlsn"] => add(Kind::Lsn, whole)?,
            ["source", "txId"] | ["iodebeziumtxId"] => add(Kind::Transaction, whole)?,
            ["source", "sequence"] | ["iodebeziumsequence"] => sequence(&mut add, 0)?,
            ["ts_ms"] if transaction.is_some() => add(Kind::Ended, whole)?,
            ["ts_ms"] => add(Kind::Made(Unit::Millis), whole)?,
            ["ts_us"] => add(Kind::Made(Unit::Micros), whole)?,
            ["ts_ns"] => add(Kind::Made(Unit::Nanos), whole)?,
            ["transaction", "id"] | ["iodebeziumtxid"] | ["id"] => {
                let lsn = match path.as_slice() {
                    ["id"] => transaction,
                    _ => Some(Kind::Lsn),
                };
                if let Some(lsn) = lsn
                    && let Some(id) = TRANSACTION.captures(value)
                {
                    add(Kind::Transaction, 0..id["tx"].len())?;
                    add(lsn, id["tx"].len() + 1..value.len())?;
                } else if let Some(id) = CLOUD_EVENT.captures(value) {
                    for (name, kind) in [("lsn", Kind::Lsn), ("tx", Kind::Transaction)] {
                        if let Some(number) = id.name(name) {
                            add(kind, number.range())?;
                        }
                    }
                    sequence(&mut add, id.name("sequence").map_or(0, |it| it.start()))?;
                }
            }
            ["time"] => {
                if let Ok(moment) = DateTime::parse_from_rfc3339(value) {
                    let kind = Kind::Committed(Unit::Millis);
                    let value = moment.timestamp_millis();
                    let span = leaf.span.clone();
                    found.push(Mark { kind, span, value });
                }
            }
            _ => {}
        }
    }
    if of_snapshot {
        // The first change after a snapshot may stand exactly at its consistent point, where nothing was written between
        // them: rows of the snapshot stand before it all the same.
        let lsns = found.iter_mut().filter(|mark| mark.kind == Kind::Lsn);
        lsns.for_each(|mark| mark.value -= 1);
    }
    found.sort_by_key(|mark| mark.span.start);
    Ok(found)
}

/// The marks of key and value.
struct Marked {
    key: Vec<Mark>,
    value: Vec<Mark>,
}

impl Marked {
    fn of(record: &Record) -> Result<Self> {
        // BEGIN carries its first change's LSN, END the commit's. A cloud event of a transaction's record has no value.
        let status = |value: &str| {
            leaves(value)
                .into_iter()
                .find(|leaf| leaf.path == ["status"])
                .and_then(|leaf| value.get(leaf.span))
                .map(str::to_owned)
        };
        let transaction = match record.value.as_deref().map(status) {
            Some(Some(status)) if status == "END" => Some(Kind::CommitLsn),
            Some(Some(status)) if status == "BEGIN" => Some(Kind::Lsn),
            Some(_) => None,
            None => Some(Kind::Bound),
        };
        let of = |text: &Option<String>| match text {
            Some(text) => marks(text, transaction),
            None => Ok(Vec::new()),
        };
        let found = Self {
            key: of(&record.key)?,
            value: of(&record.value)?,
        };
        found.check()?;
        Ok(found)
    }

    fn all(&self) -> impl Iterator<Item = &Mark> {
        self.key.iter().chain(&self.value)
    }

    fn first(&self, kind: Kind) -> Option<i64> {
        self.all()
            .find(|mark| mark.kind == kind)
            .map(|mark| mark.value)
    }

    /// The three forms of a time are the same moment.
    fn check(&self) -> Result<()> {
        for of in [Kind::Committed, Kind::Made] {
            let [millis, micros, nanos] =
                [Unit::Millis, Unit::Micros, Unit::Nanos].map(|unit| self.first(of(unit)));
            if let Some(micros) = micros {
                ensure!(
                    millis.is_none_or(|millis| millis == micros.div_euclid(1000)),
                    "ts_ms is another time than ts_us"
                );
                ensure!(
                    nanos.is_none_or(|nanos| nanos.div_euclid(1000) == micros),
                    "ts_ns is another time than ts_us"
                );
            }
        }
        Ok(())
    }
}

/// All records of a run with ranks in place of LSNs, transaction ids and times. Topics for which `apart` says so are
/// ranked by themselves: how many records they have, and so what lies between those of others, is a matter of time.
pub fn ranked(records: Vec<Record>, apart: impl Fn(&str) -> bool) -> Result<Vec<Record>> {
    let mut groups: BTreeMap<Option<String>, Vec<(Record, Marked)>> = BTreeMap::new();
    for record in records {
        let marked = Marked::of(&record).with_context(|| {
            format!(
                "topic `{}` record {}: {:?}",
                record.topic, record.number, record.value
            )
        })?;
        let group = apart(&record.topic).then(|| record.topic.clone());
        groups.entry(group).or_default().push((record, marked));
    }
    let mut found = Vec::new();
    for group in groups.into_values() {
        let ranks = Ranks::of(&group);
        for (mut record, marked) in group {
            record.key = record.key.map(|key| ranks.replaced(&key, &marked.key));
            record.value = record
                .value
                .map(|value| ranks.replaced(&value, &marked.value));
            for (name, value) in &mut record.headers {
                // Another one at every start of a task.
                if name == "__debezium.context.runId" {
                    let text = value.as_deref().map(|text| UUID.replace(text, "run"));
                    *value = text.map(Cow::into_owned);
                }
            }
            found.push(record);
        }
    }
    found.sort_by(|a, b| (&a.topic, a.partition, a.number).cmp(&(&b.topic, b.partition, b.number)));
    Ok(found)
}

#[derive(Default)]
struct Ranks {
    lsns: BTreeSet<i64>,
    commits: BTreeSet<i64>,
    transactions: BTreeSet<i64>,
    micros: BTreeSet<i64>,
}

impl Ranks {
    fn of(group: &[(Record, Marked)]) -> Self {
        let mut ranks = Self::default();
        for mark in group.iter().flat_map(|(_, marked)| marked.all()) {
            match mark.kind {
                Kind::Lsn => ranks.lsns.insert(mark.value),
                Kind::CommitLsn => ranks.commits.insert(mark.value),
                Kind::Transaction => ranks.transactions.insert(mark.value),
                Kind::Committed(Unit::Micros) => ranks.micros.insert(mark.value),
                Kind::Bound | Kind::Committed(_) | Kind::Made(_) | Kind::Ended => false,
            };
        }
        ranks
    }

    fn replaced(&self, text: &str, marks: &[Mark]) -> String {
        let (mut out, mut at) = (String::new(), 0);
        for mark in marks {
            out.push_str(text.get(at..mark.span.start).unwrap_or_default());
            out.push_str(&self.shown(mark, marks));
            at = mark.span.end;
        }
        out.push_str(text.get(at..).unwrap_or_default());
        out
    }

    /// Digits, so that the text stays what it was: JSON, or not.
    fn shown(&self, mark: &Mark, all: &[Mark]) -> String {
        let rank = |set: &BTreeSet<i64>, value: i64| set.range(..value).count();
        let shown = match mark.kind {
            Kind::Lsn => rank(&self.lsns, mark.value),
            Kind::CommitLsn => rank(&self.commits, mark.value),
            Kind::Transaction => rank(&self.transactions, mark.value),
            Kind::Committed(_) => all
                .iter()
                .find(|mark| mark.kind == Kind::Committed(Unit::Micros))
                .map_or(0, |mark| rank(&self.micros, mark.value)),
            Kind::Bound | Kind::Made(_) => 0,
            // In whole milliseconds two commits may or may not be at one time; one of them it must be.
            Kind::Ended => {
                let at = mark.value.saturating_mul(1000);
                let known = self.micros.range(at..at.saturating_add(1000)).next();
                usize::from(known.is_some())
            }
        };
        shown.to_string()
    }
}
