//! What goes from one instance's tables to another's.
//!
//! Each core has an [`Inbox`]; the [`Hub`] knows them by the instance's name. A sender puts routes
//! and notes into the inbox of whoever they are for, and never waits: of several words about one
//! route the last one counts, so an inbox holds no more than the sender's table, however slow its
//! owner is. The owner takes everything at once, notes first: a sender that announces itself
//! ([`Note::Tenant`]) sends its routes after that, and what it had sent before it took itself back is
//! gone from the inbox.
//!
//! An instance that imports from another says so here ([`Hub::import`]) and not to the other, which
//! may not be there yet, may go and may come back: whoever joins is told who imports from it, and
//! offers all it has.
//!
//! Not here: what a route means to the one who gets it ([`crate::core`]).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bgp::{AttributeSet, Family, PathId, Prefix};
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
    /// The tables of the instance of this name. What it has from EVPN itself comes apart from the
    /// rest, since it does not go there again.
    Instance(Arc<str>, Origin),
}

/// How the instance that offers a path came by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Origin {
    /// It is its own, or from a neighbour.
    Own,
    /// From EVPN.
    Overlay,
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Port::Routers | Port::Gateways => f.write_str("evpn"),
            Port::Vrf(name) => write!(f, "vrf {name}"),
            Port::Instance(name, Origin::Own) => write!(f, "instance {name}"),
            Port::Instance(name, Origin::Overlay) => write!(f, "instance {name}, evpn"),
        }
    }
}

/// A route by where it comes from, its prefix, and a number that tells several of one prefix apart.
pub(crate) type RouteId = (Port, Prefix, PathId);

/// Routes as they are now; `None` for what is gone.
pub(crate) type Routes = HashMap<RouteId, Option<Arc<AttributeSet>>>;

/// A path that an instance offers to those who import from it.
#[derive(Debug, Clone)]
pub(crate) struct Offered {
    pub(crate) origin: Origin,
    /// Tells the paths of a prefix apart.
    pub(crate) path_id: PathId,
    pub(crate) attributes: Arc<AttributeSet>,
}

/// All paths that an instance offers of each of these prefixes; none for what is gone.
pub(crate) type Offers = HashMap<Prefix, Arc<[Offered]>>;

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
    /// All prefixes that this VRF had at its start have been handed over, the last of them before
    /// this note or with it.
    Told(Arc<str>),
    /// An instance imports from this one, or no longer does.
    Importer(Option<String>, bool),
    /// An instance that this one imports from has in a family all routes that there were when it
    /// started.
    Offered(Arc<str>, Family),
    /// What an instance has offered so far is void: it is gone, or offers everything anew.
    Void(Arc<str>),
}

/// What has come.
#[derive(Debug, Default)]
pub(crate) struct Mail {
    pub(crate) notes: Vec<Note>,
    pub(crate) routes: Routes,
    /// By the instance that offers them.
    pub(crate) offers: BTreeMap<Arc<str>, Offers>,
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
    // A lock because instances come and go at any time; held for a look-up, or to tell those who
    // import from one instance of its end.
    known: Mutex<Known>,
    at_start: BTreeSet<Arc<str>>,
}

#[derive(Debug, Default)]
struct Known {
    inboxes: HashMap<Option<String>, Inbox>,
    /// Who imports from whom, whether that one is there or not.
    importers: BTreeMap<Option<String>, BTreeSet<Option<String>>>,
}

impl Known {
    fn importers_of(&self, name: &Option<String>) -> impl Iterator<Item = &Option<String>> {
        self.importers.get(name).into_iter().flatten()
    }

    fn note(&self, to: &Option<String>, note: Note) {
        if let Some(inbox) = self.inboxes.get(to) {
            inbox.put(|mail| mail.notes.push(note));
        }
    }

    /// Everything that is offered by an instance is void to another one.
    fn void(&self, to: &Option<String>, from: &Arc<str>) {
        if let Some(inbox) = self.inboxes.get(to) {
            inbox.put(|mail| {
                mail.offers.remove(from);
                mail.notes.push(Note::Void(Arc::clone(from)));
            });
        }
    }
}

/// What operators call an instance.
pub(crate) fn name_of(instance: &Option<String>) -> Arc<str> {
    Arc::from(instance.as_deref().unwrap_or(DEFAULT))
}

/// The instance that operators call so.
fn instance_of(name: &str) -> Option<String> {
    (name != DEFAULT).then(|| name.to_owned())
}

/// Name of the instance at the top of the file.
pub(crate) const DEFAULT: &str = "default";

impl Hub {
    /// With the VRFs that are part of the overlay from the start.
    pub(crate) fn new(at_start: BTreeSet<Arc<str>>) -> Self {
        Self {
            known: Mutex::default(),
            at_start,
        }
    }

