use debezium::SnapshotMarker;

/// Which rows stand at the edges of a snapshot. One row is held back: only the next one, or the end, tells whether it
/// was the last of its table or of everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct HeldRow {
    /// Of the table it is from, in the order of the snapshot.
    pub(super) table: usize,
    first_of_table: bool,
}

/// What follows the held row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    RowOfTable(usize),
    End,
}

impl HeldRow {
    pub(super) const fn new(table: usize, first_of_table: bool) -> Self {
        Self {
            table,
            first_of_table,
        }
    }

    /// `source.snapshot` of the row: last, then first, then the table's last, then its first.
    pub(super) fn marker(self, next: Next) -> SnapshotMarker {
        match next {
            Next::End => SnapshotMarker::Last,
            _ if self.first_of_table && self.table == 0 => SnapshotMarker::First,
            Next::RowOfTable(table) if table != self.table => SnapshotMarker::LastInDataCollection,
            Next::RowOfTable(_) if self.first_of_table => SnapshotMarker::FirstInDataCollection,
            Next::RowOfTable(_) => SnapshotMarker::True,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_by_place() {
        use SnapshotMarker::{First, FirstInDataCollection, Last, LastInDataCollection, True};
        for (table, first, next, want) in [
            (0, true, Next::RowOfTable(0), First),
            (0, false, Next::RowOfTable(0), True),
            (0, false, Next::RowOfTable(1), LastInDataCollection),
            (0, true, Next::RowOfTable(1), First),
            (1, true, Next::RowOfTable(1), FirstInDataCollection),
            (1, true, Next::RowOfTable(2), LastInDataCollection),
            (1, false, Next::End, Last),
            (0, true, Next::End, Last),
        ] {
            assert_eq!(
                HeldRow::new(table, first).marker(next),
                want,
                "{table} {first} {next:?}"
            );
        }
    }
}
