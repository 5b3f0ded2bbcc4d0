//! What the demo leaves behind: three queries with their answers, and how to ask more.

use console::{OutputFormat, SqlEngine, write_result};
use lakewriter::{LakeConfig, LakeProgress};

use super::{Plan, cluster::Cluster};
use crate::command::Failure;

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

/// Summary, example queries, commands.
pub async fn print(
    plan: &Plan,
    cluster: &Cluster,
    generated: &generator::Summary,
    lake: &LakeProgress,
) -> Result<(), Failure> {
    println!();
    println!("generator   {generated}");
    println!(
        "lake        {} change rows in {} commits, freshness p50 {}, p99 {}",
        lake.rows_visible(),
        lake.commits(),
        milliseconds(lake.freshness(0.5)),
        milliseconds(lake.freshness(0.99)),
    );
    let folder = plan.lake();
    let shown = folder.display();
    let engine = SqlEngine::open(&LakeConfig::new(folder.display().to_string())).await?;
    for (title, sql) in EXAMPLES {
        println!("\n-- {title}\n{sql};");
        let frame = engine.query(sql).await?;
        write_result(frame, OutputFormat::Table, &mut std::io::stdout()).await?;
    }
    println!("\nAsk it yourself:");
    println!("  tributary sql --lake {shown} 'select * from public.tweets limit 5'");
    println!("  tributary sql --lake {shown}");
    if let Some(table) = engine.tables().find(|table| table.table == "tweets") {
        println!(
            "  duckdb -c \"select _op, count(*) from delta_scan('{shown}/{}') group by 1\"",
            table.folder
        );
    }
    println!("  while the demo runs, the source:");
    let psql = cluster
        .psql()
        .map_or_else(|| "psql".to_owned(), |path| path.display().to_string());
    println!(
        "  {psql} -h {} -U postgres postgres -c 'select count(*) from tweets'",
        cluster.socket_folder().display()
    );
    Ok(())
}

fn milliseconds(delay: Option<std::time::Duration>) -> String {
    delay.map_or_else(|| "-".to_owned(), |d| format!("{} ms", d.as_millis()))
}
