//! ROUTE-REFRESH (RFC 2918 §3, RFC 7313 §3).

use bytes::{BufMut, Bytes, BytesMut};

use crate::message::{Notification, RefreshKind, RouteRefresh};
use crate::wire::header::{self, HEADER_LEN, HeaderError, Kind};
use crate::wire::read::{Reader, Short};

pub(super) fn decode(frame: &[u8], body: &[u8]) -> Result<RouteRefresh, RouteRefreshError> {
    let refresh = read(body).map_err(|_| RouteRefreshError::length(frame, false))?;
    let exact = body.len() == BODY_LEN;
    match refresh.kind {
        // RFC 7313 §5: an unknown subtype is ignored, whatever its length.
        RefreshKind::Unknown(_) => Ok(refresh),
        RefreshKind::Request if !exact => Err(RouteRefreshError::length(frame, false)),
        RefreshKind::Begin | RefreshKind::End if !exact => {
            Err(RouteRefreshError::length(frame, true))
        }
        RefreshKind::Request | RefreshKind::Begin | RefreshKind::End => Ok(refresh),
    }
}

fn read(body: &[u8]) -> Result<RouteRefresh, Short> {
    let mut reader = Reader::new(body);
    let afi = reader.u16()?;
    let kind = match reader.u8()? {
        0 => RefreshKind::Request,
        1 => RefreshKind::Begin,
        2 => RefreshKind::End,
        other => RefreshKind::Unknown(other),
    };
    let safi = reader.u8()?;
    Ok(RouteRefresh { afi, safi, kind })
}

/// A ROUTE-REFRESH message.
pub fn encode_route_refresh(refresh: &RouteRefresh) -> Bytes {
    let mut out = BytesMut::with_capacity(HEADER_LEN + BODY_LEN);
    let at = header::start(&mut out, Kind::RouteRefresh);
    out.put_u16(refresh.afi);
    out.put_u8(match refresh.kind {
        RefreshKind::Request => 0,
        RefreshKind::Begin => 1,
        RefreshKind::End => 2,
        RefreshKind::Unknown(other) => other,
    });
    out.put_u8(refresh.safi);
    header::finish(&mut out, at);
    out.freeze()
}

/// AFI, subtype and SAFI.
const BODY_LEN: usize = 4;

/// A ROUTE-REFRESH that is not four octets long.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the length of the ROUTE-REFRESH message is `{}`, but must be 23", message.len())]
pub struct RouteRefreshError {
    message: Box<[u8]>,
    enhanced: bool,
}

impl RouteRefreshError {
    fn length(frame: &[u8], enhanced: bool) -> Self {
        Self {
            message: frame.into(),
            enhanced,
        }
    }

    /// The NOTIFICATION to send: for the markers of RFC 7313 its own code (§5), else bad length.
    pub fn notification(&self) -> Notification {
        if self.enhanced {
            return Notification::new(7, 1, &self.message);
        }
        let length = u16::try_from(self.message.len()).unwrap_or(u16::MAX);
        HeaderError::Length(length).notification()
    }
}

#[cfg(test)]
mod tests;
