//! The connector while it streams: one task from the socket to the sink.
//!
//! The sink's progress goes before reading, and nothing is read while the sink is full. No query stands between two
//! reads of the socket. What is confirmed to the slot is durable downstream.

mod catching_up;
mod ending;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use pgoutput::{Lsn, PrimaryKeepalive, ReplicationMessage};
use tokio::time::{Interval, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use catching_up::commits_from;

use super::{
    heartbeat::{self, Heartbeat},
    held_slot::status_interval,
    rest::{Rest, rested},
    side_queries::{Answer, Question, Side, SideQueries},
    stream_start::{Stopped, StreamStart},
    unreadable,
};
use crate::clock::postgres_now;
use crate::{
    Counts, Error, ErrorKind, EventSink, IdleMark, Progress,
    assemble::{Assembler, DeliveredUpTo, Demand},
    source::{
        Feedback,
        connection::{FrameKind, ReplicationConnection, streaming_error},
        server::wal_sender_timeout,
        slot::slot_xmin,
    },
};
use crate::{Phase, PipelineStatus};
use connector::ConnectorConfig;

/// Messages handled before timers and delivery are looked at again.
const TURN: usize = 8192;

/// Most that is read after a rest before timers and delivery are looked at again.
const GATHERED_BYTES: usize = 1 << 20;

/// A transaction that was committed this long before the server sent it says that we are behind.
const LAGGING_MICROS: i64 = 50_000;

/// How often the server is asked for the end of its WAL.
const WAL_END_INTERVAL: Duration = Duration::from_secs(1);

/// How often tables are looked for that came later. It falls between the questions for the end of the WAL.
const LATER_TABLES_INTERVAL: Duration = Duration::from_millis(1300);

/// How long the server may take to notice our CopyDone.
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);

/// The connector while it streams: one task from socket to sink.
pub(super) struct Streaming<'a, S> {
    config: &'a ConnectorConfig,
    queries: SideQueries<'a>,
    /// A change waits for the answer to a question about its table; nothing is read meanwhile.
    waiting: bool,
    connection: ReplicationConnection,
    assembler: Assembler,
    feedback: Feedback,
    sink: &'a mut S,
    status: &'a Arc<PipelineStatus>,
    heartbeat: Option<Heartbeat>,
    /// When the slot's xmin is read again.
    xmin: Option<Interval>,
    /// The quiet position that was marked last.
    marked: Lsn,
    counted: Counts,
    payload: Vec<u8>,
    /// The server closes a connection that is silent for longer, and we one of the server's; None: never.
    server_timeout: Option<Duration>,
    tick: Duration,
    heard_at: Instant,
    lagging: bool,
    rest: Rest,
    /// Nothing is read beyond the end of the transaction at hand.
    draining: bool,
    /// Nothing that committed there or later is for us: see `catch_up`.
    until: Option<Lsn>,
    /// Tables are to be copied.
    later_tables: bool,
}

/// Why a turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TurnEnd {
    /// Everything that was read is done.
    Empty,
    /// The sink is full.
    Full,
    /// There is more to do at once.
    More,
    /// Everything before `until` is done.
    Reached,
    /// The catalog was asked for a table.
    Waiting,
}

impl TurnEnd {
    /// Another turn does more without anything being read.
    const fn has_more(self) -> bool {
        matches!(self, Self::Full | Self::More)
    }
}

