//! A token of Azure Attestation: any bytes.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::maa_token(data));
