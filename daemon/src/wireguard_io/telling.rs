//! What an operator is told of AllowedIPs and handshakes: the log, notices, numbers, differences.
//!
//! ```text
//! Follower ──► Told ──► log, a line for each cause
//!               └─────► notices ─┐
//!          ──► peers, base ──────┴─► View ──► show summary, show neighbors
//!          ──► AllowedIps ──► Difference ──► verify
//! ```
//!
//! The thread comes by here once a second and more often, and a cause lasts: [`Told`] remembers what
//! was said, so that each is said when it begins, and once more when it is over.
//!
//! It decides nothing: what is wrong is found out by `fib::wireguard`.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::SystemTime;

use fib::wireguard::{
    AllowedIps, Handshakes, Overdue, Peer, Plan, PublicKey, Unmet, WireguardError, peer_among,
};
use ipnetwork::IpNetwork;

/// The interface as it was read last.
#[derive(Debug, Clone, Default)]
pub(crate) struct View {
    /// The operator's AllowedIPs, which say whose an address is.
    base: Vec<(IpNetwork, PublicKey)>,
    peers: BTreeMap<PublicKey, PeerView>,
    /// What an operator should know, a line each.
    pub(crate) notices: Vec<String>,
}

/// How AllowedIPs are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Numbers {
    /// Prefixes that were put there.
    pub(crate) installed: u64,
    /// Prefixes that should be there and cannot.
    pub(crate) unmet: u64,
    /// Prefixes that were added, moved or removed, ever.
    pub(crate) changes: u64,
    /// In so many requests.
    pub(crate) requests: u64,
    /// Of the changes, those that put right what somebody else had changed.
    pub(crate) repaired: u64,
}

/// A peer of the interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PeerView {
    pub(crate) public_key: PublicKey,
    pub(crate) endpoint: Option<SocketAddr>,
    pub(crate) last_handshake: Option<SystemTime>,
    pub(crate) received: u64,
    pub(crate) sent: u64,
    pub(crate) allowed_ips: usize,
    pub(crate) overdue: Option<Overdue>,
}

/// A prefix that is not where it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(crate) prefix: Option<IpNetwork>,
    /// The peer that should have it.
    pub(crate) want: Option<String>,
    /// The one that has it.
    pub(crate) have: Option<String>,
    pub(crate) error: Option<String>,
}

impl View {
    pub(super) fn new(
        base: Vec<(IpNetwork, PublicKey)>,
        peers: &[Peer],
        handshakes: &Handshakes,
        notices: Vec<String>,
    ) -> Self {
        let view = |peer: &Peer| {
            let view = PeerView {
                public_key: peer.public_key,
                endpoint: peer.endpoint,
                last_handshake: peer.last_handshake,
                received: peer.received,
                sent: peer.sent,
                allowed_ips: peer.allowed_ips.len(),
                overdue: handshakes.overdue(peer.public_key),
            };
            (peer.public_key, view)
        };
        Self {
            base,
            peers: peers.iter().map(view).collect(),
            notices,
        }
    }

    /// The peer that an address belongs to.
    pub(crate) fn peer_of(&self, address: IpAddr) -> Option<&PeerView> {
        self.peers.get(&peer_among(&self.base, address)?)
    }
}

/// What was said of one interface.
#[derive(Debug)]
pub(super) struct Told {
    interface: String,
    /// Routes without AllowedIPs, a line for each cause.
    unmet: Vec<String>,
    causes: BTreeSet<Cause>,
    /// Peers with more AllowedIPs than the limit that stands first.
    beyond: (usize, BTreeMap<PublicKey, usize>),
    /// Why the device does not do what it is asked.
    complaint: Option<String>,
    /// What a dry run would add or move, and remove.
    would: Option<(usize, usize)>,
    /// Why the record cannot be written.
    unrecorded: Option<String>,
}

/// Why routes have no AllowedIPs, whichever they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cause {
    NoPeer(IpAddr),
    Held(PublicKey),
    Full(PublicKey),
}

impl Told {
    pub(super) fn about(interface: &str) -> Self {
        Self {
            interface: interface.to_owned(),
            unmet: Vec::new(),
            causes: BTreeSet::new(),
            beyond: (0, BTreeMap::new()),
            complaint: None,
            would: None,
            unrecorded: None,
        }
    }

    /// Other settings ask for other things: what was said no longer counts.
    pub(super) fn forget(&mut self) {
        *self = Self::about(&self.interface);
    }

    /// The device does not do what it is asked, or does.
    pub(super) fn complain(&mut self, error: Option<&WireguardError>) {
        let complaint = error.map(in_words);
        if complaint == self.complaint {
            return;
        }
        let interface = &self.interface;
        match &complaint {
            Some(error) => tracing::warn!(%interface, %error, "AllowedIPs do not follow routes"),
            None => tracing::info!(%interface, "AllowedIPs follow routes again"),
        }
        self.complaint = complaint;
    }

