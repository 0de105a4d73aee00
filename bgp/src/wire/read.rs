//! Reading octets with a bound.
//!
//! Every decoder of this crate reads through [`Reader`], which can only move forward and never
//! beyond the octets it was given. A length field becomes a [`Reader::sub`] of that length, so
//! nothing beneath it can read past it. The combinators of nom stay in this file; what the octets
//! mean is decided by the callers.

use nom::bytes::complete::take;
use nom::number::complete::{be_u8, be_u16, be_u32};

/// Fewer octets are left than a field needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Short;

/// The octets of one field, read from the front.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    #[inline]
    pub(crate) fn u8(&mut self) -> Result<u8, Short> {
        let (rest, value) = be_u8::<_, ()>(self.rest).map_err(|_| Short)?;
        self.rest = rest;
        Ok(value)
    }

    #[inline]
    pub(crate) fn u16(&mut self) -> Result<u16, Short> {
        let (rest, value) = be_u16::<_, ()>(self.rest).map_err(|_| Short)?;
        self.rest = rest;
        Ok(value)
    }

    #[inline]
    pub(crate) fn u32(&mut self) -> Result<u32, Short> {
        let (rest, value) = be_u32::<_, ()>(self.rest).map_err(|_| Short)?;
        self.rest = rest;
        Ok(value)
    }

    /// The next `len` octets.
    #[inline]
    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], Short> {
        let (rest, value) = take::<_, _, ()>(len)(self.rest).map_err(|_| Short)?;
        self.rest = rest;
        Ok(value)
    }

    /// The next `N` octets by value.
    #[inline]
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Short> {
        let value = self.take(N)?;
        value.first_chunk().copied().ok_or(Short)
    }

    /// A reader of the next `len` octets, which this one steps over.
    #[inline]
    pub(crate) fn sub(&mut self, len: usize) -> Result<Reader<'a>, Short> {
        self.take(len).map(Reader::new)
    }

    /// What has not been read.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn len(&self) -> usize {
        self.rest.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }
}
