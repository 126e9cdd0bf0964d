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
mod explain;
mod fees;
mod invoke;
mod json;
mod ledger;
mod settings;
mod simulate;
#[cfg(test)]
mod test;
#[cfg(test)]
mod test_native;
mod wire;

use anyhow::Result;
use wire::{Reader, Writer};

type Call = fn(&mut Reader) -> Result<Writer>;

/// Runs one call on one request.
fn answer(request: &[u8], call: Call) -> Vec<u8> {
    let mut reader = Reader::new(request);
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
    out.into_bytes()
}

/// Makes an export of each call: it runs on the request at `ptr`, which it frees.
macro_rules! exports {
    ($($name:ident => $call:path,)*) => {
        $(
            #[no_mangle]
            pub extern "C" fn $name(ptr: *mut u8, len: usize) -> u64 {
                boundary::give(answer(&boundary::take(ptr, len), $call))
            }
        )*

        #[cfg(test)]
        fn call_named(name: &str) -> Option<Call> {
            match name {
                $(stringify!($name) => Some($call),)*
                _ => None,
            }
        }
    };
}

exports! {
    simulate => simulate::invocation,
    simulate_extend_ttl => simulate::extend_ttl,
    simulate_restore => simulate::restore,
    invoke => invoke::invocation,
    resource_fee => fees::resource_fee,
    rent_fee => fees::rent_fee,
    default_settings => settings::defaults,
    xdr_to_json => json::from_xdr,
}
