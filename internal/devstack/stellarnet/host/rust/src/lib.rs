//! The Soroban host behind a boundary that carries only bytes.
//!
//! Go hands in a request in a buffer from `alloc` and gets back the address and
//! length of an answer, which it frees with `dealloc`. Requests and answers are
//! framed as `wire` says; what is inside the frames is XDR. The first byte of an
//! answer is 0, or 1 if the rest is a message that says why there is none. A
//! contract that fails is an answer, not such a message.
//!
//! There is one import, `ledger.get`. A panic aborts; its message is left where
//! `panic_message` points to, because the trap itself says nothing.

mod boundary;
mod fees;
mod invoke;
mod ledger;
mod settings;
mod simulate;
#[cfg(test)]
mod test;
mod wire;

use anyhow::Result;
use wire::{Reader, Writer};

type Call = fn(&mut Reader) -> Result<Writer>;

/// Runs one call on the request at `ptr`, which it frees.
fn answer(ptr: *mut u8, len: usize, call: Call) -> u64 {
    let request = boundary::take(ptr, len);
    let mut reader = Reader::new(&request);
    let mut out = Writer::default();
    match call(&mut reader).and_then(|w| reader.end().map(|()| w)) {
        Ok(w) => {
            out.u8(0);
            out.raw(&w.into_bytes());
        }
        Err(e) => {
            out.u8(1);
            out.bytes(format!("{e:#}").as_bytes());
        }
    }
    boundary::give(out.into_bytes())
}

#[no_mangle]
pub extern "C" fn simulate(ptr: *mut u8, len: usize) -> u64 {
    answer(ptr, len, simulate::invocation)
}

#[no_mangle]
pub extern "C" fn simulate_extend_ttl(ptr: *mut u8, len: usize) -> u64 {
    answer(ptr, len, simulate::extend_ttl)
}

#[no_mangle]
pub extern "C" fn simulate_restore(ptr: *mut u8, len: usize) -> u64 {
    answer(ptr, len, simulate::restore)
}

#[no_mangle]
pub extern "C" fn invoke(ptr: *mut u8, len: usize) -> u64 {
    answer(ptr, len, invoke::invocation)
}

#[no_mangle]
pub extern "C" fn resource_fee(ptr: *mut u8, len: usize) -> u64 {
    answer(ptr, len, fees::resource_fee)
}

#[no_mangle]
pub extern "C" fn rent_fee(ptr: *mut u8, len: usize) -> u64 {
    answer(ptr, len, fees::rent_fee)
}

#[no_mangle]
pub extern "C" fn default_settings(ptr: *mut u8, len: usize) -> u64 {
    answer(ptr, len, settings::defaults)
}
