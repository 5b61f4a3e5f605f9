#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| stagehost_properties::exif::check(bytes));
