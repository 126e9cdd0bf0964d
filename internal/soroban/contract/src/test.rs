extern crate std;

use soroban_sdk::{
    testutils::{
        storage::Instance as _, Address as _, EnvTestConfig, Events as _, Ledger as _, MockAuth,
        MockAuthInvoke,
    },
    xdr, Address, BytesN, Env, Error as HostError, IntoVal, InvokeError, Symbol, Val, Vec,
};

use crate::{
    storage::{EXTEND_TO, THRESHOLD},
    AdminSet, Anchor, Anchored, Constructed, Error, Status, StatusSet, TenantContract,
    TenantContractClient, Upgraded,
};

const SEQUENCE: u32 = 1_000;

/// The committed contract. `upgrade` needs code that is on the ledger, and its
/// test shows that new code reads the values that older code stored.
const WASM: &[u8] = include_bytes!("../tenant_contract.wasm");

struct Setup {
    env: Env,
    admin: Address,
    stranger: Address,
    tenant: BytesN<32>,
    client: TenantContractClient<'static>,
}

impl Setup {
    fn new() -> Self {
        let env = Env::new_with_config(EnvTestConfig {
            capture_snapshot_at_drop: false,
        });
        env.ledger().with_mut(|l| {
            l.sequence_number = SEQUENCE;
            l.min_persistent_entry_ttl = THRESHOLD;
            l.max_entry_ttl = 3_110_400;
        });
        let admin = Address::generate(&env);
        let tenant = BytesN::from_array(&env, &[7; 32]);
        let id = env.register(TenantContract, (&admin, &tenant));
        Setup {
            stranger: Address::generate(&env),
            client: TenantContractClient::new(&env, &id),
            env,
            admin,
            tenant,
        }
    }

    /// Authorizes exactly one call with these arguments and no call below it.
    fn authorize(&self, who: &Address, fn_name: &str, args: impl IntoVal<Env, Vec<Val>>) {
        self.env.mock_auths(&[MockAuth {
            address: who,
            invoke: &MockAuthInvoke {
                contract: &self.client.address,
                fn_name,
                args: args.into_val(&self.env),
                sub_invokes: &[],
            },
        }]);
    }

    fn assert_event(&self, event: impl soroban_sdk::Event) {
        let want = event.to_xdr(&self.env, &self.client.address);
        assert_eq!(self.events(), [want]);
    }

    fn events(&self) -> soroban_sdk::testutils::ContractEvents {
        self.env
            .events()
            .all()
            .filter_by_contract(&self.client.address)
    }

    fn ttl(&self) -> u32 {
        self.env.as_contract(&self.client.address, || {
            self.env.storage().instance().get_ttl()
        })
    }

    fn root(&self, byte: u8) -> BytesN<32> {
        BytesN::from_array(&self.env, &[byte; 32])
    }
}

/// The result of a call without the admin's authorization.
fn not_authorized<T>() -> Result<T, Result<Error, InvokeError>> {
    Err(Err(InvokeError::Abort))
}

#[test]
fn error_numbers_are_fixed() {
    assert_eq!(Error::NotConstructed as u32, 7200);
    assert_eq!(Error::AnchorOutOfOrder as u32, 7201);
    assert_eq!(
        HostError::from(Error::AnchorOutOfOrder),
        HostError::from_contract_error(7201)
    );
}

#[test]
fn status_numbers_are_fixed() {
    assert_eq!(Status::Active as u32, 0);
    assert_eq!(Status::Suspended as u32, 1);
    assert_eq!(Status::Archived as u32, 2);
}

#[test]
fn constructor_stores_values_and_publishes_event() {
    let s = Setup::new();
    s.assert_event(Constructed {
        tenant: s.tenant.clone(),
        admin: s.admin.clone(),
    });
    assert_eq!(s.client.tenant(), s.tenant);
    assert_eq!(s.client.admin(), s.admin);
    assert_eq!(s.client.status(), Status::Active);
    assert_eq!(s.client.latest_anchor(), None);
}

#[test]
fn event_topics_are_fixed() {
    let s = Setup::new();
    let event = s.events().events()[0].clone();
    let xdr::ContractEventBody::V0(body) = event.body;
    assert_eq!(
        body.topics.as_slice(),
        [
            xdr::ScVal::Symbol("constructed".try_into().unwrap()),
            xdr::ScVal::Bytes([7u8; 32].to_vec().try_into().unwrap()),
        ]
    );
}

#[test]
fn admin_can_set_every_status() {
    let s = Setup::new();
    for status in [Status::Archived, Status::Suspended, Status::Active] {
        s.authorize(&s.admin, "set_status", (status,));
        s.client.set_status(&status);
        s.assert_event(StatusSet { status });
        assert_eq!(s.client.status(), status);
    }
}

#[test]
fn non_admin_cannot_set_status() {
    let s = Setup::new();
    for status in [Status::Suspended, Status::Archived] {
        s.authorize(&s.stranger, "set_status", (status,));
        assert_eq!(s.client.try_set_status(&status), not_authorized());
        assert!(s.events().events().is_empty());
        assert_eq!(s.client.status(), Status::Active);
    }
}

#[test]
fn admin_can_suspend_and_resume() {
    let s = Setup::new();
    s.authorize(&s.admin, "set_status", (Status::Suspended,));
    s.client.set_status(&Status::Suspended);
    s.assert_event(StatusSet {
        status: Status::Suspended,
    });
    assert_eq!(s.client.status(), Status::Suspended);
    s.authorize(&s.admin, "set_status", (Status::Active,));
    s.client.set_status(&Status::Active);
    s.assert_event(StatusSet {
        status: Status::Active,
    });
    assert_eq!(s.client.status(), Status::Active);
}

