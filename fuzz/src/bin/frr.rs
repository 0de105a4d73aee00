//! libFuzzer's entry to [`rbgpd_fuzz::frr`].

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rbgpd_fuzz::frr(bytes));
