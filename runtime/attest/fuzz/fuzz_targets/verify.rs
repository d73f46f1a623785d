//! The whole verification: any bytes as the parts of evidence.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::verify_evidence(data));
