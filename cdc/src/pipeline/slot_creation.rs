use connector::ConnectorConfig;

use crate::{
    Error, ErrorKind,
    source::{
        Control, Slot, blockers, connection::ReplicationConnection, end_process, slot::create_slot,
        told_while_waiting,
    },
};

/// Make a slot within `create.slot.command.timeout`: it waits for the end of every transaction that writes and is open.
/// The log names them.
pub(super) async fn create(
    config: &ConnectorConfig,
    (replication, control): (&mut ReplicationConnection, &mut Control),
    name: &str,
    temporary: bool,
    export_snapshot: bool,
    failover: bool,
) -> Result<Slot, Error> {
    let pid = replication.backend_pid().await?;
    let created = create_slot(replication, name, temporary, export_snapshot, failover);
    let waits = format!(
        "the replication slot `{name}` is not made before a transaction that is open has ended"
    );
    let created = told_while_waiting(control, pid, &waits, created);
    if let Ok(created) = tokio::time::timeout(config.create_slot_timeout, created).await {
        return created;
    }
    let waits_for = match blockers(control, pid).await {
        Some(blockers) => format!("end what it waits for ({blockers})"),
        None => "end the transaction that has been open for so long (pg_stat_activity)".to_owned(),
    };
    // Nobody would read the answer: without this the slot would be made later, and keep WAL.
    end_process(control, pid).await;
    Err(Error::new(
        ErrorKind::Connection,
        format!(
            "create replication slot `{name}`: not done within {} s",
            config.create_slot_timeout.as_secs()
        ),
    )
    .with_hint(format!(
        "{waits_for}, or raise `create.slot.command.timeout`"
    )))
}
