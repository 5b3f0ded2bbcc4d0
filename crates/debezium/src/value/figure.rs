//! PostgreSQL's geometric types, which 3.x maps: `{a,b,c}`, `<(x,y),r>`, `(x,y),(x,y)`, `[(x,y),(x,y)]`, `((x,y),...)`.

use super::{Unconvertible, base64, float};

/// A geometric type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "PostgreSQL's names of the types; its manual is their documentation"
)]
pub enum Figure {
    Line,
    Circle,
    Box,
    Lseg,
    Path,
    Polygon,
}

/// What a value is in an event.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum FigureValue {
    /// Coefficients of ax + by + c = 0.
    Line {
        a: f64,
        b: f64,
        c: f64,
    },
    Circle {
        center: [f64; 2],
        radius: f64,
    },
    /// Well-known binary, and the entries of `extensions`.
    Shape {
        wkb: Vec<u8>,
        extensions: Vec<(&'static str, &'static str)>,
    },
}

/// Types of well-known binary.
const WKB_POINT: u32 = 1;
const WKB_LINE_STRING: u32 = 2;
const WKB_POLYGON: u32 = 3;

impl Figure {
    pub(crate) fn of(self, text: &[u8]) -> Result<FigureValue, Unconvertible> {
        let numbers = numbers(text)?;
        let (points, rest) = numbers.as_chunks::<2>();
        let shape = |wkb, kind| FigureValue::Shape {
            wkb,
            extensions: vec![("type", kind)],
        };
        Ok(match (self, numbers.as_slice(), points) {
            (Self::Line, &[a, b, c], _) => FigureValue::Line { a, b, c },
            (Self::Circle, &[x, y, radius], _) => FigureValue::Circle {
                center: [x, y],
                radius,
            },
            _ if !rest.is_empty() => return Err(Unconvertible),
            (Self::Box, _, &[[x1, y1], [x2, y2]]) => {
                let ring = [[x1, y1], [x1, y2], [x2, y2], [x2, y1], [x1, y1]];
                shape(polygon(&ring), "box")
            }
            (Self::Lseg, _, &[_, _]) => shape(line_string(points), "lseg"),
            (Self::Path, _, &[_, ..]) => FigureValue::Shape {
                wkb: line_string(points),
                extensions: vec![
                    ("type", "path"),
                    (
                        "closed",
                        if text.starts_with(b"(") {
                            "true"
                        } else {
                            "false"
                        },
                    ),
                ],
            },
            (Self::Polygon, _, &[first, ..]) => {
                let mut ring = points.to_vec();
                if points.len() >= 2 && points.last() != Some(&first) {
                    ring.push(first);
                }
                shape(polygon(&ring), "polygon")
            }
            _ => return Err(Unconvertible),
        })
    }
}

/// The numbers between brackets and commas.
fn numbers(text: &[u8]) -> Result<Vec<f64>, Unconvertible> {
    let text = std::str::from_utf8(text).map_err(|_| Unconvertible)?;
    text.split(|c: char| "{}<>()[],".contains(c))
        .filter(|part| !part.is_empty())
        .map(|part| part.parse().map_err(|_| Unconvertible))
        .collect()
}

fn head(kind: u32) -> Vec<u8> {
    const LITTLE_ENDIAN: u8 = 1;
    let mut wkb = vec![LITTLE_ENDIAN];
    wkb.extend(kind.to_le_bytes());
    wkb
}

fn push_points(wkb: &mut Vec<u8>, points: &[[f64; 2]]) {
    let count = u32::try_from(points.len()).unwrap_or(u32::MAX);
    wkb.extend(count.to_le_bytes());
    wkb.extend(points.iter().flatten().flat_map(|at| at.to_le_bytes()));
}

fn line_string(points: &[[f64; 2]]) -> Vec<u8> {
    let mut wkb = head(WKB_LINE_STRING);
    push_points(&mut wkb, points);
    wkb
}

fn polygon(ring: &[[f64; 2]]) -> Vec<u8> {
    let mut wkb = head(WKB_POLYGON);
    wkb.extend(1u32.to_le_bytes());
    push_points(&mut wkb, ring);
    wkb
}

impl FigureValue {
    /// Well-known binary of a circle's center.
    pub(crate) fn point(at: [f64; 2]) -> Vec<u8> {
        let mut wkb = head(WKB_POINT);
        wkb.extend(at.iter().flat_map(|number| number.to_le_bytes()));
        wkb
    }

