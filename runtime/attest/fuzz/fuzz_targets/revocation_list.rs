//! A revocation list, DER or text: any bytes.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::revocation_list(data));
