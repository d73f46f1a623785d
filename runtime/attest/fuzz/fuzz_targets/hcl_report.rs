//! A report of a virtual TPM: any bytes.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::hcl_report(data));
