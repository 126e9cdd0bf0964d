#![no_std]
//! The contract that stands for one tenant on the ledger.
//!
//! It answers three questions to anybody: which tenant is this (as a hash), who
//! administers it, and is it active. It also keeps the newest anchor of the
//! tenant's audit chain, so that rewriting the chain in the database shows.
//!
//! Only the admin changes anything, and every change leaves an event. What goes
//! on chain stays there for ever and is public: hashes, numbers and addresses
//! only, never a name, a mail address or anything else about a person.

mod storage;
#[cfg(test)]
mod test;

use soroban_sdk::{
    contract, contracterror, contractevent, contractimpl, contracttype, Address, BytesN, Env,
};

/// What can go wrong. Clients match on the numbers: they never change, and a
/// retired one is not given out again.
#[contracterror]
#[derive(Copy, Clone, Debug, Eq, PartialEq, PartialOrd, Ord)]
#[repr(u32)]
pub enum Error {
    /// A value that the constructor sets is absent.
    NotConstructed = 7200,
    /// `anchor` was called with a sequence number that is not above the newest.
    AnchorOutOfOrder = 7201,
}

/// Whether the tenant is served. Stored as its number.
#[contracttype]
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
#[repr(u32)]
pub enum Status {
    Active = 0,
    Archived = 1,
}

/// The head of the audit chain as of one ledger.
#[contracttype]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Anchor {
    /// Number of the chain's newest event that `root` covers.
    pub seq: u64,
    pub root: BytesN<32>,
    /// Ledger in which it was anchored.
    pub ledger: u32,
}

/// Published once, by the constructor.
#[contractevent]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Constructed {
    #[topic]
    pub tenant: BytesN<32>,
    pub admin: Address,
}

#[contractevent]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StatusSet {
    pub status: Status,
}

#[contractevent]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AdminSet {
    #[topic]
    pub old: Address,
    #[topic]
    pub new: Address,
}

#[contractevent]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Anchored {
    #[topic]
    pub seq: u64,
    pub root: BytesN<32>,
}

#[contractevent]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Upgraded {
    pub wasm_hash: BytesN<32>,
}

#[contract]
pub struct TenantContract;

// Every change is in the same order: authorize, change, event. Nothing is
// written before the admin is known to agree, and no event tells of a change
// that did not happen.
#[contractimpl]
impl TenantContract {
    /// Binds the contract to a tenant and an admin, in the transaction that
    /// creates it. The admin need not sign: the deployer's address is part of
    /// the contract's id, so nobody else can occupy it with other values.
    pub fn __constructor(env: Env, admin: Address, tenant_hash: BytesN<32>) {
        storage::construct(&env, &admin, &tenant_hash);
        Constructed {
            tenant: tenant_hash,
            admin,
        }
        .publish(&env);
    }

    /// The hash that identifies the tenant. It never changes.
    pub fn tenant(env: Env) -> Result<BytesN<32>, Error> {
        storage::tenant(&env)
    }

    pub fn admin(env: Env) -> Result<Address, Error> {
        storage::admin(&env)
    }

    pub fn status(env: Env) -> Result<Status, Error> {
        storage::status(&env)
    }

    pub fn set_status(env: Env, status: Status) -> Result<(), Error> {
        storage::admin(&env)?.require_auth();
        storage::set_status(&env, status);
        StatusSet { status }.publish(&env);
        Ok(())
    }

    /// Hands the contract over, at once and without asking the new admin: an
    /// address that nobody holds the key of locks the contract for ever.
    pub fn set_admin(env: Env, new_admin: Address) -> Result<(), Error> {
        let old = storage::admin(&env)?;
        old.require_auth();
        storage::set_admin(&env, &new_admin);
        AdminSet {
            old,
            new: new_admin,
        }
        .publish(&env);
        Ok(())
    }

    /// Records the head of the audit chain. The sequence number only grows, so
    /// a later anchor cannot be replaced by an older one. An archived tenant
    /// still takes anchors: its last events are about being archived.
    pub fn anchor(env: Env, seq: u64, root: BytesN<32>) -> Result<(), Error> {
        storage::admin(&env)?.require_auth();
        storage::set_anchor(&env, seq, &root)?;
        Anchored { seq, root }.publish(&env);
        Ok(())
    }

    pub fn latest_anchor(env: Env) -> Option<Anchor> {
        storage::anchor(&env)
    }

    /// Replaces the contract's code from the next call on. The code must have
    /// been uploaded; what is stored stays and has to be readable by it.
    pub fn upgrade(env: Env, new_wasm_hash: BytesN<32>) -> Result<(), Error> {
        storage::admin(&env)?.require_auth();
        storage::upgrade(&env, &new_wasm_hash);
        Upgraded {
            wasm_hash: new_wasm_hash,
        }
        .publish(&env);
        Ok(())
    }
}
