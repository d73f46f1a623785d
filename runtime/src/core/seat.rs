//! Who does the core's work: the thread that has the seat.
//!
//! Invariant: after a panic, and once the core's thread has ended, the seat is empty for good.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;

use super::driver::{Driver, Rest};
use super::{Message, Shared, guarded};
use crate::limits::CORE_GATHER_MS_MAX;

pub(super) struct Seat {
    driver: Mutex<Option<Driver>>,
}

/// What came of a round.
enum Round {
    Done(Rest),
    /// Somebody else has the seat.
    Taken,
    Ended,
}

/// Starts the core's thread, which does a round whenever there is something to do and nobody else does
/// it.
pub(super) fn spawn(seat: Arc<Seat>, shared: Arc<Shared>) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("affiant-core".to_owned()).spawn(move || {
        loop {
            match seat.round(&shared) {
                Round::Done(rest) => shared.rest(rest),
                Round::Taken => shared.wait_for_news(Duration::from_millis(CORE_GATHER_MS_MAX)),
                Round::Ended => break,
            }
        }
        drop(seat.driver.lock().take());
        // Whoever still waits, and whoever comes later, must hear of it.
        shared.committer.fail("the node has stopped");
        shared.waiters.fail("the node has stopped");
    })
}

impl Seat {
    pub(super) fn new(driver: Driver) -> Self {
        Self { driver: Mutex::new(Some(driver)) }
    }

    /// Does a round on the thread of a waiter, if that is of use; false if it was not.
    pub(super) fn help(&self, shared: &Shared) -> bool {
        let Some(mut seat) = self.driver.try_lock() else { return false };
        let Some(driver) = seat.as_mut().filter(|driver| driver.serves_at_once()) else {
            return false;
        };
        if !guarded(shared, "core", || driver.round()) {
            seat.take();
            drop(seat);
            // So that the core's thread ends.
            shared.post(Message::Abandon);
        }
        true
    }

    /// Does a round on the core's thread.
    fn round(&self, shared: &Shared) -> Round {
        let Some(mut seat) = self.driver.try_lock() else { return Round::Taken };
        let Some(driver) = seat.as_mut() else { return Round::Ended };
        let mut outcome = Round::Ended;
        guarded(shared, "core", || {
            driver.round();
            if !driver.is_done() {
                outcome = Round::Done(driver.rest());
            }
        });
        outcome
    }
}
