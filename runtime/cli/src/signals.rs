//! Signals as messages. Before there is a service to stop, and on a second interrupt, the process ends
//! at once; that is safe, since what was committed is synced and a start can be taken up again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals as NumberIterator};
use signal_hook::low_level;

/// The exit code of a process that an interrupt ended.
const INTERRUPTED: i32 = 130;

/// What somebody wants of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
    /// SIGHUP.
    HangUp,
}

/// The signals that come from now on.
pub(crate) struct Signals {
    receiver: Receiver<Signal>,
    /// They are held for [`Signals::next`].
    held: Arc<AtomicBool>,
    listening: Handle,
}

impl Drop for Signals {
    /// Ends the listening thread: the process may go on with other things.
    fn drop(&mut self) {
        self.listening.close();
    }
}

impl Signals {
    /// Starts to listen.
    pub(crate) fn listen() -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("cannot listen for signals: {error}");
        let mut numbers = NumberIterator::new([SIGINT, SIGTERM, SIGHUP]).map_err(failed)?;
        let (sender, receiver) = mpsc::channel();
        let listening = numbers.handle();
        let held = Arc::new(AtomicBool::new(false));
        let seen = held.clone();
        let run = move || {
            let mut interrupts = 0;
            for number in numbers.forever() {
                interrupts += u32::from(number == SIGINT);
                if interrupts > 1 || !seen.load(Ordering::Acquire) {
                    // At once and whatever else runs in this process, such as an interpreter: no exit
                    // handlers.
                    low_level::exit(if number == SIGINT { INTERRUPTED } else { 0 });
                }
                let signal = match number {
                    SIGINT => Signal::Interrupt,
                    SIGTERM => Signal::Terminate,
                    _ => Signal::HangUp,
                };
                if sender.send(signal).is_err() {
                    break;
                }
            }
        };
        thread::Builder::new().name("signals".to_owned()).spawn(run).map_err(failed)?;
        Ok(Self { receiver, held, listening })
    }

    /// From now on there is something to stop in order: signals wait for [`Signals::next`].
    pub(crate) fn hold(&self) {
        self.held.store(true, Ordering::Release);
    }

    /// The next signal, or none within `timeout`.
    pub(crate) fn next(&self, timeout: Duration) -> Option<Signal> {
        match self.receiver.recv_timeout(timeout) {
            Ok(signal) => Some(signal),
            Err(RecvTimeoutError::Timeout) => None,
            // The listening thread never ends before this; stopping is the safe reading.
            Err(RecvTimeoutError::Disconnected) => Some(Signal::Terminate),
        }
    }
}
