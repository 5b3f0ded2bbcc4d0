//! `point` text.

use crate::ParseError;

/// A point of the plane (manual, 8.8.1 Points): `(1.5,-2.25)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// The first coordinate.
    pub x: f64,
    /// The second.
    pub y: f64,
}

impl Point {
    /// Reads `(x,y)`; coordinates may be `NaN` and `Infinity`.
    pub fn parse(text: &[u8]) -> Result<Self, ParseError> {
        let refused = |expected, at| ParseError { expected, at };
        let inner = text
            .strip_prefix(b"(")
            .ok_or(refused("`(` of a point", 0))?;
        let inner = inner
            .strip_suffix(b")")
            .ok_or(refused("`)` of a point", text.len()))?;
        let comma = memchr::memchr(b',', inner)
            .ok_or(refused("`,` between coordinates", text.len() - 1))?;
        let (x, y) = inner.split_at_checked(comma).unwrap_or_default();
        let y = y.get(1..).unwrap_or_default();
        Ok(Self {
            x: number(x).ok_or(refused("a coordinate", 1))?,
            y: number(y).ok_or(refused("a coordinate", comma + 2))?,
        })
    }
}

fn number(text: &[u8]) -> Option<f64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn points_are_read() {
        for (text, x, y) in [
            ("(1,1)", 1.0, 1.0),
            ("(1.5,-2.25)", 1.5, -2.25),
            ("(1e+20,Infinity)", 1e20, f64::INFINITY),
            ("(-Infinity,1e-07)", f64::NEG_INFINITY, 1e-7),
        ] {
            assert_eq!(Point::parse(text.as_bytes()), Ok(Point { x, y }), "{text}");
        }
        for (text, at) in [
            ("", 0),
            ("1,1", 0),
            ("(1,1", 4),
            ("(1)", 2),
            ("(,)", 1),
            ("(1,)", 3),
            ("(1,x)", 3),
            ("(1,1,1)", 3),
            ("(1, 1)", 3),
        ] {
            let refused = Point::parse(text.as_bytes()).expect_err(text);
            assert_eq!(refused.at, at, "{text}: {refused}");
        }
    }

    proptest! {
        #[test]
        fn printed_points_are_read_back(x in any::<f64>(), y in any::<f64>()) {
            let text = format!("({x:e},{y:e})");
            let found = Point::parse(text.as_bytes()).expect("a point");
            prop_assert_eq!([found.x.to_bits(), found.y.to_bits()], [x.to_bits(), y.to_bits()]);
        }

        #[test]
        fn any_text_is_read_or_refused_within_it(text in "\\(?[0-9.eN,-]{0,9}\\)?") {
            if let Err(refused) = Point::parse(text.as_bytes()) {
                prop_assert!(refused.at <= text.len());
            }
        }
    }
}
