//! What goes from one instance's tables to another's.
//!
//! Each core has an [`Inbox`]; the [`Hub`] knows them by the instance's name. A sender puts routes
//! and notes into the inbox of whoever they are for, and never waits: of several words about one
//! route the last one counts, so an inbox holds no more than the sender's table, however slow its
//! owner is. The owner takes everything at once, notes first: a sender that announces itself
//! ([`Note::Tenant`]) sends its routes after that, and what it had sent before it took itself back is
//! gone from the inbox.
//!
//! Not here: what a route means to the one who gets it ([`crate::core`]).

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bgp::{AttributeSet, PathId, Prefix};
use tokio::sync::Notify;

use crate::config::{L3Vni, RouteTargets};

/// Where a route comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Port {
    /// EVPN, through the tunnel to another router.
    Routers,
    /// EVPN, through a station of the VRF (RFC 9136 §4.1).
    Gateways,
    /// The VRF of this name.
    Vrf(Arc<str>),
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Port::Routers | Port::Gateways => f.write_str("evpn"),
            Port::Vrf(name) => write!(f, "vrf {name}"),
        }
    }
}

/// A route by where it comes from, its prefix, and a number that tells several of one prefix apart.
pub(crate) type RouteId = (Port, Prefix, PathId);

/// Routes as they are now; `None` for what is gone.
pub(crate) type Routes = HashMap<RouteId, Option<Arc<AttributeSet>>>;

/// A VRF that is part of the overlay.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tenant {
    pub(crate) l3vni: L3Vni,
    /// Its routing table.
    pub(crate) table: u32,
    /// The instance whose tables are the VRF's.
    pub(crate) instance: Option<String>,
}

/// What is said beside routes.
#[derive(Debug)]
pub(crate) enum Note {
    /// A VRF, by its name, is part of the overlay like this, or no longer.
    Tenant(Arc<str>, Option<Box<Tenant>>),
    /// EVPN has all routes that there were when the default instance started, and those of before
    /// this note are on their way.
    Complete,
}

/// What has come.
#[derive(Debug, Default)]
pub(crate) struct Mail {
    pub(crate) notes: Vec<Note>,
    pub(crate) routes: Routes,
}

/// What others have for a core.
#[derive(Debug, Clone, Default)]
pub(crate) struct Inbox(Arc<Place>);

#[derive(Debug, Default)]
struct Place {
    // A lock because several cores put something in; a channel cannot replace what waits in it.
    // Held for an insertion, or to take all.
    mail: Mutex<Mail>,
    waiting: Notify,
}

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, Mail> {
        self.0.mail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something is there, or will be when this ends.
    pub(crate) async fn filled(&self) {
        self.0.waiting.notified().await;
    }

    /// All there is.
    pub(crate) fn take(&self) -> Mail {
        std::mem::take(&mut *self.lock())
    }

    fn put(&self, fill: impl FnOnce(&mut Mail)) {
        fill(&mut self.lock());
        // One permit is kept if nobody waits at this moment.
        self.0.waiting.notify_one();
    }
}

/// The inboxes of all instances.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    // A lock because instances come and go at any time; held for a look-up.
    inboxes: Mutex<HashMap<Option<String>, Inbox>>,
}

impl Hub {
    fn lock(&self) -> MutexGuard<'_, HashMap<Option<String>, Inbox>> {
        self.inboxes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An inbox for an instance, `None` for the default one.
    pub(crate) fn join(&self, name: Option<String>) -> Inbox {
        let inbox = Inbox::default();
        self.lock().insert(name, inbox.clone());
        inbox
    }

    /// The instance has ended.
    pub(crate) fn leave(&self, name: &Option<String>) {
        self.lock().remove(name);
    }

    /// Hands routes to an instance. One that is not there will ask for all when it comes.
    pub(crate) fn send(&self, to: &Option<String>, routes: Routes) {
        if let Some(inbox) = self.inbox(to)
            && !routes.is_empty()
        {
            inbox.put(|mail| mail.routes.extend(routes));
        }
    }

    /// Tells an instance that EVPN is complete.
    pub(crate) fn complete(&self, to: &Option<String>) {
        if let Some(inbox) = self.inbox(to) {
            inbox.put(|mail| mail.notes.push(Note::Complete));
        }
    }

    /// Announces a VRF to the default instance, or takes it back with all routes of it.
    pub(crate) fn announce(&self, name: &Arc<str>, tenant: Option<Tenant>) {
        let Some(inbox) = self.inbox(&None) else {
            return;
        };
        let port = Port::Vrf(Arc::clone(name));
        inbox.put(|mail| {
            if tenant.is_none() {
                mail.routes.retain(|(of, _, _), _| *of != port);
            }
            let tenant = tenant.map(Box::new);
            mail.notes.push(Note::Tenant(Arc::clone(name), tenant));
        });
    }

    fn inbox(&self, name: &Option<String>) -> Option<Inbox> {
        self.lock().get(name).cloned()
    }
}

impl Tenant {
    /// As EVPN knows it.
    pub(crate) fn vrf_config(&self, router_mac: bgp::MacAddress) -> evpn::VrfConfig {
        let l3vni = &self.l3vni;
        let mut config = evpn::VrfConfig::new(l3vni.id, router_mac)
            .rd(l3vni.rd)
            .gateway_ip(l3vni.gateway_ip);
        if let RouteTargets::Listed(targets) = &l3vni.import_targets {
            for target in targets {
                config = config.import_target((*target).into());
            }
        }
        if let RouteTargets::Listed(targets) = &l3vni.export_targets {
            for target in targets {
                config = config.export_target(*target);
            }
        }
        config
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes(port: &Port, last: u8, there: bool) -> Routes {
        let prefix = Prefix::host([10, 0, 0, last].into());
        let set = AttributeSet::new(bgp::attributes::NextHop::V4([10, 0, 0, 1].into()));
        Routes::from([((port.clone(), prefix, 0), there.then(|| Arc::new(set)))])
    }

    #[test]
    fn the_last_word_about_a_route_counts() {
        let hub = Hub::default();
        let inbox = hub.join(Some("red".to_owned()));
        let to = Some("red".to_owned());
        hub.send(&to, routes(&Port::Routers, 1, true));
        hub.send(&to, routes(&Port::Routers, 2, true));
        hub.send(&to, routes(&Port::Routers, 1, false));
        let mail = inbox.take();
        assert_eq!(mail.routes.len(), 2);
        assert_eq!(mail.routes.values().filter(|it| it.is_none()).count(), 1);
        assert!(inbox.take().routes.is_empty());
        // Nobody there is no error.
        hub.leave(&to);
        hub.send(&to, routes(&Port::Routers, 1, true));
        assert!(inbox.take().routes.is_empty());
    }

    #[test]
    fn what_a_vrf_sent_before_it_went_is_gone_with_it() {
        let hub = Hub::default();
        let inbox = hub.join(None);
        let (red, blue) = (Arc::from("red"), Port::Vrf("blue".into()));
        hub.send(&None, routes(&Port::Vrf(Arc::clone(&red)), 1, true));
        hub.send(&None, routes(&blue, 1, true));
        hub.announce(&red, None);
        let mail = inbox.take();
        assert!(matches!(&mail.notes[..], [Note::Tenant(name, None)] if *name == red));
        assert!(mail.routes.keys().all(|(port, _, _)| *port == blue));
        assert_eq!(mail.routes.len(), 1);
    }
}
