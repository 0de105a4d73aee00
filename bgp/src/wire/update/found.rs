//! The attributes of one UPDATE on their way from octets to the canonical form.
//!
//! [`Found::walk`] checks them one by one and sorts them into those that are kept and those that
//! belong to the message (NEXT_HOP, the multiprotocol and the AS4 attributes). Errors are noted
//! with their consequence; only one that resets the session ends the walk.

use crate::attributes::{Aggregator, Canonical, NextHop};
use crate::nlri::List4;
use crate::wire::attribute::{
    OPTIONAL, PARTIAL, Piece, Pieces, Raw, TRANSITIVE, aggregator, aigp, as_path, canonical, code,
    communities, fixed, pmsi_tunnel,
};
use crate::wire::error::{UpdateError, Verdict};
use crate::wire::nlri::ipv4;
use crate::wire::read::Reader;
use crate::wire::unwanted::Fate;
use crate::wire::update::{Fields, is_host};
use crate::wire::{AttributeCodes, Context};

#[derive(Default)]
pub(super) struct Found<'a> {
    pub(super) reach: Option<Raw<'a>>,
    pub(super) unreach: Option<Raw<'a>>,
    pub(super) next_hop: Option<NextHop>,
    /// An error turned the routes into withdrawals.
    pub(super) withdraw: bool,
    /// There is an announced route, also one that is not taken.
    pub(super) reachable: bool,
    /// There is no attribute but MP_UNREACH_NLRI.
    pub(super) only_unreach: bool,
    pub(super) errors: Vec<UpdateError>,
    pieces: Pieces<'a>,
    seen: AttributeCodes,
    as4_path: Option<&'a [u8]>,
    aggregator: Option<(u8, Aggregator)>,
    as4_aggregator: Option<(u8, Aggregator)>,
}

impl<'a> Found<'a> {
    /// Nothing yet; filled in where it stands, since it is too large to be handed around.
    pub(super) fn new() -> Self {
        Self {
            only_unreach: true,
            ..Self::default()
        }
    }

    pub(super) fn walk(
        &mut self,
        octets: &'a [u8],
        announces_ipv4: bool,
        ctx: &Context,
    ) -> Result<(), UpdateError> {
        self.reachable = announces_ipv4;
        let mut reader = Reader::new(octets);
        while !reader.is_empty() {
            // RFC 7606 §4: the total length still says where the routes begin.
            match Raw::read(&mut reader) {
                Ok(raw) => self.take(raw, announces_ipv4, ctx)?,
                Err(error) => {
                    self.only_unreach = false;
                    self.note(error);
                    break;
                }
            }
        }
        Ok(())
    }

    /// Adds the prefixes of one of the message's two fields. RFC 7606 §5.3: they must all be readable.
    pub(super) fn ipv4(
        &mut self,
        field: &'static str,
        octets: &[u8],
        ctx: &Context,
        routes: &mut List4,
    ) -> Result<(), UpdateError> {
        if octets.is_empty() {
            return Ok(());
        }
        ipv4::decode(Reader::new(octets), ctx.add_path.ipv4_unicast, routes)
            .map_err(|fault| UpdateError::NetworkField { field, fault })?;
        if !ctx.families.ipv4_unicast {
            routes.clear();
            self.note(UpdateError::NotNegotiated { afi: 1, safi: 1 });
        }
        Ok(())
    }

    /// Keeps an error that leaves the session up.
    pub(super) fn note(&mut self, error: UpdateError) {
        self.withdraw |= error.verdict() == Verdict::TreatAsWithdraw;
        self.errors.push(error);
    }

    fn take(
        &mut self,
        raw: Raw<'a>,
        announces_ipv4: bool,
        ctx: &Context,
    ) -> Result<(), UpdateError> {
        self.only_unreach &= raw.code == code::MP_UNREACH_NLRI;
        if !self.seen.insert(raw.code) {
            return self.settle(Err(duplicate(raw.code)));
        }
        match ctx.unwanted.fate(raw.code) {
            None => {}
            Some(Fate::Discard) => return Ok(()),
            Some(Fate::Withdraw) => {
                self.note(UpdateError::Unwanted { code: raw.code });
                return Ok(());
            }
        }
        // RFC 4760 §3: NEXT_HOP beside MP_REACH_NLRI alone is ignored.
        if raw.code == code::NEXT_HOP && !announces_ipv4 {
            return Ok(());
        }
        // RFC 7311 §3.3: "quietly ignored and not passed along".
        if raw.code == code::AIGP && !ctx.aigp {
            return Ok(());
        }
        let outcome = match ignored(raw.code, ctx) {
            Some(error) => Err(error),
            None => check_flags(&raw).and_then(|()| self.keep(raw, ctx)),
        };
        self.settle(outcome)
    }

