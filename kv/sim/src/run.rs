//! Runs seeds: one, twice for comparison, or many; turns panics into failures.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use crate::mutant::Mutant;
use crate::stats::Stats;
use crate::trace::Trace;
use crate::violation::Violation;
use crate::world::World;

/// One seed in this many is run twice.
const REPEAT_EVERY: u64 = 100;

/// A seed that failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// What was broken.
    pub violation: Violation,
    /// The options of the run.
    pub scenario: String,
    /// Its last steps, if they were kept.
    pub recent: Vec<String>,
}

/// How a seed went.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was visited.
    pub stats: Stats,
    /// The hash over all steps.
    pub hash: u64,
}

/// How to run a seed.
#[derive(Clone, Copy, Debug, Default)]
pub struct RunOptions {
    /// The mistake to make.
    pub mutant: Option<Mutant>,
    /// Print every step.
    pub print: bool,
    /// Keep the last steps for a failure's report.
    pub keep: bool,
}

/// Runs one seed.
///
/// # Errors
/// A promise was broken, or the production code panicked.
pub fn run_seed(seed: u64, options: RunOptions) -> Result<Outcome, Box<Failure>> {
    let trace = Trace::new(options.print, options.keep);
    let mut world = World::new(seed, options.mutant, trace);
    let scenario = format!("{:?}", world.scenario());
    let result = caught(|| world.run());
    let hash = world.trace().hash();
    match result {
        Ok(()) => Ok(Outcome { stats: world.stats(), hash }),
        Err(violation) => {
            let recent = world.trace().recent();
            Err(Box::new(Failure { seed, violation, scenario, recent }))
        }
    }
}

/// Runs one seed, and every hundredth one twice: both runs must take the same steps.
///
/// # Errors
/// As [`run_seed`], or the two runs differ.
pub fn check_seed(seed: u64, options: RunOptions) -> Result<Stats, Box<Failure>> {
    let mut outcome = run_seed(seed, options)?;
    if seed.is_multiple_of(REPEAT_EVERY) {
        let again = run_seed(seed, options)?;
        outcome.stats.repeated = 1;
        if again.hash != outcome.hash {
            let detail = format!("two runs differ: {:x} and {:x}", outcome.hash, again.hash);
            let violation = Violation::new("determinism", detail);
            let (scenario, recent) = (String::new(), Vec::new());
            return Err(Box::new(Failure { seed, violation, scenario, recent }));
        }
    }
    Ok(outcome.stats)
}

thread_local! {
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

fn caught(run: impl FnOnce() -> Result<(), Violation>) -> Result<(), Violation> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            // Only panics within a run are kept; a test's own go the usual way.
            let within = PANIC.with(|slot| {
                slot.borrow_mut().as_mut().map(|text| *text = info.to_string()).is_some()
            });
            if !within {
                usual(info);
            }
        }));
    });
    PANIC.with(|slot| *slot.borrow_mut() = Some(String::new()));
    let result = catch_unwind(AssertUnwindSafe(run));
    let text = PANIC.with(|slot| slot.borrow_mut().take()).unwrap_or_default();
    result.unwrap_or_else(|_| Err(Violation::new("panic", text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_violation() {
        let result = caught(|| panic!("on purpose"));
        assert!(result.is_err_and(|violation| violation.detail.contains("on purpose")));
        assert_eq!(caught(|| Ok(())), Ok(()));
    }
}
