//! The streams of one HTTP/2 connection, run along with it.
//!
//! Most streams end at the first look, once the connection has read what has come. A task for each
//! would cost more than many a handler, and would send each answer by a wake-up of its own: so streams
//! run in the connection's task, and become tasks only if they have to wait.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use hyper::rt::Executor;
use parking_lot::Mutex;

type Stream = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Streams that have not run yet.
#[derive(Clone, Default)]
pub(super) struct Streams(Arc<Mutex<Vec<Stream>>>);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        self.0.lock().push(Box::pin(stream));
    }
}

/// What was done.
#[derive(PartialEq, Eq)]
pub(super) enum Ran {
    Nothing,
    /// The connection may have something to send.
    All,
    /// Likewise, and more streams wait: others on this thread go first.
    Some,
}

impl Streams {
    /// Runs streams as far as they go, at most `room` of them, which it takes off.
    pub(super) fn run(&self, room: &mut usize) -> Ran {
        let mut streams = core::mem::take(&mut *self.0.lock());
        if streams.is_empty() {
            return Ran::Nothing;
        }
        let rest = streams.split_off(streams.len().min(*room));
        *room -= streams.len();
        // Nobody is to be woken: what has to wait is looked at again, as a task.
        let mut context = Context::from_waker(Waker::noop());
        for mut stream in streams.drain(..) {
            if stream.as_mut().poll(&mut context).is_pending() {
                tokio::spawn(stream);
            }
        }
        let ran = if rest.is_empty() { Ran::All } else { Ran::Some };
        let mut waiting = self.0.lock();
        if !rest.is_empty() {
            waiting.splice(0..0, rest);
        } else if waiting.is_empty() {
            // The room is kept.
            *waiting = streams;
        }
        ran
    }

    /// Lets what is left run without the connection.
    pub(super) fn leave(&self) {
        for stream in self.0.lock().drain(..) {
            tokio::spawn(stream);
        }
    }
}
