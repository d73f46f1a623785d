//! Answers of a thread's sessions that leave together.
//!
//! A send wakes the client, and a client that wakes for each answer alone sends its next request
//! alone too: both sides then pay a switch per request. So while a thread has several sessions, what
//! they have to send waits for the tasks that are due already, and leaves right behind them.
//!
//! Invariants
//! * What is put off is sent by a task behind those that were due by then, whatever they do; sooner if
//!   many have gathered, or before a handler runs that is known to take its time.
//! * A session whose socket is full waits for it by its own task, as if nothing had been put off.

use std::cell::RefCell;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, Waker};

use crate::limits::OUTBOX_COUNT_MAX;

/// A session that has something to send.
pub(super) trait Sender {
    /// Sends what it can.
    fn send(&self);
}

#[derive(Default)]
struct Outbox {
    /// Wakes the thread's sending task; `None` where there is none.
    waker: Option<Waker>,
    sessions: usize,
    pending: Vec<Arc<dyn Sender>>,
}

thread_local! {
    static OUTBOX: RefCell<Outbox> = RefCell::default();
}

/// Counts a session of this thread while it lives.
pub(super) struct Present(());

impl Present {
    pub(super) fn new() -> Self {
        OUTBOX.with_borrow_mut(|outbox| outbox.sessions += 1);
        Self(())
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        // A thread's last session may go while the thread's own state does.
        let _ = OUTBOX.try_with(|outbox| {
            if let Ok(mut outbox) = outbox.try_borrow_mut() {
                outbox.sessions = outbox.sessions.saturating_sub(1);
            }
        });
    }
}

/// Puts off what a session has to send; false if it has to send at once.
pub(super) fn put_off(session: Arc<dyn Sender>) -> bool {
    let full = OUTBOX.with_borrow_mut(|outbox| {
        let waker = outbox.waker.as_ref().filter(|_| outbox.sessions > 1)?;
        if outbox.pending.is_empty() {
            waker.wake_by_ref();
        }
        outbox.pending.push(session);
        Some(outbox.pending.len() >= OUTBOX_COUNT_MAX)
    });
    if full == Some(true) {
        send_pending();
    }
    full.is_some()
}

/// Sends what this thread's sessions have put off.
pub(crate) fn send_pending() {
    let mut pending = OUTBOX.with_borrow_mut(|outbox| core::mem::take(&mut outbox.pending));
    for session in pending.drain(..) {
        session.send();
    }
    // The room is kept.
    OUTBOX.with_borrow_mut(|outbox| {
        if outbox.pending.is_empty() {
            outbox.pending = pending;
        }
    });
}

/// The sending task of the calling thread; runs for ever.
pub(super) async fn run() {
    poll_fn(|context| {
        OUTBOX.with_borrow_mut(|outbox| outbox.waker = Some(context.waker().clone()));
        send_pending();
        Poll::<()>::Pending
    })
    .await;
}
