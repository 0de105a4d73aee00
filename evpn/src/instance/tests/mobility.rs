//! Mobility against a model: every short sequence of what can happen, and long ones at random.
//!
//! Between two steps everything is delivered, so what must come out is plain: an address is where
//! it was learned last, everybody knows that, and nothing that happened before can keep it from
//! there. (`exchange` has what happens while messages are still under way.)

use proptest::prelude::*;

use super::exchange::{Mesh, Step};
use super::*;
use crate::{DuplicateAction, DuplicateDetection};

/// Where one MAC address is, and whether it is static there.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
struct Model(Option<(usize, bool)>);

impl Model {
    fn step(&mut self, step: Step) {
        self.0 = match (step, self.0) {
            // No frame moves a static address (RFC 7432 §15.2).
            (Step::Learn(..), Some((place, true))) => Some((place, true)),
            (Step::Learn(at, _), _) => Some((at, false)),
            (Step::Fix(at, _), _) => Some((at, true)),
            (Step::Age(at, _), Some((place, _))) if at == place => None,
            (_, place) => place,
        };
    }
}

/// Everything that can happen to one MAC address among so many sites.
fn steps(sites: usize) -> Vec<Step> {
    let mut steps = Vec::new();
    for at in 0..sites {
        steps.extend([
            Step::Learn(at, 1),
            Step::Fix(at, 1),
            Step::Age(at, 1),
            Step::Restart(at),
        ]);
        let others = (0..sites).filter(|other| *other != at);
        steps.extend(others.map(|other| Step::Flap(at, other)));
    }
    steps
}

/// Every sequence of so many of these.
fn sequences(steps: &[Step], length: u32) -> impl Iterator<Item = Vec<Step>> {
    let count = steps.len();
    (0..count.pow(length)).map(move |number| {
        let digit = |place| steps[number / count.pow(place) % count];
        (0..length).map(digit).collect()
    })
}

fn follows_the_model(sites: usize, sequence: &[Step]) {
    let (mut mesh, mut model) = (Mesh::new(sites, true), Model::default());
    for step in sequence {
        mesh.step(*step);
        mesh.settle(&[]);
        model.step(*step);
        let place = model.0.map(|(place, _)| place);
        assert_eq!(mesh.place(1), place, "{step:?} of {sequence:?}");
    }
    mesh.check();
}

#[test]
fn two_sites_agree_on_where_it_was_learned_last_after_every_sequence_of_four_steps() {
    for sequence in sequences(&steps(2), 4) {
        follows_the_model(2, &sequence);
    }
}

#[test]
fn three_sites_agree_on_where_it_was_learned_last_after_every_sequence_of_three_steps() {
    for sequence in sequences(&steps(3), 3) {
        follows_the_model(3, &sequence);
    }
}

/// Where two MAC addresses are, and what one IP address was last resolved to.
#[derive(Debug, Default)]
struct Bindings {
    macs: [Option<usize>; 2],
    ip: Option<(usize, u8)>,
}

impl Bindings {
    fn step(&mut self, step: Step) {
        match step {
            Step::Resolve(at, _, mac) => {
                self.macs[usize::from(mac) - 1] = Some(at);
                self.ip = Some((at, mac));
            }
            Step::Fail(at, _) if self.ip.is_some_and(|(place, _)| place == at) => self.ip = None,
            Step::Age(at, mac) => {
                let place = &mut self.macs[usize::from(mac) - 1];
                *place = place.filter(|place| *place != at);
            }
            Step::Fail(..)
            | Step::Learn(..)
            | Step::Fix(..)
            | Step::Deliver(..)
            | Step::Flap(..)
            | Step::Restart(_) => {}
        }
    }

    /// An IP address is told by the site that has its MAC address.
    fn told(&self) -> Option<(usize, MacAddress)> {
        let (at, last) = self.ip?;
        (self.macs[usize::from(last) - 1] == Some(at)).then_some((at, mac(last)))
    }
}

