#![no_std]
//! The contract of one tenant. Each tenant has its own instance.
//!
//! It stores the tenant's hash, the admin's address, the tenant's status and the
//! newest anchor of the tenant's audit chain. Every address can read them. The
//! anchor makes a change of older audit events in the database detectable.
//!
//! Only the admin can change a value, and every change publishes an event. Data
//! on the ledger is public and permanent. The contract therefore stores hashes,
//! numbers and addresses only, and no personal data.
//!
//! Doc comments of exported items become part of the code on the ledger, which
//! is paid for by size. They are short; further notes are ordinary comments.

mod storage;
#[cfg(test)]
mod test;

use soroban_sdk::{
    contract, contracterror, contractevent, contractimpl, contracttype, Address, BytesN, Env,
};

// Clients compare the numbers: a number never changes its meaning and is never
// used again.
/// Errors of the contract.
#[contracterror]
#[derive(Copy, Clone, Debug, Eq, PartialEq, PartialOrd, Ord)]
#[repr(u32)]
pub enum Error {
    /// A value that the constructor stores is missing.
    NotConstructed = 7200,
    /// The anchor's sequence number is not above the newest anchor's.
    AnchorOutOfOrder = 7201,
}

// Stored as its number. The registry decides which changes of status are
// allowed. The contract accepts every status from the admin.
/// Status of the tenant.
#[contracttype]
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
#[repr(u32)]
pub enum Status {
    /// The tenant is in service.
    Active = 0,
    /// The tenant is out of service for a time.
    Suspended = 1,
    /// The tenant is out of service. Its data is kept.
    Archived = 2,
}

/// An event of the audit chain, recorded on the ledger.
#[contracttype]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Anchor {
    /// Number of the event in the chain.
    pub seq: u64,
    /// Hash of the event. It covers all events before it.
    pub root: BytesN<32>,
    /// Ledger that recorded the anchor.
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

/// Published when the admin sets the status.
#[contractevent]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StatusSet {
    pub status: Status,
}

/// Published when the admin appoints another admin.
#[contractevent]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AdminSet {
    #[topic]
    pub old: Address,
    #[topic]
    pub new: Address,
}

/// Published when an anchor is recorded.
#[contractevent]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Anchored {
    #[topic]
    pub seq: u64,
    pub root: BytesN<32>,
}

/// Published when the code is replaced.
#[contractevent]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Upgraded {
    pub wasm_hash: BytesN<32>,
}

#[contract]
pub struct TenantContract;

// Every change has the same order: authorize, write, publish the event. Nothing
// is written without the admin's authorization, and an event is published only
// for a change that was written.
#[contractimpl]
impl TenantContract {
    // It runs in the transaction that creates the contract. The admin does not
    // sign: the contract's id is derived from the deployer's address, so only
    // the deployer can create a contract with this id.
    /// Stores the admin and the tenant's hash, and sets the status to `Active`.
    pub fn __constructor(env: Env, admin: Address, tenant_hash: BytesN<32>) {
        storage::construct(&env, &admin, &tenant_hash);
        Constructed {
            tenant: tenant_hash,
            admin,
        }
        .publish(&env);
    }

    /// Returns the hash that identifies the tenant. It never changes.
    pub fn tenant(env: Env) -> Result<BytesN<32>, Error> {
        storage::tenant(&env)
    }

    /// Returns the address that can change the contract.
    pub fn admin(env: Env) -> Result<Address, Error> {
        storage::admin(&env)
    }

    /// Returns the tenant's status.
    pub fn status(env: Env) -> Result<Status, Error> {
        storage::status(&env)
    }

    /// Sets the tenant's status.
    pub fn set_status(env: Env, status: Status) -> Result<(), Error> {
        storage::admin(&env)?.require_auth();
        storage::set_status(&env, status);
        StatusSet { status }.publish(&env);
        Ok(())
    }

    /// Replaces the admin. The new admin does not confirm: with an address whose
    /// key is lost, the contract can never be changed again.
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

    // An older anchor cannot replace a newer one. The status does not matter:
    // the events of a suspension or an archival follow the change of status.
    /// Records an event of the audit chain. Its number must be above the newest
    /// anchor's.
    pub fn anchor(env: Env, seq: u64, root: BytesN<32>) -> Result<(), Error> {
        storage::admin(&env)?.require_auth();
        storage::set_anchor(&env, seq, &root)?;
        Anchored { seq, root }.publish(&env);
        Ok(())
    }

    /// Returns the newest anchor, or nothing before the first one.
    pub fn latest_anchor(env: Env) -> Option<Anchor> {
        storage::anchor(&env)
    }

    /// Replaces the code from the next call on. The new code must be on the
    /// ledger, and must be able to read the stored values.
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