    /// What is ours was written down, or cannot be.
    pub(super) fn record(&mut self, error: Option<&io::Error>) {
        let unrecorded = error.map(ToString::to_string);
        if unrecorded == self.unrecorded {
            return;
        }
        let interface = &self.interface;
        match &unrecorded {
            Some(error) => {
                tracing::warn!(%interface, %error, "cannot write down which AllowedIPs are ours: \
                    after a restart they count as the operator's");
            }
            None => tracing::info!(%interface, "which AllowedIPs are ours is written down again"),
        }
        self.unrecorded = unrecorded;
    }

    /// What a dry run would change; `None` where this is none.
    pub(super) fn would(&mut self, plan: Option<&Plan>) {
        let would = plan.map(|it| (it.len().saturating_sub(it.remove.len()), it.remove.len()));
        let nothing = (0, 0);
        if let Some((add, remove)) = would
            && would != self.would
            && (would, self.would) != (Some(nothing), None)
        {
            let interface = &self.interface;
            tracing::info!(%interface, add, remove, "dry run: AllowedIPs would change; `rbgpctl \
                verify` names the prefixes");
        }
        self.would = would;
    }

    /// Which routes have no AllowedIPs: how many for each cause, and the first of them.
    pub(super) fn unmet(&mut self, unmet: &[(IpNetwork, Unmet)]) {
        let mut groups: BTreeMap<Cause, (usize, IpNetwork, Unmet)> = BTreeMap::new();
        for (prefix, unmet) in unmet {
            let cause = match *unmet {
                Unmet::NoPeer { next_hop } => Cause::NoPeer(next_hop),
                Unmet::Held { by, .. } => Cause::Held(by),
                Unmet::Full { peer, .. } => Cause::Full(peer),
            };
            groups.entry(cause).or_insert((0, *prefix, *unmet)).0 += 1;
        }
        let interface = &self.interface;
        self.unmet.clear();
        for (cause, (prefixes, first, unmet)) in &groups {
            if !self.causes.contains(cause) {
                tracing::warn!(%interface, prefixes, %first, "routes without AllowedIPs: {unmet}");
            }
            self.unmet.push(format!(
                "{interface}: {prefixes} routes without AllowedIPs, the first {first}: {unmet}"
            ));
        }
        self.causes = groups.into_keys().collect();
    }

    /// Which peers have more AllowedIPs than this limit.
    pub(super) fn beyond(
        &mut self,
        limit: usize,
        peers: impl Iterator<Item = (PublicKey, usize)>,
    ) {
        let now: BTreeMap<PublicKey, usize> = peers.collect();
        let interface = &self.interface;
        for (peer, prefixes) in &now {
            if self.beyond.0 != limit || !self.beyond.1.contains_key(peer) {
                tracing::warn!(%interface, %peer, prefixes, limit, "a peer has more AllowedIPs than \
                    `maximum_allowed_ips`: none is taken away, and none is added");
            }
        }
        self.beyond = (limit, now);
    }

    /// A handshake has become overdue, or is no longer.
    pub(super) fn overdue(&self, peer: &Peer, overdue: Option<Overdue>) {
        let (interface, key) = (&self.interface, peer.public_key);
        let address = peer.allowed_ips.first().map(ToString::to_string);
        let address = address.unwrap_or_default();
        let endpoint = peer.endpoint.map(|it| it.to_string()).unwrap_or_default();
        match overdue {
            Some(overdue) => {
                let handshake = age_in_words(peer.last_handshake);
                let why = words(overdue);
                tracing::warn!(%interface, peer = %key, %address, %endpoint, %handshake,
                    "WireGuard handshake is overdue: {why}");
            }
            None => tracing::info!(%interface, peer = %key, %address, %endpoint,
                "WireGuard peer answers again"),
        }
    }

    /// What lasts, a line each.
    pub(super) fn notices(&self) -> Vec<String> {
        let interface = &self.interface;
        let mut notices = self.unmet.clone();
        let (limit, beyond) = &self.beyond;
        notices.extend(beyond.iter().map(|(peer, prefixes)| {
            format!(
                "{interface}: peer {peer} has {prefixes} AllowedIPs, and `maximum_allowed_ips` is {limit}: \
                 none is taken away, and none is added; raise it or take some away"
            )
        }));
        notices.extend(
            self.complaint
                .as_ref()
                .map(|error| format!("{interface}: AllowedIPs do not follow routes: {error}")),
        );
        notices.extend(self.unrecorded.as_ref().map(|error| {
            format!(
                "{interface}: AllowedIPs of ours count as the operator's after a restart: their \
                 record cannot be written: {error}"
            )
        }));
        let would = self.would.filter(|would| *would != (0, 0));
        notices.extend(would.map(|(add, remove)| {
            format!(
                "{interface}: dry run: {add} AllowedIPs would be added or moved and {remove} \
                 removed; `rbgpctl verify` names them"
            )
        }));
        notices
    }

    /// All that can be said of a device that cannot be read.
    pub(super) fn unread(&self, error: &WireguardError) -> Difference {
        Difference {
            prefix: None,
            want: None,
            have: None,
            error: Some(format!("{}: {}", self.interface, in_words(error))),
        }
    }
}

