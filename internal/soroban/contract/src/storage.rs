//! Storage keys and the functions that read and write them.
//!
//! All values are in instance storage: they are small and have one time to live.
//! These functions do not check authorization. Their callers do.

use soroban_sdk::{contracttype, Address, BytesN, Env};

use crate::{Anchor, Error, Status};

/// Ledgers in a day, at five seconds each.
const DAY: u32 = 17_280;

/// Time to live in ledgers that a change extends the contract to. It equals the
/// public network's minimum for a new entry.
pub const EXTEND_TO: u32 = 120 * DAY;

/// A change extends the time to live only if less than this is left, in ledgers.
/// A tenant that changes often therefore pays rent at most once in 30 days.
pub const THRESHOLD: u32 = 90 * DAY;

#[contracttype]
#[derive(Clone)]
enum Key {
    Admin,
    Tenant,
    Status,
    Anchor,
}

pub fn construct(env: &Env, admin: &Address, tenant: &BytesN<32>) {
    env.storage().instance().set(&Key::Tenant, tenant);
    env.storage().instance().set(&Key::Admin, admin);
    set_status(env, Status::Active);
}

pub fn tenant(env: &Env) -> Result<BytesN<32>, Error> {
    get(env, Key::Tenant)
}

pub fn admin(env: &Env) -> Result<Address, Error> {
    get(env, Key::Admin)
}

pub fn status(env: &Env) -> Result<Status, Error> {
    get(env, Key::Status)
}

pub fn anchor(env: &Env) -> Option<Anchor> {
    env.storage().instance().get(&Key::Anchor)
}

pub fn set_status(env: &Env, status: Status) {
    env.storage().instance().set(&Key::Status, &status);
    extend(env);
}

pub fn set_admin(env: &Env, admin: &Address) {
    env.storage().instance().set(&Key::Admin, admin);
    extend(env);
}

pub fn set_anchor(env: &Env, seq: u64, root: &BytesN<32>) -> Result<(), Error> {
    if anchor(env).is_some_and(|newest| seq <= newest.seq) {
        return Err(Error::AnchorOutOfOrder);
    }
    let anchor = Anchor {
        seq,
        root: root.clone(),
        ledger: env.ledger().sequence(),
    };
    env.storage().instance().set(&Key::Anchor, &anchor);
    extend(env);
    Ok(())
}

pub fn upgrade(env: &Env, wasm_hash: &BytesN<32>) {
    extend(env);
    env.deployer()
        .update_current_contract_wasm(wasm_hash.clone());
}

fn get<V>(env: &Env, key: Key) -> Result<V, Error>
where
    V: soroban_sdk::TryFromVal<Env, soroban_sdk::Val>,
{
    env.storage()
        .instance()
        .get(&key)
        .ok_or(Error::NotConstructed)
}

/// Extends the instance only. All tenants share the code entry, and it is large:
/// one tenant's transaction must not pay its rent.
fn extend(env: &Env) {
    env.deployer().extend_ttl_for_contract_instance(
        env.current_contract_address(),
        THRESHOLD,
        EXTEND_TO,
    );
}
