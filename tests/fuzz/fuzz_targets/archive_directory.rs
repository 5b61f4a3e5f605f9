#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| stagehost_properties::archive_directory::check(bytes));
