//! Interpreters bound to the calling thread, made on first use and kept.
//!
//! A worker is taken out of its slot while it runs: a handler that panics loses it, and a handler
//! that calls the host again gets another one.

use std::cell::RefCell;

use crate::application::Application;
use crate::frontend::{AppError, Frontend, FrontendWorker};
use crate::limits::THREAD_APPLICATIONS_MAX;
use crate::log_fail;

struct OfApplication {
    id: u64,
    workers: Vec<Option<Box<dyn FrontendWorker>>>,
}

thread_local! {
    static WORKERS: RefCell<Vec<OfApplication>> = const { RefCell::new(Vec::new()) };
}

/// Runs `work` with this thread's worker of one front end. If `work` unwinds, the worker is gone.
pub(crate) fn with<R>(
    application: &Application,
    frontend: usize,
    work: impl FnOnce(&mut dyn FrontendWorker) -> R,
) -> Result<R, AppError> {
    let (id, count) = (application.id, application.frontends.len());
    let kept = WORKERS.with_borrow_mut(|all| slot(all, id, count, frontend)?.take());
    let mut worker = match kept {
        Some(worker) => worker,
        None => match application.frontends.get(frontend) {
            Some(frontend) => frontend.worker()?,
            None => return Err(AppError::internal("This front end does not exist.")),
        },
    };
    let result = work(&mut *worker);
    WORKERS.with_borrow_mut(|all| {
        if let Some(slot) = slot(all, id, count, frontend) {
            *slot = Some(worker);
        }
    });
    Ok(result)
}

/// Makes this thread's worker of a front end ahead of its first request, which tries again if that
/// fails. `id` is the application's, `count` the number of its front ends, of which `frontend` is the
/// one at `position`.
pub(crate) fn prepare(id: u64, count: usize, position: usize, frontend: &dyn Frontend) {
    match frontend.worker() {
        Ok(worker) => WORKERS.with_borrow_mut(|all| {
            if let Some(slot) = slot(all, id, count, position) {
                *slot = Some(worker);
            }
        }),
        Err(error) => {
            let language = frontend.language();
            log_fail!("app", "an interpreter of the {language} application is not ready: {error}");
        }
    }
}

fn slot(
    all: &mut Vec<OfApplication>,
    id: u64,
    count: usize,
    frontend: usize,
) -> Option<&mut Option<Box<dyn FrontendWorker>>> {
    let position = match all.iter().position(|known| known.id == id) {
        Some(position) => position,
        None => {
            if all.len() >= THREAD_APPLICATIONS_MAX {
                all.remove(0);
            }
            let workers = (0..count).map(|_| None).collect();
            all.push(OfApplication { id, workers });
            all.len() - 1
        }
    };
    all.get_mut(position)?.workers.get_mut(frontend)
}

/// Drops the workers of a thread that ends, while what they may need of the thread is still there.
pub(crate) fn leave() {
    drop(WORKERS.with_borrow_mut(core::mem::take));
}

/// Lets every worker of this thread do a piece of postponed work. Returns whether there is more.
pub(crate) fn idle() -> bool {
    // Taken out like above: postponed work may drop values whose destructors come back here.
    let mut all = WORKERS.with_borrow_mut(core::mem::take);
    let mut more = false;
    for worker in all.iter_mut().flat_map(|of| of.workers.iter_mut()).flatten() {
        more |= worker.idle();
    }
    WORKERS.with_borrow_mut(|now| {
        if now.is_empty() {
            *now = all;
        }
    });
    more
}
