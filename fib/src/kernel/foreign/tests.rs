use super::*;
use proptest::prelude::*;

fn notice(name: Name, hops: &[(u8, u32)], object: Option<u32>) -> RouteNotice {
    let hop = |(gateway, index): &(u8, u32)| {
        NextHop::gateway(IpAddr::from([10, 0, 0, *gateway])).dev(*index)
    };
    RouteNotice {
        key: name.0,
        protocol: name.2,
        metric: name.1,
        kind: RouteKind::Unicast,
        source: None,
        object,
        hops: hops.iter().map(hop).collect(),
        dead: Vec::new(),
    }
}

fn name(table: u32, number: u8, metric: u32) -> Name {
    let prefix = format!("10.{number}.0.0/16").parse().unwrap();
    (RouteKey::new(table, prefix), metric, 4)
}

/// What a receiver of all events so far believes.
#[derive(Default)]
struct Receiver {
    routes: HashMap<Name, ForeignRoute>,
    events: Vec<Event>,
}

impl Receiver {
    fn hear(&mut self) {
        for event in self.events.drain(..) {
            let Event::RouteChanged { route, removed } = event else {
                panic!("{event:?}");
            };
            let name = (route.key, route.metric, route.protocol);
            match removed {
                true => assert!(self.routes.remove(&name).is_some(), "{name:?}"),
                false => drop(self.routes.insert(name, route)),
            }
        }
    }

    fn shape(&self) -> Vec<(Name, Vec<NextHop>)> {
        let routes = self.routes.iter();
        let mut all: Vec<_> = routes
            .map(|(name, it)| (*name, it.next_hops.to_vec()))
            .collect();
        all.sort();
        all
    }
}

#[derive(Debug, Clone)]
enum Step {
    Add(Name, Vec<(u8, u32)>, Option<u32>),
    Remove(Name),
    /// Down without a word about routes.
    Down(u32),
    ObjectGone(u32),
    Read,
    Interrupted,
    Tables(BTreeSet<u32>),
}

fn step() -> impl Strategy<Value = Step> {
    let named = || {
        (prop_oneof![Just(254_u32), Just(100)], 0_u8..6, 0_u32..2)
            .prop_map(|(table, number, metric)| name(table, number, metric))
    };
    let hops = prop::collection::btree_set((1_u8..4, 1_u32..4), 1..3)
        .prop_map(|hops| hops.into_iter().collect::<Vec<_>>());
    prop_oneof![
        4 => (named(), hops, prop::option::of(1_u32..3))
            .prop_map(|(name, hops, object)| Step::Add(name, hops, object)),
        2 => named().prop_map(Step::Remove),
        1 => (1_u32..4).prop_map(Step::Down),
        1 => (1_u32..3).prop_map(Step::ObjectGone),
        1 => Just(Step::Read),
        1 => Just(Step::Interrupted),
        1 => prop::sample::subsequence(vec![254_u32, 100], 0..=2)
            .prop_map(|tables| Step::Tables(tables.into_iter().collect())),
    ]
}

type Kernel = std::collections::BTreeMap<Name, (Vec<(u8, u32)>, Option<u32>)>;

fn read(foreign: &mut Foreign, kernel: &Kernel, out: &mut Vec<Event>) {
    foreign.begin();
    for (name, (hops, object)) in kernel {
        // Leg by leg, as IPv6 may.
        for hop in hops {
            foreign.observe(notice(*name, &[*hop], *object), false, false, out);
        }
    }
    foreign.end(out);
}

proptest! {
    #[test]
    fn a_receiver_of_all_events_has_the_kernels_routes(steps in prop::collection::vec(step(), 0..40)) {
        let mut kernel = Kernel::new();
        let mut tables: BTreeSet<u32> = [254].into();
        let mut foreign = Foreign::of_tables(Some(tables.clone()));
        let mut receiver = Receiver::default();
        for step in steps {
            let out = &mut receiver.events;
            match step {
                Step::Add(name, hops, object) => {
                    foreign.observe(notice(name, &hops, object), false, true, out);
                    kernel.insert(name, (hops, object));
                }
                Step::Remove(name) => {
                    if let Some((hops, object)) = kernel.remove(&name) {
                        foreign.observe(notice(name, &hops, object), true, false, out);
                    }
                }
                Step::Down(index) => {
                    kernel.values_mut().for_each(|(hops, _)| hops.retain(|hop| hop.1 != index));
                    kernel.retain(|_, (hops, _)| !hops.is_empty());
                    foreign.through(index, Vec::new(), out);
                }
                Step::ObjectGone(id) => {
                    kernel.retain(|_, (_, object)| *object != Some(id));
                    foreign.objects_gone(&[id].into(), out);
                }
                Step::Read => read(&mut foreign, &kernel, out),
                Step::Interrupted => {
                    foreign.begin();
                    if let Some((name, (hops, object))) = kernel.first_key_value() {
                        foreign.observe(notice(*name, hops, *object), false, false, out);
                    }
                    foreign.abandon();
                }
                Step::Tables(new) => {
                    tables = new;
                    if foreign.observe_tables(tables.clone(), out) {
                        read(&mut foreign, &kernel, out);
                    }
                }
            }
            receiver.hear();
            let visible = kernel.iter().filter(|(name, _)| tables.contains(&name.0.table()));
            let mut expected: Vec<(Name, Vec<NextHop>)> = visible
                .map(|(name, (hops, object))| (*name, notice(*name, hops, *object).hops))
                .collect();
            expected.sort();
            prop_assert_eq!(receiver.shape(), expected);
        }
        let before = receiver.events.len();
        read(&mut foreign, &kernel, &mut receiver.events);
        prop_assert_eq!(receiver.events.len(), before, "nothing is news the second time");
    }
}

#[test]
fn ways_that_no_route_takes_are_forgotten() {
    let mut foreign = Foreign::default();
    let mut out = Vec::new();
    for number in 0..10_000_u32 {
        let index = number + 1;
        foreign.observe(
            notice(name(254, 1, 0), &[(1, index)], None),
            false,
            false,
            &mut out,
        );
    }
    assert_eq!(foreign.routes.len(), 1);
    assert!(foreign.ways.len() <= WAYS_MIN + 1, "{}", foreign.ways.len());
}

#[test]
fn a_route_takes_little() {
    assert_eq!(size_of::<(Name, Known)>(), 48);
}