    fn settle(&mut self, outcome: Result<(), UpdateError>) -> Result<(), UpdateError> {
        let Err(error) = outcome else {
            return Ok(());
        };
        match error.verdict() {
            Verdict::DiscardAttribute | Verdict::TreatAsWithdraw => {
                self.note(error);
                Ok(())
            }
            Verdict::DisableFamily(_) | Verdict::ResetSession(_) => Err(error),
        }
    }

    /// Checks one attribute's value and puts it where it belongs.
    fn keep(&mut self, raw: Raw<'a>, ctx: &Context) -> Result<(), UpdateError> {
        match raw.code {
            code::ORIGIN => fixed::check_origin(&raw)?,
            code::AS_PATH => check_own_path(&raw, ctx)?,
            code::MULTI_EXIT_DISC
            | code::LOCAL_PREF
            | code::ORIGINATOR_ID
            | code::ONLY_TO_CUSTOMER => fixed::check_u32(&raw)?,
            code::ATOMIC_AGGREGATE => fixed::check_atomic_aggregate(&raw)?,
            code::CLUSTER_LIST | code::COMMUNITIES => communities::check_communities(&raw)?,
            code::EXTENDED_COMMUNITIES => communities::check_extended(&raw)?,
            code::LARGE_COMMUNITIES => communities::check_large(&raw)?,
            code::AIGP => aigp::check(&raw)?,
            code::PMSI_TUNNEL => drop(pmsi_tunnel::decode(&raw)?),
            code::NEXT_HOP => {
                let addr = fixed::next_hop(&raw)?;
                self.next_hop = Some(NextHop::V4(addr));
                return if is_host(addr.into()) {
                    Ok(())
                } else {
                    Err(UpdateError::NextHop(addr.into()))
                };
            }
            code::AGGREGATOR => {
                self.aggregator = Some((raw.flags, aggregator::decode(&raw, ctx.as4)?));
                return Ok(());
            }
            code::AS4_AGGREGATOR => {
                self.as4_aggregator = Some((raw.flags, aggregator::decode(&raw, true)?));
                return Ok(());
            }
            code::AS4_PATH => {
                check_path(&raw, true)?;
                self.as4_path = Some(raw.value);
                return Ok(());
            }
            code::MP_REACH_NLRI => {
                self.reach = Some(raw);
                return Ok(());
            }
            code::MP_UNREACH_NLRI => {
                self.unreach = Some(raw);
                return Ok(());
            }
            _ => return self.keep_unknown(raw),
        }
        self.pieces.push(piece(&raw));
        Ok(())
    }

    fn keep_unknown(&mut self, raw: Raw<'a>) -> Result<(), UpdateError> {
        if raw.flags & OPTIONAL == 0 {
            return Err(UpdateError::UnrecognizedWellKnown {
                code: raw.code,
                attribute: raw.to_bytes(),
            });
        }
        // RFC 4271 §9: passed on with the Partial bit set, or quietly ignored.
        if raw.flags & TRANSITIVE != 0 {
            let flags = raw.flags | PARTIAL;
            self.pieces.push(Piece::new(raw.code, flags, raw.value));
        }
        Ok(())
    }

    /// RFC 7606 §3 d and §5.2, once it is known which routes there are.
    pub(super) fn check_missing(
        &mut self,
        fields: &Fields<'_>,
        has_reach: bool,
    ) -> Result<(), UpdateError> {
        let announces_ipv4 = !fields.announced.is_empty();
        let wanted = [
            (code::ORIGIN, announces_ipv4 || has_reach),
            (code::AS_PATH, announces_ipv4 || has_reach),
            (code::NEXT_HOP, announces_ipv4),
        ];
        for (code, wanted) in wanted {
            if wanted && !self.seen.contains(code) {
                self.note(UpdateError::Missing { code });
            }
        }
        if !self.withdraw || self.reachable || self.only_unreach {
            return Ok(());
        }
        // RFC 7606 §5.2: the routes may be what was damaged.
        let damage = |error: &&UpdateError| {
            let unwanted = matches!(error, UpdateError::Unwanted { .. });
            error.verdict() == Verdict::TreatAsWithdraw && !unwanted
        };
        let error = self.errors.iter().find(damage);
        error.map_or(Ok(()), |error| {
            Err(UpdateError::NoRoutes(Box::new(error.clone())))
        })
    }

