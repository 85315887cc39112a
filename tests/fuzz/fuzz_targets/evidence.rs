#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| idledger_tests::fuzz_bodies::evidence(bytes));
