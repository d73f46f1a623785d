//! CPU time of this thread and of this process: unlike the clock on the wall, it does not count the
//! time that other programs took.

use std::time::Duration;

use rustix::time::{ClockId, Timespec, clock_gettime};

/// CPU time that the calling thread has used.
#[must_use]
pub fn of_this_thread() -> Duration {
    duration(clock_gettime(ClockId::ThreadCPUTime))
}

/// CPU time that all threads of this process have used.
#[must_use]
pub fn of_this_process() -> Duration {
    duration(clock_gettime(ClockId::ProcessCPUTime))
}

fn duration(time: Timespec) -> Duration {
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kernel brings the two clocks up to date at different moments, so they are compared with a
    /// wide margin: the process must show a part of what its thread has used.
    #[test]
    fn cpu_time_advances_with_work_and_a_thread_is_part_of_its_process() {
        let before = (of_this_thread(), of_this_process());
        let mut mixed = 1_u64;
        while of_this_thread() < before.0 + Duration::from_millis(100) {
            mixed = std::hint::black_box(mixed.wrapping_mul(6_364_136_223_846_793_005));
        }
        assert!(of_this_process() >= before.1 + Duration::from_millis(20));
    }
}