    /// The VRFs that are part of the overlay from the start.
    pub(crate) fn at_start(&self) -> &BTreeSet<Arc<str>> {
        &self.at_start
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An inbox for an instance, `None` for the default one.
    pub(crate) fn join(&self, name: Option<String>) -> Inbox {
        let mut known = self.lock();
        let inbox = Inbox::default();
        known.inboxes.insert(name.clone(), inbox.clone());
        for importer in known.importers_of(&name) {
            known.note(&name, Note::Importer(importer.clone(), true));
        }
        inbox
    }

    /// The instance has ended, and what it offered is gone.
    pub(crate) fn leave(&self, name: &Option<String>) {
        let mut known = self.lock();
        known.inboxes.remove(name);
        for importer in known.importers_of(name) {
            known.void(importer, &name_of(name));
        }
        for importers in known.importers.values_mut() {
            importers.remove(name);
        }
        for source in known.importers.keys() {
            known.note(source, Note::Importer(name.clone(), false));
        }
    }

    /// An instance imports from the one of this name from now on, or no longer.
    pub(crate) fn import(&self, importer: &Option<String>, from: &str, on: bool) {
        let (mut known, from) = (self.lock(), instance_of(from));
        let importers = known.importers.entry(from.clone()).or_default();
        match on {
            true => importers.insert(importer.clone()),
            false => importers.remove(importer),
        };
        known.note(&from, Note::Importer(importer.clone(), on));
    }

    /// Offers paths to an importer.
    pub(crate) fn offer(&self, to: &Option<String>, from: &Arc<str>, offers: Offers) {
        if let Some(inbox) = self.inbox(to)
            && !offers.is_empty()
        {
            inbox.put(|mail| {
                let known = mail.offers.entry(Arc::clone(from)).or_default();
                known.extend(offers);
            });
        }
    }

    /// Tells an importer that everything that is offered comes anew.
    pub(crate) fn void(&self, to: &Option<String>, from: &Arc<str>) {
        self.lock().void(to, from);
    }

    /// Tells an importer that all paths of a family were offered.
    pub(crate) fn offered(&self, to: &Option<String>, from: &Arc<str>, family: Family) {
        let note = Note::Offered(Arc::clone(from), family);
        self.lock().note(to, note);
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

    /// Tells the default instance that it has what a VRF had at its start.
    pub(crate) fn told(&self, vrf: &str) {
        if let Some(inbox) = self.inbox(&None) {
            inbox.put(|mail| mail.notes.push(Note::Told(Arc::from(vrf))));
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
        self.lock().inboxes.get(name).cloned()
    }
}

impl Tenant {
    /// As EVPN knows it.
    pub(crate) fn vrf_config(&self, router_mac: bgp::MacAddress) -> evpn::VrfConfig {
        let l3vni = &self.l3vni;
        let mut config = evpn::VrfConfig::new(l3vni.id, router_mac)
            .rd(l3vni.rd)
            .gateway_ip(l3vni.gateway_ip)
            .prefix_routes_only(l3vni.prefix_routes_only);
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

    fn importers(inbox: &Inbox) -> Vec<(Option<String>, bool)> {
        let notes = inbox.take().notes.into_iter();
        let importer = |note| match note {
            Note::Importer(name, on) => Some((name, on)),
            Note::Tenant(..)
            | Note::Complete
            | Note::Told(_)
            | Note::Offered(..)
            | Note::Void(_) => None,
        };
        notes.filter_map(importer).collect()
    }

    #[test]
    fn whoever_comes_is_told_who_imports_from_it_as_often_as_it_comes() {
        let (hub, red) = (Hub::default(), Some("red".to_owned()));
        hub.join(red.clone());
        hub.import(&red, "blue", true);
        hub.import(&red, DEFAULT, true);
        for _ in 0..2 {
            let blue = hub.join(Some("blue".to_owned()));
            assert_eq!(importers(&blue), [(red.clone(), true)]);
            hub.leave(&Some("blue".to_owned()));
        }
        let default = hub.join(None);
        assert_eq!(importers(&default), [(red.clone(), true)]);
        hub.import(&red, DEFAULT, false);
        assert_eq!(importers(&default), [(red, false)]);
        let again = hub.join(None);
        assert_eq!(importers(&again), []);
    }

    #[test]
    fn what_an_instance_offered_is_void_when_it_goes_also_what_was_not_taken_yet() {
        let (hub, name) = (Hub::default(), Some("blue".to_owned()));
        let (red, blue) = (hub.join(Some("red".to_owned())), name_of(&name));
        hub.join(name.clone());
        hub.import(&Some("red".to_owned()), "blue", true);
        let prefix = Prefix::host([10, 0, 0, 1].into());
        let offers = Offers::from([(prefix, Arc::from([]))]);
        hub.offer(&Some("red".to_owned()), &blue, offers);
        hub.leave(&name);
        let mail = red.take();
        assert!(mail.offers.is_empty());
        assert!(matches!(&mail.notes[..], [Note::Void(from)] if *from == blue));
    }

    #[test]
    fn an_importer_that_goes_is_offered_nothing_more() {
        let (hub, red) = (Hub::default(), Some("red".to_owned()));
        let blue = hub.join(Some("blue".to_owned()));
        hub.join(red.clone());
        hub.import(&red, "blue", true);
        hub.leave(&red);
        assert_eq!(importers(&blue), [(red.clone(), true), (red, false)]);
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