    /// The canonical octets of what was kept.
    pub(super) fn canonical(&mut self, ctx: &Context) -> Canonical {
        if !ctx.as4 {
            self.widen();
        }
        if let Some((flags, value)) = &self.aggregator {
            let value = aggregator::encode(value).to_vec();
            self.pieces
                .push(Piece::new(code::AGGREGATOR, *flags, value));
        }
        canonical(&mut self.pieces)
    }

    /// RFC 6793 §4.2.3: four-octet numbers from a peer that has none.
    fn widen(&mut self) {
        let mut as4_path = self.as4_path;
        match (&mut self.aggregator, self.as4_aggregator) {
            // "If the AGGREGATOR attribute does not have AS_TRANS, AS4_AGGREGATOR and AS4_PATH
            // SHALL be ignored": a router that does not know them aggregated since.
            (Some((_, one)), Some(_)) if one.asn != crate::Asn::TRANS => as4_path = None,
            (Some(aggregator), Some(four_octet)) => aggregator.1 = four_octet.1,
            (Some(_), None) | (None, _) => {}
        }
        for piece in &mut self.pieces {
            if piece.code == code::AS_PATH {
                piece.change(|value| {
                    let wide = as_path::widen(value);
                    match as4_path {
                        Some(as4_path) => as_path::merge(wide, as4_path),
                        None => wide,
                    }
                });
            }
        }
    }
}

fn piece<'a>(raw: &Raw<'a>) -> Piece<'a> {
    let sorting = match raw.code {
        code::COMMUNITIES => communities::sorting::<4>(raw.value),
        code::EXTENDED_COMMUNITIES => communities::sorting::<8>(raw.value),
        code::LARGE_COMMUNITIES => communities::sorting::<12>(raw.value),
        _ => None,
    };
    match sorting {
        Some(sorted) => Piece::unsorted(raw, sorted),
        None => Piece::of(raw),
    }
}

fn check_own_path(raw: &Raw<'_>, ctx: &Context) -> Result<(), UpdateError> {
    check_path(raw, ctx.as4)?;
    if !ctx.external {
        return Ok(());
    }
    as_path::check_external(raw.value, ctx.as4).map_err(|fault| UpdateError::AsPath {
        code: raw.code,
        fault,
    })
}

fn check_path(raw: &Raw<'_>, as4: bool) -> Result<(), UpdateError> {
    as_path::check(raw.value, as4).map_err(|fault| UpdateError::AsPath {
        code: raw.code,
        fault,
    })
}

/// RFC 7606 §3 c; for the multiprotocol attributes §5.3.
fn check_flags(raw: &Raw<'_>) -> Result<(), UpdateError> {
    let multiprotocol = matches!(raw.code, code::MP_REACH_NLRI | code::MP_UNREACH_NLRI);
    raw.check_flags().map_err(|error| {
        if multiprotocol {
            UpdateError::MultiprotocolFlags {
                code: raw.code,
                attribute: raw.to_bytes(),
            }
        } else {
            error
        }
    })
}

fn duplicate(code: u8) -> UpdateError {
    if matches!(code, code::MP_REACH_NLRI | code::MP_UNREACH_NLRI) {
        return UpdateError::DuplicateMultiprotocol { code };
    }
    UpdateError::Duplicate { code }
}

/// Attributes that are discarded unread because of who sends them.
fn ignored(code: u8, ctx: &Context) -> Option<UpdateError> {
    match code {
        // RFC 7606 §7.5, §7.9, §7.10.
        code::LOCAL_PREF | code::ORIGINATOR_ID | code::CLUSTER_LIST if ctx.external => {
            Some(UpdateError::FromExternal { code })
        }
        // RFC 6793 §4.1: "MUST discard the attribute and continue processing the UPDATE".
        code::AS4_PATH | code::AS4_AGGREGATOR if ctx.as4 => {
            Some(UpdateError::FromNewSpeaker { code })
        }
        _ => None,
    }
}
