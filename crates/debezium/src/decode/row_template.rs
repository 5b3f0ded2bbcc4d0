use std::collections::HashMap;

use super::{
    error::{Boxed, DecodeError, DecodeReason},
    event::Span,
    scan::Scanner,
    value::unescape,
};

/// The columns by their keys.
#[derive(Debug, Clone)]
pub(super) struct RowTemplate {
    /// `"name":` of each column.
    keys: Vec<Box<[u8]>>,
    by_name: HashMap<Vec<u8>, usize>,
}

impl RowTemplate {
    /// `json` writes a name as the producer does.
    pub fn new(names: Vec<String>, json: impl Fn(&str) -> String) -> Self {
        Self {
            keys: names
                .iter()
                .map(|name| format!("{}:", json(name)).into_bytes().into())
                .collect(),
            by_name: names
                .into_iter()
                .enumerate()
                .map(|(i, name)| (name.into_bytes(), i))
                .collect(),
        }
    }

    /// A row whose keys stand in the order of the columns, written without white space; columns may be missing. None:
    /// it is not so, or it is wrong.
    #[inline]
    pub fn in_order(&self, scanner: Scanner<'_>, at: usize, row: &mut Vec<Span>) -> Option<usize> {
        row.clear();
        if scanner.byte(at) != Some(b'{') {
            return None;
        }
        let mut at = at;
        for key in &self.keys {
            // `{` stands before the first key, `,` before the others.
            if !scanner.starts_with(at + 1, key) {
                row.push(Span::default());
                continue;
            }
            let start = at + 1 + key.len();
            at = scanner.value(start).ok()?;
            row.push(span(start, at));
            if scanner.byte(at) != Some(b',') {
                break;
            }
        }
        row.resize(self.keys.len(), Span::default());
        (scanner.byte(at) == Some(b'}')).then_some(at + 1)
    }

    /// Any row. Of a key that stands twice the last counts; keys that are no columns are passed over.
    pub fn by_name(
        &self,
        scanner: Scanner<'_>,
        at: usize,
        row: &mut Vec<Span>,
    ) -> Result<usize, Boxed> {
        row.clear();
        row.resize(self.keys.len(), Span::default());
        let mut name = Vec::new();
        scanner.members(at, |scanner, key, start| {
            let end = scanner.value(start)?;
            name.clear();
            unescape(key, &mut name)
                .ok_or_else(|| DecodeError::new(start, DecodeReason::LoneSurrogate))?;
            if let Some(column) = self.by_name.get(&name)
                && let Some(slot) = row.get_mut(*column)
            {
                *slot = span(start, end);
            }
            Ok(end)
        })
    }
}

/// The length of the text was checked to fit.
#[expect(clippy::cast_possible_truncation, reason = "see above")]
const fn span(start: usize, end: usize) -> Span {
    Span {
        start: start as u32,
        end: end as u32,
    }
}
