//! A WAL made up at random, and what a walsender sends of it.

use std::collections::BTreeMap;

use pgoutput::Lsn;
use proptest::prelude::*;

/// Relations: the first is captured.
const CAPTURED: u32 = 16_384;
const OTHER: u32 = 16_385;

/// What a record is, before it has a place.
#[derive(Debug, Clone, Copy)]
pub enum What {
    Row,
    RowOfOther,
    Message,
    LoneMessage,
    Commit,
    Abort,
    Nothing,
}

/// One record of the WAL, of the transaction in one of four sessions, and what the connector does after it.
#[derive(Debug, Clone, Copy)]
pub struct Sketch {
    what: What,
    session: usize,
    /// In units of 8 bytes.
    size: u64,
    /// The server sends what it has of the open transaction.
    streams: bool,
    then: Then,
}

/// What the connector does after a message.
#[derive(Debug, Clone, Copy)]
pub struct Then {
    /// The open batch becomes durable.
    pub deliver: bool,
    pub confirm: bool,
    /// A quiet position is marked.
    pub mark: bool,
    /// Events that a batch takes within a transaction that was streamed.
    pub room: usize,
}

pub fn sketches() -> impl Strategy<Value = Vec<Sketch>> {
    let what = prop_oneof![
        5 => Just(What::Row),
        1 => Just(What::RowOfOther),
        1 => Just(What::Message),
        3 => Just(What::LoneMessage),
        4 => Just(What::Commit),
        1 => Just(What::Abort),
        2 => Just(What::Nothing),
    ];
    let then = (any::<bool>(), any::<bool>(), any::<bool>(), 1_usize..4).prop_map(
        |(deliver, confirm, mark, room)| Then {
            deliver,
            confirm,
            mark,
            room,
        },
    );
    let sketch = (what, 0_usize..4, 1_u64..4, prop::bool::weighted(0.3), then);
    let sketch = sketch.prop_map(|(what, session, size, streams, then)| Sketch {
        what,
        session,
        size,
        streams,
        then,
    });
    prop::collection::vec(sketch, 1..40)
}

struct Record {
    start: Lsn,
    end: Lsn,
    sketch: Sketch,
    /// Of the transaction; None outside.
    xid: Option<u32>,
    name: String,
}

pub struct Wal(Vec<Record>);

/// What the connector gets.
#[derive(Debug, Clone)]
pub enum Sent {
    Message { start: Lsn, data: Vec<u8> },
    Keepalive(Lsn),
}

impl Wal {
    pub fn new(sketches: &[Sketch]) -> Self {
        let mut sessions: [Option<u32>; 4] = [None; 4];
        let (mut next_xid, mut lsn) = (700, 800);
        let mut records = Vec::new();
        for (number, sketch) in sketches.iter().enumerate() {
            let session = &mut sessions[sketch.session];
            let xid = match sketch.what {
                What::Row | What::RowOfOther | What::Message => {
                    if session.is_none() {
                        *session = Some(next_xid);
                        next_xid += 1;
                    }
                    *session
                }
                What::Commit | What::Abort => match session.take() {
                    Some(xid) => Some(xid),
                    None => continue,
                },
                What::LoneMessage | What::Nothing => None,
            };
            let start = Lsn(lsn);
            lsn += sketch.size * 8;
            records.push(Record {
                start,
                end: Lsn(lsn),
                sketch: *sketch,
                xid,
                name: format!("{number}"),
            });
        }
        Self(records)
    }

    /// The names of all events, in order.
    pub fn expected(&self, metadata: bool) -> Vec<String> {
        let mut open: BTreeMap<u32, Vec<String>> = BTreeMap::new();
        let mut events = Vec::new();
        for record in &self.0 {
            match (record.sketch.what, record.xid) {
                (What::LoneMessage, _) => events.push(record.name.clone()),
                (What::Row | What::Message, Some(xid)) => {
                    open.entry(xid).or_default().push(record.name.clone());
                }
                (What::Commit, Some(xid)) => {
                    let own = open.remove(&xid).unwrap_or_default();
                    events.extend(metadata.then(|| format!("begin {xid}")));
                    events.extend(own);
                    events.extend(metadata.then(|| format!("end {xid}")));
                }
                (What::Abort, Some(xid)) => drop(open.remove(&xid)),
                (What::RowOfOther | What::Nothing, _) => {}
                (What::Row | What::Message | What::Commit | What::Abort, None) => unreachable!(),
            }
        }
        events
    }

    /// What a walsender sends that starts at `from`: transactions whose COMMIT record starts there or later, and lone
    /// messages whose record does.
    pub fn sent(&self, from: Lsn) -> Vec<(Sent, Then)> {
        let mut walsender = Walsender {
            open: BTreeMap::new(),
            sent: Vec::new(),
        };
        for record in &self.0 {
            walsender.read(record, record.start >= from);
            walsender
                .sent
                .push((Sent::Keepalive(record.end), record.sketch.then));
        }
        walsender.sent
    }
}

#[derive(Default)]
struct Open<'a> {
    waiting: Vec<&'a Record>,
    streamed: bool,
}

struct Walsender<'a> {
    open: BTreeMap<u32, Open<'a>>,
    sent: Vec<(Sent, Then)>,
}

