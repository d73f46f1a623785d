//! One end of the socket between node and worker: frames of length (four bytes, little-endian), version
//! (one byte) and message.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use serde::{Deserialize, Serialize};

use super::limits::{FRAME_BYTES_MAX, INBOX_BYTES, INBOX_KEPT_BYTES_MAX};
use super::protocol::VERSION;

const HEADER_BYTES: usize = 5;

/// Why nothing more comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// The other side is gone.
    Closed,
    /// The deadline passed.
    Overdue,
    /// The other side does not keep to the protocol.
    Malformed(String),
}

/// How long to wait, and for whom.
#[derive(Clone, Copy)]
pub(crate) enum Wait<'a> {
    /// As long as the other side lives; the worker's way.
    Forever,
    /// Until then, and no longer than the process of this descriptor lives: its children may hold the
    /// socket open.
    Until(Instant, BorrowedFd<'a>),
}

/// One end.
pub(crate) struct Link {
    socket: OwnedFd,
    inbox: Vec<u8>,
    /// Bytes of the inbox that the last message took.
    taken: usize,
}

impl Link {
    pub(crate) fn new(socket: OwnedFd) -> Self {
        Self { socket, inbox: Vec::new(), taken: 0 }
    }

    /// Sends one frame, as [`frame`] makes it.
    ///
    /// # Errors
    /// The other side is gone, or takes too long.
    pub(crate) fn send(&self, frame: &[u8], wait: Wait<'_>) -> Result<(), Broken> {
        let mut left = frame;
        let flags = match wait {
            Wait::Forever => SendFlags::NOSIGNAL,
            Wait::Until(..) => SendFlags::NOSIGNAL | SendFlags::DONTWAIT,
        };
        while !left.is_empty() {
            match send(&self.socket, left, flags) {
                Ok(sent) => left = left.get(sent..).unwrap_or_default(),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => self.drained(wait)?,
                Err(_) => return Err(Broken::Closed),
            }
        }
        Ok(())
    }

    /// The next message, decoded; it borrows from this link.
    ///
    /// # Errors
    /// See [`Broken`].
    pub(crate) fn receive<'a, T: Deserialize<'a>>(
        &'a mut self,
        wait: Wait<'_>,
    ) -> Result<T, Broken> {
        let range = self.next(wait)?;
        let bytes = self.inbox.get(range).unwrap_or_default();
        let malformed = |error: postcard::Error| Broken::Malformed(error.to_string());
        let (message, rest) = postcard::take_from_bytes(bytes).map_err(malformed)?;
        if !rest.is_empty() {
            return Err(Broken::Malformed("bytes after the end of a message".to_owned()));
        }
        Ok(message)
    }

    /// Where in the inbox the next message is.
    fn next(&mut self, wait: Wait<'_>) -> Result<core::ops::Range<usize>, Broken> {
        self.inbox.drain(..self.taken);
        self.taken = 0;
        if self.inbox.is_empty() && self.inbox.capacity() > INBOX_KEPT_BYTES_MAX {
            self.inbox = Vec::new();
        }
        loop {
            let missing = match self.header()? {
                None => INBOX_BYTES,
                Some(length) => match (HEADER_BYTES + length).checked_sub(self.inbox.len()) {
                    None | Some(0) => {
                        self.taken = HEADER_BYTES + length;
                        return Ok(HEADER_BYTES..self.taken);
                    }
                    Some(missing) => missing,
                },
            };
            // What is announced is not yet sent: memory follows what has come.
            let room = missing.clamp(INBOX_BYTES, INBOX_KEPT_BYTES_MAX.max(self.inbox.len()));
            self.inbox
                .try_reserve(room)
                .map_err(|_| Broken::Malformed("no memory for a message".to_owned()))?;
            self.fill(wait)?;
        }
    }

    /// The length of the message that the inbox begins with.
    fn header(&self) -> Result<Option<usize>, Broken> {
        let Some(header) = self.inbox.first_chunk::<HEADER_BYTES>() else { return Ok(None) };
        let [a, b, c, d, version] = *header;
        if version != VERSION {
            return Err(Broken::Malformed(format!("version {version} of the protocol")));
        }
        let length = u32::from_le_bytes([a, b, c, d]) as usize;
        if length > FRAME_BYTES_MAX {
            return Err(Broken::Malformed(format!("a message of {length} bytes")));
        }
        Ok(Some(length))
    }

    /// Receives something. A socket with a read timeout is looked at again each time that passes.
    fn fill(&mut self, wait: Wait<'_>) -> Result<(), Broken> {
        if self.take(RecvFlags::empty())? {
            return Ok(());
        }
        let Wait::Until(deadline, process) = wait else { return Ok(()) };
        // What it sent before it ended still counts.
        if has_ended(process) && !self.take(RecvFlags::DONTWAIT)? {
            return Err(Broken::Closed);
        }
        if Instant::now() >= deadline { Err(Broken::Overdue) } else { Ok(()) }
    }

    /// Receives what there is; whether there was something.
    fn take(&mut self, flags: RecvFlags) -> Result<bool, Broken> {
        match recv(&self.socket, spare_capacity(&mut self.inbox), flags) {
            Ok((_, 0)) => Err(Broken::Closed),
            Ok(_) => Ok(true),
            Err(Errno::INTR | Errno::AGAIN) => Ok(false),
            Err(_) => Err(Broken::Closed),
        }
    }

    /// Waits until the socket takes more.
    fn drained(&self, wait: Wait<'_>) -> Result<(), Broken> {
        let Wait::Until(deadline, process) = wait else {
            // A blocking socket that takes nothing was interrupted.
            return Ok(());
        };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Broken::Overdue);
        }
        let mut watched = [
            PollFd::from_borrowed_fd(self.socket.as_fd(), PollFlags::OUT),
            PollFd::from_borrowed_fd(process, PollFlags::IN),
        ];
        match poll(&mut watched, Some(&timespec(left))) {
            Ok(_) if watched[1].revents().is_empty() => Ok(()),
            Err(Errno::INTR) => Ok(()),
            _ => Err(Broken::Closed),
        }
    }
}

fn has_ended(process: BorrowedFd<'_>) -> bool {
    let mut watched = [PollFd::from_borrowed_fd(process, PollFlags::IN)];
    poll(&mut watched, Some(&timespec(Duration::ZERO))).is_ok_and(|ready| ready > 0)
}

pub(crate) fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(duration.subsec_nanos()),
    }
}

/// A message as it travels.
///
/// # Errors
/// It is larger than a frame may be; says by how much.
pub(crate) fn frame(message: &impl Serialize) -> Result<Vec<u8>, String> {
    let mut frame = Vec::with_capacity(256);
    frame.extend_from_slice(&[0, 0, 0, 0, VERSION]);
    let mut frame = postcard::to_extend(message, frame).map_err(|error| error.to_string())?;
    let length = frame.len() - HEADER_BYTES;
    if length > FRAME_BYTES_MAX {
        return Err(format!("{length} bytes; at most {FRAME_BYTES_MAX} travel at once"));
    }
    let length = u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    for (place, byte) in frame.iter_mut().zip(length) {
        *place = byte;
    }
    Ok(frame)
}
