//! The columns of the table: which daemons, and where they are.

use super::bird::Bird;
use super::exabgp::Exabgp;
use super::frr::Frr;
use super::gobgp::Gobgp;
use super::openbgpd::Openbgpd;
use super::place::Place;
use super::plan::of;
use super::{Feature, Neighbor, Outcome};
use crate::lab::{Release, Requirement, missing};

/// A daemon of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Daemon {
    /// FRR of the machine's own package.
    Frr8,
    /// FRR of Debian trixie.
    Frr10,
    /// BIRD 2 of the machine's own package.
    Bird2,
    /// BIRD 2 with EVPN.
    Bird2New,
    /// BIRD 3.
    Bird3,
    /// GoBGP.
    Gobgp,
    /// OpenBGPD.
    Openbgpd,
    /// ExaBGP.
    Exabgp,
}

impl Daemon {
    /// All columns, in the order of the table.
    pub const ALL: [Self; 8] = [
        Self::Frr8,
        Self::Frr10,
        Self::Bird2,
        Self::Bird2New,
        Self::Bird3,
        Self::Gobgp,
        Self::Openbgpd,
        Self::Exabgp,
    ];

    /// Head of its column.
    pub fn name(self) -> &'static str {
        match self {
            Self::Frr8 => "FRR 8",
            Self::Frr10 => "FRR 10",
            Self::Bird2 => "BIRD 2.0",
            Self::Bird2New => "BIRD 2",
            Self::Bird3 => "BIRD 3",
            Self::Gobgp => "GoBGP",
            Self::Openbgpd => "OpenBGPD",
            Self::Exabgp => "ExaBGP",
        }
    }

    /// The main program.
    fn program(self) -> (Place, &'static str) {
        match self {
            Self::Frr8 => (Place(None), "/usr/lib/frr/bgpd"),
            Self::Frr10 => (
                Place(Some("/var/cache/rbgpd-lab/trixie")),
                "/usr/lib/frr/bgpd",
            ),
            Self::Bird2 => (Place(None), "/usr/sbin/bird"),
            Self::Bird2New => (Place(Some("/var/cache/rbgpd-bench/sid")), "/usr/sbin/bird"),
            Self::Bird3 => (
                Place(Some("/var/cache/rbgpd-bench/bird3")),
                "/usr/sbin/bird",
            ),
            Self::Gobgp => (Place(Some("/var/cache/rbgpd-bench/sid")), "/usr/bin/gobgpd"),
            Self::Openbgpd => (Place(Some("/var/cache/rbgpd-bench/sid")), "/usr/sbin/bgpd"),
            Self::Exabgp => (
                Place(Some("/var/cache/rbgpd-bench/exabgp")),
                "/usr/sbin/python3-exabgp",
            ),
        }
    }

    /// Why it cannot run here, with what to do about it.
    pub fn absent(self) -> Option<String> {
        let common = missing(&[Requirement::Root, Requirement::Rbgpd]);
        if common.is_some() {
            return common;
        }
        // The lab unpacks this one itself.
        if let Self::Frr10 = self
            && let Err(error) = Release::Suite("trixie".to_owned()).prepare()
        {
            return Some(format!("{} needs Debian's mirror: {error}", self.name()));
        }
        let (place, program) = self.program();
        let path = place.outside(program);
        (!path.exists()).then(|| {
            format!(
                "{} needs {}: conformance/setup.sh --test, as root",
                self.name(),
                path.display()
            )
        })
    }

    /// What it calls itself.
    pub fn version(self) -> String {
        let (place, program) = self.program();
        let words = [(Self::Openbgpd, "-V"), (Self::Exabgp, "version")];
        place.said(program, &[of(&words, self).unwrap_or("--version")])
    }

    /// The daemon itself, not started.
    pub(super) fn neighbor(self) -> Box<dyn Neighbor> {
        let (place, _) = self.program();
        match self {
            Self::Frr8 => Box::new(Frr::new(Release::Host)),
            Self::Frr10 => Box::new(Frr::new(Release::Suite("trixie".to_owned()))),
            Self::Bird2 => Box::new(Bird::new(place, false)),
            Self::Bird2New | Self::Bird3 => Box::new(Bird::new(place, true)),
            Self::Gobgp => Box::new(Gobgp::new(place)),
            Self::Openbgpd => Box::new(Openbgpd::new(place)),
            Self::Exabgp => Box::new(Exabgp::new(place)),
        }
    }

    /// What is known of a cell without a try.
    pub(super) fn foregone(self, feature: Feature) -> Option<Outcome> {
        let lacks = self.neighbor().lacks(feature);
        let no = lacks.map(|why| Outcome::No(why.to_owned()));
        no.or_else(|| Some(Outcome::NotYet(feature.not_yet()?.to_owned())))
    }
}
