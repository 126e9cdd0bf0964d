//! The ledger as Go has it: numbers in the request, entries through the import.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use anyhow::{Context, Result};
use soroban_env_host::{
    storage::{EntryWithLiveUntil, SnapshotSource},
    xdr::{LedgerEntry, LedgerKey, ReadXdr, ScErrorCode, ScErrorType, WriteXdr},
    HostError, LedgerInfo, DEFAULT_XDR_RW_LIMITS,
};
use soroban_simulation::NetworkConfig;

use crate::{
    boundary::{lookup, Lookup},
    wire::Reader,
};

/// Entries are asked for once in each call, so that a ledger that closes in the
/// middle cannot show two states.
#[derive(Default)]
pub struct Snapshot(RefCell<BTreeMap<Rc<LedgerKey>, Option<EntryWithLiveUntil>>>);

impl SnapshotSource for Snapshot {
    fn get(&self, key: &Rc<LedgerKey>) -> Result<Option<EntryWithLiveUntil>, HostError> {
        if let Some(known) = self.0.borrow().get(key) {
            return Ok(known.clone());
        }
        let entry = fetch(key).map_err(|_| {
            // Go holds the cause and reports it instead of this.
            HostError::from((ScErrorType::Storage, ScErrorCode::InternalError))
        })?;
        self.0.borrow_mut().insert(key.clone(), entry.clone());
        Ok(entry)
    }
}

fn fetch(key: &LedgerKey) -> Result<Option<EntryWithLiveUntil>> {
    let found = match lookup(&key.to_xdr(DEFAULT_XDR_RW_LIMITS)?) {
        Lookup::Missing => return Ok(None),
        Lookup::Failed => anyhow::bail!("look-up failed"),
        Lookup::Found(found) => found,
    };
    let mut r = Reader::new(&found);
    let live_until = r.option(Reader::u32)?;
    let entry = LedgerEntry::from_xdr(r.bytes()?, DEFAULT_XDR_RW_LIMITS)?;
    Ok(Some((Rc::new(entry), live_until)))
}

/// What every request begins with.
pub struct Ledger {
    pub info: LedgerInfo,
    pub config: NetworkConfig,
    pub snapshot: Rc<Snapshot>,
}

impl Ledger {
    pub fn read(r: &mut Reader) -> Result<Self> {
        let snapshot = Rc::new(Snapshot::default());
        let mut info = LedgerInfo {
            protocol_version: r.u32()?,
            sequence_number: r.u32()?,
            timestamp: r.u64()?,
            network_id: r.array()?,
            base_reserve: r.u32()?,
            ..Default::default()
        };
        let config = NetworkConfig::load_from_snapshot(&*snapshot)
            .context("read the network's config settings")?;
        config.fill_config_fields_in_ledger_info(&mut info);
        Ok(Ledger {
            info,
            config,
            snapshot,
        })
    }
}
