//! Which keys stand on the listening sockets.
//!
//! A configuration says which keys are wanted there, for hosts and for whole networks; what stands
//! is kept beside it, and a change is the difference of the two. Keys that go are taken away from
//! all of them before the first one is added: Linux refuses a key of TCP-AO whose number is that of
//! another one for the same addresses (RFC 5925 §3.1), also while that one is about to go.
//!
//! For the same reason a host does not have a key again that the network around it has: that one
//! stands for the host too. Numbers that meet with other content are an error of the
//! configuration. The socket that connects has its keys from [`crate::peer_io::transport`].

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use bgp::Prefix;

use super::Core;
use crate::config::{AoKey, Config, Neighbor, Signing, TcpAo};
use crate::tasks::Listening;

/// What signs connections, by whom it stands for.
pub(super) type Keys = BTreeMap<Prefix, Signing>;

/// A step: for whom, what stands and what is to stand.
type Step = (Prefix, Option<Signing>, Option<Signing>);

impl Core {
    /// Brings the keys of the configuration onto the listening sockets.
    pub(super) fn sign_listeners(&mut self) {
        let mut wanted = wanted(&self.config);
        // Those of neighbours that were heard on an interface come and go with them.
        for neighbor in self.neighbors.values() {
            let host = Prefix::host(neighbor.address().ip());
            if neighbor.interface().is_some()
                && let Some(keys) = self.signed.get(&host)
            {
                wanted.entry(host).or_insert_with(|| keys.clone());
            }
        }
        let before = std::mem::replace(&mut self.signed, wanted);
        for (peer, before, after) in steps(&before, &self.signed) {
            self.sign(peer, before.as_ref(), after.as_ref());
        }
    }

    /// Connections are accepted on these sockets from now on; those among them that are new get the keys that
    /// stand on the others.
    pub(super) fn listen_on(&mut self, sockets: Listening) {
        let former = std::mem::replace(&mut self.hands.spawner.listening, sockets);
        let new = self.hands.spawner.listening.beside(&former);
        for (peer, keys) in &self.signed {
            sign_on(&new, *peer, None, Some(keys));
        }
    }

    /// Neighbours on interfaces that have this address have come, gone or other keys; `coming` are
    /// those of one that is about to come. Linux knows no links here: of several neighbours with
    /// one address the first one's keys stand, and to the others only we can connect.
    pub(super) fn sign_heard(&mut self, ip: IpAddr, coming: Option<&Signing>) {
        let named = self.config.neighbors.iter();
        let heard = self
            .neighbors
            .values()
            .filter(|it| it.interface().is_some());
        let all = named.chain(heard.map(|it| &it.config));
        let keys = all
            .filter(|it| it.address.ip() == ip)
            .map(|it| it.signing.as_ref());
        let after = one_of(ip, keys.chain(coming.map(Some))).cloned();
        self.sign_host(Prefix::host(ip), after);
    }

    /// Changes the keys of one host.
    fn sign_host(&mut self, host: Prefix, after: Option<Signing>) {
        let before = match &after {
            Some(keys) => self.signed.insert(host, keys.clone()),
            None => self.signed.remove(&host),
        };
        if before != after {
            self.sign(host, before.as_ref(), after.as_ref());
        }
    }

    /// The connecting socket gets its keys with each attempt, and says there what went wrong.
    fn sign(&self, peer: Prefix, before: Option<&Signing>, after: Option<&Signing>) {
        sign_on(&self.hands.spawner.listening, peer, before, after);
    }
}

fn sign_on(sockets: &Listening, peer: Prefix, before: Option<&Signing>, after: Option<&Signing>) {
    if let Err(error) = sockets.sign(peer, before, after) {
        tracing::error!(
            neighbor = %peer,
            key = after.or(before).map(Signing::key),
            %error,
            "connections from this neighbor are not accepted with its keys"
        );
    }
}

/// The keys of a configuration's networks and hosts.
fn wanted(config: &Config) -> Keys {
    let mut keys = Keys::new();
    for range in &config.listen_ranges {
        if let Some(signing) = &range.settings.signing {
            keys.insert(range.prefix, signing.clone());
        }
    }
    for neighbor in &config.neighbors {
        if let Some(signing) = own_keys(config, neighbor) {
            keys.insert(Prefix::host(neighbor.address.ip()), signing);
        }
    }
    let link_local = config
        .neighbors
        .iter()
        .filter(|it| it.address.is_link_local());
    let hosts: BTreeSet<IpAddr> = link_local.map(|it| it.address.ip()).collect();
    for ip in hosts {
        let same = config.neighbors.iter().filter(|it| it.address.ip() == ip);
        let host = Prefix::host(ip);
        match one_of(ip, same.map(|it| it.signing.as_ref())) {
            Some(signing) => keys.insert(host, signing.clone()),
            None => keys.remove(&host),
        };
    }
    keys
}

/// What signs connections from an address that neighbours on several links may have.
fn one_of<'a>(
    ip: IpAddr,
    mut keys: impl Iterator<Item = Option<&'a Signing>>,
) -> Option<&'a Signing> {
    let first = keys.next().flatten();
    if keys.any(|other| other != first) {
        tracing::warn!(
            address = %ip,
            "neighbors on several interfaces have this address and different keys: connections are \
             accepted with those of the first one only, to the others we connect"
        );
    }
    first
}

/// A neighbour's keys without those that the network around it has.
fn own_keys(config: &Config, neighbor: &Neighbor) -> Option<Signing> {
    let signing = neighbor.signing.as_ref()?;
    let around = config.listen_range(neighbor.address);
    // A range of one host: what its neighbour has stands in place of that.
    let around = around.filter(|range| range.prefix != Prefix::host(neighbor.address.ip()));
    match (signing, around.map(|range| &range.settings.signing)) {
        (Signing::Ao(keys), Some(Some(Signing::Ao(around)))) => {
            only(keys, |key| !around.keys().contains(key))
        }
        (signing, _) => Some(signing.clone()),
    }
}

/// From what stands to what is wanted: first all that goes, then all that comes.
fn steps(before: &Keys, after: &Keys) -> Vec<Step> {
    let mut leave = Vec::new();
    let mut come = Vec::new();
    for (peer, keys) in before {
        let next = after.get(peer);
        let stay = staying(keys, next);
        if stay.as_ref() != Some(keys) {
            leave.push((*peer, Some(keys.clone()), stay));
        }
    }
    for (peer, keys) in after {
        let stay = before.get(peer).and_then(|it| staying(it, Some(keys)));
        if stay.as_ref() != Some(keys) {
            come.push((*peer, stay, Some(keys.clone())));
        }
    }
    leave.append(&mut come);
    leave
}

/// What need not go: keys that are wanted too, and a password, which another one replaces.
fn staying(before: &Signing, after: Option<&Signing>) -> Option<Signing> {
    match (before, after) {
        (Signing::Ao(before), Some(Signing::Ao(after))) => {
            only(before, |key| after.keys().contains(key))
        }
        (Signing::Md5(_), Some(Signing::Md5(_))) => Some(before.clone()),
        (Signing::Ao(_), Some(Signing::Md5(_)) | None)
        | (Signing::Md5(_), Some(Signing::Ao(_)) | None) => None,
    }
}

/// The keys that are as asked for, if there are any.
fn only(keys: &TcpAo, wanted: impl Fn(&AoKey) -> bool) -> Option<Signing> {
    let keys = keys.keys().iter().filter(|key| wanted(key));
    TcpAo::new(keys.cloned().collect()).map(Signing::Ao)
}

#[cfg(test)]
mod tests;
