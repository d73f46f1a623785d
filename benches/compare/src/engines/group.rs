//! Group commit for databases that have none: one of those who wait syncs for all who had written by
//! then, as a careful program around such a database does it.

use parking_lot::{Condvar, Mutex};

use crate::Outcome;

#[derive(Default)]
pub struct Group {
    state: Mutex<State>,
    synced: Condvar,
}

#[derive(Default)]
struct State {
    /// Writes that were done, and how many of them are synced.
    written: u64,
    synced: u64,
    /// Somebody syncs.
    led: bool,
    failed: bool,
}

impl Group {
    /// Returns once what the caller has written is synced, by `sync` of this call or another.
    pub fn sync(&self, sync: impl Fn() -> Outcome<()>) -> Outcome<()> {
        let mut state = self.state.lock();
        state.written += 1;
        let own = state.written;
        while state.synced < own && !state.failed {
            if state.led {
                self.synced.wait(&mut state);
                continue;
            }
            state.led = true;
            let covered = state.written;
            drop(state);
            let outcome = sync();
            state = self.state.lock();
            state.led = false;
            state.synced = covered;
            state.failed = outcome.is_err();
            self.synced.notify_all();
            outcome?;
        }
        if state.failed { Err("another's sync failed".into()) } else { Ok(()) }
    }
}
