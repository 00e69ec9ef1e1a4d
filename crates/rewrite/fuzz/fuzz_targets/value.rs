#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| landfall_rewrite_fuzz::value(bytes));
