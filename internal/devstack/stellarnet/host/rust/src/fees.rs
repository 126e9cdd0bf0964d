//! The host's own fee formulas.

use anyhow::Result;
use soroban_env_host::{
    fees::{
        compute_rent_fee, compute_transaction_resource_fee, LedgerEntryRentChange,
        TransactionResources,
    },
    xdr::{LedgerKey, SorobanResources},
};

use crate::{
    ledger::Ledger,
    wire::{Reader, Writer},
};

/// Answers with the non-refundable and the refundable part.
pub fn resource_fee(r: &mut Reader) -> Result<Writer> {
    let ledger = Ledger::read(r)?;
    let resources: SorobanResources = r.xdr("resources")?;
    let transaction_size = r.u32()?;
    let events_size = r.u32()?;
    let restored = r.u32()?;

    let f = &resources.footprint;
    // Contract state lives in memory; reading anything else goes to disk, and so
    // does bringing back what was archived.
    let on_disk =
        |k: &&LedgerKey| !matches!(k, LedgerKey::ContractData(_) | LedgerKey::ContractCode(_));
    let disk_reads = f.read_only.iter().chain(f.read_write.iter());
    let (non_refundable, refundable) = compute_transaction_resource_fee(
        &TransactionResources {
            instructions: resources.instructions,
            disk_read_entries: (disk_reads.filter(on_disk).count() as u32).saturating_add(restored),
            write_entries: f.read_write.len() as u32,
            disk_read_bytes: resources.disk_read_bytes,
            write_bytes: resources.write_bytes,
            contract_events_size_bytes: events_size,
            transaction_size_bytes: transaction_size,
        },
        &ledger.config.fee_configuration,
    );
    let mut w = Writer::default();
    w.i64(non_refundable);
    w.i64(refundable);
    Ok(w)
}

pub fn rent_fee(r: &mut Reader) -> Result<Writer> {
    let ledger = Ledger::read(r)?;
    let changes = r.list(|r| {
        Ok(LedgerEntryRentChange {
            is_persistent: r.bool()?,
            is_code_entry: r.bool()?,
            old_size_bytes: r.u32()?,
            new_size_bytes: r.u32()?,
            old_live_until_ledger: r.u32()?,
            new_live_until_ledger: r.u32()?,
        })
    })?;
    let mut w = Writer::default();
    w.i64(compute_rent_fee(
        &changes,
        &ledger.config.rent_fee_configuration,
        ledger.info.sequence_number,
    ));
    Ok(w)
}
