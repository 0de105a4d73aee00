//! libFuzzer's entry to [`rbgpd_fuzz::frame`].

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rbgpd_fuzz::frame(bytes));
