//! Simulation as stellar-rpc does it: default adjustments, archived entries
//! restored by the invocation itself.

use anyhow::{anyhow, Result};
use soroban_env_host::{
    e2e_invoke::RecordingInvocationAuthMode,
    xdr::{LedgerKey, SorobanTransactionData},
};
use soroban_simulation::{
    simulation::{
        simulate_extend_ttl_op, simulate_invoke_host_function_op, simulate_restore_op,
        LedgerEntryDiff, SimulationAdjustmentConfig,
    },
    AutoRestoringSnapshotSource,
};

use crate::{
    explain::explain,
    ledger::Ledger,
    wire::{xdr, xdr_list, xdr_option, Reader, Writer},
};

#[derive(Default)]
struct Outcome {
    error: String,
    result: Option<Vec<u8>>,
    auth: Vec<Vec<u8>>,
    data: Option<SorobanTransactionData>,
    events: Vec<Vec<u8>>,
    diagnostics: Vec<Vec<u8>>,
    changes: Vec<LedgerEntryDiff>,
    restore: Option<SorobanTransactionData>,
    instructions: u64,
    memory: u64,
}

impl Outcome {
    fn write(self) -> Result<Writer> {
        let mut w = Writer::default();
        w.bytes(self.error.as_bytes());
        w.option(self.result.as_deref());
        w.list(&self.auth);
        write_data(&mut w, self.data)?;
        w.list(&self.events);
        w.list(&self.diagnostics);
        w.u32(self.changes.len() as u32);
        for change in &self.changes {
            write_change(&mut w, change)?;
        }
        write_data(&mut w, self.restore)?;
        w.u64(self.instructions);
        w.u64(self.memory);
        Ok(w)
    }
}

fn write_data(w: &mut Writer, data: Option<SorobanTransactionData>) -> Result<()> {
    w.option(xdr_option(data.as_ref())?.as_deref());
    w.i64(data.map_or(0, |d| d.resource_fee));
    Ok(())
}

fn write_change(w: &mut Writer, change: &LedgerEntryDiff) -> Result<()> {
    let entry = change
        .state_after
        .as_ref()
        .or(change.state_before.as_ref())
        .map(|e| e.to_key());
    w.option(xdr_option(entry.as_ref())?.as_deref());
    w.option(xdr_option(change.state_before.as_ref())?.as_deref());
    w.option(xdr_option(change.state_after.as_ref())?.as_deref());
    Ok(())
}

/// Runs one host function in recording mode.
pub fn invocation(r: &mut Reader) -> Result<Writer> {
    let ledger = Ledger::read(r)?;
    let host_function = r.xdr("host function")?;
    let source = r.xdr("source account")?;
    let auth = r.option(|r| r.list(|r| r.xdr("authorization entry")))?;
    let allow_non_root = r.bool()?;
    let address_v2 = r.bool()?;
    let seed = r.array()?;

    let auth = match auth {
        Some(entries) => RecordingInvocationAuthMode::Enforcing(entries),
        None => RecordingInvocationAuthMode::recording(!allow_non_root, address_v2),
    };
    let sim = simulate_invoke_host_function_op(
        ledger.snapshot.clone(),
        &ledger.config,
        &SimulationAdjustmentConfig::default_adjustment(),
        &ledger.info,
        host_function,
        auth,
        &source,
        seed,
        true,
    )?;
    let (result, error) = match &sim.invoke_result {
        Ok(value) => (Some(xdr(value)?), String::new()),
        Err(e) => (None, explain(e, &sim.diagnostic_events)),
    };
    // A created and removed entry leaves neither a before nor an after.
    let changes = sim.modified_entries.into_iter();
    Outcome {
        error,
        result,
        auth: xdr_list(&sim.auth)?,
        data: sim.transaction_data,
        events: xdr_list(&sim.contract_events)?,
        diagnostics: xdr_list(&sim.diagnostic_events)?,
        changes: changes
            .filter(|c| c.state_before.is_some() || c.state_after.is_some())
            .collect(),
        restore: None,
        instructions: sim.simulated_instructions.into(),
        memory: sim.simulated_memory.into(),
    }
    .write()
}

/// Simulates ExtendFootprintTTL. Archived keys are taken as restored, and the
/// restoration that has to come first is part of the answer.
pub fn extend_ttl(r: &mut Reader) -> Result<Writer> {
    let ledger = Ledger::read(r)?;
    let keys = read_keys(r)?;
    let extend_to = r.u32()?;
    outcome_of(extend(&ledger, &keys, extend_to))
}

fn extend(ledger: &Ledger, keys: &[LedgerKey], extend_to: u32) -> Result<Outcome> {
    let adjustments = SimulationAdjustmentConfig::default_adjustment();
    let restoring = AutoRestoringSnapshotSource::new(ledger.snapshot.clone(), &ledger.info)?;
    ledger
        .info
        .sequence_number
        .checked_add(extend_to)
        .ok_or_else(|| anyhow!("cannot extend by {extend_to} ledgers"))?;
    let sim = simulate_extend_ttl_op(
        &restoring,
        &ledger.config,
        &adjustments,
        &ledger.info,
        keys,
        extend_to,
    )?;
    let restore = restoring.simulate_restore_keys_op(&ledger.config, &adjustments, &ledger.info)?;
    Ok(Outcome {
        data: Some(sim.transaction_data),
        restore: restore.map(|r| r.transaction_data),
        ..Default::default()
    })
}

/// Simulates RestoreFootprint. Live keys are left out of its footprint.
pub fn restore(r: &mut Reader) -> Result<Writer> {
    let ledger = Ledger::read(r)?;
    let keys = read_keys(r)?;
    let sim = simulate_restore_op(
        &*ledger.snapshot,
        &ledger.config,
        &SimulationAdjustmentConfig::default_adjustment(),
        &ledger.info,
        &keys,
    );
    outcome_of(sim.map(|sim| Outcome {
        data: Some(sim.transaction_data),
        ..Default::default()
    }))
}

fn read_keys(r: &mut Reader) -> Result<Vec<LedgerKey>> {
    r.list(|r| r.xdr("ledger key"))
}

/// A simulation that refuses has an outcome too.
fn outcome_of(outcome: Result<Outcome>) -> Result<Writer> {
    outcome
        .unwrap_or_else(|e| Outcome {
            error: format!("{e:?}"),
            ..Default::default()
        })
        .write()
}
