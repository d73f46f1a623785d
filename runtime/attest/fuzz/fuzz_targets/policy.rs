//! A relying party's policy: any bytes.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::policy(data));