impl<'a, S: EventSink> Streaming<'a, S> {
    pub(super) async fn new(
        config: &'a ConnectorConfig,
        side: Side<'a>,
        connection: ReplicationConnection,
        start: &StreamStart,
        sink: &'a mut S,
        status: &'a Arc<PipelineStatus>,
    ) -> Result<Self, Error> {
        side.memory.past.extend(sink.published_versions());
        let server_timeout = wal_sender_timeout(side.control.client().await?).await?;
        let tick = status_interval(config, server_timeout);
        let now = Instant::now();
        let heartbeat = Heartbeat::new(config);
        if let (Some(heartbeat), true) = (&heartbeat, start.after_snapshot) {
            heartbeat.beat(sink)?;
        }
        let mut xmin = config.xmin_interval.map(interval);
        if let Some(xmin) = &mut xmin {
            xmin.set_missed_tick_behavior(MissedTickBehavior::Delay);
            xmin.tick().await;
        }
        let mut assembler = Assembler::new(
            config,
            DeliveredUpTo {
                incarnation: start.incarnation,
                history: start.history,
                position: start.delivered,
                tables: start.tables.clone(),
                last_commit_lsn: start.last_commit_lsn,
                // Where nothing came before, Debezium's clock stands at the start too.
                last_commit_micros: start
                    .last_commit_micros
                    .or_else(|| Some(postgres_now().unix_micros())),
            },
        );
        if xmin.is_some() {
            assembler.set_xmin(slot_xmin(side.control.client().await?, &config.slot_name).await?);
        }
        Ok(Self {
            heartbeat,
            xmin,
            marked: Lsn::default(),
            assembler,
            queries: SideQueries::new(config, side),
            waiting: false,
            feedback: Feedback::new(start.confirmed, tick, now),
            config,
            connection,
            sink,
            status,
            counted: Counts::default(),
            payload: Vec::with_capacity(64),
            server_timeout,
            tick,
            heard_at: now,
            lagging: true,
            rest: Rest::default(),
            draining: false,
            until: None,
            later_tables: false,
        })
    }

    /// Until asked to stop, or until tables are to be copied; then the orderly end.
    pub(super) async fn run(mut self, stop: &CancellationToken) -> Result<Stopped, Error> {
        self.status.enter(Phase::Streaming);
        let mut tick = interval(self.tick);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut wal_end = interval(WAL_END_INTERVAL);
        wal_end.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let copies = self.config.snapshot.later_tables;
        let mut later_tables = copies.then(|| interval(LATER_TABLES_INTERVAL));
        if let Some(later_tables) = &mut later_tables {
            later_tables.set_missed_tick_behavior(MissedTickBehavior::Delay);
        }
        loop {
            if self.later_tables {
                tracing::info!("tables came that are to be copied");
                return self.drain().await.map(|()| Stopped::ForLaterTables);
            }
            let end = self.turn().await?;
            self.sink.dispatch()?;
            self.publish();
            if self.feedback.due(Instant::now()) {
                self.send_status(false).await?;
            }
            let rest = self.resting(end);
            self.connection.set_lagging(self.lagging);
            let has_room = self.sink.has_room();
            if self.waiting || !has_room {
                // Who does not read hears nothing: that is no silence of the server's.
                self.heard_at = Instant::now();
            }
            if rest.is_some() {
                self.connection.rest();
            }
            // Delivery comes before reading, so that what is durable is confirmed first and a full sink stops the
            // socket, not memory. Only what came during a rest is read before it, because both end at the same moment
            // and it belongs into the batch that is sent then.
            tokio::select! {
                biased;
                () = stop.cancelled() => return self.drain().await.map(|()| Stopped::AfterStreaming),
                () = heartbeat::due(&mut self.heartbeat) => self.beat()?,
                answer = self.queries.answer() => self.answered(answer?)?,
                () = rested(rest) => self.gather().await?,
                progress = self.sink.progress() => self.delivered(progress?),
                _ = tick.tick() => self.on_tick().await?,
                () = heartbeat::tick(self.xmin.as_mut()) => self.queries.ask_if_idle(Question::Xmin),
                () = heartbeat::tick(later_tables.as_mut()) => self.look_for_tables(),
                _ = wal_end.tick() => self.queries.ask_if_idle(Question::WalEnd),
                read = self.connection.fill(), if rest.is_none() && end == TurnEnd::Empty && has_room => {
                    read?;
                    self.heard_at = Instant::now();
                }
                () = std::future::ready(()), if end.has_more() && has_room => {}
            }
        }
    }

