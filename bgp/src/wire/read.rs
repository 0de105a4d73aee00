//! Reading octets with a bound.
//!
//! Every decoder of this crate reads through [`Reader`], which can only move forward and never
//! beyond the octets it was given. A length field becomes a [`Reader::sub`] of that length, so
//! nothing beneath it can read past it. What the octets mean is decided by the callers.
//!
//! Plain slices and not nom: its numbers are put together octet by octet and its `take` is no
//! single step, which made a third of what it costs to read a route and two thirds of what policy
//! costs. Where a packet has a dozen fields and none is read twice (BFD) that plays no part.

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
        self.array().map(u8::from_be_bytes)
    }

    #[inline]
    pub(crate) fn u16(&mut self) -> Result<u16, Short> {
        self.array().map(u16::from_be_bytes)
    }

    #[inline]
    pub(crate) fn u32(&mut self) -> Result<u32, Short> {
        self.array().map(u32::from_be_bytes)
    }

    /// The next `len` octets.
    #[inline]
    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], Short> {
        let (value, rest) = self.rest.split_at_checked(len).ok_or(Short)?;
        self.rest = rest;
        Ok(value)
    }

    /// The next `N` octets by value.
    #[inline]
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Short> {
        let (value, rest) = self.rest.split_first_chunk().ok_or(Short)?;
        self.rest = rest;
        Ok(*value)
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
