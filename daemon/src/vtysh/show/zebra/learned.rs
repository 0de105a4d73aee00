//! What BGP knows of routes that are in the kernel.

use crate::control::reply;
use crate::vtysh::show::routes::selection;
use crate::vtysh::show::words::as_path;

/// What BGP knows of a path that is in the kernel.
#[derive(Debug, Clone)]
pub(super) struct Learned {
    pub(super) med: u32,
    pub(super) tag: u32,
    pub(super) attributes: Option<Attributes>,
}

/// What FRR's bgpd tells its zebra with `bgp send-extra-data zebra`.
#[derive(Debug, Clone)]
pub(super) struct Attributes {
    pub(super) as_path: String,
    pub(super) communities: String,
    pub(super) large_communities: String,
    pub(super) reason: &'static str,
}

impl Learned {
    /// Of all paths to a prefix, the best.
    pub(super) fn of(paths: &[reply::Route], with_attributes: bool) -> Option<Self> {
        let best = paths.iter().find(|it| it.best)?;
        Some(Self {
            med: best.med.unwrap_or(0),
            tag: best.tag.unwrap_or(0),
            attributes: with_attributes.then(|| Attributes {
                as_path: as_path(&best.as_path),
                communities: best.communities.join(" "),
                large_communities: best.large_communities.join(" "),
                reason: selection(paths),
            }),
        })
    }
}

impl Attributes {
    pub(super) fn text(&self) -> String {
        let mut text = format!("    AS-Path          : {}\n", self.as_path);
        for (name, list) in [
            ("Communities      ", &self.communities),
            ("Large-Communities", &self.large_communities),
        ] {
            if !list.is_empty() {
                text.push_str(&format!("    {name}: {list}\n"));
            }
        }
        text.push_str(&format!("    Selection reason : {}\n", self.reason));
        text
    }
}
