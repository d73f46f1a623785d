//! Evidence in JSON of any shape: any bytes.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::evidence_json(data));
