//! A host's certificate table: any bytes.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::certificate_table(data));
