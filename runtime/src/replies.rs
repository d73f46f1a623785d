//! Answers of queued requests on their way back to the threads that their clients' sessions live on.
//!
//! To wake a task of another thread costs a system call, and that thread a look at its sockets. So
//! the answers that a thread has for another are handed over together, with one wake-up, and are told
//! to the tasks that wait for them by the thread that has those.

use std::cell::RefCell;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, Waker};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::respond::Outcome;

/// Where the answer of a queued request goes. Dropped, it tells the client that the node is busy.
pub(crate) struct Reply {
    sender: oneshot::Sender<Outcome>,
    /// The thread that waits, if it takes answers together.
    home: Option<Arc<Home>>,
}

/// A thread to which answers are handed over.
#[derive(Default)]
struct Home(Mutex<Arrived>);

#[derive(Default)]
struct Arrived {
    waker: Option<Waker>,
    /// Bounded by the requests that are queued and under way.
    answers: Vec<(oneshot::Sender<Outcome>, Outcome)>,
}

thread_local! {
    static HOME: RefCell<Option<Arc<Home>>> = const { RefCell::new(None) };
}

/// For a request of the calling thread.
pub(crate) fn reply() -> (Reply, oneshot::Receiver<Outcome>) {
    let (sender, receiver) = oneshot::channel();
    (Reply { sender, home: HOME.with_borrow(Clone::clone) }, receiver)
}

/// For a thread that does nothing but wait for the answer.
pub(crate) fn reply_alone() -> (Reply, oneshot::Receiver<Outcome>) {
    let (sender, receiver) = oneshot::channel();
    (Reply { sender, home: None }, receiver)
}

impl Reply {
    /// Sends an answer alone.
    pub(crate) fn send(self, outcome: Outcome) {
        send_all(vec![(self, outcome)]);
    }
}

/// Sends answers, those for one thread together.
pub(crate) fn send_all(mut answers: Vec<(Reply, Outcome)>) {
    while let Some((first, _)) = answers.first() {
        let home = first.home.clone();
        let alike = |(reply, _): &(Reply, Outcome)| match (&reply.home, &home) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (None, None) => true,
            _ => false,
        };
        let (here, others): (Vec<_>, Vec<_>) = answers.into_iter().partition(alike);
        answers = others;
        let here = here.into_iter().map(|(reply, outcome)| (reply.sender, outcome));
        match &home {
            Some(home) => home.take_in(here),
            None => tell(here),
        }
    }
}

fn tell(answers: impl Iterator<Item = (oneshot::Sender<Outcome>, Outcome)>) {
    for (sender, outcome) in answers {
        // The client may be gone.
        sender.send(outcome).ok();
    }
}

impl Home {
    fn take_in(&self, answers: impl Iterator<Item = (oneshot::Sender<Outcome>, Outcome)>) {
        let mut arrived = self.0.lock();
        arrived.answers.extend(answers);
        let waker = arrived.waker.take();
        drop(arrived);
        // Without one, the thread has been woken and has yet to look, or has not begun.
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Takes answers for the calling thread's requests; runs for ever.
pub(crate) async fn take_answers() {
    let home = Arc::new(Home::default());
    HOME.with_borrow_mut(|slot| *slot = Some(home.clone()));
    poll_fn(|context| {
        let answers = {
            let mut arrived = home.0.lock();
            arrived.waker = Some(context.waker().clone());
            core::mem::take(&mut arrived.answers)
        };
        tell(answers.into_iter());
        Poll::<()>::Pending
    })
    .await;
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;
    use crate::request::Response;

    fn answer(status: u16) -> Outcome {
        Outcome::Done(Response::empty(status).into())
    }

    fn status(outcome: &Outcome) -> u16 {
        match outcome {
            Outcome::Done(answer) => answer.response.status,
            Outcome::Waiting(_) => panic!("nothing waits for commit here"),
        }
    }

    #[test]
    fn answers_of_several_threads_reach_those_who_asked() {
        let (requests, queue) = std::sync::mpsc::channel::<(u16, Reply)>();
        let asking: Vec<_> = (0..3)
            .map(|thread| {
                let requests = requests.clone();
                std::thread::spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                    runtime.block_on(async move {
                        // The third has no place to which answers are handed over.
                        if thread < 2 {
                            tokio::spawn(take_answers());
                            tokio::task::yield_now().await;
                        }
                        for number in 0..500 {
                            let expected = 100 * thread + number % 100;
                            let (reply, receiver) = reply();
                            requests.send((expected, reply)).unwrap();
                            assert_eq!(status(&receiver.await.unwrap()), expected);
                        }
                    });
                })
            })
            .collect();
        drop(requests);
        while let Ok((number, reply)) = queue.recv() {
            let mut burst = vec![(reply, answer(number))];
            burst.extend(queue.try_iter().map(|(number, reply)| (reply, answer(number))));
            send_all(burst);
        }
        for thread in asking {
            thread.join().unwrap();
        }
    }

    #[test]
    fn a_burst_wakes_a_thread_once() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut receivers = Vec::new();
        let replies: Vec<_> = runtime.block_on(async {
            tokio::spawn(take_answers());
            tokio::task::yield_now().await;
            (0..50)
                .map(|_| {
                    let (reply, receiver) = reply();
                    receivers.push(receiver);
                    (reply, answer(200))
                })
                .collect()
        });
        let home = replies[0].0.home.clone().unwrap();
        assert!(home.0.lock().waker.is_some());
        send_all(replies);
        assert!(home.0.lock().waker.is_none(), "it was woken");
        assert_eq!(home.0.lock().answers.len(), 50, "and has yet to look");
        runtime.block_on(async {
            for receiver in receivers {
                assert_eq!(status(&receiver.await.unwrap()), 200);
            }
        });
    }

    #[test]
    fn a_reply_that_is_dropped_is_noticed() {
        let (reply, receiver) = reply();
        drop(reply);
        assert!(receiver.blocking_recv().is_err());
    }
}