#[test]
fn non_admin_cannot_resume() {
    let s = Setup::new();
    s.authorize(&s.admin, "set_status", (Status::Suspended,));
    s.client.set_status(&Status::Suspended);
    s.authorize(&s.stranger, "set_status", (Status::Active,));
    assert_eq!(s.client.try_set_status(&Status::Active), not_authorized());
    assert!(s.events().events().is_empty());
    assert_eq!(s.client.status(), Status::Suspended);
}

#[test]
fn suspended_contract_records_anchors() {
    let s = Setup::new();
    s.authorize(&s.admin, "set_status", (Status::Suspended,));
    s.client.set_status(&Status::Suspended);
    let root = s.root(3);
    s.authorize(&s.admin, "anchor", (7u64, &root));
    s.client.anchor(&7, &root);
    assert_eq!(s.client.latest_anchor().map(|a| a.seq), Some(7));
}

#[test]
fn unknown_status_is_refused() {
    let s = Setup::new();
    s.authorize(&s.admin, "set_status", (3u32,));
    let got = s.env.try_invoke_contract::<(), InvokeError>(
        &s.client.address,
        &Symbol::new(&s.env, "set_status"),
        (3u32,).into_val(&s.env),
    );
    assert!(got.is_err());
    assert_eq!(s.client.status(), Status::Active);
}

#[test]
fn authorization_of_another_status_does_not_count() {
    let s = Setup::new();
    s.authorize(&s.admin, "set_status", (Status::Active,));
    assert_eq!(s.client.try_set_status(&Status::Archived), not_authorized());
}

#[test]
fn admin_can_set_admin() {
    let s = Setup::new();
    s.authorize(&s.admin, "set_admin", (&s.stranger,));
    s.client.set_admin(&s.stranger);
    s.assert_event(AdminSet {
        old: s.admin.clone(),
        new: s.stranger.clone(),
    });
    assert_eq!(s.client.admin(), s.stranger);
}

#[test]
fn non_admin_cannot_set_admin() {
    let s = Setup::new();
    s.authorize(&s.stranger, "set_admin", (&s.stranger,));
    assert_eq!(s.client.try_set_admin(&s.stranger), not_authorized());
    assert!(s.events().events().is_empty());
    assert_eq!(s.client.admin(), s.admin);
}

#[test]
fn former_admin_cannot_set_status() {
    let s = Setup::new();
    s.authorize(&s.admin, "set_admin", (&s.stranger,));
    s.client.set_admin(&s.stranger);
    s.authorize(&s.admin, "set_status", (Status::Archived,));
    assert_eq!(s.client.try_set_status(&Status::Archived), not_authorized());
}

#[test]
fn admin_can_anchor() {
    let s = Setup::new();
    let root = s.root(1);
    s.authorize(&s.admin, "anchor", (41u64, &root));
    s.client.anchor(&41, &root);
    s.assert_event(Anchored {
        seq: 41,
        root: root.clone(),
    });
    assert_eq!(
        s.client.latest_anchor(),
        Some(Anchor {
            seq: 41,
            root,
            ledger: SEQUENCE
        })
    );
}

#[test]
fn non_admin_cannot_anchor() {
    let s = Setup::new();
    let root = s.root(1);
    s.authorize(&s.stranger, "anchor", (41u64, &root));
    assert_eq!(s.client.try_anchor(&41, &root), not_authorized());
    assert!(s.events().events().is_empty());
    assert_eq!(s.client.latest_anchor(), None);
}

#[test]
fn anchor_grows_only() {
    let s = Setup::new();
    for (seq, ok) in [(5u64, true), (5, false), (4, false), (6, true), (900, true)] {
        let root = s.root(seq as u8);
        s.authorize(&s.admin, "anchor", (seq, &root));
        let got = s.client.try_anchor(&seq, &root);
        let want = if ok {
            Ok(Ok(()))
        } else {
            Err(Ok(Error::AnchorOutOfOrder))
        };
        assert_eq!(got, want, "anchor {seq}");
    }
    assert_eq!(s.client.latest_anchor().map(|a| a.seq), Some(900));
}

#[test]
fn admin_can_upgrade() {
    let s = Setup::new();
    let hash = s.env.deployer().upload_contract_wasm(WASM);
    s.authorize(&s.admin, "upgrade", (&hash,));
    s.client.upgrade(&hash);
    s.assert_event(Upgraded { wasm_hash: hash });
    assert_eq!(s.client.tenant(), s.tenant);
    assert_eq!(s.client.admin(), s.admin);
}

#[test]
fn non_admin_cannot_upgrade() {
    let s = Setup::new();
    let hash = s.env.deployer().upload_contract_wasm(WASM);
    s.authorize(&s.stranger, "upgrade", (&hash,));
    assert_eq!(s.client.try_upgrade(&hash), not_authorized());
    assert!(s.events().events().is_empty());
}

#[test]
fn new_contract_lives_for_the_full_term() {
    let s = Setup::new();
    assert_eq!(s.ttl(), EXTEND_TO);
}

#[test]
fn change_below_the_threshold_extends_life() {
    let s = Setup::new();
    s.env
        .ledger()
        .set_sequence_number(SEQUENCE + EXTEND_TO - THRESHOLD + 1);
    assert!(s.ttl() < THRESHOLD);
    s.authorize(&s.admin, "set_status", (Status::Archived,));
    s.client.set_status(&Status::Archived);
    assert_eq!(s.ttl(), EXTEND_TO);
}

#[test]
fn change_above_the_threshold_pays_no_rent() {
    let s = Setup::new();
    s.env.ledger().set_sequence_number(SEQUENCE + 10);
    s.authorize(&s.admin, "set_status", (Status::Archived,));
    s.client.set_status(&Status::Archived);
    assert_eq!(s.ttl(), EXTEND_TO - 10);
}
