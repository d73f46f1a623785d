//! A certificate chain, PEM or DER: any bytes.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::certificate_chain(data));
