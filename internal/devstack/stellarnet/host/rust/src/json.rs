//! XDR as JSON, in the form of SEP-51, by the XDR library's own serialization:
//! stellar-rpc answers `xdrFormat: "json"` with the same code.

use anyhow::{anyhow, Context, Result};
use soroban_env_host::DEFAULT_XDR_RW_LIMITS;
use stellar_xdr::{Type, TypeVariant};

use crate::wire::{Reader, Writer};

/// Takes the name of a type and one value of it, which has to fill the bytes.
pub fn from_xdr(r: &mut Reader) -> Result<Writer> {
    let name = std::str::from_utf8(r.bytes()?).context("type name")?;
    let variant: TypeVariant = name
        .parse()
        .map_err(|_| anyhow!("{name:?} is not the name of an XDR type"))?;
    let value = Type::from_xdr(variant, r.bytes()?, DEFAULT_XDR_RW_LIMITS)
        .with_context(|| format!("the bytes are no {name}"))?;
    let mut w = Writer::default();
    w.bytes(&serde_json::to_vec(&value)?);
    Ok(w)
}