    /// Until when reading rests, if everything that was read is done and nothing is sent for some time.
    fn resting(&mut self, end: TurnEnd) -> Option<tokio::time::Instant> {
        if self.lagging || end != TurnEnd::Empty {
            return None;
        }
        self.rest
            .begin(self.sink.rests_until(), tokio::time::Instant::now())
    }

    /// Read and work on what came during a rest, which waits for nothing.
    async fn gather(&mut self) -> Result<(), Error> {
        let mut bytes = 0;
        while bytes < GATHERED_BYTES && self.sink.has_room() {
            let count = self.connection.fill_now()?;
            if count == 0 {
                break;
            }
            bytes += count;
            self.heard_at = Instant::now();
            if self.turn().await? != TurnEnd::Empty {
                break;
            }
        }
        self.rest.ended(bytes);
        Ok(())
    }

    /// Work on what was read. Waits for nothing.
    async fn turn(&mut self) -> Result<TurnEnd, Error> {
        for _ in 0..TURN {
            if self.waiting {
                return Ok(TurnEnd::Waiting);
            }
            if self.draining && !self.assembler.is_inside_transaction() {
                return Ok(TurnEnd::Empty);
            }
            if !self.sink.has_room() {
                return Ok(TurnEnd::Full);
            }
            if self.assembler.is_replaying() && !self.assembler.replay(TURN, self.sink)? {
                return Ok(TurnEnd::More);
            }
            let Some(frame) = self.connection.next_frame()? else {
                return Ok(TurnEnd::Empty);
            };
            match frame.kind() {
                FrameKind::CopyData => {}
                FrameKind::Error => {
                    return Err(streaming_error(
                        frame,
                        format!("stream from slot `{}`", self.config.slot_name),
                    ));
                }
                FrameKind::EndOfStream => {
                    return Err(Error::new(
                        ErrorKind::Connection,
                        format!(
                            "stream from slot `{}`: the server ended the stream",
                            self.config.slot_name
                        ),
                    ));
                }
                FrameKind::Other => continue,
            }
            let message = ReplicationMessage::parse(frame.body).map_err(|error| {
                Error::new(ErrorKind::Protocol, "read a message of the walsender")
                    .with_source(error)
            })?;
            let demand = match message {
                ReplicationMessage::XLogData(xlog)
                    if self.until.is_some_and(|until| {
                        commits_from(&xlog, self.assembler.is_streaming_block(), until)
                    }) =>
                {
                    return Ok(TurnEnd::Reached);
                }
                ReplicationMessage::XLogData(xlog) => {
                    self.feedback.receive(xlog.wal_start);
                    self.status.saw_clock(xlog.sent_at.unix_micros());
                    let demand = self.assembler.accept(&xlog, self.sink)?;
                    if let Some(micros) = self.assembler.begun_micros() {
                        // Of a transaction from elsewhere it is the clock there.
                        self.status.saw_clock(micros);
                    }
                    self.lagging = match self.assembler.commit_micros() {
                        Some(commit) => xlog.sent_at.unix_micros() - commit > LAGGING_MICROS,
                        None => self.assembler.is_streaming_block(),
                    };
                    demand
                }
                ReplicationMessage::PrimaryKeepalive(keepalive) => {
                    self.on_keepalive(keepalive).await?;
                    // Everything before was sent.
                    if self.until.is_some_and(|until| keepalive.wal_end >= until)
                        && !self.assembler.is_inside_transaction()
                    {
                        return Ok(TurnEnd::Reached);
                    }
                    Demand::Next
                }
            };
            self.follow(demand)?;
        }
        Ok(TurnEnd::More)
    }

    /// Go on with what the assembler wants, until it waits for the catalog or takes the next message.
    fn follow(&mut self, mut demand: Demand) -> Result<(), Error> {
        loop {
            demand = match demand {
                Demand::Resolve {
                    xid,
                    description,
                    enums,
                } => {
                    self.waiting = true;
                    self.queries.ask(Question::Table {
                        xid,
                        description,
                        enums,
                    });
                    return Ok(());
                }
                Demand::GoOn => self.assembler.go_on(self.sink)?,
                Demand::Next | Demand::Replay => return Ok(()),
            };
        }
    }

