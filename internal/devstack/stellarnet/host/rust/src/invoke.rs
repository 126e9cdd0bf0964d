//! Enforced invocation, the way validators apply an operation.

use anyhow::{anyhow, bail, Context, Result};
use soroban_env_host::{
    budget::{AsBudget, Budget},
    e2e_invoke::{
        entry_size_for_rent, extract_rent_changes, invoke_host_function, InvokeHostFunctionResult,
        LedgerEntryChange, TtlLedgerEntryMeta,
    },
    fees::compute_rent_fee,
    ledger_info::get_key_durability,
    xdr::{
        ContractDataDurability, DiagnosticEvent, LedgerEntry, LedgerEntryData, LedgerKey, ReadXdr,
        ScErrorCode, ScErrorType, SorobanResources,
    },
    CompilationContext, Error, ErrorHandler, HostError, LedgerInfo, ModuleCache, Val,
    DEFAULT_XDR_RW_LIMITS,
};
use soroban_simulation::NetworkConfig;

use crate::{
    ledger::Ledger,
    wire::{xdr, xdr_list, Reader, Writer},
};

/// One footprint key and what the ledger holds under it.
struct Input {
    entry: Option<Vec<u8>>,
    ttl: Option<TtlLedgerEntryMeta>,
}

/// Runs one host function in enforcing mode.
pub fn invocation(r: &mut Reader) -> Result<Writer> {
    let ledger = Ledger::read(r)?;
    let host_function = r.bytes()?.to_vec();
    let encoded_resources = r.bytes()?.to_vec();
    let restored = r.list(Reader::u32)?;
    let source = r.bytes()?.to_vec();
    let auth = r.list(|r| Ok(r.bytes()?.to_vec()))?;
    let seed = r.array::<32>()?.to_vec();

    let resources = SorobanResources::from_xdr(&encoded_resources, DEFAULT_XDR_RW_LIMITS)
        .context("resources")?;
    let inputs = Inputs {
        ledger: &ledger,
        resources: &resources,
        restored: &restored,
        unlimited: unlimited(&ledger.config)?,
    };
    let (inputs, modules) = inputs.read(r)?;
    let existed: Vec<bool> = inputs.iter().map(|i| i.entry.is_some()).collect();

    let limits = Limits::of(&resources, &ledger.config);
    let budget = limits.budget(&ledger.config)?;
    let mut diagnostics = vec![];
    let outcome = invoke_host_function(
        &budget,
        true,
        host_function,
        encoded_resources,
        &restored,
        source,
        auth.into_iter(),
        ledger.info.clone(),
        inputs.into_iter().map(|i| (i.entry, i.ttl)),
        seed,
        &mut diagnostics,
        None,
        Some(modules),
    );
    let mut w = Writer::default();
    match outcome {
        Ok(InvokeHostFunctionResult {
            encoded_invoke_result: Ok(value),
            ledger_changes,
            encoded_contract_events,
        }) => {
            w.bytes(&[]);
            w.u8(0);
            w.bytes(&value);
            write_changes(&mut w, &ledger_changes, &resources, &existed)?;
            w.list(&encoded_contract_events);
            let size: usize = encoded_contract_events.iter().map(Vec::len).sum();
            w.u32((size + value.len()).try_into()?);
            w.i64(compute_rent_fee(
                &extract_rent_changes(&ledger_changes),
                &ledger.config.rent_fee_configuration,
                ledger.info.sequence_number,
            ));
        }
        Ok(InvokeHostFunctionResult {
            encoded_invoke_result: Err(e),
            ..
        })
        | Err(e) => write_failure(&mut w, &e, limits.exceeded(&budget, &e)?),
    }
    write_metering(&mut w, &budget, &diagnostics)?;
    Ok(w)
}

fn write_failure(w: &mut Writer, error: &HostError, is_resource: bool) {
    w.bytes(format!("{error:?}").as_bytes());
    w.u8(is_resource as u8);
    w.bytes(&[]);
    w.u32(0);
    w.list::<Vec<u8>>(&[]);
    w.u32(0);
    w.i64(0);
}

fn write_metering(w: &mut Writer, budget: &Budget, events: &[DiagnosticEvent]) -> Result<()> {
    w.list(&xdr_list(events)?);
    w.u64(budget.get_cpu_insns_consumed()?);
    w.u64(budget.get_mem_bytes_consumed()?);
    Ok(())
}

/// `changes` are in footprint order, but without the keys that the host never
/// put into its storage, so that they are matched by key.
fn write_changes(
    w: &mut Writer,
    changes: &[LedgerEntryChange],
    resources: &SorobanResources,
    existed: &[bool],
) -> Result<()> {
    let mut keys = footprint(resources).zip(existed);
    w.u32(changes.len() as u32);
    for change in changes {
        let existed = loop {
            let (key, existed) = keys
                .next()
                .ok_or_else(|| anyhow!("a changed key is not in the footprint"))?;
            if xdr(key)? == change.encoded_key {
                break *existed;
            }
        };
        let gone = !change.read_only && change.encoded_new_value.is_none();
        let ttl = change.ttl_change.as_ref();
        w.bytes(&change.encoded_key);
        w.u8(change.read_only as u8);
        w.option(change.encoded_new_value.as_deref());
        w.u8((gone && existed) as u8);
        w.u32(ttl.map_or(0, |t| t.old_live_until_ledger));
        w.u32(ttl.map_or(0, |t| t.new_live_until_ledger));
    }
    Ok(())
}

