//! BFD: `bfd` of neighbours, `[[bfd]]` and `[[bfd_profile]]`.
//!
//! In FRR a peer of `bfd` and the BGP neighbour on the same path have one session, with what the
//! peer says before what the neighbour says. So both have the same settings here.

use super::Whole;
use super::peers::is_far;
use crate::frr::model::{Bfd, BfdKey, Keys, Peer, Put, Router, quote};

/// A `peer` of `bfd`.
pub(super) type Block<'s> = (&'s BfdKey, &'s Bfd);

/// What settings are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Session,
    Profile,
}

/// FRR takes packets that have passed one router, where nothing is said of a peer behind some.
const MIN_TTL: &str = "254";

impl<'s> Whole<'s> {
    /// The peer on a neighbour's path. FRR looks whether a neighbour of our own AS is on the link;
    /// here the peer tells.
    pub(super) fn bfd_block(
        &self,
        router: &Router,
        name: &str,
        peer: &Peer,
        group: Option<&Peer>,
    ) -> Option<Block<'s>> {
        let site = self.site;
        let vrf = site
            .routers
            .iter()
            .find(|(_, it)| std::ptr::eq(*it, router));
        let vrf = vrf.and_then(|(vrf, _)| vrf.as_ref());
        let remote = peer.keys.get("remote_as");
        let remote = remote.or_else(|| group.and_then(|group| group.keys.get("remote_as")));
        let own = |put: &&Put| {
            let asn = router.asn.as_ref().map(|asn| &asn.text);
            put.text == "\"internal\"" || Some(&put.text) == asn
        };
        let (far, inside) = (is_far(peer, group), remote.filter(own).is_some());
        let fits = |key: &BfdKey| key.multihop == far || key.multihop && inside;
        let mut all = site.bfd_peers.iter();
        all.find(|(key, _)| key.peer == name && key.vrf.as_ref() == vrf && fits(key))
    }

    /// The settings of a neighbour's session.
    pub(super) fn neighbor_bfd(
        &mut self,
        keys: &mut Keys,
        inline: &Bfd,
        block: Option<Block<'_>>,
    ) {
        let spot = inline.spot.unwrap_or_default();
        let text = "true".to_owned();
        keys.insert("bfd", Put { text, spot });
        let block = block.map(|(_, block)| block);
        for (key, put) in self.bfd_settings([block, Some(inline)], Of::Session) {
            keys.insert(key, put);
        }
    }

    /// What is said, the first one first.
    fn bfd_settings(&mut self, said: [Option<&Bfd>; 2], whose: Of) -> Vec<(&'static str, Put)> {
        let site = self.site;
        let of = |of: fn(&Bfd) -> Option<&Put>| said.iter().flatten().find_map(|bfd| of(bfd));
        let on = |of: fn(&Bfd) -> Option<crate::frr::Spot>| {
            let spot = said.iter().flatten().find_map(|bfd| of(bfd))?;
            let text = "true".to_owned();
            Some(Put { text, spot })
        };
        let profile = of(|bfd| bfd.profile.as_ref());
        let found = profile.and_then(|named| site.bfd_profiles.get(&named.text));
        let mut settings = Vec::new();
        if let Some(named) = profile {
            self.need_profile(&named.text, named.spot);
            let text = quote(&named.text);
            let spot = named.spot;
            settings.push(("bfd.profile", Put { text, spot }));
        }
        let receive = of(|bfd| bfd.receive.as_ref());
        let transmit = of(|bfd| bfd.transmit.as_ref());
        settings.extend(intervals(transmit, receive));
        let keys = [
            ("bfd.multiplier", of(|bfd| bfd.multiplier.as_ref()).cloned()),
            ("bfd.min_ttl", of(|bfd| bfd.min_ttl.as_ref()).cloned()),
            ("bfd.passive", on(|bfd| bfd.passive)),
            ("bfd.shutdown", on(|bfd| bfd.shutdown)),
            ("bfd.strict", on(|bfd| bfd.strict)),
        ];
        settings.extend(keys.into_iter().filter_map(|(key, put)| Some((key, put?))));
        settings.extend(echo(&said, found, whose));
        settings
    }

    /// Peers and profiles of `bfd`.
    pub(super) fn bfd(&mut self) {
        let site = self.site;
        for (key, block) in &site.bfd_peers {
            let spot = block.spot.unwrap_or_default();
            let inline = self.neighbor_of(key);
            let mut settings = self.bfd_settings([Some(block), inline], Of::Session);
            settings.retain(|(key, _)| *key != "bfd.strict");
            let profile = block
                .profile
                .as_ref()
                .or(inline.and_then(|it| it.profile.as_ref()));
            let profile = profile.and_then(|named| site.bfd_profiles.get(&named.text));
            let said = settings.iter().any(|(key, _)| *key == "bfd.min_ttl");
            let said = said || profile.is_some_and(|it| it.min_ttl.is_some());
            if key.multihop && !said {
                let text = MIN_TTL.to_owned();
                settings.push(("bfd.min_ttl", Put { text, spot }));
            }
            self.toml.header(spot, "[[bfd]]");
            let texts = [
                ("peer", Some(&key.peer)),
                ("local", key.local.as_ref()),
                ("interface", key.interface.as_ref()),
                ("vrf", key.vrf.as_ref()),
            ];
            for (name, text) in texts {
                if let Some(text) = text {
                    self.toml.line(spot, &format!("{name} = {}", quote(text)));
                }
            }
            if key.multihop {
                self.toml.line(spot, "multihop = true");
            }
            self.bfd_lines(&settings);
        }
        for (name, profile) in &site.bfd_profiles {
            let spot = profile.spot.unwrap_or_default();
            let settings = self.bfd_settings([Some(profile), None], Of::Profile);
            self.toml.header(spot, "[[bfd_profile]]");
            self.toml.line(spot, &format!("name = {}", quote(name)));
            self.bfd_lines(&settings);
        }
        for (name, spot) in std::mem::take(&mut self.missing.bfd_profiles) {
            self.toml.header(spot, "[[bfd_profile]]");
            self.toml.line(spot, &format!("name = {}", quote(&name)));
        }
    }

    fn bfd_lines(&mut self, settings: &[(&'static str, Put)]) {
        for (key, put) in settings {
            self.toml.value(key.trim_start_matches("bfd."), put);
        }
    }

    /// What the neighbour on a peer's path says of BFD, if it wants it.
    fn neighbor_of(&self, key: &BfdKey) -> Option<&'s Bfd> {
        let router: &'s Router = self.site.routers.get(&key.vrf)?;
        let peer = router.peers.get(&key.peer)?;
        let group = peer.group.as_ref();
        let group = group.and_then(|it| router.peers.get(&it.text));
        let block = self.bfd_block(router, &key.peer, peer, group)?;
        let inherited = group.and_then(|group| group.bfd.as_ref());
        let bfd = peer.bfd.as_ref().or(inherited)?;
        (block.0 == key).then_some(bfd)
    }
}

