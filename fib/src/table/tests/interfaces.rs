//! Addresses of the host's devices, against a kernel that is none.

use super::*;
use crate::state::Addressing;

fn wish(device: &str, addresses: &[&str]) -> Entry {
    let own = |text: &&str| {
        let address: ipnetwork::IpNetwork = text.parse().unwrap();
        address.into()
    };
    let wish = Addressing {
        addresses: addresses.iter().map(own).collect(),
        up: None,
    };
    Entry::Addressing(device.into(), Arc::new(wish))
}

/// A table that has read this kernel, in which an address is ours whoever has it.
fn reading(model: &Model) -> Table {
    let mut table = Table::new(PROTOCOL);
    model.tell(&mut table);
    table
}

fn has(model: &Model, device: u32, address: &str) -> bool {
    model.addresses.contains(&(device, address.to_owned()))
}

#[test]
fn what_others_take_away_is_put_back_and_counted() {
    let (mut model, now) = (Model::with_links(), Instant::now());
    let mut table = reading(&model);
    table.set(wish("wa", &["10.1.0.1/24", "2001:db8::1/64"]));
    settle(&mut table, &mut model, now);
    assert!(has(&model, 1, "10.1.0.1/24") && has(&model, 1, "2001:db8::1/64"));
    assert_eq!(table.verify(), []);
    assert_eq!(table.take_repaired(), Differences::default());
    model.addresses.clear();
    model.tell(&mut table);
    assert_eq!(table.verify().len(), 2);
    settle(&mut table, &mut model, now);
    assert!(has(&model, 1, "10.1.0.1/24") && has(&model, 1, "2001:db8::1/64"));
    assert_eq!(table.take_repaired().missing, 2);
    table.unset(&Key::Addressing("wa".into()));
    settle(&mut table, &mut model, now);
    assert!(model.addresses.is_empty(), "{:?}", model.addresses);
}

#[test]
fn what_a_former_run_has_set_goes_where_its_line_is_gone() {
    let (mut model, now) = (Model::with_links(), Instant::now());
    for (device, address) in [(1, "10.1.0.1/24"), (1, "10.2.0.1/24"), (2, "10.3.0.1/24")] {
        model.addresses.insert((device, address.to_owned()));
    }
    let mut table = reading(&model);
    table.set(wish("wa", &["10.1.0.1/24"]));
    settle(&mut table, &mut model, now);
    assert!(has(&model, 1, "10.1.0.1/24") && !has(&model, 1, "10.2.0.1/24"));
    assert!(has(&model, 2, "10.3.0.1/24"), "somebody may want it yet");
    assert_eq!(model.log.len(), 1, "{:#?}", model.log);
    table.sweep(Share::FIRST, Sweep::All);
    settle(&mut table, &mut model, now);
    assert!(!has(&model, 2, "10.3.0.1/24"));
    // An end takes away what nobody wants, and nothing else.
    table.withdraw();
    settle(&mut table, &mut model, now);
    assert!(has(&model, 1, "10.1.0.1/24"));
}

#[test]
fn an_address_is_on_its_new_device_before_it_leaves_the_other() {
    let (mut model, now) = (Model::with_links(), Instant::now());
    let mut table = reading(&model);
    table.set(wish("wa", &["10.1.0.1/24", "10.2.0.1/24"]));
    table.set(wish("wb", &["10.3.0.1/24"]));
    settle(&mut table, &mut model, now);
    model.log.clear();
    table.set(wish("wa", &["10.2.0.1/24"]));
    table.set(wish("wb", &["10.3.0.1/24", "10.1.0.1/24"]));
    settle(&mut table, &mut model, now);
    let [added, removed] = &model.log[..] else {
        panic!("{:#?}", model.log);
    };
    assert!(added.contains("(None, Assign"), "{added}");
    assert!(removed.contains("(None, Unassign"), "{removed}");
    assert_eq!(table.verify(), []);
}

#[test]
fn a_device_is_set_up_once_for_its_addresses_and_again_for_a_new_one() {
    let (mut model, now) = (Model::with_links(), Instant::now());
    let mut table = reading(&model);
    let down = |table: &mut Table, model: &mut Model| {
        model.links.get_mut(&1).unwrap().up = false;
        model.tell(table);
        settle(table, model, now);
        model.links[&1].up
    };
    table.set(wish("wa", &["10.1.0.1/24"]));
    settle(&mut table, &mut model, now);
    assert!(!down(&mut table, &mut model), "somebody meant it");
    table.set(wish("wa", &["10.1.0.1/24", "10.2.0.1/24"]));
    settle(&mut table, &mut model, now);
    assert!(model.links[&1].up && has(&model, 1, "10.2.0.1/24"));
    // The line that took it down has gone.
    let Entry::Addressing(device, want) = wish("wa", &["10.1.0.1/24", "10.2.0.1/24"]) else {
        panic!("a device");
    };
    let mut shut = Addressing::clone(&want);
    shut.up = Some(false);
    table.set(Entry::Addressing(device.clone(), Arc::new(shut)));
    settle(&mut table, &mut model, now);
    assert!(!model.links[&1].up);
    assert_eq!(table.verify(), []);
    table.set(Entry::Addressing(device, want));
    settle(&mut table, &mut model, now);
    assert!(model.links[&1].up);
    assert_eq!(table.verify(), []);
}
