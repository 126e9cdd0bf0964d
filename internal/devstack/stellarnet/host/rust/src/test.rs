use soroban_env_host::{
    budget::Budget,
    xdr::{ContractCostType, ScErrorCode, ScErrorType},
    Error,
};

use crate::{
    settings::{cost_params, settings},
    wire::{Reader, Writer},
};

#[test]
fn wire_reads_what_it_wrote() {
    let mut w = Writer::default();
    w.u32(7);
    w.u64(u64::MAX);
    w.i64(-1);
    w.bytes(b"abc");
    w.option(None);
    w.option(Some(b""));
    w.list(&[b"x", b"y"]);
    let bytes = w.into_bytes();
    let mut r = Reader::new(&bytes);
    assert_eq!(r.u32().unwrap(), 7);
    assert_eq!(r.u64().unwrap(), u64::MAX);
    assert_eq!(r.u64().unwrap() as i64, -1);
    assert_eq!(r.bytes().unwrap(), b"abc");
    assert_eq!(r.option(Reader::bytes).unwrap(), None);
    assert_eq!(r.option(Reader::bytes).unwrap(), Some(&b""[..]));
    assert_eq!(r.list(Reader::bytes).unwrap(), [b"x", b"y"]);
    assert!(r.end().is_ok());
}

#[test]
fn wire_refuses_too_little_and_too_much() {
    assert!(Reader::new(&[2, 0, 0, 0, 1]).bytes().is_err());
    assert!(Reader::new(&[0]).end().is_err());
}

#[test]
fn settings_come_in_order_and_once() {
    let ids: Vec<i32> = settings()
        .unwrap()
        .iter()
        .map(|s| s.discriminant() as i32)
        .collect();
    assert_eq!(
        ids,
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 19]
    );
}

/// The parameters are read from debug output: hold them against what the host
/// charges, for every operation.
#[test]
fn cost_params_are_what_the_host_charges() {
    let (cpu, memory) = cost_params().unwrap();
    for (i, ty) in ContractCostType::VARIANTS.iter().enumerate() {
        let budget = Budget::default();
        let too_much: Error = (ScErrorType::Budget, ScErrorCode::ExceededLimit).into();
        // Linear terms are scaled by 128, so this input charges them once.
        let linear = match budget.charge(*ty, Some(128)) {
            Ok(()) => true,
            Err(e) => e.error == too_much,
        };
        if !linear {
            budget.charge(*ty, None).unwrap();
        }
        let want = |p: &soroban_env_host::xdr::ContractCostParamEntry| {
            (p.const_term + if linear { p.linear_term } else { 0 }) as u64
        };
        assert_eq!(
            budget.get_cpu_insns_consumed().unwrap(),
            want(&cpu.0[i]),
            "{ty:?}"
        );
        // Past the instruction limit the host does not get to charging memory.
        if want(&cpu.0[i]) < 100_000_000 {
            assert_eq!(
                budget.get_mem_bytes_consumed().unwrap(),
                want(&memory.0[i]),
                "{ty:?}"
            );
        }
    }
}
