//! Stands in for the getrandom crate, version 0.2, and never gives a byte.
//!
//! The host's random numbers all come from the seed that its caller hands in, so
//! nothing may ask for more. Whatever does is a mistake that would make runs
//! differ, and has to be seen.

use core::{fmt, num::NonZeroU32};

/// Exists because rand_core names it. Never made by this crate.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub struct Error(NonZeroU32);

impl Error {
    pub const fn code(self) -> NonZeroU32 {
        self.0
    }
}

impl From<NonZeroU32> for Error {
    fn from(code: NonZeroU32) -> Self {
        Error(code)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "getrandom: error {}", self.0)
    }
}

impl std::error::Error for Error {}

/// Panics.
pub fn getrandom(_dest: &mut [u8]) -> Result<(), Error> {
    panic!("something in the Soroban host asked for randomness other than its seed")
}
