//! Routes of one instance in the tables of another (`[[import]]`).
//!
//! ```text
//! default 10.0.0.0/16   red 10.1.0.0/16   blue 10.2.0.0/16      one router, no neighbours
//! ```

use std::path::PathBuf;

use rbgpd::control::{Reply, Request, Routes, reply};
use rbgpd::{Options, Router};

use crate::ends::{parse, until};

/// A router with a file and a state directory of its own.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let name = format!("rbgpd-imports-{name}-{}", std::process::id());
        let place = std::env::temp_dir().join(name);
        std::fs::create_dir_all(place.join("state")).unwrap();
        Self(place)
    }

    fn start(&self, text: &str) -> Router {
        let options = Options {
            config_file: Some(self.0.join("rbgpd.toml")),
            state_dir: Some(self.0.join("state")),
        };
        Router::start(parse(text), options).unwrap()
    }

    async fn reload(&self, router: &Router, text: &str) -> Vec<String> {
        parse(text);
        std::fs::write(self.0.join("rbgpd.toml"), text).unwrap();
        match router.ask(Request::Reload { dry_run: false }).await {
            Ok(Reply::Reload(reload)) => reload.changes,
            other => panic!("{other:?}"),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// What instances say beside their networks: keys of the default one, of red and of blue.
fn config(default: &str, red: &str, blue: &str) -> String {
    let maps = "[[prefix_list]]\nname = \"ONE\"\nrules = [\"permit 10.2.1.0/24\"]\n\
                [[route_map]]\nname = \"ONE\"\n\
                entry = [{ seq = 10, action = \"permit\", match = { prefix_list = \"ONE\" }, \
                set = { metric = 7 } }]\n\
                [[route_map]]\nname = \"MINE\"\n\
                entry = [{ seq = 10, action = \"permit\", set = { weight = 65000 } }]\n";
    let head = "asn = 65001\nrouter_id = \"10.0.0.1\"\nlisten = []\n\
                [kernel]\nenabled = false\n[graceful_restart]\ndeferral_time = \"1h\"\n";
    let networks = |instance: &str, number: u8| {
        format!(
            "[{instance}ipv4_unicast]\n\
             networks = [\"10.{number}.0.0/16\", \"10.{number}.1.0/24\", \"10.9.0.0/16\"]\n\
             [{instance}ipv6_unicast]\nnetworks = [\"fd0{number}::/32\"]\n"
        )
    };
    let mut text = format!("{head}{}{default}", networks("", 0));
    for (number, name, keys) in [(1, "red", red), (2, "blue", blue)] {
        if keys != "-" {
            text += &format!(
                "[[instance]]\nname = \"{name}\"\nasn = 6501{number}\nrouter_id = \"10.0.0.1\"\n\
                 listen = []\n[instance.kernel]\ntable = 10{number}\n{}{keys}",
                networks("instance.", number)
            );
        }
    }
    text + maps
}

fn import(instance: &str, from: &str, keys: &str) -> String {
    format!("[[{instance}import]]\nfrom = \"{from}\"\n{keys}")
}

async fn routes(router: &Router, instance: &str) -> Vec<reply::Route> {
    let request = Request::Routes(Routes::default());
    let request = Request::Of(instance.to_owned(), Box::new(request));
    match router.ask(request).await.unwrap() {
        Reply::Routes(page) => page.routes,
        other => panic!("{other:?}"),
    }
}

/// Prefixes with where they are from, of routes that are of another instance.
async fn imported(router: &Router, instance: &str) -> Vec<String> {
    let routes = routes(router, instance).await;
    let from = |route: &reply::Route| {
        let from = route.source.as_deref()?.strip_prefix("instance ")?;
        Some(format!("{} {from}", route.prefix))
    };
    routes.iter().filter_map(from).collect()
}

fn of(number: u8, name: &str) -> Vec<String> {
    let prefixes = [
        format!("10.{number}.0.0/16"),
        format!("10.{number}.1.0/24"),
        "10.9.0.0/16".to_owned(),
        format!("fd0{number}::/32"),
    ];
    prefixes.map(|it| format!("{it} {name}")).into()
}

async fn until_imported(router: &Router, instance: &str, mut expected: Vec<String>) {
    expected.sort_unstable();
    let what = format!("{instance} has {expected:?}");
    let has = || async {
        let mut imported = imported(router, instance).await;
        imported.sort_unstable();
        (imported == expected).then_some(())
    };
    until(&what, has).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_take_from_each_other_what_is_their_own_and_nothing_a_second_time() {
    let place = Place::new("mutual");
    let (red, blue) = (
        import("instance.", "blue", "") + &import("instance.", "default", ""),
        import("instance.", "red", ""),
    );
    let router = place.start(&config(&import("", "red", ""), &red, &blue));
    // Blue's are in red, and neither in the default instance by way of red nor in blue again.
    let both = [of(0, "default"), of(2, "blue")].concat();
    until_imported(&router, "red", both).await;
    until_imported(&router, "default", of(1, "red")).await;
    until_imported(&router, "blue", of(1, "red")).await;
    let shown = routes(&router, "red").await;
    let leaked = |route: &&reply::Route| route.source.as_deref() == Some("instance blue");
    let route = shown.iter().filter(leaked).find(|it| it.best).unwrap();
    assert_eq!((route.neighbor, route.weight), (None, Some(32_768)));
    assert!(route.as_path.is_empty());
    assert_eq!(route.origin, "igp");
    // What each has itself goes before what the others have.
    for instance in ["default", "red", "blue"] {
        let all = routes(&router, instance).await;
        let own = all.iter().find(|it| it.prefix == "10.9.0.0/16" && it.best);
        assert_eq!(own.unwrap().source, None, "{instance}");
    }
    let explain = Request::Explain {
        target: "10.2.1.0/24".to_owned(),
    };
    let explain = Request::Of("red".to_owned(), Box::new(explain));
    match router.ask(explain).await.unwrap() {
        Reply::Explain(explained) => {
            assert_eq!(explained.entries[0].paths[0].from, "instance blue");
        }
        other => panic!("{other:?}"),
    }
    router.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_that_prefer_each_others_routes_come_to_rest() {
    let place = Place::new("prefer");
    let mine = |from| import("instance.", from, "route_map = \"MINE\"\n");
    let router = place.start(&config("", &mine("blue"), &mine("red")));
    until_imported(&router, "red", of(2, "blue")).await;
    until_imported(&router, "blue", of(1, "red")).await;
    // 10.9.0.0/16 is in both, and each uses the other's: what is offered does not depend on that.
    for (instance, other) in [("red", "instance blue"), ("blue", "instance red")] {
        let all = routes(&router, instance).await;
        let best = all.iter().find(|it| it.prefix == "10.9.0.0/16" && it.best);
        assert_eq!(best.unwrap().source.as_deref(), Some(other));
    }
    router.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_adds_changes_and_removes_imports_and_the_instances_they_are_from() {
    let place = Place::new("reload");
    let from_blue = |keys: &str| import("instance.", "blue", keys);
    let router = place.start(&config("", "", ""));
    until_imported(&router, "red", Vec::new()).await;
    let changes = place.reload(&router, &config("", &from_blue(""), "")).await;
    assert_eq!(changes, ["instance red: import from blue: added"]);
    until_imported(&router, "red", of(2, "blue")).await;
    let families = "families = [\"ipv6_unicast\"]\n";
    let changes = place
        .reload(&router, &config("", &from_blue(families), ""))
        .await;
    let expected = "instance red: import from blue: families default -> [\"ipv6_unicast\"]";
    assert_eq!(changes, [expected]);
    until_imported(&router, "red", vec!["fd02::/32 blue".to_owned()]).await;
    // What a map refuses is there and not used.
    let mapped = config("", &from_blue("route_map = \"ONE\"\n"), "");
    place.reload(&router, &mapped).await;
    until_imported(&router, "red", of(2, "blue")).await;
    let used = || async {
        let all = routes(&router, "red").await;
        let of_blue = all
            .iter()
            .filter(|it| it.source.as_deref() == Some("instance blue"));
        let used = of_blue.filter(|it| it.accepted);
        let used: Vec<_> = used.map(|it| (it.prefix.clone(), it.med)).collect();
        (used == [("10.2.1.0/24".to_owned(), Some(7))]).then_some(())
    };
    until("one prefix is used, with the metric of the map", used).await;
    // The other instance goes, and comes back twice.
    for _ in 0..2 {
        place.reload(&router, &config("", "", "-")).await;
        until_imported(&router, "red", Vec::new()).await;
        place.reload(&router, &config("", &from_blue(""), "")).await;
        until_imported(&router, "red", of(2, "blue")).await;
    }
    let changes = place.reload(&router, &config("", "", "")).await;
    assert_eq!(changes, ["instance red: import from blue: removed"]);
    until_imported(&router, "red", Vec::new()).await;
    router.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_crash_instances_that_import_from_each_other_do_not_wait_for_ever() {
    let place = Place::new("crash");
    let (red, blue) = (
        import("instance.", "blue", ""),
        import("instance.", "red", ""),
    );
    let text = config("", &red, &blue);
    let marks = ["running.json", "running-red.json", "running-blue.json"];
    let path = |mark: &&str| place.0.join("state").join(mark);
    let first = place.start(&text);
    let left = marks
        .each_ref()
        .map(|mark| std::fs::read(path(mark)).unwrap());
    first.stop().await;
    for (mark, octets) in marks.iter().zip(left) {
        std::fs::write(path(mark), octets).unwrap();
    }
    let router = place.start(&text);
    for instance in ["red", "blue"] {
        let over = || async {
            let request = Request::Of(instance.to_owned(), Box::new(Request::Summary));
            match router.ask(request).await.unwrap() {
                Reply::Summary(summary) => summary.hold.is_none().then_some(()),
                other => panic!("{other:?}"),
            }
        };
        until("the restart is over", over).await;
    }
    until_imported(&router, "red", of(2, "blue")).await;
    until_imported(&router, "blue", of(1, "red")).await;
    router.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_draining_instance_offers_is_the_last_choice() {
    let place = Place::new("drain");
    let router = place.start(&config("", &import("instance.", "blue", ""), ""));
    until_imported(&router, "red", of(2, "blue")).await;
    let order = rbgpd::control::Drain {
        force: true,
        ..rbgpd::control::Drain::default()
    };
    let drain = Request::Of("blue".to_owned(), Box::new(Request::Drain(order)));
    router.ask(drain).await.unwrap();
    let marked = |draining: bool| {
        let router = &router;
        move || async move {
            let all = routes(router, "red").await;
            let of_blue = all
                .iter()
                .filter(|it| it.source.as_deref() == Some("instance blue"));
            let leaving = |route: &reply::Route| {
                let told = route.communities.iter().any(|it| it == "graceful-shutdown");
                told && route.local_pref == Some(0)
            };
            let leaving: Vec<bool> = of_blue.map(leaving).collect();
            (leaving == [draining; 4]).then_some(())
        }
    };
    until("blue's routes are marked", marked(true)).await;
    let undrain = Request::Undrain {
        neighbor: None,
        force: true,
    };
    let undrain = Request::Of("blue".to_owned(), Box::new(undrain));
    router.ask(undrain).await.unwrap();
    until("blue's routes are as before", marked(false)).await;
    router.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_that_become_others_have_what_they_had_of_each_other() {
    let place = Place::new("identity");
    let import = |from| import("instance.", from, "");
    let (red, blue) = (import("blue") + &import("default"), import("red"));
    let text = config("", &red, &blue);
    // Red is in another AS and has another identifier; blue only another identifier.
    let other = text
        .replace(
            "asn = 65011\nrouter_id = \"10.0.0.1\"",
            "asn = 65021\nrouter_id = \"10.0.0.21\"",
        )
        .replace(
            "asn = 65012\nrouter_id = \"10.0.0.1\"",
            "asn = 65012\nrouter_id = \"10.0.0.22\"",
        );
    let router = place.start(&text);
    let both = [of(0, "default"), of(2, "blue")].concat();
    let complete = async |router: &Router| {
        until_imported(router, "red", both.clone()).await;
        until_imported(router, "blue", of(1, "red")).await;
        let (mut all, instances) = (Vec::new(), ["default", "red", "blue"]);
        for instance in instances {
            let routes = routes(router, instance).await;
            let mut lines: Vec<String> = routes.iter().map(|it| format!("{it:?}")).collect();
            lines.sort();
            all.push(lines);
        }
        all
    };
    let before = complete(&router).await;
    let changes = place.reload(&router, &other).await;
    assert_eq!(
        changes,
        [
            "instance red: asn 65011 -> 65021 (sessions restart)",
            "instance red: router_id \"10.0.0.1\" -> \"10.0.0.21\" (sessions restart)",
            "instance blue: router_id \"10.0.0.1\" -> \"10.0.0.22\" (sessions restart)",
        ]
    );
    // Nothing of it shows who an instance is to its neighbours.
    assert_eq!(complete(&router).await, before);
    router.stop().await;
    let fresh = place.start(&other);
    assert_eq!(complete(&fresh).await, before);
    fresh.stop().await;
}
