//! Signals as messages. A second interrupt while the first is being obeyed ends the process at once;
//! that is safe, since what was committed is synced.

use std::sync::mpsc::{self, Receiver};
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

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

/// Receives signals from now on.
pub(crate) fn listen() -> Result<Receiver<Signal>, String> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])
        .map_err(|error| format!("cannot listen for signals: {error}"))?;
    let (sender, receiver) = mpsc::channel();
    let run = move || {
        let mut interrupts = 0;
        for number in signals.forever() {
            let signal = match number {
                SIGINT => Signal::Interrupt,
                SIGTERM => Signal::Terminate,
                _ => Signal::HangUp,
            };
            interrupts += u32::from(signal == Signal::Interrupt);
            if interrupts > 1 {
                std::process::exit(INTERRUPTED);
            }
            if sender.send(signal).is_err() {
                break;
            }
        }
    };
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(run)
        .map_err(|error| format!("cannot listen for signals: {error}"))?;
    Ok(receiver)
}
