//! A simulation's error as stellar-rpc words it, with the log of events.
//!
//! The RPC's host is built with `testutils` and keeps the log in the error. This
//! one is built as validators build it and only hands the events out at the end,
//! so the log is told from them, as it was when the error came up.

use soroban_env_host::{
    events::HostEvent,
    xdr::{ContractEventBody, DiagnosticEvent, ScVal},
    HostError,
};

pub fn explain(error: &HostError, events: &[DiagnosticEvent]) -> String {
    // What comes after the last error was written while it was passed on. A few
    // errors write none.
    let newest = events.iter().rposition(is_error);
    let Some(last) = newest.or(events.len().checked_sub(1)) else {
        return format!("{error:?}");
    };
    let raised_in = &events[last].event.contract_id;
    let mut text = format!(
        "HostError: {:?}\n\nEvent log (newest first):\n",
        error.error
    );
    for (i, event) in events[..=last].iter().rev().enumerate() {
        let event = HostEvent {
            event: event.event.clone(),
            // By now all calls have failed. By then only those inside had.
            failed_call: event.event.contract_id.is_some()
                && event.event.contract_id != *raised_in
                && !event.in_successful_contract_call,
        };
        text += &format!("   {i}: {event}\n");
    }
    text
}

fn is_error(event: &DiagnosticEvent) -> bool {
    let ContractEventBody::V0(body) = &event.event.body;
    matches!(body.topics.first(), Some(ScVal::Symbol(name)) if name.0.as_slice() == b"error")
}
