//! What a connector's operator would do, in a mirror's own words: whoever started `tributary mirror` has neither a connector
//! nor its properties, its REST or its stored offsets.
//!
//! Invariant: no property of a connector is named to him that a flag or a setting of a mirror stands for, and none as
//! something to be set.

use cdc::{Error, ErrorKind};

/// What takes a new snapshot.
const ANEW: &str = "start once with `--snapshot when_needed`: the tables are copied anew, and readers see the old rows until all new ones are in";

/// Whole remedies that only a connector has, before the words are looked at.
const REMEDIES: [(&str, &str); 13] = [
    (", or raise `create.slot.command.timeout`", ""),
    (", or raise `guardrail.collections.max`", ""),
    (", or set `publication.autocreate.mode` to `all_tables`", ""),
    (
        ", or say by `snapshot.select.statement.overrides` which rows are to be read",
        " with --exclude",
    ),
    (
        "correct `table.include.list` and `schema.include.list`",
        "correct --tables and --exclude (mirror.tables, mirror.exclude)",
    ),
    (
        "stream without a snapshot (`snapshot.mode` = no_data)",
        "begin without the rows that are there (--snapshot no_data)",
    ),
    (
        "set `publication.name` and `slot.stream.params` as they were, start the connector until that transaction is delivered, and change them then",
        "name the slot with --slot as before until that transaction is in the lake",
    ),
    (
        "exclude the named column or table, or change its handling mode",
        "leave the named table out with --exclude (mirror.exclude)",
    ),
    (
        "end who reads the slot (pg_stat_replication), or set another `slot.name`: a slot is of one connector",
        "end who reads the slot (pg_stat_replication), or name another one with --slot (mirror.slot): a slot is of one mirror",
    ),
    (
        "; where it asks for a client certificate, name it in `database.sslcert` and `database.sslkey`",
        "; where it asks for a client certificate, name it with sslcert and sslkey in --from",
    ),
    (
        "drop it, name another `publication.name`",
        "drop it, or name another one with --slot (mirror.slot)",
    ),
    (
        "free space on the disk of the spill folder",
        "free space on the disk of temporary files, or name another folder with TMPDIR",
    ),
    (
        "the connector starts again by itself",
        "the mirror tries again by itself",
    ),
];

/// What stands for a property; longer names before those that they begin with.
const WORDS: [(&str, &str); 17] = [
    ("`table.include.list`", "--tables (mirror.tables)"),
    ("`schema.include.list`", "--tables (mirror.tables)"),
    ("`table.exclude.list`", "--exclude (mirror.exclude)"),
    ("`schema.exclude.list`", "--exclude (mirror.exclude)"),
    ("`slot.name`", "--slot (mirror.slot)"),
    ("`publication.name`", "--slot (mirror.slot)"),
    ("`snapshot.mode`", "--snapshot (mirror.snapshot)"),
    ("`database.hostname`", "host in --from"),
    ("`database.port`", "port in --from"),
    ("`database.user`", "user in --from"),
    ("`database.dbname`", "dbname in --from"),
    (
        "`database.password`",
        "mirror.password or PGPASSWORD (or the password in --from)",
    ),
    ("`database.sslmode`", "sslmode in --from"),
    ("`database.sslrootcert`", "sslrootcert in --from"),
    ("`database.channelBinding`", "channel_binding in --from"),
    ("`database.requireAuth`", "require_auth in --from"),
    ("database.requireAuth", "require_auth in --from"),
];

/// The text with a mirror's words.
pub fn in_own_words(text: &str) -> String {
    let mut text = text.to_owned();
    for (theirs, ours) in REMEDIES.iter().chain(&WORDS) {
        if text.contains(theirs) {
            text = text.replace(theirs, ours);
        }
    }
    text
}

/// The same error, with what helps whoever started `tributary mirror`.
pub fn of_a_mirror(error: Error) -> Error {
    let hint = match error.kind() {
        ErrorKind::SlotLost | ErrorKind::LsnsReused => ANEW.to_owned(),
        ErrorKind::Fenced => {
            "another mirror writes to this lake under the same name: let one of them run, or give one another --name (mirror.name)"
                .to_owned()
        }
        ErrorKind::Configuration
        | ErrorKind::Connection
        | ErrorKind::Permission
        | ErrorKind::Database
        | ErrorKind::Protocol
        | ErrorKind::Encode
        | ErrorKind::Delivery
        | ErrorKind::Spill
        | ErrorKind::Defect => in_own_words(error.hint()),
    };
    error.with_hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_names_flags_and_no_properties() {
        for (theirs, ours) in [
            (
                "end the transaction (7), or raise `create.slot.command.timeout`",
                "end the transaction (7)",
            ),
            (
                "correct `table.include.list` and `schema.include.list`",
                "correct --tables and --exclude (mirror.tables, mirror.exclude)",
            ),
            (
                "drop it, name another `publication.name`, or set `publication.autocreate.mode` to `all_tables`",
                "drop it, or name another one with --slot (mirror.slot)",
            ),
            (
                "set another `slot.name`",
                "set another --slot (mirror.slot)",
            ),
            (
                "the server asks for a password: set `database.password`",
                "the server asks for a password: set mirror.password or PGPASSWORD (or the password in --from)",
            ),
            (
                "alter role \"x\" bypassrls; or exclude the tables, or say by `snapshot.select.statement.overrides` which rows are to be read",
                "alter role \"x\" bypassrls; or exclude the tables with --exclude",
            ),
        ] {
            assert_eq!(in_own_words(theirs), ours);
        }
    }

    #[test]
    fn a_lost_slot_is_mended_by_a_flag() {
        for kind in [ErrorKind::SlotLost, ErrorKind::LsnsReused] {
            let error = of_a_mirror(Error::new(kind, "go on"));
            assert!(error.hint().contains("--snapshot when_needed"));
            assert!(!error.hint().contains("offsets"));
        }
    }
}
