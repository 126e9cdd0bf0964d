//! Framing: numbers little-endian and of fixed size, bytes and lists behind a
//! four-byte count, options behind a byte that is 0 or 1.

use anyhow::{bail, Context, Result};
use soroban_env_host::{
    xdr::{ReadXdr, WriteXdr},
    DEFAULT_XDR_RW_LIMITS,
};

pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader(bytes)
    }

    fn take(&mut self, n: usize) -> Result<&'a [u8]> {
        if n > self.0.len() {
            bail!("frame ends {} bytes early", n - self.0.len());
        }
        let (head, tail) = self.0.split_at(n);
        self.0 = tail;
        Ok(head)
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        Ok(self.take(N)?.try_into()?)
    }

    pub fn bool(&mut self) -> Result<bool> {
        Ok(self.array::<1>()?[0] != 0)
    }

    pub fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub fn bytes(&mut self) -> Result<&'a [u8]> {
        let n = self.u32()? as usize;
        self.take(n)
    }

    pub fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<Option<T>> {
        Ok(match self.bool()? {
            true => Some(read(self)?),
            false => None,
        })
    }

    pub fn list<T>(&mut self, read: impl Fn(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        (0..self.u32()?).map(|_| read(self)).collect()
    }

    /// One XDR value; `what` names it in the error.
    pub fn xdr<T: ReadXdr>(&mut self, what: &'static str) -> Result<T> {
        T::from_xdr(self.bytes()?, DEFAULT_XDR_RW_LIMITS).context(what)
    }

    /// Refuses bytes that nothing has read: the two sides disagree.
    pub fn end(&self) -> Result<()> {
        if !self.0.is_empty() {
            bail!("frame has {} bytes too many", self.0.len());
        }
        Ok(())
    }
}

#[derive(Default)]
pub struct Writer(Vec<u8>);

impl Writer {
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    pub fn raw(&mut self, v: &[u8]) {
        self.0.extend_from_slice(v);
    }

    pub fn u8(&mut self, v: u8) {
        self.raw(&[v]);
    }

    pub fn u32(&mut self, v: u32) {
        self.raw(&v.to_le_bytes());
    }

    pub fn u64(&mut self, v: u64) {
        self.raw(&v.to_le_bytes());
    }

    pub fn i64(&mut self, v: i64) {
        self.raw(&v.to_le_bytes());
    }

    pub fn bytes(&mut self, v: &[u8]) {
        self.u32(v.len() as u32);
        self.raw(v);
    }

    pub fn option(&mut self, v: Option<&[u8]>) {
        self.u8(v.is_some() as u8);
        if let Some(v) = v {
            self.bytes(v);
        }
    }

    pub fn list<T: AsRef<[u8]>>(&mut self, items: &[T]) {
        self.u32(items.len() as u32);
        for item in items {
            self.bytes(item.as_ref());
        }
    }
}

pub fn xdr(v: &impl WriteXdr) -> Result<Vec<u8>> {
    Ok(v.to_xdr(DEFAULT_XDR_RW_LIMITS)?)
}

pub fn xdr_option(v: Option<&impl WriteXdr>) -> Result<Option<Vec<u8>>> {
    v.map(xdr).transpose()
}

pub fn xdr_list(v: &[impl WriteXdr]) -> Result<Vec<Vec<u8>>> {
    v.iter().map(xdr).collect()
}
