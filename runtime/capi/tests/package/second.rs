//! Another library in Rust, for a program that links two of them statically. It allocates, panics and
//! catches its panic, so that what each library has of Rust's own is at work.
#![allow(unsafe_code, reason = "a function for C has its name as it is written")]

use std::panic::catch_unwind;

/// Divides; zero where that panics.
#[unsafe(no_mangle)]
pub extern "C" fn second_divide(dividend: u32, divisor: u32) -> u32 {
    std::panic::set_hook(Box::new(|_| {}));
    catch_unwind(|| {
        let numbers = vec![dividend; 1 + divisor as usize];
        numbers[divisor as usize] / divisor
    })
    .unwrap_or(0)
}