/// The echo function. FRR offers to send packets back to everybody, every 50 ms; here that is so where
/// something is said of echo.
fn echo(said: &[Option<&Bfd>], profile: Option<&Bfd>, whose: Of) -> Vec<(&'static str, Put)> {
    let own = || said.iter().flatten().copied();
    let all = || own().chain(profile);
    let time = |put: &Put| Put {
        text: quote(&format!("{}ms", put.text)),
        spot: put.spot,
    };
    let on = own().find_map(|bfd| bfd.echo);
    let transmit = own().find_map(|bfd| bfd.echo_transmit.as_ref());
    // An interval alone sends nothing, here or there, but in a profile it waits for a session that does.
    let sends = whose == Of::Profile || all().any(|bfd| bfd.echo.is_some());
    let transmit = transmit.filter(|_| sends);
    let often = own().find_map(|bfd| bfd.echo_receive.as_ref());
    let receive = match (often, on) {
        (Some(put), _) if put.text == "false" => Some(put.clone()),
        (Some(put), _) => Some(time(put)),
        (None, Some(spot)) if all().all(|bfd| bfd.echo_receive.is_none()) => Some(Put {
            text: quote("50ms"),
            spot,
        }),
        (None, _) => None,
    };
    let on = on.map(|spot| Put {
        text: "true".to_owned(),
        spot,
    });
    let keys = [
        ("bfd.echo", on),
        ("bfd.echo_transmit_interval", transmit.map(time)),
        ("bfd.echo_receive_interval", receive),
    ];
    let keys = keys.into_iter();
    keys.filter_map(|(key, put)| Some((key, put?))).collect()
}

/// One key where both directions have the same.
fn intervals(transmit: Option<&Put>, receive: Option<&Put>) -> Vec<(&'static str, Put)> {
    let time = |put: &Put| Put {
        text: quote(&format!("{}ms", put.text)),
        spot: put.spot,
    };
    if let (Some(one), Some(other)) = (transmit, receive)
        && one.text == other.text
    {
        return vec![("bfd.interval", time(one))];
    }
    let keys = [
        ("bfd.transmit_interval", transmit),
        ("bfd.receive_interval", receive),
    ];
    let keys = keys
        .into_iter()
        .filter_map(|(key, put)| Some((key, time(put?))));
    keys.collect()
}