    pub(crate) fn write_json(&self, out: &mut Vec<u8>) {
        let bytes = |wkb: &[u8], out: &mut Vec<u8>| {
            base64::write(out, wkb.iter().copied(), base64::STANDARD);
        };
        match self {
            Self::Line { a, b, c } => {
                for (name, number) in [("{\"a\":", a), (",\"b\":", b), (",\"c\":", c)] {
                    out.extend_from_slice(name.as_bytes());
                    float::write_java_double(*number, out);
                }
                out.push(b'}');
            }
            Self::Circle { center, radius } => {
                let [x, y] = center;
                out.extend_from_slice(b"{\"center\":{\"x\":");
                float::write_java_double(*x, out);
                out.extend_from_slice(b",\"y\":");
                float::write_java_double(*y, out);
                out.extend_from_slice(b",\"wkb\":\"");
                bytes(&Self::point(*center), out);
                out.extend_from_slice(b"\",\"srid\":null},\"radius\":");
                float::write_java_double(*radius, out);
                out.push(b'}');
            }
            Self::Shape { wkb, extensions } => {
                out.extend_from_slice(b"{\"wkb\":\"");
                bytes(wkb, out);
                out.extend_from_slice(b"\",\"srid\":null,\"extensions\":{");
                for (at, (name, value)) in extensions.iter().enumerate() {
                    let comma = if at > 0 { "," } else { "" };
                    out.extend_from_slice(format!("{comma}\"{name}\":\"{value}\"").as_bytes());
                }
                out.extend_from_slice(b"}}");
            }
        }
    }
}

/// The text as Debezium's driver prints it anew: every number a Java double.
pub(crate) fn java_text(text: &[u8]) -> Result<Vec<u8>, Unconvertible> {
    let is_mark = |byte: &u8| b"()[]{}<>,".contains(byte);
    let mut out = Vec::with_capacity(text.len() * 2);
    for part in text.chunk_by(|a, b| !is_mark(a) && !is_mark(b)) {
        let is_special = part.ends_with(b"NaN") || part.ends_with(b"Infinity");
        if is_special || part.first().is_none_or(is_mark) {
            out.extend_from_slice(part);
        } else {
            float::write_java_double(float::parse::<f64>(part)?, &mut out);
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(figure: Figure, text: &str) -> Option<String> {
        let mut out = Vec::new();
        figure.of(text.as_bytes()).ok()?.write_json(&mut out);
        String::from_utf8(out).ok()
    }

    #[test]
    fn figures_as_3_writes_them() {
        for (figure, text, expected) in [
            (Figure::Line, "{1,2,3}", r#"{"a":1.0,"b":2.0,"c":3.0}"#),
            (
                Figure::Circle,
                "<(1,2),3>",
                r#"{"center":{"x":1.0,"y":2.0,"wkb":"AQEAAAAAAAAAAADwPwAAAAAAAABA","srid":null},"radius":3.0}"#,
            ),
            (
                Figure::Box,
                "(1,1),(0,0)",
                r#"{"wkb":"AQMAAAABAAAABQAAAAAAAAAAAPA/AAAAAAAA8D8AAAAAAADwPwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA8D8AAAAAAADwPwAAAAAAAPA/","srid":null,"extensions":{"type":"box"}}"#,
            ),
        ] {
            assert_eq!(json(figure, text).as_deref(), Some(expected), "{text}");
        }
        for (figure, text, end) in [
            (
                Figure::Lseg,
                "[(0,0),(1,1)]",
                r#""extensions":{"type":"lseg"}}"#,
            ),
            (
                Figure::Path,
                "[(0,0),(1,1)]",
                r#"{"type":"path","closed":"false"}}"#,
            ),
            (
                Figure::Path,
                "((0,0),(1,1))",
                r#"{"type":"path","closed":"true"}}"#,
            ),
            (
                Figure::Polygon,
                "((0,0),(1,0),(0,1))",
                r#"{"type":"polygon"}}"#,
            ),
        ] {
            let found = json(figure, text).expect("a figure");
            assert!(found.ends_with(end), "{found}");
        }
        for (figure, text) in [
            (Figure::Line, "{1,2}"),
            (Figure::Box, "(1,1)"),
            (Figure::Polygon, "()"),
            (Figure::Lseg, "[(a,0),(1,1)]"),
        ] {
            assert_eq!(json(figure, text), None, "{text}");
        }
    }

    #[test]
    fn a_polygons_ring_is_closed_once() {
        let points = |text: &str| match Figure::Polygon.of(text.as_bytes()) {
            Ok(FigureValue::Shape { wkb, .. }) => wkb.get(9).copied(),
            _ => None,
        };
        assert_eq!(points("((0,0),(1,0),(0,1))"), Some(4));
        assert_eq!(points("((0,0),(1,0),(0,0))"), Some(3));
    }

    #[test]
    fn texts_are_the_drivers() {
        for (text, java) in [
            (
                "((0,0),(1e+20,1e-07),(2,0))",
                "((0.0,0.0),(1.0E20,1.0E-7),(2.0,0.0))",
            ),
            ("<(1,2),3>", "<(1.0,2.0),3.0>"),
            ("{1,-2.5,NaN}", "{1.0,-2.5,NaN}"),
            ("(1,1),(-Infinity,0)", "(1.0,1.0),(-Infinity,0.0)"),
        ] {
            let found = super::java_text(text.as_bytes()).expect("a figure");
            assert_eq!(String::from_utf8_lossy(&found), java);
        }
    }
}
