//! Memory that crosses the boundary, the import, and the panic message.

use std::alloc::{alloc as allocate, dealloc as free, Layout};
use std::sync::Once;

const PANIC_MESSAGE_MAX: usize = 1024;

/// Length in four bytes, then the message.
static mut PANIC_MESSAGE: [u8; 4 + PANIC_MESSAGE_MAX] = [0; 4 + PANIC_MESSAGE_MAX];

fn layout(len: usize) -> Layout {
    Layout::from_size_align(len.max(1), 1).expect("a buffer fits into memory")
}

#[no_mangle]
pub extern "C" fn alloc(len: usize) -> *mut u8 {
    let ptr = unsafe { allocate(layout(len)) };
    assert!(!ptr.is_null(), "out of memory for {len} bytes");
    ptr
}

/// # Safety
/// `ptr` comes from `alloc` or from an answer, with the same `len`.
#[no_mangle]
pub unsafe extern "C" fn dealloc(ptr: *mut u8, len: usize) {
    free(ptr, layout(len));
}

/// Called once, when an instance starts.
#[no_mangle]
pub extern "C" fn panic_message() -> *const u8 {
    hear_panics();
    &raw const PANIC_MESSAGE as *const u8
}

/// The buffer's bytes, which now belong to this side.
pub fn take(ptr: *mut u8, len: usize) -> Vec<u8> {
    unsafe {
        let bytes = std::slice::from_raw_parts(ptr, len).to_vec();
        dealloc(ptr, len);
        bytes
    }
}

/// Leaves the bytes to the other side; address in the upper half, length below.
pub fn give(bytes: Vec<u8>) -> u64 {
    let ptr = alloc(bytes.len());
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), ptr, bytes.len()) };
    ((ptr as usize as u64) << 32) | bytes.len() as u64
}

fn hear_panics() {
    static ONCE: Once = Once::new();
    // Natively, in tests, the usual hook tells more.
    if cfg!(target_family = "wasm") {
        ONCE.call_once(|| std::panic::set_hook(Box::new(|info| keep(&info.to_string()))));
    }
}

fn keep(message: &str) {
    let n = message.len().min(PANIC_MESSAGE_MAX);
    // There is one thread, and it is about to abort.
    unsafe {
        let buffer = &raw mut PANIC_MESSAGE as *mut u8;
        std::ptr::copy_nonoverlapping((n as u32).to_le_bytes().as_ptr(), buffer, 4);
        std::ptr::copy_nonoverlapping(message.as_ptr(), buffer.add(4), n);
    }
}

/// What `ledger.get` came back with.
pub enum Lookup {
    Missing,
    Failed,
    Found(Vec<u8>),
}

#[cfg(target_family = "wasm")]
mod import {
    #[link(wasm_import_module = "ledger")]
    extern "C" {
        /// The entry in a buffer from `alloc`, 0 if there is none, all ones if
        /// the look-up itself failed.
        pub fn get(key: *const u8, len: usize) -> u64;
    }
}

#[cfg(target_family = "wasm")]
pub fn lookup(key: &[u8]) -> Lookup {
    match unsafe { import::get(key.as_ptr(), key.len()) } {
        0 => Lookup::Missing,
        u64::MAX => Lookup::Failed,
        found => Lookup::Found(take(
            (found >> 32) as usize as *mut u8,
            (found & 0xffff_ffff) as usize,
        )),
    }
}

/// The ledger of native tests.
#[cfg(not(target_family = "wasm"))]
pub mod native {
    use std::{cell::RefCell, collections::HashMap};

    /// What `ledger.get` is to answer under one key: an entry in its frame.
    pub type Entries = HashMap<Vec<u8>, Option<Vec<u8>>>;

    thread_local! {
        pub static LEDGER: RefCell<Entries> = RefCell::default();
    }
}

/// A key that the test does not know is a question which the WebAssembly never
/// asked, and fails.
#[cfg(not(target_family = "wasm"))]
pub fn lookup(key: &[u8]) -> Lookup {
    native::LEDGER.with_borrow(|entries| match entries.get(key) {
        None => Lookup::Failed,
        Some(None) => Lookup::Missing,
        Some(Some(found)) => Lookup::Found(found.clone()),
    })
}
