//! A statement that evidence is bound to: any bytes.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::statement(data));
