//! Hardware answers one question at a time, and takes seconds where its host throttles it. So few
//! wait for it, and the next is told when to come. How often whom is answered is decided above, in
//! [`crate::attestation`], where it is known who asks.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use affiant_attest::Attestation;
use parking_lot::Mutex;

use super::{Attestor, PlatformError};
use crate::limits::{ATTESTATION_THROTTLED_MS, ATTESTATION_WAITING_MAX};

/// An [`Attestor`] that is asked by one caller at a time.
pub(super) struct QueuedAttestor {
    inner: Arc<dyn Attestor>,
    waiting: AtomicUsize,
    asking: Mutex<()>,
}

impl QueuedAttestor {
    pub(super) fn new(inner: Arc<dyn Attestor>) -> Self {
        Self { inner, waiting: AtomicUsize::new(0), asking: Mutex::new(()) }
    }
}

impl Attestor for QueuedAttestor {
    fn format(&self) -> &'static str {
        self.inner.format()
    }

    fn provider(&self) -> &'static str {
        self.inner.provider()
    }

    fn attest(&self, bound: &[u8]) -> Result<Attestation, PlatformError> {
        let waiting = Waiting::enter(&self.waiting);
        if waiting.before >= ATTESTATION_WAITING_MAX {
            return Err(PlatformError::Busy { retry_after_ms: ATTESTATION_THROTTLED_MS });
        }
        let _asking = self.asking.lock();
        self.inner.attest(bound)
    }
}

/// A caller who waits; gone however its call ends.
struct Waiting<'a> {
    count: &'a AtomicUsize,
    before: usize,
}

impl<'a> Waiting<'a> {
    fn enter(count: &'a AtomicUsize) -> Self {
        Self { count, before: count.fetch_add(1, Ordering::SeqCst) }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::sync::mpsc::{Receiver, Sender, channel};

    use crate::platform::VirtualAttestor;

    /// A stand-in that tells when it is asked, and waits until it is told to go on.
    struct StandIn {
        begun: Mutex<Sender<usize>>,
        go_on: Mutex<Receiver<()>>,
        at_once: AtomicUsize,
    }

    impl Attestor for StandIn {
        fn format(&self) -> &'static str {
            VirtualAttestor.format()
        }

        fn provider(&self) -> &'static str {
            "stand-in"
        }

        fn attest(&self, bound: &[u8]) -> Result<Attestation, PlatformError> {
            let at_once = Waiting::enter(&self.at_once);
            self.begun.lock().send(at_once.before + 1).unwrap();
            self.go_on.lock().recv().unwrap();
            if bound == b"fail" {
                return Err(PlatformError::unavailable("stand-in", "told to fail"));
            }
            VirtualAttestor.attest(bound)
        }
    }

    #[test]
    fn one_asks_some_wait_and_others_are_told_when_to_come() {
        let (begun, began) = channel();
        let (go, go_on) = channel();
        let (begun, go_on) = (Mutex::new(begun), Mutex::new(go_on));
        let stand_in = StandIn { begun, go_on, at_once: AtomicUsize::new(0) };
        let queued = Arc::new(QueuedAttestor::new(Arc::new(stand_in)));
        assert_eq!(queued.provider(), "stand-in");
        let asking: Vec<_> = (0..ATTESTATION_WAITING_MAX)
            .map(|number| {
                let queued = queued.clone();
                let bound: &[u8] = if number % 2 == 0 { b"fail" } else { b"bytes" };
                std::thread::spawn(move || queued.attest(bound).is_ok())
            })
            .collect();
        while queued.waiting.load(Ordering::SeqCst) < ATTESTATION_WAITING_MAX {
            std::thread::yield_now();
        }
        let refused = queued.attest(b"bytes").unwrap_err();
        let retry_after_ms = ATTESTATION_THROTTLED_MS;
        assert_eq!(refused, PlatformError::Busy { retry_after_ms });
        assert!(refused.to_string().contains("in 2000 ms"), "{refused}");
        for _ in 0..ATTESTATION_WAITING_MAX {
            assert_eq!(began.recv().unwrap(), 1);
            go.send(()).unwrap();
        }
        let well = asking.into_iter().filter_map(|asking| asking.join().ok()).filter(|ok| *ok);
        assert_eq!(well.count(), ATTESTATION_WAITING_MAX / 2);
        assert_eq!(queued.waiting.load(Ordering::SeqCst), 0);
        go.send(()).unwrap();
        queued.attest(b"bytes").unwrap();
    }
}
