//! A UVM endorsement: any bytes.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::uvm_endorsement(data));
