//! Calls of imports with arguments that the contract does not have.

use std::sync::atomic::Ordering;

use crate::REALLOC;

/// Room for any result of the functions below.
#[repr(align(8))]
struct Room([u8; 256]);

impl Room {
    fn new() -> Self {
        Self([0; 256])
    }

    fn pointer(&mut self) -> *mut u8 {
        self.0.as_mut_ptr()
    }
}

#[link(wasm_import_module = "toq:media/objects@1.0.0")]
unsafe extern "C" {
    #[link_name = "stat"]
    fn stat(key: usize, key_length: usize, result: *mut u8);
    #[link_name = "[static]object.open"]
    fn open(key: usize, key_length: usize, has_etag: i32, etag: usize, etag_length: usize, result: *mut u8);
    #[link_name = "[method]object.read"]
    fn read(this: i32, offset: i64, length: i32, result: *mut u8);
    #[link_name = "[resource-drop]object"]
    fn drop_object(this: i32);
}

#[link(wasm_import_module = "toq:media/object-writer@1.0.0")]
unsafe extern "C" {
    #[link_name = "[method]writer.append"]
    fn append(this: i32, bytes: usize, length: usize, result: *mut u8);
}

#[link(wasm_import_module = "toq:media/keys@1.0.0")]
unsafe extern "C" {
    #[link_name = "derive"]
    fn derive(
        source: usize,
        source_length: usize,
        area: i32,
        suffix: usize,
        suffix_length: usize,
        extension: usize,
        extension_length: usize,
        result: *mut u8,
    );
}

/// Calls `stat` with a key at any place of the memory, or beyond it.
pub fn stat_at(pointer: u32, length: u32) {
    // SAFETY: the host checks the place.
    unsafe { stat(pointer as usize, length as usize, Room::new().pointer()) };
}

pub fn stat_bytes(key: &[u8]) {
    stat_at(key.as_ptr() as u32, key.len() as u32);
}

/// Calls `stat`, while `cabi_realloc` behaves in this way.
pub fn stat_with_realloc(key: &str, way: u8) {
    REALLOC.store(way, Ordering::Relaxed);
    stat_bytes(key.as_bytes());
}

/// Calls `keys.derive` with a number in place of the area.
pub fn derive_into_area(source: &str, area: i32) {
    let (suffix, extension) = ("small", "jpg");
    // SAFETY: all texts are valid.
    unsafe {
        derive(
            source.as_ptr() as usize,
            source.len(),
            area,
            suffix.as_ptr() as usize,
            suffix.len(),
            extension.as_ptr() as usize,
            extension.len(),
            Room::new().pointer(),
        );
    }
}

/// Reads from a handle that was never given.
pub fn read_handle(handle: i32) {
    // SAFETY: the host checks the handle.
    unsafe { read(handle, 0, 100, Room::new().pointer()) };
}

/// Opens an object and returns its handle.
fn opened(key: &str) -> i32 {
    let mut room = Room::new();
    // SAFETY: the key is valid; the result is a case and a handle.
    unsafe {
        open(key.as_ptr() as usize, key.len(), 0, 0, 0, room.pointer());
        room.pointer().add(4).cast::<i32>().read()
    }
}

pub fn drop_handle_twice(key: &str) {
    let handle = opened(key);
    // SAFETY: the host checks the handle.
    unsafe {
        drop_object(handle);
        drop_object(handle);
    }
}

/// Appends to an object that is open for reading.
pub fn append_to_reader(key: &str) {
    let handle = opened(key);
    // SAFETY: the host checks the handle.
    unsafe { append(handle, 1024, 10, Room::new().pointer()) };
}
