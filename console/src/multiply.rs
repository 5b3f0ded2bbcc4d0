//! Functions that make much of little: refused before they make more than a query may take.
//!
//! The engine counts what its operators keep, and not what functions make of their arguments. The bound of the whole
//! process (the command's) ends all of it, and the prompt with it; so the functions whose results have nothing to do with
//! the size of their arguments say what they would make, and that is an error like others.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, Int64Array},
    compute::{cast, kernels::length::length},
    datatypes::{DataType, FieldRef, Int64Type},
};
use datafusion::{
    error::{DataFusionError, Result},
    execution::FunctionRegistry as _,
    logical_expr::{
        ColumnarValue, Documentation, Expr, ExpressionPlacement, ReturnFieldArgs,
        ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
        simplify::{ExprSimplifyResult, SimplifyContext},
    },
    prelude::SessionContext,
};

/// How large the results are, from the arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Growth {
    /// The first argument so many times.
    Times,
    /// So many characters.
    Padded,
    /// The second argument's places in the first one, each as long as the third.
    Replaced,
    /// The numbers from one to another one.
    Between,
    /// So many elements.
    Elements,
}

const GROWTHS: [(&str, Growth); 8] = [
    ("repeat", Growth::Times),
    ("array_repeat", Growth::Times),
    ("lpad", Growth::Padded),
    ("rpad", Growth::Padded),
    ("replace", Growth::Replaced),
    ("range", Growth::Between),
    ("generate_series", Growth::Between),
    ("array_resize", Growth::Elements),
];

/// Of a number, or of an element that is not there.
const ELEMENT_BYTES: u128 = 8;
/// Of a character.
const CHARACTER_BYTES: u128 = 4;