    fn look_for_tables(&mut self) {
        if let Some(followed) = self.status.followed() {
            self.queries.ask_if_idle(Question::LaterTables {
                followed,
                unpublishable: self.status.unpublishable(),
            });
        }
    }

    fn answered(&mut self, answer: Answer) -> Result<(), Error> {
        match answer {
            Answer::Table(description, table) => {
                self.waiting = false;
                let demand = self.assembler.add_relation(description, table);
                self.follow(demand)?;
            }
            Answer::WalEnd(lsn) => self.status.set_server_wal_end(lsn),
            Answer::Xmin(xmin) => self.assembler.set_xmin(xmin),
            Answer::LaterTables { later, unreadable } => {
                self.later_tables |= later;
                unreadable::tell(&unreadable, self.config, self.status);
            }
            Answer::None => {}
        }
        Ok(())
    }

    async fn on_keepalive(&mut self, keepalive: PrimaryKeepalive) -> Result<(), Error> {
        self.lagging = false;
        self.feedback.receive(keepalive.wal_end);
        self.status.saw_clock(keepalive.sent_at.unix_micros());
        self.assembler.keepalive(keepalive.wal_end)?;
        if keepalive.reply_requested {
            // A server that shuts down asks again and again, until everything is confirmed.
            self.mark_idle()?;
            self.send_status(false).await?;
        }
        Ok(())
    }

    fn beat(&mut self) -> Result<(), Error> {
        self.heartbeat
            .as_ref()
            .map_or(Ok(()), |heartbeat| heartbeat.beat(self.sink))
    }

    /// Let the slot advance, unless somebody else does that (`flush.lsn.source=false`).
    fn confirm(&mut self, lsn: Lsn) {
        if self.config.flush_lsn {
            self.feedback.confirm(lsn);
        }
    }

    fn delivered(&mut self, progress: Progress) {
        if let Some(flushed) = progress.flushed {
            self.confirm(flushed);
        }
    }

    async fn on_tick(&mut self) -> Result<(), Error> {
        self.mark_idle()?;
        let silence = self.heard_at.elapsed();
        let mut ask = false;
        if let Some(timeout) = self.server_timeout
            && self.sink.has_room()
        {
            if silence > timeout {
                return Err(Error::new(
                    ErrorKind::Connection,
                    format!(
                        "stream from slot `{}`: nothing heard from the server for {} s",
                        self.config.slot_name,
                        silence.as_secs()
                    ),
                ));
            }
            ask = silence > timeout / 2;
        }
        self.send_status(ask).await
    }

    /// Let the slot advance where there is nothing for us, so that an idle captured table does not keep WAL.
    fn mark_idle(&mut self) -> Result<(), Error> {
        if self.until.is_some() {
            // Rows of a snapshot come between here and there.
            return Ok(());
        }
        let Some(end) = self.assembler.idle_end() else {
            return Ok(());
        };
        let quiet = end.end_lsn;
        if quiet <= self.feedback.confirmed().max(self.marked) || !self.sink.is_idle() {
            return Ok(());
        }
        self.marked = quiet;
        let mark = self.sink.mark_idle(end)?;
        match mark {
            IdleMark::Confirm => self.confirm(quiet),
            IdleMark::Deferred => self.sink.dispatch()?,
        }
        Ok(())
    }

    async fn send_status(&mut self, reply_requested: bool) -> Result<(), Error> {
        self.payload.clear();
        self.feedback.encode(
            Instant::now(),
            postgres_now(),
            reply_requested,
            &mut self.payload,
        );
        self.connection.send_copy_data(&self.payload).await
    }

    fn publish(&mut self) {
        let counts = self.assembler.counts();
        self.status.add_counts(self.counted, counts);
        self.counted = counts;
        self.status
            .set_positions(self.feedback.received(), self.feedback.confirmed());
        if let Some(micros) = self.assembler.commit_micros() {
            self.status.set_last_commit_micros(micros);
        }
    }
}
