use super::{
    buffer::{ColumnBuffer, Values},
    decimal,
    error::ValueError,
    lake_type::LakeType,
    temporal::{iso_date, iso_timestamp_of},
};

/// The items of one list while it is appended. A list with an item that the lake's numbers cannot tell becomes null, and
/// all of it goes into the `_raw` column.
pub(super) struct ListItems<'a> {
    column: &'a mut ColumnBuffer,
    start: usize,
    beyond: Vec<(usize, String)>,
}

impl<'a> ListItems<'a> {
    pub fn begin(column: &'a mut ColumnBuffer) -> Result<Self, ValueError> {
        let start = column.list_items()?.len();
        Ok(Self {
            column,
            start,
            beyond: Vec::new(),
        })
    }

    /// One more item: `append` is the way its value is read.
    pub fn item(
        &mut self,
        append: impl FnOnce(&mut ColumnBuffer) -> Result<Option<String>, ValueError>,
    ) -> Result<(), ValueError> {
        let items = self.column.list_items()?;
        if let Some(raw) = append(items)? {
            let at = items.len().saturating_sub(1);
            self.beyond.push((at, raw));
        }
        Ok(())
    }

    pub fn end(self, element: &LakeType) -> Result<Option<String>, ValueError> {
        if self.beyond.is_empty() {
            self.column.end_list()?;
            return Ok(None);
        }
        let raw = self.raw(element)?;
        self.column.push_null();
        Ok(Some(raw))
    }

    /// Like PostgreSQL's text, with ISO 8601 elements.
    fn raw(&self, element: &LakeType) -> Result<String, ValueError> {
        let Values::List { items, .. } = &self.column.values else {
            return Err(ValueError::Expected("a list column"));
        };
        let texts: Vec<_> = (self.start..items.len())
            .map(|at| {
                let beyond = self.beyond.iter().find(|(index, _)| *index == at);
                match beyond {
                    Some((_, raw)) => raw.clone(),
                    None => number_text(items, at, element).unwrap_or_else(|| "NULL".to_owned()),
                }
            })
            .collect();
        Ok(format!("{{{}}}", texts.join(",")))
    }
}

/// None for a null.
fn number_text(items: &ColumnBuffer, at: usize, element: &LakeType) -> Option<String> {
    if !items.is_valid(at) {
        return None;
    }
    match (&items.values, element) {
        (Values::Int32(days), _) => Some(iso_date(i64::from(*days.get(at)?))),
        (Values::Int64(micros), _) => Some(iso_timestamp_of(
            *micros.get(at)?,
            *element == LakeType::TimestampTz,
        )),
        (Values::Decimal(unscaled), LakeType::Decimal { scale, .. }) => {
            decimal::text_of_bytes(&unscaled.get(at)?.to_be_bytes(), i32::from(*scale)).ok()
        }
        _ => None,
    }
}