/// What is not as it should be; nothing of it is going to be, in a dry run.
pub(super) fn differences(table: &AllowedIps, dry: bool) -> Vec<Difference> {
    let peer = |key: PublicKey| format!("peer {key}");
    let dry = dry.then(|| "dry run: not written".to_owned());
    let Plan { add, remove, .. } = table.pending();
    let added = add
        .iter()
        .flat_map(|(key, prefixes)| prefixes.iter().map(move |prefix| (*prefix, Some(*key))));
    let gone = remove.iter().map(|prefix| (*prefix, None));
    let planned = added.chain(gone).map(|(prefix, want)| Difference {
        prefix: Some(prefix),
        want: want.map(peer),
        have: table.owner(prefix).map(peer),
        error: dry.clone(),
    });
    let unmet = table.unmet();
    let unmet = unmet.into_iter().map(|(prefix, unmet)| Difference {
        prefix: Some(prefix),
        want: Some(match unmet {
            Unmet::NoPeer { next_hop } => format!("the peer of {next_hop}"),
            Unmet::Held { wanted: key, .. } | Unmet::Full { peer: key, .. } => peer(key),
        }),
        have: table.owner(prefix).map(peer),
        error: Some(unmet.to_string()),
    });
    planned.chain(unmet).collect()
}

/// How a handshake is overdue, and what follows.
pub(crate) fn words(overdue: Overdue) -> &'static str {
    match overdue {
        Overdue::Silent => {
            "packets go to the peer and nothing comes back; BFD or the hold time will end the \
             session: look at the way to the endpoint, and at the key and endpoint there"
        }
        Overdue::OldKeys => {
            "the keys are older than 120 s and were not renewed; at 180 s nothing passes any more: \
             look at the way to the endpoint, and at the key and endpoint there"
        }
    }
}

fn age_in_words(handshake: Option<SystemTime>) -> String {
    match handshake.and_then(|at| at.elapsed().ok()) {
        Some(age) => format!("{} s ago", age.as_secs()),
        None => "never".to_owned(),
    }
}

/// The error and what is behind it.
fn in_words(error: &WireguardError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u8) -> PublicKey {
        PublicKey([number; 32])
    }

    fn net(text: &str) -> IpNetwork {
        text.parse().unwrap()
    }

    #[test]
    fn what_lasts_is_a_notice_and_what_is_over_is_none() {
        let mut told = Told::about("wg0");
        let limit = 2;
        let full = |number| Unmet::Full {
            peer: key(number),
            limit,
        };
        told.unmet(&[
            (net("10.1.0.0/16"), full(1)),
            (net("10.2.0.0/16"), full(1)),
            (net("10.3.0.0/16"), full(2)),
        ]);
        told.complain(Some(&WireguardError::Refused(22)));
        told.record(Some(&io::Error::other("the disk is full")));
        let notices = told.notices();
        assert_eq!(notices.len(), 4, "{notices:?}");
        let first = "wg0: 2 routes without AllowedIPs, the first 10.1.0.0/16: peer";
        assert!(notices[0].starts_with(first), "{notices:?}");
        assert!(notices[3].ends_with("the disk is full"), "{notices:?}");
        told.unmet(&[]);
        told.complain(None);
        told.record(None);
        assert!(told.notices().is_empty());
    }

    #[test]
    fn a_limit_below_what_is_there_is_a_notice_for_each_peer() {
        let mut told = Told::about("wg0");
        told.beyond(2, [(key(1), 5)].into_iter());
        let notices = told.notices();
        let wanted = format!(
            "wg0: peer {} has 5 AllowedIPs, and `maximum_allowed_ips` is 2",
            key(1)
        );
        assert_eq!(notices.len(), 1);
        assert!(notices[0].starts_with(&wanted), "{notices:?}");
        told.beyond(5, std::iter::empty());
        assert!(told.notices().is_empty());
    }

    #[test]
    fn a_dry_run_that_would_change_nothing_says_nothing() {
        let mut told = Told::about("wg0");
        told.would(Some(&Plan::default()));
        assert!(told.notices().is_empty());
        let plan = Plan {
            add: vec![(key(1), vec![net("10.1.0.0/16"), net("10.2.0.0/16")])],
            remove: vec![net("10.3.0.0/16")],
            clear: false,
        };
        told.would(Some(&plan));
        let wanted = "wg0: dry run: 2 AllowedIPs would be added or moved and 1 removed; `rbgpctl \
                      verify` names them";
        assert_eq!(told.notices(), [wanted]);
        told.would(None);
        assert!(told.notices().is_empty());
    }

    #[test]
    fn an_address_is_the_peers_with_the_longest_match_among_the_operators() {
        let base = vec![(net("0.0.0.0/0"), key(1)), (net("10.10.0.2/32"), key(2))];
        let peers = [Peer::new(key(1)), Peer::new(key(2))];
        let view = View::new(base, &peers, &Handshakes::default(), Vec::new());
        let of = |text: &str| view.peer_of(text.parse().unwrap()).map(|it| it.public_key);
        assert_eq!(of("10.10.0.2"), Some(key(2)));
        assert_eq!(of("10.10.0.3"), Some(key(1)));
        assert_eq!(of("fd00::1"), None);
    }
}
