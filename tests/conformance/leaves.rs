//! Where the values of a record's text stand.

use std::ops::Range;

/// A scalar: the names that lead to it, and its text (of a string, what is between the quotes).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    pub path: Vec<String>,
    pub span: Range<usize>,
}

/// The scalars of a key or value, below `payload` where a schema is embedded. JSON, or the text that Connect's
/// `StringConverter` makes of a change event; anything else has none.
pub fn leaves(text: &str) -> Vec<Leaf> {
    if text.starts_with("Struct{") {
        return struct_leaves(text);
    }
    let mut reader = Json {
        text,
        at: 0,
        path: Vec::new(),
        found: Vec::new(),
    };
    if reader.value().is_none() || reader.at != text.len() {
        return Vec::new();
    }
    let embedded = text.starts_with("{\"schema\":");
    for leaf in &mut reader.found {
        if embedded && leaf.path.first().is_some_and(|name| name == "payload") {
            leaf.path.remove(0);
        }
    }
    if embedded {
        reader
            .found
            .retain(|leaf| leaf.path.first().is_none_or(|name| name != "schema"));
    }
    reader.found
}

struct Json<'t> {
    text: &'t str,
    at: usize,
    path: Vec<String>,
    found: Vec<Leaf>,
}

impl Json<'_> {
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.byte()? == byte).then(|| self.at += 1)
    }

    fn value(&mut self) -> Option<()> {
        match self.byte()? {
            b'{' => self.members(b'}', true),
            b'[' => self.members(b']', false),
            b'"' => {
                let span = self.string()?;
                self.leaf(span);
                Some(())
            }
            _ => {
                let rest = self.text.get(self.at..)?;
                let length = rest.find([',', '}', ']']).unwrap_or(rest.len());
                let span = self.at..self.at + length;
                self.at = span.end;
                self.leaf(span);
                Some(())
            }
        }
    }

    fn leaf(&mut self, span: Range<usize>) {
        let path = self.path.clone();
        self.found.push(Leaf { path, span });
    }

    fn members(&mut self, end: u8, named: bool) -> Option<()> {
        self.at += 1;
        let mut number = 0;
        while self.byte()? != end {
            if number > 0 {
                self.expect(b',')?;
            }
            let name = if named {
                let span = self.string()?;
                self.expect(b':')?;
                self.text.get(span)?.to_owned()
            } else {
                number.to_string()
            };
            self.path.push(name);
            self.value()?;
            self.path.pop();
            number += 1;
        }
        self.expect(end)
    }

    fn string(&mut self) -> Option<Range<usize>> {
        self.expect(b'"')?;
        let start = self.at;
        loop {
            match self.byte()? {
                b'"' => break,
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        Some(start..self.at - 1)
    }
}

/// Fields of `source`, and those of the envelope behind it. Rows before may have any text.
fn struct_leaves(text: &str) -> Vec<Leaf> {
    const SOURCE: &str = "source=Struct{";
    let Some(start) = text.rfind(SOURCE) else {
        return Vec::new();
    };
    let (mut at, mut within, mut found) = (start + SOURCE.len(), true, Vec::new());
    while let Some((name, rest)) = text.get(at..).and_then(|rest| rest.split_once('=')) {
        let value = at + name.len() + 1;
        // The two LSNs of `sequence` have a comma between them.
        let length = match name {
            "sequence" => rest.find(']').map_or(rest.len(), |end| end + 1),
            _ => rest.find([',', '}']).unwrap_or(rest.len()),
        };
        let path = if within {
            vec!["source".to_owned(), name.to_owned()]
        } else {
            vec![name.to_owned()]
        };
        found.push(Leaf {
            path,
            span: value..value + length,
        });
        at = value + length;
        for end in ['}', ','] {
            if text.get(at..).is_some_and(|rest| rest.starts_with(end)) {
                at += 1;
                within &= end == ',';
            }
        }
    }
    found
}

#[test]
fn leaves_of_json_and_of_structs() {
    let shown = |text: &str| -> Vec<(String, String)> {
        leaves(text)
            .into_iter()
            .map(|leaf| (leaf.path.join("/"), text[leaf.span].to_owned()))
            .collect()
    };
    let pair = |path: &str, value: &str| (path.to_owned(), value.to_owned());
    assert_eq!(
        shown(r#"{"schema":{"type":"x"},"payload":{"a":[1,"b\",}"],"c":null}}"#),
        [pair("a/0", "1"), pair("a/1", r#"b\",}"#), pair("c", "null")]
    );
    assert_eq!(
        shown(
            "Struct{after=Struct{t=a,source=b},source=Struct{ts_ms=1,sequence=[null,\"2\"],lsn=2},op=c,ts_ms=3}"
        ),
        [
            pair("source/ts_ms", "1"),
            pair("source/sequence", "[null,\"2\"]"),
            pair("source/lsn", "2"),
            pair("op", "c"),
            pair("ts_ms", "3"),
        ]
    );
    assert_eq!(shown("{plain text"), []);
}
