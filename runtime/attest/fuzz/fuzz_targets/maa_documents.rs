//! Key sets and policies for tokens: any bytes.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::maa_documents(data));
