//! The answer in memory: `result<asset, failure>`, byte by byte.

use std::alloc::{Layout, alloc_zeroed};

/// Where the asset's fields are in the result, in bytes.
const PAYLOAD: usize = 8;
const KEY: usize = PAYLOAD;
const MEDIA_TYPE: usize = PAYLOAD + 8;
const TITLE: usize = PAYLOAD + 108;
const RENDITIONS: usize = PAYLOAD + 132;
const ATTRIBUTES: usize = PAYLOAD + 140;
const SIZE: usize = PAYLOAD + 176;

/// The size of a rendition, and where its texts are, in bytes: name, key, content type, entity tag.
const RENDITION: usize = 72;
const RENDITION_TEXTS: [usize; 4] = [0, 8, 16, 48];
const RENDITION_KEY: usize = RENDITION_TEXTS[1];

/// The size of an attribute: two texts.
const ATTRIBUTE: usize = 16;

/// Where the asset's key is in the arguments: the context has 36 bytes, and the asset is aligned to 8.
const KEY_ARGUMENT: usize = 40;

/// Returns the key of the asset among the arguments.
///
/// # Safety
/// `arguments` is what the host passed.
pub unsafe fn key_of(arguments: *const u8) -> &'static str {
    // SAFETY: the host has written pointer and length of a valid text there, and nothing frees it.
    unsafe {
        let pointer = arguments.add(KEY_ARGUMENT).cast::<u32>().read();
        let length = arguments.add(KEY_ARGUMENT + 4).cast::<u32>().read();
        std::str::from_utf8_unchecked(std::slice::from_raw_parts(pointer as *const u8, length as usize))
    }
}

/// Returns zeroed memory that is never freed.
fn zeroed(bytes: usize) -> *mut u8 {
    // SAFETY: the layout is valid and not empty.
    let memory = unsafe { alloc_zeroed(Layout::from_size_align_unchecked(bytes, 8)) };
    assert!(!memory.is_null(), "no memory for {bytes} bytes");
    memory
}

/// An answer, at first the valid one: the same asset with its key and nothing else.
pub struct Answer(*mut u8);

impl Answer {
    pub fn of(key: &str) -> Self {
        let answer = Self(zeroed(SIZE));
        answer.pair(KEY, key.as_ptr() as u32, key.len() as u32);
        answer
    }

    pub fn pointer(&self) -> usize {
        self.0 as usize
    }

    fn byte(&self, at: usize, value: u8) {
        // SAFETY: all offsets are within the answer.
        unsafe { self.0.add(at).write(value) };
    }

    fn pair(&self, at: usize, first: u32, second: u32) {
        // SAFETY: all offsets are within the answer and aligned.
        unsafe { self.0.add(at).cast::<[u32; 2]>().write([first, second]) };
    }

    pub fn set_title(&mut self, bytes: &'static [u8]) {
        self.set_title_at(bytes.as_ptr() as u32, bytes.len() as u32);
    }

    pub fn set_title_at(&mut self, pointer: u32, length: u32) {
        self.byte(TITLE, 1);
        self.pair(TITLE + 4, pointer, length);
    }

    pub fn set_title_case(&mut self, case: u8) {
        self.byte(TITLE, case);
    }

    pub fn set_media_type(&mut self, case: u8) {
        self.byte(MEDIA_TYPE, case);
    }

    pub fn set_result(&mut self, case: u8) {
        self.byte(0, case);
    }

    pub fn set_failure(&mut self, case: u8) {
        self.byte(0, 1);
        self.byte(PAYLOAD, case);
    }

    pub fn set_renditions_at(&mut self, pointer: u32, count: u32) {
        self.pair(RENDITIONS, pointer, count);
    }

    /// Claims so many renditions, all without a name. They cost this guest nothing but zeroed pages.
    pub fn repeat_empty_rendition(&mut self, count: usize) {
        self.set_renditions_at(zeroed(count * RENDITION) as u32, count as u32);
    }

    /// Claims so many attributes, all without name and value.
    pub fn repeat_empty_attribute(&mut self, count: usize) {
        self.pair(ATTRIBUTES, zeroed(count * ATTRIBUTE) as u32, count as u32);
    }

    /// Claims so many renditions whose four texts are all the same byte. On the host each text takes memory of its own.
    pub fn repeat_short_rendition(&mut self, count: usize) {
        let (text, renditions) = (zeroed(1) as u32, zeroed(count * RENDITION));
        for number in 0..count {
            for at in RENDITION_TEXTS {
                // SAFETY: within the list, and aligned.
                unsafe { renditions.add(number * RENDITION + at).cast::<[u32; 2]>().write([text, 1]) };
            }
        }
        self.set_renditions_at(renditions as u32, count as u32);
    }

    /// Claims so many renditions whose keys are all the same `length` bytes of this guest's memory.
    pub fn repeat_long_rendition(&mut self, count: usize, length: usize) {
        let key = zeroed(length);
        let renditions = zeroed(count * RENDITION);
        for number in 0..count {
            // SAFETY: within the list, and aligned.
            unsafe {
                renditions.add(number * RENDITION + RENDITION_KEY).cast::<[u32; 2]>().write([key as u32, length as u32])
            };
        }
        self.set_renditions_at(renditions as u32, count as u32);
    }
}
