//! libFuzzer's entry to [`rbgpd_fuzz::bfd`].

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rbgpd_fuzz::bfd(bytes));
