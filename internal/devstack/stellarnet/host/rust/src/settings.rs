//! Config settings modelled on the public network's, for a ledger of one's own.
//!
//! Limits and fees are those that the quickstart image gives its network for
//! protocol 27, the ones voted in with SLP-4; lifetimes are the public network's.
//! Both are votes and move: nobody should take a price on the public network
//! from here. The cost parameters are the host's own calibration, one for each
//! operation that it meters, so that a newer host brings those of its new
//! operations along.

use anyhow::{ensure, Context, Result};
use soroban_env_host::{
    budget::Budget,
    xdr::{
        ConfigSettingContractBandwidthV0, ConfigSettingContractComputeV0,
        ConfigSettingContractEventsV0, ConfigSettingContractExecutionLanesV0,
        ConfigSettingContractHistoricalDataV0, ConfigSettingContractLedgerCostExtV0,
        ConfigSettingContractLedgerCostV0, ConfigSettingContractParallelComputeV0,
        ConfigSettingEntry, ConfigSettingScpTiming, ContractCostParamEntry, ContractCostParams,
        ContractCostType, EvictionIterator, ExtensionPoint, FreezeBypassTxs, FrozenLedgerKeys,
        LedgerEntry, LedgerEntryData, LedgerEntryExt, StateArchivalSettings,
    },
};

use crate::wire::{xdr, Reader, Writer};

/// Bytes of Soroban state that rent is computed from. It moves on the public
/// network; this one keeps rent a little above its floor.
const STATE_SIZE: u64 = 2_800_000_000;

/// Samples of the state's size that are averaged.
const STATE_SIZE_SAMPLES: u32 = 30;

/// Answers with one ledger entry for each setting.
pub fn defaults(_: &mut Reader) -> Result<Writer> {
    let entries = settings()?
        .into_iter()
        .map(|setting| {
            xdr(&LedgerEntry {
                last_modified_ledger_seq: 1,
                data: LedgerEntryData::ConfigSetting(setting),
                ext: LedgerEntryExt::V0,
            })
        })
        .collect::<Result<Vec<_>>>()?;
    let mut w = Writer::default();
    w.list(&entries);
    Ok(w)
}

pub fn settings() -> Result<Vec<ConfigSettingEntry>> {
    use ConfigSettingEntry as S;
    let (cpu, memory) = cost_params()?;
    Ok(vec![
        S::ContractMaxSizeBytes(131_072),
        S::ContractComputeV0(ConfigSettingContractComputeV0 {
            ledger_max_instructions: 580_000_000,
            tx_max_instructions: 400_000_000,
            fee_rate_per_instructions_increment: 7,
            tx_memory_limit: 41_943_040,
        }),
        S::ContractLedgerCostV0(ConfigSettingContractLedgerCostV0 {
            ledger_max_disk_read_entries: 1_000,
            ledger_max_disk_read_bytes: 400_000,
            ledger_max_write_ledger_entries: 1_000,
            ledger_max_write_bytes: 286_720,
            tx_max_disk_read_entries: 200,
            tx_max_disk_read_bytes: 200_000,
            tx_max_write_ledger_entries: 200,
            tx_max_write_bytes: 132_096,
            fee_disk_read_ledger_entry: 1_563,
            fee_write_ledger_entry: 2_500,
            fee_disk_read1_kb: 447,
            soroban_state_target_size_bytes: 4_000_000_000,
            rent_fee1_kb_soroban_state_size_low: -17_000,
            rent_fee1_kb_soroban_state_size_high: 10_000,
            soroban_state_rent_fee_growth_factor: 5_000,
        }),
        S::ContractHistoricalDataV0(ConfigSettingContractHistoricalDataV0 {
            fee_historical1_kb: 4_059,
        }),
        S::ContractEventsV0(ConfigSettingContractEventsV0 {
            tx_max_contract_events_size_bytes: 16_384,
            fee_contract_events1_kb: 5_000,
        }),
        S::ContractBandwidthV0(ConfigSettingContractBandwidthV0 {
            ledger_max_txs_size_bytes: 266_240,
            tx_max_size_bytes: 132_096,
            fee_tx_size1_kb: 406,
        }),
        S::ContractCostParamsCpuInstructions(cpu),
        S::ContractCostParamsMemoryBytes(memory),
        S::ContractDataKeySizeBytes(250),
        S::ContractDataEntrySizeBytes(65_536),
        S::StateArchival(StateArchivalSettings {
            max_entry_ttl: 3_110_400,
            min_temporary_ttl: 17_280,
            min_persistent_ttl: 2_073_600,
            persistent_rent_rate_denominator: 1_215,
            temp_rent_rate_denominator: 2_430,
            max_entries_to_archive: 1_000,
            live_soroban_state_size_window_sample_size: STATE_SIZE_SAMPLES,
            live_soroban_state_size_window_sample_period: 64,
            eviction_scan_size: 500_000,
            starting_eviction_scan_level: 7,
        }),
        S::ContractExecutionLanes(ConfigSettingContractExecutionLanesV0 {
            ledger_max_tx_count: 2_000,
        }),
        S::LiveSorobanStateSizeWindow(vec![STATE_SIZE; STATE_SIZE_SAMPLES as usize].try_into()?),
        S::EvictionIterator(EvictionIterator {
            bucket_list_level: 7,
            is_curr_bucket: true,
            bucket_file_offset: 0,
        }),
        S::ContractParallelComputeV0(ConfigSettingContractParallelComputeV0 {
            ledger_max_dependent_tx_clusters: 2,
        }),
        S::ContractLedgerCostExtV0(ConfigSettingContractLedgerCostExtV0 {
            tx_max_footprint_entries: 400,
            fee_write1_kb: 875,
        }),
        S::ScpTiming(ConfigSettingScpTiming {
            ledger_target_close_time_milliseconds: 5_000,
            nomination_timeout_initial_milliseconds: 1_000,
            nomination_timeout_increment_milliseconds: 1_000,
            ballot_timeout_initial_milliseconds: 1_000,
            ballot_timeout_increment_milliseconds: 1_000,
        }),
        S::FrozenLedgerKeys(FrozenLedgerKeys::default()),
        S::FreezeBypassTxs(FreezeBypassTxs::default()),
    ])
}

/// The host's calibration, for instructions and for memory. It shows it nowhere
/// but in the table that a budget prints for debugging.
pub fn cost_params() -> Result<(ContractCostParams, ContractCostParams)> {
    let table = format!("{:?}", Budget::default());
    let (mut cpu, mut memory) = (vec![], vec![]);
    for ty in ContractCostType::VARIANTS {
        let row: Vec<&str> = table
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>())
            .find(|row| row.first() == Some(&ty.name()))
            .with_context(|| format!("the host shows no costs of {ty:?}"))?;
        // Name, four columns of what was used, then the parameters.
        ensure!(row.len() == 9, "cannot read the costs {row:?}");
        cpu.push(cost_param(row[5], row[6])?);
        memory.push(cost_param(row[7], row[8])?);
    }
    Ok((
        ContractCostParams(cpu.try_into()?),
        ContractCostParams(memory.try_into()?),
    ))
}

fn cost_param(const_term: &str, linear_term: &str) -> Result<ContractCostParamEntry> {
    Ok(ContractCostParamEntry {
        ext: ExtensionPoint::V0,
        const_term: const_term.parse()?,
        linear_term: linear_term.parse()?,
    })
}