impl<'a> Walsender<'a> {
    fn read(&mut self, record: &'a Record, wanted: bool) {
        let then = record.sketch.then;
        match (record.sketch.what, record.xid) {
            (What::Row | What::RowOfOther | What::Message, Some(xid)) => {
                self.open.entry(xid).or_default().waiting.push(record);
                if wanted && record.sketch.streams {
                    self.stream_block(xid, then);
                }
            }
            (What::LoneMessage, _) if wanted => self.send(record, message(record, None), then),
            (What::Commit, Some(xid)) if wanted => self.commit(record, xid, then),
            (What::Commit | What::Abort, Some(xid)) => {
                let open = self.open.remove(&xid).unwrap_or_default();
                if open.streamed {
                    let data = [&b"A"[..], &xid.to_be_bytes(), &xid.to_be_bytes()].concat();
                    self.send(record, data, then);
                }
            }
            (What::LoneMessage | What::Nothing, _) => {}
            (What::Row | What::RowOfOther | What::Message | What::Commit | What::Abort, None) => {
                unreachable!()
            }
        }
    }

    fn commit(&mut self, record: &'a Record, xid: u32, then: Then) {
        let time = u64::from(xid).to_be_bytes();
        let ends = [record.start.0.to_be_bytes(), record.end.0.to_be_bytes()].concat();
        if self.open.get(&xid).is_some_and(|open| open.streamed) {
            self.stream_block(xid, then);
            self.open.remove(&xid);
            let data = [&b"c"[..], &xid.to_be_bytes(), b"\0", &ends[..], &time].concat();
            self.send(record, data, then);
            return;
        }
        let open = self.open.remove(&xid).unwrap_or_default();
        let begin = [
            &b"B"[..],
            &record.start.0.to_be_bytes(),
            &time,
            &xid.to_be_bytes(),
        ]
        .concat();
        self.send(record, begin, then);
        self.changes(&open.waiting, None, then);
        let commit = [&b"C\0"[..], &ends[..], &time].concat();
        self.send(record, commit, then);
    }

    fn stream_block(&mut self, xid: u32, then: Then) {
        let open = self.open.entry(xid).or_default();
        let first = !std::mem::replace(&mut open.streamed, true);
        let waiting = std::mem::take(&mut open.waiting);
        let start = [&b"S"[..], &xid.to_be_bytes(), &[u8::from(first)]].concat();
        let at = waiting.first().map_or(Lsn(0), |record| record.start);
        self.sent.push((
            Sent::Message {
                start: at,
                data: start,
            },
            then,
        ));
        self.changes(&waiting, Some(xid), then);
        let stop = Sent::Message {
            start: at,
            data: b"E".to_vec(),
        };
        self.sent.push((stop, then));
    }

    fn changes(&mut self, records: &[&'a Record], stream: Option<u32>, then: Then) {
        for relation in [CAPTURED, OTHER] {
            let start = records.first().map_or(Lsn(0), |record| record.start);
            let data = relation_message(relation, stream);
            self.sent.push((Sent::Message { start, data }, then));
        }
        for record in records {
            let data = match record.sketch.what {
                What::Row => insert(CAPTURED, record, stream),
                What::RowOfOther => insert(OTHER, record, stream),
                What::Message | What::LoneMessage | What::Commit | What::Abort | What::Nothing => {
                    message(record, Some(stream))
                }
            };
            self.send(record, data, then);
        }
    }

    fn send(&mut self, record: &Record, data: Vec<u8>, then: Then) {
        let start = record.start;
        self.sent.push((Sent::Message { start, data }, then));
    }
}

fn in_stream(tag: &[u8], stream: Option<u32>) -> Vec<u8> {
    let xid = stream.map(u32::to_be_bytes);
    [tag, xid.as_ref().map_or(&[][..], |xid| &xid[..])].concat()
}

fn relation_message(id: u32, stream: Option<u32>) -> Vec<u8> {
    let name: &[u8] = if id == CAPTURED {
        b"public\0t\0"
    } else {
        b"public\0o\0"
    };
    let text_oid = 25_u32.to_be_bytes();
    [
        &in_stream(b"R", stream)[..],
        &id.to_be_bytes(),
        name,
        b"d\0\x01\0v\0",
        &text_oid,
        &(-1_i32).to_be_bytes(),
    ]
    .concat()
}

fn insert(id: u32, record: &Record, stream: Option<u32>) -> Vec<u8> {
    let length = u32::try_from(record.name.len()).unwrap().to_be_bytes();
    [
        &in_stream(b"I", stream)[..],
        &id.to_be_bytes(),
        b"N\0\x01t",
        &length,
        record.name.as_bytes(),
    ]
    .concat()
}

/// Of a transaction, streamed or not, or of none: then its LSN is the end of its record.
fn message(record: &Record, transaction: Option<Option<u32>>) -> Vec<u8> {
    let length = u32::try_from(record.name.len()).unwrap().to_be_bytes();
    let lsn = if transaction.is_some() {
        record.start
    } else {
        record.end
    };
    [
        &in_stream(b"M", transaction.flatten())[..],
        &[u8::from(transaction.is_some())],
        &lsn.0.to_be_bytes(),
        b"p\0",
        &length,
        record.name.as_bytes(),
    ]
    .concat()
}