fn footprint(resources: &SorobanResources) -> impl Iterator<Item = &LedgerKey> {
    let f = &resources.footprint;
    f.read_only.iter().chain(f.read_write.iter())
}

struct Inputs<'a> {
    ledger: &'a Ledger,
    resources: &'a SorobanResources,
    restored: &'a [u32],
    unlimited: Budget,
}

impl Inputs<'_> {
    /// The entries, and the contract code among them parsed: validators keep it
    /// parsed between ledgers, and do not charge for what they did before.
    fn read(&self, r: &mut Reader) -> Result<(Vec<Input>, ModuleCache)> {
        let context = Compilation(self.unlimited.clone());
        let modules = ModuleCache::new(&context)?;
        let keys: Vec<&LedgerKey> = footprint(self.resources).collect();
        let count = r.u32()? as usize;
        if count != keys.len() {
            bail!("{count} entries for {} footprint keys", keys.len());
        }
        let mut inputs = Vec::with_capacity(count);
        for (i, key) in keys.into_iter().enumerate() {
            if r.bytes()? != xdr(key)? {
                bail!("entry {i} is not the one for footprint key {i}");
            }
            let entry = r.option(Reader::bytes)?;
            let live_until = r.option(Reader::u32)?;
            let restored = self.is_restored(i);
            let Some(entry) = entry else {
                inputs.push(Input {
                    entry: None,
                    ttl: None,
                });
                continue;
            };
            let decoded = LedgerEntry::from_xdr(entry, DEFAULT_XDR_RW_LIMITS)
                .with_context(|| format!("entry {i}"))?;
            if let (LedgerEntryData::ContractCode(code), false) = (&decoded.data, restored) {
                // Code of a version that is no longer accepted fails when it is
                // called, with the host's own words.
                let _ = modules.parse_and_cache_module_simple(
                    &context,
                    self.ledger.info.protocol_version,
                    &code.code,
                );
            }
            inputs.push(self.input(key, entry, &decoded, live_until, restored)?);
        }
        Ok((inputs, modules))
    }

    fn is_restored(&self, i: usize) -> bool {
        let read_only = self.resources.footprint.read_only.len();
        i.checked_sub(read_only)
            .is_some_and(|i| self.restored.contains(&(i as u32)))
    }

    fn input(
        &self,
        key: &LedgerKey,
        entry: &[u8],
        decoded: &LedgerEntry,
        live_until: Option<u32>,
        restored: bool,
    ) -> Result<Input> {
        let info = &self.ledger.info;
        let expired = live_until.is_some_and(|l| l < info.sequence_number);
        let temporary = get_key_durability(key) == Some(ContractDataDurability::Temporary);
        if expired && temporary {
            return Ok(Input {
                entry: None,
                ttl: None,
            });
        }
        let live_until = match expired && restored {
            true => Some(restored_until(info)?),
            false => live_until,
        };
        let size = entry_size_for_rent(&self.unlimited, decoded, entry.len().try_into()?)?;
        Ok(Input {
            entry: Some(entry.to_vec()),
            ttl: live_until.map(|live_until_ledger| TtlLedgerEntryMeta {
                live_until_ledger,
                entry_size_for_rent: size,
            }),
        })
    }
}

fn restored_until(info: &LedgerInfo) -> Result<u32> {
    info.min_live_until_ledger_checked(ContractDataDurability::Persistent)
        .ok_or_else(|| anyhow!("the minimum lifetime goes beyond the last ledger"))
}

struct Limits {
    instructions: u64,
    memory: u64,
}

impl Limits {
    /// Instructions are the transaction's own limit, memory is the network's.
    fn of(resources: &SorobanResources, config: &NetworkConfig) -> Self {
        Limits {
            instructions: resources.instructions.into(),
            memory: config.tx_memory_limit.into(),
        }
    }

    fn budget(&self, config: &NetworkConfig) -> Result<Budget> {
        Ok(Budget::try_from_configs(
            self.instructions,
            self.memory,
            config.cpu_cost_params.clone(),
            config.memory_cost_params.clone(),
        )?)
    }

    /// Running out inside a contract leaves a remainder too small for one more
    /// instruction, so that the counters alone do not tell.
    fn exceeded(&self, budget: &Budget, error: &HostError) -> Result<bool> {
        let ran_out: Error = (ScErrorType::Budget, ScErrorCode::ExceededLimit).into();
        Ok(error.error == ran_out
            || budget.get_cpu_insns_consumed()? > self.instructions
            || budget.get_mem_bytes_consumed()? > self.memory)
    }
}

/// For work that validators do outside of the transaction.
fn unlimited(config: &NetworkConfig) -> Result<Budget> {
    let limits = Limits {
        instructions: u64::MAX,
        memory: u64::MAX,
    };
    limits.budget(config)
}

struct Compilation(Budget);

impl AsBudget for Compilation {
    fn as_budget(&self) -> &Budget {
        &self.0
    }
}

// AsBudget asks for it.
impl Clone for Compilation {
    fn clone(&self) -> Self {
        Compilation(self.0.clone())
    }
}

impl ErrorHandler for Compilation {
    fn map_err<T, E>(&self, res: std::result::Result<T, E>) -> std::result::Result<T, HostError>
    where
        Error: From<E>,
        E: std::fmt::Debug,
    {
        res.map_err(HostError::from)
    }

    fn error(&self, error: Error, _msg: &str, _args: &[Val]) -> HostError {
        HostError::from(error)
    }
}

impl CompilationContext for Compilation {}
