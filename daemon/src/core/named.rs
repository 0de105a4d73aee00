//! Which neighbour an operator means by an address.
//!
//! Neighbours with a link-local address are known by it and their interface. Whoever asks may leave
//! the interface out as long as only one neighbour has the address.

use bgp::ScopedAddr;
use bgp::rib::PeerId;

use super::Core;
use crate::control::ErrorReply;

impl Core {
    /// The neighbour with this address.
    pub(super) fn named(&self, address: ScopedAddr) -> Result<PeerId, ErrorReply> {
        let known = self.by_address.keys().copied();
        let Some(found) = meant(address, known)? else {
            let error = ErrorReply::not_found(format!("no neighbour `{address}`"));
            return Err(error.hint("rbgpctl show summary lists the neighbours"));
        };
        let id = self.by_address.get(&found).copied();
        id.ok_or_else(|| ErrorReply::not_found(format!("no neighbour `{found}`")))
    }

    /// The same, as it is known here.
    pub(super) fn full_name(&self, address: ScopedAddr) -> Result<ScopedAddr, ErrorReply> {
        let id = self.named(address)?;
        Ok(self.address_of(id).unwrap_or(address))
    }
}

/// Which of these is meant; an error where it could be several.
pub(super) fn meant(
    address: ScopedAddr,
    known: impl Iterator<Item = ScopedAddr>,
) -> Result<Option<ScopedAddr>, ErrorReply> {
    let mut found: Vec<ScopedAddr> = known.filter(|it| address.means(*it)).collect();
    found.sort_unstable();
    match found.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(*one)),
        // One without an interface goes by exactly this name.
        several if several.contains(&address) => Ok(Some(address)),
        [first, ..] => {
            let names: Vec<String> = found.iter().map(|it| format!("`{it}`")).collect();
            let names = names.join(" and ");
            let error = format!("`{address}` is the address of several neighbours: {names}");
            let hint = format!("name one of them with its interface, like {first}");
            Err(ErrorReply::bad_request(error).hint(hint))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_needs_its_interface_where_several_neighbours_have_it() {
        let known: Vec<ScopedAddr> = ["10.0.0.2", "fe80::1%eth1", "fe80::1%eth0", "fe80::2%eth0"]
            .map(|text| text.parse().unwrap())
            .into();
        let meant = |text: &str| meant(text.parse().unwrap(), known.iter().copied());
        for (text, name) in [
            ("10.0.0.2", Some("10.0.0.2")),
            ("fe80::2", Some("fe80::2%eth0")),
            ("fe80::1%eth1", Some("fe80::1%eth1")),
            ("fe80::2%eth1", None),
            ("10.0.0.3", None),
        ] {
            let found = meant(text).unwrap().map(|it| it.to_string());
            assert_eq!(found.as_deref(), name, "{text}");
        }
        let error = meant("fe80::1").unwrap_err();
        assert_eq!(
            error.error,
            "`fe80::1` is the address of several neighbours: `fe80::1%eth0` and `fe80::1%eth1`"
        );
    }
}