#[test]
fn an_ip_follows_whoever_answered_for_it_last_after_every_sequence_of_four_steps() {
    let mut steps = Vec::new();
    for at in 0..2 {
        steps.push(Step::Fail(at, 1));
        for last in 1..=2 {
            steps.extend([Step::Resolve(at, 1, last), Step::Age(at, last)]);
        }
    }
    for sequence in sequences(&steps, 4) {
        let (mut mesh, mut model) = (Mesh::new(2, true), Bindings::default());
        for step in &sequence {
            mesh.step(*step);
            mesh.settle(&[]);
            model.step(*step);
            assert_eq!(mesh.binding(1), model.told(), "{step:?} of {sequence:?}");
        }
        for (last, place) in (1..).zip(model.macs) {
            assert_eq!(mesh.place(last), place, "{sequence:?}");
        }
        mesh.check();
    }
}

#[test]
fn at_the_last_number_the_sites_still_agree_and_a_withdrawal_makes_it_free_again() {
    // Site 3 is no router of ours: it said the last number there is.
    for (claimant, keeps) in [(1, true), (9, false)] {
        let mut a = site_with_vni(2);
        from(claimant)
            .sequence(u32::MAX)
            .announces(&mut a, mac(1), None);
        learns(&mut a, 1);
        let status = &a.macs(None)[0];
        assert_eq!(status.kind == Kind::Remote, keeps, "lower tunnel address");
        assert_eq!(status.sequence, u32::MAX);
        assert_eq!(status.reason, Reason::Won(Rule::LowerVtep));
        // Once more and once more: nothing changes, nobody plays ping-pong.
        drain(&mut a);
        from(claimant)
            .sequence(u32::MAX)
            .announces(&mut a, mac(1), None);
        assert_eq!(drain(&mut a), []);
        from(claimant).withdraws(&mut a, mac(1), None);
        assert_eq!(a.macs(None)[0].kind, Kind::Local);
        // And when it left here too, it starts from nothing.
        loses(&mut a, 1);
        drain(&mut a);
        learns(&mut a, 1);
        assert_eq!(a.macs(None)[0].sequence, 0);
    }
}

#[test]
fn a_number_close_to_the_last_one_goes_up_to_it() {
    let mut a = site_with_vni(2);
    from(1)
        .sequence(u32::MAX - 2)
        .announces(&mut a, mac(1), None);
    learns(&mut a, 1);
    assert_eq!(a.macs(None)[0].sequence, u32::MAX - 1);
    from(1).sequence(u32::MAX).announces(&mut a, mac(1), None);
    let status = &a.macs(None)[0];
    assert_eq!((status.kind, status.sequence), (Kind::Remote, u32::MAX));
}

fn any_step(sites: usize) -> impl Strategy<Value = Step> {
    prop::sample::select(steps(sites))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_number_of_sites_follow_the_model_however_long(
        sites in 2..=4usize,
        choices in prop::collection::vec(any::<prop::sample::Index>(), 0..60),
    ) {
        let steps = steps(sites);
        let sequence: Vec<Step> = choices.iter().map(|it| *it.get(&steps)).collect();
        follows_the_model(sites, &sequence);
    }

    /// Duplicates frozen at this site or that one, cleared in the end: whatever was held where, the
    /// address is learned next where it is.
    #[test]
    fn what_was_frozen_is_followed_again_once_it_is_cleared(
        steps in prop::collection::vec(any_step(2), 0..30),
        last in 0..2usize,
    ) {
        let mut mesh = Mesh::new(2, true);
        let settings = DuplicateDetection {
            moves: 2,
            action: DuplicateAction::Freeze(None),
            ..DuplicateDetection::default()
        };
        for site in &mut mesh.sites {
            site.instance.handle(now(), Input::SetDuplicateDetection(Some(settings)));
        }
        for step in steps {
            // A static address is taken over a frozen one, and a restart forgets the settings.
            if !matches!(step, Step::Fix(..) | Step::Restart(_)) {
                mesh.step(step);
                mesh.settle(&[]);
            }
        }
        for at in 0..2 {
            mesh.clear(at);
            mesh.settle(&[]);
        }
        prop_assert_eq!(mesh.sites.iter().map(|site| site.instance.duplicates().count()).sum::<usize>(), 0);
        mesh.step(Step::Age(last, 1));
        mesh.step(Step::Learn(last, 1));
        mesh.settle(&[]);
        prop_assert_eq!(mesh.place(1), Some(last));
        mesh.check();
    }
}
