//! The socket of the replication connection, which the runtime watches only while somebody waits for it.
//!
//! Reading is cancel-safe: bytes are either counted in the buffer or still in the socket.

use std::{
    io,
    os::{fd::OwnedFd, unix::net},
    time::Duration,
};

use rustix::{
    io::Errno,
    net::{RecvFlags, SendFlags, recv, send},
};
use tokio::{io::Interest, net::UnixStream};

/// A read below this while we are behind says that the walsender is still writing row by row.
const SHORT_READ_BYTES: usize = 64 * 1024;

/// How long to let the walsender write before the next look. It writes with one system call a row and, where somebody
/// waits for the socket, wakes it with every row: that costs the server more than a third of its throughput. A reader
/// that lags cannot notice the delay; one that is caught up waits for the socket as everybody does.
const COALESCE: Duration = Duration::from_micros(60);

/// Looks in vain after which a reader that lags waits for the socket, too.
const LOOKS: u32 = 16;

/// A connected stream socket that the runtime watches only while there is reason to wait for it.
#[derive(Debug)]
pub(super) struct Socket {
    fd: OwnedFd,
    /// The runtime's watch over a duplicate of `fd`. It only tells when to look, so that it does not matter whether the
    /// socket is one of a file or of TCP.
    watch: Option<UnixStream>,
    lagging: bool,
    last_read_was_short: bool,
}

impl Socket {
    /// # Errors
    /// The socket cannot be made non-blocking.
    pub(super) fn new(socket: impl Into<OwnedFd>) -> io::Result<Self> {
        let fd = socket.into();
        rustix::io::ioctl_fionbio(&fd, true)?;
        Ok(Self {
            fd,
            watch: None,
            lagging: false,
            last_read_was_short: false,
        })
    }

    /// Whether reading may wait a moment to read more at once.
    pub(super) fn set_lagging(&mut self, lagging: bool) {
        self.lagging = lagging;
        if lagging {
            self.watch = None;
        }
    }

    /// Cancel-safe: bytes are either in `buffer` and counted, or still in the socket. 0 is the end of the stream.
    pub(super) async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.lagging && self.watch.is_none() {
            for _ in 0..LOOKS {
                if self.last_read_was_short {
                    // The runtime's timers are a millisecond coarse; this is shorter than one message's work elsewhere.
                    std::thread::sleep(COALESCE);
                }
                match receive(&self.fd, buffer) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        self.last_read_was_short = true;
                    }
                    Ok(count) => {
                        self.last_read_was_short = count < SHORT_READ_BYTES;
                        return Ok(count);
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        loop {
            self.watch()?.readable().await?;
            match self.attempt(Interest::READABLE, |fd| receive(fd, buffer)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return read,
            }
        }
    }

    /// The runtime does not watch it until the next `read`.
    pub(super) fn rest(&mut self) {
        self.watch = None;
    }

    /// Without waiting; None when nothing is there.
    pub(super) fn read_now(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        match receive(&self.fd, buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            read => read.map(Some),
        }
    }

    pub(super) async fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let sent = match self.attempt(Interest::WRITABLE, |fd| transmit(fd, bytes)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.watch()?.writable().await?;
                    continue;
                }
                sent => sent?,
            };
            bytes = match bytes.get(sent..) {
                // Sent again it would be sent for ever.
                Some(_) if sent == 0 => return Err(io::ErrorKind::WriteZero.into()),
                Some(rest) => rest,
                None => {
                    return Err(io::Error::other(format!(
                        "{sent} bytes were sent of {}",
                        bytes.len()
                    )));
                }
            };
        }
        Ok(())
    }

    /// One call; a watch learns from its failure that it has to wait again.
    fn attempt<T>(
        &self,
        interest: Interest,
        call: impl FnOnce(&OwnedFd) -> io::Result<T>,
    ) -> io::Result<T> {
        match &self.watch {
            Some(watch) => watch.try_io(interest, || call(&self.fd)),
            None => call(&self.fd),
        }
    }

    fn watch(&mut self) -> io::Result<&UnixStream> {
        match &mut self.watch {
            Some(watch) => Ok(watch),
            none => {
                let duplicate = net::UnixStream::from(self.fd.try_clone()?);
                Ok(none.insert(UnixStream::from_std(duplicate)?))
            }
        }
    }
}

fn receive(fd: &OwnedFd, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match recv(fd, &mut *buffer, RecvFlags::DONTWAIT) {
            Err(Errno::INTR) => {}
            Ok((count, _)) => return Ok(count),
            Err(error) => return Err(error.into()),
        }
    }
}

fn transmit(fd: &OwnedFd, bytes: &[u8]) -> io::Result<usize> {
    loop {
        match send(fd, bytes, SendFlags::NOSIGNAL) {
            Err(Errno::INTR) => {}
            sent => return Ok(sent?),
        }
    }
}
