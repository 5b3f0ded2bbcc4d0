//! What two runs of one scenario can never have in common, replaced by its rank.

use std::{collections::BTreeSet, sync::LazyLock};

use anyhow::{Context, Result, ensure};
use regex::Regex;

/// A record as it is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub topic: String,
    pub key: Option<String>,
    /// None is a tombstone.
    pub value: Option<String>,
    pub headers: Vec<(String, Option<String>)>,
    /// Of a snapshot's row; known once it is ranked.
    pub snapshot: bool,
}

/// Fields of `source` and of the envelope's end, in their order.
static TAIL: LazyLock<Regex> = LazyLock::new(|| {
    let text = concat!(
        r#"^"source":\{"version":"(?<version>[^"]*)","connector":"postgresql","name":"(?<name>[^"]*)","ts_ms":(?<ms>-?\d+),"#,
        r#""snapshot":(?<snapshot>null|"[a-z_]+"),"db":"(?<db>[^"]*)","sequence":"\[(?<last>null|\\"\d+\\"),\\"(?<this>\d+)\\"\]","#,
        r#""ts_us":(?<us>-?\d+),"ts_ns":(?<ns>-?\d+),"schema":(?<table>"(?:[^"\\]|\\.)*","table":"(?:[^"\\]|\\.)*"),"#,
        r#""txId":(?<tx>\d+),"lsn":(?<lsn>\d+),"xmin":null\},"transaction":null,"op":"(?<op>[a-z])","#,
        r#""ts_ms":(?<now_ms>\d+),"ts_us":(?<now_us>\d+),"ts_ns":(?<now_ns>\d+)(?<end>\}+)$"#,
    );
    Regex::new(text).expect("the envelope's end")
});

/// The text before `source`, and from there on. Rows stand before it, and a schema names it in another way.
fn source(value: &str) -> Option<(&str, &str)> {
    value
        .rfind("\"source\":{\"version\":\"")
        .map(|at| value.split_at(at))
}

/// What is ranked in one record.
struct Marks {
    last: Option<u64>,
    lsn: u64,
    tx: u64,
    micros: i64,
}

fn marks(value: &str) -> Result<Option<Marks>> {
    let Some((_, tail)) = source(value) else {
        return Ok(None);
    };
    let found = TAIL
        .captures(tail)
        .with_context(|| format!("the end of the envelope is another: {tail}"))?;
    let number = |name: &str| found[name].trim_matches(['\\', '"']).parse::<i64>();
    let (lsn, this) = (number("lsn")?, number("this")?);
    ensure!(lsn == this, "lsn {lsn} and sequence {this} differ");
    for (micros, millis, nanos) in [("us", "ms", "ns"), ("now_us", "now_ms", "now_ns")] {
        let micros = number(micros)?;
        ensure!(
            micros.div_euclid(1000) == number(millis)?,
            "ts_ms is another time than ts_us: {tail}"
        );
        ensure!(
            number(nanos)?.div_euclid(1000) == micros,
            "ts_ns is another time than ts_us: {tail}"
        );
    }
    let last = match &found["last"] {
        "null" => None,
        _ => Some(u64::try_from(number("last")?)?),
    };
    Ok(Some(Marks {
        last,
        lsn: u64::try_from(lsn)?,
        tx: u64::try_from(number("tx")?)?,
        micros: number("us")?,
    }))
}

/// All records of a run with ranks in place of LSNs, transaction ids and times. The last commit's LSN is ranked by
/// itself: how far it is from the next change depends on what else the server wrote in between.
pub fn ranked(records: Vec<Record>) -> Result<Vec<Record>> {
    let (mut lasts, mut lsns) = (BTreeSet::new(), BTreeSet::new());
    let (mut txs, mut times) = (BTreeSet::new(), BTreeSet::new());
    let mut all = Vec::new();
    for record in &records {
        let found = match &record.value {
            Some(value) => {
                marks(value).with_context(|| format!("topic `{}`: {value}", record.topic))?
            }
            None => None,
        };
        if let Some(found) = &found {
            ensure!(
                found.last.is_none_or(|last| last <= found.lsn),
                "a change before the commit that came before it"
            );
            lasts.extend(found.last);
            lsns.insert(found.lsn);
            txs.insert(found.tx);
            times.insert(found.micros);
        }
        all.push(found);
    }
    fn rank<T: Ord>(set: &BTreeSet<T>, value: &T) -> usize {
        set.range(..value).count()
    }
    let ranked = records.into_iter().zip(all).map(|(mut record, found)| {
        if let (Some(found), Some(value)) = (found, &record.value)
            && let Some((head, tail)) = source(value)
        {
            let last = found.last.map(|last| rank(&lasts, &last));
            let (lsn, tx) = (rank(&lsns, &found.lsn), rank(&txs, &found.tx));
            let time = rank(&times, &found.micros);
            let last = last.map_or_else(|| "null".to_owned(), |rank| rank.to_string());
            record.snapshot = tail.contains("\"op\":\"r\"");
            let tail = TAIL.replace(tail, |it: &regex::Captures<'_>| {
                let (name, snapshot, table) = (&it["name"], &it["snapshot"], &it["table"]);
                let (op, end) = (&it["op"], &it["end"]);
                format!(
                    "\"source\":{{\"name\":\"{name}\",\"snapshot\":{snapshot},\"schema\":{table},\"commit\":{time},\"tx\":{tx},\"lsn\":{lsn},\"last\":{last}}},\"op\":\"{op}\"{end}"
                )
            });
            record.value = Some(format!("{head}{tail}"));
        }
        record
    });
    Ok(ranked.collect())
}
