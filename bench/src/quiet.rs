//! What a database costs that has little to tell: small transactions, one after the other, at a steady pace.

use std::time::Duration;

use anyhow::Result;

use crate::capture;
use crate::lake;
use crate::latency::{self, Load};
use crate::report::{Bar, Report};
use crate::servers::Servers;
use crate::usage::{Meter, Watched};

const PART: &str = "quiet database";
const FIRST_ID: i64 = 10_000_000_000;

/// Transactions of one row a second, what cdc may take of a core, and what Debezium took for as many rows a second. That
/// was measured apart from this: it stands here for comparison.
const PACES: [(u32, f64, f64); 2] = [(100, 2.0, 2.5), (1000, 4.0, 5.0)];

/// CPU time of cdc and of lakewriter beside it, nothing to do first.
pub async fn measure(
    servers: &Servers,
    idle: Duration,
    lasts: Duration,
    report: &mut Report,
) -> Result<()> {
    let mut cdc = capture::start(servers)?;
    capture::wait_streaming(&mut cdc).await?;
    let mut lakewriter = lake::start(servers)?;
    lakewriter.wait(lake::ROWS, |_| true).await?;
    let both = [
        ("cdc", Watched::Process(cdc.pid())),
        ("lakewriter", Watched::Process(lakewriter.pid())),
    ];
    let meter = Meter::start(both)?;
    tokio::time::sleep(idle).await;
    let usage = meter.read()?;
    for (name, bar) in [("cdc", Some(Bar::AtMost(0.3))), ("lakewriter", None)] {
        let share = 100.0 * usage.of(name) / usage.wall;
        report.add(
            PART,
            format!("nothing: {name}, of one core"),
            share,
            "%",
            bar,
        );
    }
    for (transactions_per_second, most, debezium) in PACES {
        let load = Load {
            first_id: FIRST_ID * i64::from(transactions_per_second),
            transactions_per_second,
            rows_per_transaction: 1,
        };
        let meter = Meter::start(both)?;
        let delays = latency::run(servers, load, lasts).await?;
        let usage = meter.read()?;
        let named = |what: &str| format!("{transactions_per_second} transactions/s: {what}");
        for (name, bar) in [("cdc", Some(Bar::AtMost(most))), ("lakewriter", None)] {
            let share = 100.0 * usage.of(name) / delays.wall;
            report.add(
                PART,
                named(&format!("{name}, of one core")),
                share,
                "%",
                bar,
            );
        }
        report.add(
            PART,
            named("Debezium for comparison, of one core"),
            debezium,
            "%",
            None,
        );
        latency::add_delays(report, PART, &delays);
        report.add_cores(PART, &usage);
    }
    lakewriter.stop().await?;
    cdc.stop().await
}
