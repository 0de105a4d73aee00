//! `[[interface]]` as it stands in a file.
//!
//! Every value by itself, and what the values of one address mean together. What two interfaces may
//! not both have is for [`accept()`](crate::config::accept()).

use std::net::{IpAddr, Ipv4Addr};

use fib::OwnAddress;
use ipnetwork::IpNetwork;
use toml::de::DeValue;

use crate::config::error::{At, Conflict, Problem};
use crate::config::read::{Reading, Rejection, Table, boolean, device, name, text};

/// `[[interface]]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct InterfaceTable {
    /// `name`.
    pub name: Option<At<String>>,
    /// `description`.
    pub description: Option<At<String>>,
    /// `up`.
    pub up: Option<At<bool>>,
    /// `link_detect`.
    pub link_detect: Option<At<bool>>,
    /// `addresses`; those that are wrong are left out.
    pub addresses: Vec<At<OwnAddress>>,
}

/// As long as FRR takes one.
const DESCRIPTION_MAX: usize = 240;

pub(super) fn interface(table: &mut Table<'_, '_>) -> InterfaceTable {
    InterfaceTable {
        name: table.require("name", "the name of a device", device),
        description: table.get("description", name(DESCRIPTION_MAX)),
        up: table.get("up", boolean),
        link_detect: table.get("link_detect", boolean),
        addresses: addresses(table),
    }
}

/// Texts and tables may stand beside each other.
fn addresses(table: &mut Table<'_, '_>) -> Vec<At<OwnAddress>> {
    table.tables_or_values(
        "addresses",
        "the address",
        address,
        own_address,
        |address| OwnAddress::from(address.value),
    )
}

/// What is wrong in one of its values is no address.
fn address(table: &mut Table<'_, '_>) -> Option<OwnAddress> {
    let before = table.report().count();
    let address = table.require(
        "address",
        "an address with the length of its network",
        own_address,
    );
    let peer = table.get("peer", peer);
    let label = table.get("label", label);
    let (own, is_v4) = (address?.value, address?.value.is_ipv4());
    if let Some(peer) = peer.filter(|peer| peer.value.is_ipv4() != is_v4) {
        let expected = "an address of the same IP version as `address`";
        let problem = Problem::value("peer", peer.value.to_string(), expected);
        table.report().error(peer.span, problem);
    }
    if let Some(label) = label.as_ref().filter(|_| !is_v4) {
        let conflict = Conflict::NoEffect {
            key: "label",
            because: "with an IPv6 address, which has none in Linux",
        };
        table.report().error(label.span, conflict);
    }
    (table.report().count() == before).then(|| OwnAddress {
        address: own,
        peer: peer.map(|at| at.value),
        label: label.map(|at| at.value),
    })
}

/// An address that a host can have, with the length of its network.
fn own_address(value: &DeValue<'_>) -> Reading<IpNetwork> {
    let expected = "an address with the length of its network like \"10.0.0.1/24\"";
    let parse = |text: &str| text.parse::<IpNetwork>().ok();
    let address: IpNetwork = text(expected, parse)(value)?;
    if !value.as_str().is_some_and(|text| text.contains('/')) {
        let hint = format!("write \"{address}\" if it is to have no network");
        return Err(Rejection::from(expected).hint(hint));
    }
    match is_of_a_host(address.ip()) {
        true => Ok(address),
        false => Err(Rejection::from("an address that a host can have")),
    }
}

fn peer(value: &DeValue<'_>) -> Reading<IpAddr> {
    let expected = "the address at the other end like \"10.0.0.2\"";
    let address: IpAddr = text(expected, |text| text.parse().ok())(value)?;
    match is_of_a_host(address) {
        true => Ok(address),
        false => Err(Rejection::from("an address that a host can have")),
    }
}

fn is_of_a_host(address: IpAddr) -> bool {
    let nobodys = match address {
        IpAddr::V4(address) => address.octets()[0] == 0 || address == Ipv4Addr::BROADCAST,
        IpAddr::V6(_) => false,
    };
    !nobodys && !address.is_unspecified() && !address.is_multicast()
}

fn label(value: &DeValue<'_>) -> Reading<String> {
    text("a label of 1 to 15 characters without space", |text| {
        let fits = (1..=OwnAddress::LABEL_MAX).contains(&text.len());
        let fits = fits && text.bytes().all(|b| b.is_ascii_graphic());
        fits.then(|| text.to_owned())
    })(value)
}
