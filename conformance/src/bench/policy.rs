//! The route-map of scenario S9 in three languages: twenty entries that look at prefix, community,
//! large community, AS path and MED, most of which match little; the last two let everything
//! through and mark it.
//!
//! | entries | look at | do |
//! |---|---|---|
//! | 1-8 | a prefix list of 16 prefixes no route has | refuse |
//! | 9-12 | a community | local preference |
//! | 13-16 | an AS number in the path | MED |
//! | 17-18 | a large community | add a community |
//! | 19 | prefixes of /25 and longer | refuse |
//! | 20 | everything | add a community |

use std::fmt::Write;

/// Prefix lists of entries 1 to 8: inside 10.0.0.0/8, where the generated table has nothing.
fn list(number: u32) -> impl Iterator<Item = String> {
    (0..16).map(move |item| format!("10.{}.{}.0/24", number, item))
}

/// AS numbers, communities: some routes of the generated table have one of these.
fn value(number: u32) -> u32 {
    number * 1000 + 7
}

macro_rules! line {
    ($out:ident, $($words:tt)*) => {{
        let _ = writeln!($out, $($words)*);
    }};
}

pub(super) fn rbgpd(out: &mut String) {
    for number in 1..=8 {
        let rules: Vec<String> = list(number).map(|p| format!("\"permit {p}\"")).collect();
        line!(
            out,
            "[[prefix_list]]\nname = \"L{number}\"\nrules = [{}]",
            rules.join(", ")
        );
    }
    line!(
        out,
        "[[prefix_list]]\nname = \"LONG\"\nrules = [\"permit 0.0.0.0/0 ge 25\"]"
    );
    line!(out, "[[route_map]]\nname = \"BENCH\"");
    for number in 1..=8 {
        line!(
            out,
            "[[route_map.entry]]\nseq = {number}\naction = \"deny\""
        );
        line!(out, "match = {{ prefix_list = \"L{number}\" }}");
    }
    for number in 9..=12 {
        line!(
            out,
            "[[route_map.entry]]\nseq = {number}\naction = \"permit\"\non_match = \"next\""
        );
        line!(
            out,
            "match = {{ community = [\"{}:{number}\"] }}",
            value(number)
        );
        line!(out, "set = {{ local_preference = {} }}", 100 + number);
    }
    for number in 13..=16 {
        line!(
            out,
            "[[route_map.entry]]\nseq = {number}\naction = \"permit\"\non_match = \"next\""
        );
        line!(out, "match = {{ as_path_contains = {} }}", value(number));
        line!(out, "set = {{ metric = {number} }}");
    }
    for number in 17..=18 {
        line!(
            out,
            "[[route_map.entry]]\nseq = {number}\naction = \"permit\"\non_match = \"next\""
        );
        line!(
            out,
            "match = {{ large_community = [\"{}:{number}:1\"] }}",
            value(number)
        );
        line!(
            out,
            "set = {{ community = {{ add = [\"65001:{number}\"] }} }}"
        );
    }
    line!(out, "[[route_map.entry]]\nseq = 19\naction = \"deny\"");
    line!(out, "match = {{ prefix_list = \"LONG\" }}");
    line!(out, "[[route_map.entry]]\nseq = 20\naction = \"permit\"");
    line!(out, "set = {{ community = {{ add = [\"65001:20\"] }} }}");
}

pub(super) fn bird(out: &mut String) {
    line!(out, "filter bench {{");
    for number in 1..=8 {
        let all: Vec<String> = list(number).collect();
        line!(out, " if net ~ [ {} ] then reject;", all.join(", "));
    }
    for number in 9..=12 {
        line!(
            out,
            " if ({}, {number}) ~ bgp_community then",
            value(number)
        );
        line!(out, "  bgp_local_pref = {};", 100 + number);
    }
    for number in 13..=16 {
        line!(
            out,
            " if bgp_path ~ [= * {} * =] then bgp_med = {number};",
            value(number)
        );
    }
    for number in 17..=18 {
        line!(
            out,
            " if ({}, {number}, 1) ~ bgp_large_community then",
            value(number)
        );
        line!(out, "  bgp_community.add((65001, {number}));");
    }
    line!(out, " if net ~ [ 0.0.0.0/0{{25,32}} ] then reject;");
    line!(out, " bgp_community.add((65001, 20));\n accept;\n}}");
}

pub(super) fn frr(out: &mut String) {
    for number in 1..=8 {
        for prefix in list(number) {
            line!(out, "ip prefix-list L{number} permit {prefix}");
        }
    }
    line!(out, "ip prefix-list LONG permit 0.0.0.0/0 ge 25");
    for number in 9..=12 {
        line!(
            out,
            "bgp community-list standard C{number} permit {}:{number}",
            value(number)
        );
    }
    for number in 13..=16 {
        line!(
            out,
            "bgp as-path access-list A{number} permit _{}_",
            value(number)
        );
    }
    for number in 17..=18 {
        line!(
            out,
            "bgp large-community-list standard G{number} permit {}:{number}:1",
            value(number)
        );
    }
    for number in 1..=8 {
        line!(
            out,
            "route-map BENCH deny {number}\n match ip address prefix-list L{number}\nexit"
        );
    }
    let entry = |out: &mut String, number: u32, words: &str| {
        line!(
            out,
            "route-map BENCH permit {number}\n{words} on-match next\nexit"
        );
    };
    for number in 9..=12 {
        let local = 100 + number;
        let words = format!(" match community C{number}\n set local-preference {local}\n");
        entry(out, number, &words);
    }
    for number in 13..=16 {
        let words = format!(" match as-path A{number}\n set metric {number}\n");
        entry(out, number, &words);
    }
    for number in 17..=18 {
        let words =
            format!(" match large-community G{number}\n set community 65001:{number} additive\n");
        entry(out, number, &words);
    }
    line!(
        out,
        "route-map BENCH deny 19\n match ip address prefix-list LONG\nexit"
    );
    line!(
        out,
        "route-map BENCH permit 20\n set community 65001:20 additive\nexit"
    );
}
