//! A message of an attested service: any bytes.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::attested_message(data));
