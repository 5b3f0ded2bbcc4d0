use debezium::ColumnValue;

/// An emptied vector, free to hold values of another lifetime: the allocation stays.
#[expect(
    clippy::unnecessary_filter_map,
    reason = "a filter would keep the lifetime"
)]
pub(crate) fn recycle(mut values: Vec<ColumnValue<'_>>) -> Vec<ColumnValue<'static>> {
    values.clear();
    // Same size and alignment, so the collection happens in place.
    values.into_iter().filter_map(|_| None).collect()
}
