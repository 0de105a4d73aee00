//! Reading of wire values: the only place that names nom.
//!
//! A [`Reader`] walks once over the bytes of a packet. It knows nothing of BFD and never panics:
//! what is not there is [`Truncated`].

use nom::IResult;
use nom::bytes::complete::take;
use nom::number::complete::{be_u8, be_u32};

/// A cursor over received bytes.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

/// The bytes ended before the value did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Truncated;

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Truncated> {
        let parsed = be_u8(self.rest);
        self.advance(parsed)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Truncated> {
        let parsed = be_u32(self.rest);
        self.advance(parsed)
    }

    pub(crate) fn take(&mut self, octets: usize) -> Result<&'a [u8], Truncated> {
        let parsed = take(octets)(self.rest);
        self.advance(parsed)
    }

    fn advance<T>(&mut self, parsed: IResult<&'a [u8], T>) -> Result<T, Truncated> {
        let (rest, value) = parsed.map_err(|_| Truncated)?;
        self.rest = rest;
        Ok(value)
    }
}
