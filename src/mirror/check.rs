//! What would stop a mirror is found before anything is made.

use std::time::{Duration, Instant};

use cdc::pipeline;
use connector::ConnectorConfig;

use super::{
    hint::{in_own_words, of_a_mirror},
    slot::Found,
    source::suit,
};
use crate::failure::Failure;

/// The server takes a while to notice that a reader was killed.
const LET_GO: Duration = Duration::from_secs(20);

/// Time between two looks whether it has.
const LOOK: Duration = Duration::from_millis(250);

/// What would stop the mirror, before anything is made.
pub async fn check(
    connector: &mut ConnectorConfig,
    slot: &mut Found,
    place: &str,
) -> Result<(), Failure> {
    let refused = |what: String, hint: &str| Failure::Refused {
        what: format!("mirror {place}: {what}"),
        hint: hint.to_owned(),
    };
    let unfit = pipeline::preflight(connector).await.map_err(|why| {
        refused(
            in_own_words(&why),
            "check --from, and that the server is up and lets this user in (pg_hba.conf, also for replication)",
        )
    })?;
    if let Some(unfit) = unfit.first() {
        return Err(refused(
            in_own_words(&unfit.why),
            "mend it in the database, or leave the table out with --exclude",
        ));
    }
    slot.avoid_others(connector).await?;
    let begun = Instant::now();
    while let Some(pid) = cdc::source::slot_in_use(connector)
        .await
        .map_err(of_a_mirror)?
    {
        if begun.elapsed() >= LET_GO {
            return Err(refused(
                format!(
                    "somebody reads the slot `{}` (process {pid} of the server): another mirror runs",
                    connector.slot_name
                ),
                "let that one run, or stop it; a mirror into another lake has a slot of its own (--slot)",
            ));
        }
        tokio::time::sleep(LOOK).await;
    }
    let mut tables = cdc::source::survey(connector).await.map_err(of_a_mirror)?;
    suit(connector, &tables)?;
    tables.retain(|table| !table.unlogged);
    // Who goes on mirrors the tables that it has, whatever somebody made beside them.
    let goes_on = cdc::source::slot_exists(connector)
        .await
        .map_err(of_a_mirror)?;
    let unreadable = tables.iter().filter(|table| table.unreadable);
    let unreadable: Vec<String> = unreadable.map(|table| table.name.quoted()).collect();
    if !unreadable.is_empty() && !goes_on {
        let user = cdc::quote_identifier(&connector.database.user);
        return Err(refused(
            format!("{user} may not read {}", unreadable.join(", ")),
            &format!(
                "run `grant select on {} to {user};` (and `grant usage on schema ... to {user};`), or leave them out with --exclude",
                unreadable.join(", ")
            ),
        ));
    }
    let nameless = tables.iter().filter(|table| table.without_identity);
    let nameless: Vec<String> = nameless.map(|table| table.name.quoted()).collect();
    if nameless.is_empty() {
        return Ok(());
    }
    if goes_on {
        tracing::warn!(
            tables = %nameless.join(", "),
            "nothing tells the rows of these tables apart, so that they are not mirrored: a primary key, or `replica identity full`, lets them be"
        );
        return Ok(());
    }
    let alter: Vec<String> = nameless
        .iter()
        .map(|table| format!("alter table {table} replica identity full;"))
        .collect();
    Err(refused(
        format!(
            "nothing tells the rows of {} apart: once they are published, PostgreSQL refuses every UPDATE and DELETE of them",
            nameless.join(", ")
        ),
        &format!(
            "give each a primary key, or run `{}`, or leave them out with --exclude",
            alter.join(" ")
        ),
    ))
}