/// Puts the bound before the session's functions.
pub(crate) fn bound(session: &SessionContext, limit: usize) {
    for (name, growth) in GROWTHS {
        let Ok(inner) = session.udf(name) else {
            continue;
        };
        session.register_udf(ScalarUDF::from(Bounded {
            inner,
            growth,
            limit,
        }));
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Bounded {
    inner: Arc<ScalarUDF>,
    growth: Growth,
    limit: usize,
}

impl Bounded {
    fn admit(&self, arguments: &ScalarFunctionArgs) -> Result<()> {
        let arguments = ColumnarValue::values_to_arrays(&arguments.args)?;
        let Some(bytes) = self.growth.bytes(&arguments)? else {
            return Ok(());
        };
        if bytes > self.limit as u128 {
            return Err(DataFusionError::ResourcesExhausted(format!(
                "{} would make {bytes} bytes at once, and the query may take {}",
                self.name(),
                self.limit
            )));
        }
        Ok(())
    }
}

impl Growth {
    /// Of all rows together. None where the arguments are of types that tell nothing.
    fn bytes(self, arguments: &[ArrayRef]) -> Result<Option<u128>> {
        let rows = arguments.first().map_or(0, |argument| argument.len());
        let number = |at: usize| numbers(arguments.get(at));
        let size = |at: usize| sizes(arguments.get(at));
        let of_row: Box<dyn Fn(usize) -> u128> = match self {
            Self::Times => {
                let (Some(size), Some(count)) = (size(0)?, number(1)?) else {
                    return Ok(None);
                };
                Box::new(move |row| at(&size, row) * at(&count, row))
            }
            Self::Padded => {
                let Some(count) = number(1)? else {
                    return Ok(None);
                };
                Box::new(move |row| at(&count, row) * CHARACTER_BYTES)
            }
            Self::Elements => {
                let Some(count) = number(1)? else {
                    return Ok(None);
                };
                Box::new(move |row| at(&count, row) * ELEMENT_BYTES)
            }
            Self::Replaced => {
                let (Some(text), Some(part), Some(by)) = (size(0)?, size(1)?, size(2)?) else {
                    return Ok(None);
                };
                Box::new(move |row| at(&text, row) / at(&part, row).max(1) * at(&by, row))
            }
            Self::Between => {
                let Some(first) = number(0)? else {
                    return Ok(None);
                };
                let (last, step) = (number(1)?, number(2)?);
                Box::new(move |row| {
                    let value = |of: &Option<Int64Array>| {
                        let of = of.as_ref()?;
                        of.is_valid(row).then(|| i128::from(of.value(row)))
                    };
                    let one = value(&Some(first.clone())).unwrap_or(0);
                    let other = value(&last).unwrap_or(0);
                    let step = value(&step).unwrap_or(1).unsigned_abs().max(1);
                    (one - other).unsigned_abs() / step * ELEMENT_BYTES
                })
            }
        };
        Ok(Some((0..rows).map(of_row).sum()))
    }
}

/// A count that is null or below zero makes nothing.
fn at(numbers: &Int64Array, row: usize) -> u128 {
    if numbers.is_null(row) {
        return 0;
    }
    u128::try_from(numbers.value(row)).unwrap_or(0)
}

fn numbers(column: Option<&ArrayRef>) -> Result<Option<Int64Array>> {
    let Some(column) = column.filter(|column| column.data_type().is_integer()) else {
        return Ok(None);
    };
    let numbers = cast(column, &DataType::Int64)?;
    Ok(Some(numbers.as_primitive::<Int64Type>().clone()))
}

/// Bytes of each value.
fn sizes(column: Option<&ArrayRef>) -> Result<Option<Int64Array>> {
    let Some(column) = column else {
        return Ok(None);
    };
    let is_text = matches!(
        column.data_type(),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
    );
    if is_text {
        return numbers(Some(&length(column)?));
    }
    let whole = column.get_array_memory_size() / column.len().max(1);
    let one = i64::try_from(whole).unwrap_or(i64::MAX);
    Ok(Some(Int64Array::from(vec![one; column.len()])))
}

impl ScalarUDFImpl for Bounded {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(types)
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.inner.return_field_from_args(arguments)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        self.admit(&arguments)?;
        self.inner.invoke_with_args(arguments)
    }

    fn simplify(
        &self,
        arguments: Vec<Expr>,
        context: &SimplifyContext,
    ) -> Result<ExprSimplifyResult> {
        self.inner.simplify(arguments, context)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(types)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }

    fn placement(&self, arguments: &[ExpressionPlacement]) -> ExpressionPlacement {
        self.inner.placement(arguments)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_would_make_more_than_a_query_may_take_is_refused() -> Result<()> {
        let session = SessionContext::new();
        bound(&session, 1 << 20);
        for (sql, admitted) in [
            ("select repeat('x', 2000000000)", false),
            (
                "select repeat('x', 100) = repeat('x', 50) || repeat('x', 50)",
                true,
            ),
            ("select repeat('x', -1)", true),
            (
                "select repeat(v, 1000) from (values ('a'), (null), ('bc')) t(v)",
                true,
            ),
            (
                "select repeat(v, n) from (values ('a', 2), ('bc', 600000)) t(v, n)",
                false,
            ),
            ("select lpad('x', 2000000000)", false),
            ("select rpad('x', 2000000000, 'ab')", false),
            ("select rpad('x', 20, 'ab')", true),
            (
                "select replace(repeat('a', 10000), 'a', repeat('b', 10000))",
                false,
            ),
            ("select replace('aba', 'a', 'cc')", true),
            ("select array_repeat(1, 2000000000)", false),
            ("select array_repeat('a', 3)", true),
            ("select list_repeat(1, 2000000000)", false),
            ("select range(1, 2000000000)", false),
            ("select range(2000000000)", false),
            ("select range(1, 2000000000, 1000000)", true),
            ("select generate_series(1, 2000000000)", false),
            ("select generate_series(1, 5)", true),
            (
                "select generate_series(date '2020-01-01', date '2020-01-03', interval '1 day')",
                true,
            ),
            ("select array_resize([1], 2000000000, 0)", false),
        ] {
            let rows = match session.sql(sql).await {
                Ok(frame) => frame.collect().await,
                Err(error) => Err(error),
            };
            match rows {
                Ok(_) => assert!(admitted, "{sql}"),
                Err(error) => {
                    let exhausted =
                        matches!(error.find_root(), DataFusionError::ResourcesExhausted(_));
                    assert!(!admitted && exhausted, "{sql}: {error}");
                }
            }
        }
        Ok(())
    }
}
