//! What the demo leaves behind: three queries with their answers, and how to ask more.

use std::io::Write as _;

use anyhow::Context as _;
use console::{Output, OutputFormat, SqlEngine, write_result};
use lakewriter::{LakeConfig, LakeCounters};

use super::{Plan, cluster::Cluster};
use crate::{
    failure::Failure,
    invocation::{program, quoted},
};

/// Finds a Python with readers of Delta tables, or makes one; prints its path.
const READERS: &str = "tests/servers/readers.sh";

const EXAMPLES: [(&str, &str); 3] = [
    (
        "languages of the tweets as they are now",
        "SELECT lang, count(*) AS tweets, sum(like_count) AS likes FROM public.tweets GROUP BY lang ORDER BY tweets DESC, lang LIMIT 5",
    ),
    (
        "hashtags",
        "SELECT tag, count(*) AS tweets FROM (SELECT unnest(hashtags) AS tag FROM public.tweets) GROUP BY tag ORDER BY tweets DESC, tag LIMIT 5",
    ),
    (
        "every change that was captured",
        "SELECT _op AS op, count(*) AS changes, min(_ts) AS first, max(_ts) AS last FROM public.tweets_changes GROUP BY _op ORDER BY _op",
    ),
];

/// What can be asked while the demo runs.
pub fn print_questions(plan: &Plan, cluster: &Cluster) {
    say!("while it runs, in another terminal:");
    if let Some(psql) = cluster.psql() {
        say!(
            "  {} -h {} -U postgres postgres -c 'select count(*) from tweets'",
            quoted(&psql.display().to_string()),
            quoted(&cluster.socket_folder().display().to_string())
        );
    }
    say!("  {} 'select count(*) from public.tweets'", sql(plan));
}

/// `tributary sql` of the demo's lake.
fn sql(plan: &Plan) -> String {
    let lake = plan.lake().display().to_string();
    format!("{} sql --lake {}", program(), quoted(&lake))
}

/// Summary, example queries, commands.
pub async fn print(
    plan: &Plan,
    generated: &generator::Summary,
    lake: &LakeCounters,
) -> Result<(), Failure> {
    say!();
    say!("generator   {generated}");
    say!(
        "lake        {} change rows in {} commits, freshness p50 {}, p99 {}",
        lake.rows_visible(),
        lake.commits(),
        milliseconds(lake.freshness(0.5)),
        milliseconds(lake.freshness(0.99)),
    );
    let folder = plan.lake();
    // A demo that ends at once has no rows to show, nor has one that is stopped so early.
    if !folder.exists() {
        say!("\nended before the lake was there");
        return Ok(());
    }
    let engine = SqlEngine::open(&LakeConfig::new(folder.display().to_string()), None).await?;
    if !engine.tables().any(|table| table.table == "tweets") {
        say!("\nended before the first tweet was in the lake");
        return Ok(());
    }
    for (title, sql) in EXAMPLES {
        say!("\n-- {title}\n{sql};");
        let frame = engine.query(sql).await?;
        let mut output = Output::stdout();
        let written = write_result(frame, OutputFormat::Table, &mut output).await;
        let flushed = output.flush();
        if output.is_closed() {
            return Ok(());
        }
        written?;
        flushed.context("write the answer to standard output")?;
    }
    say!("\nAsk it yourself:");
    say!("  {} 'select * from public.tweets limit 5'", sql(plan));
    say!("  {}", sql(plan));
    if let Some(tweets) = engine.tables().find(|table| table.table == "tweets") {
        let tweets = folder.join(&tweets.folder).display().to_string();
        say!("{}", other_reader(&tweets));
    }
    Ok(())
}

/// How another reader than ours sees a table: in a checkout with the readers that its tests use.
fn other_reader(table: &str) -> String {
    // Polars does not find the files of a table whose path has spaces.
    let is_plain = quoted(table) == table;
    if !is_plain || !std::path::Path::new(READERS).exists() {
        return format!("or by any reader of Delta tables, which {table} is");
    }
    let table = serde_json::Value::from(table);
    let python = format!(
        "import polars; print(polars.scan_delta({table}).group_by(\"_op\").len().collect())"
    );
    format!("or by Polars:\n  \"$({READERS})\" -c {}", quoted(&python))
}

fn milliseconds(delay: Option<std::time::Duration>) -> String {
    delay.map_or_else(|| "-".to_owned(), |d| format!("{} ms", d.as_millis()))
}
