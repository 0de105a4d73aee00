//! libFuzzer's entry to [`rbgpd_fuzz::evpn`].

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rbgpd_fuzz::evpn(bytes));
