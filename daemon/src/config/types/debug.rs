//! Debug messages that are asked for, part by part, in the words of FRR's `debug` lines.
//!
//! A part is one row of [`PARTS`]: how FRR calls it, which targets of our log it stands for, and how it may
//! be narrowed down. Who writes such a message names its target from [`crate::debug`].

use std::fmt;

use bgp::Prefix;

/// A part of the daemon that tells more of what it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DebugPart(usize);

/// Debug messages of a part.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Debug {
    part: DebugPart,
    /// Those of more detail, too.
    detailed: bool,
    /// Only about this one.
    only: Option<Only>,
}

/// What messages are about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Only {
    /// A neighbour: an address, or the interface it is on.
    Neighbor(String),
    /// A prefix.
    Prefix(Prefix),
}

/// What may stand behind the words of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Behind {
    Nothing,
    /// A word that asks for more.
    Detail(&'static str),
    /// A neighbour, or nothing.
    Neighbor,
    /// A prefix, in any case.
    Prefix,
}

/// What there is to know about a part.
struct Row {
    words: &'static str,
    /// How FRR calls it where it says that it is on.
    name: &'static str,
    /// What comes behind `debugging is on` there.
    way: &'static str,
    behind: Behind,
    /// Targets of messages, or their beginnings.
    targets: &'static [&'static str],
}

const fn row(
    words: &'static str,
    (name, way): (&'static str, &'static str),
    behind: Behind,
    targets: &'static [&'static str],
) -> Row {
    Row {
        words,
        name,
        way,
        behind,
        targets,
    }
}

use crate::debug as target;

/// In the order in which FRR lists what is on.
const PARTS: &[Row] = &[
    row(
        "zebra events",
        ("Zebra event", ""),
        Behind::Nothing,
        &[target::ZEBRA_EVENTS],
    ),
    row(
        "zebra kernel",
        ("Zebra kernel", ""),
        Behind::Nothing,
        &[target::ZEBRA_KERNEL, target::ZEBRA_NEXTHOP],
    ),
    row(
        "zebra rib",
        ("Zebra RIB", ""),
        Behind::Detail("detailed"),
        &[target::ZEBRA_RIB],
    ),
    row(
        "zebra nht",
        ("Zebra next-hop tracking", ""),
        Behind::Detail("detailed"),
        &[target::BGP_NHT],
    ),
    row(
        "zebra vxlan",
        ("Zebra VXLAN", ""),
        Behind::Nothing,
        &[target::ZEBRA_VXLAN],
    ),
    row(
        "zebra dplane",
        ("Zebra dataplane", ""),
        Behind::Detail("detailed"),
        &[target::ZEBRA_KERNEL, target::ZEBRA_NEXTHOP],
    ),
    row(
        "zebra nexthop",
        ("Zebra nexthop", ""),
        Behind::Detail("detail"),
        &[target::ZEBRA_NEXTHOP],
    ),
    row(
        "bgp bestpath",
        ("BGP bestpath", ""),
        Behind::Prefix,
        &[target::BGP_BESTPATH],
    ),
    row(
        "bgp keepalives",
        ("BGP keepalives", ""),
        Behind::Neighbor,
        &[target::BGP_KEEPALIVES],
    ),
    row(
        "bgp neighbor-events",
        ("BGP neighbor-events", ""),
        Behind::Neighbor,
        &[target::BGP_NEIGHBOR_EVENTS],
    ),
    row(
        "bgp nht",
        ("BGP next-hop tracking", ""),
        Behind::Nothing,
        &[target::BGP_NHT],
    ),
    row(
        "bgp update-groups",
        ("BGP update-groups", ""),
        Behind::Nothing,
        &[target::BGP_UPDATE_GROUPS],
    ),
    row(
        "bgp updates prefix",
        ("BGP updates", ""),
        Behind::Prefix,
        &[target::BGP_UPDATES_IN, target::BGP_UPDATES_OUT],
    ),
    row(
        "bgp updates in",
        ("BGP updates", " (inbound)"),
        Behind::Neighbor,
        &[target::BGP_UPDATES_IN],
    ),
    row(
        "bgp updates out",
        ("BGP updates", " (outbound)"),
        Behind::Neighbor,
        &[target::BGP_UPDATES_OUT],
    ),
    row(
        "bgp zebra",
        ("BGP zebra", ""),
        Behind::Nothing,
        &[target::BGP_ZEBRA],
    ),
    row(
        "bgp zebra prefix",
        ("BGP zebra", ""),
        Behind::Prefix,
        &[target::BGP_ZEBRA],
    ),
    row(
        "bgp graceful-restart",
        ("BGP graceful-restart", ""),
        Behind::Nothing,
        &[target::BGP_GRACEFUL_RESTART],
    ),
    row(
        "bgp bfd",
        ("BGP BFD library", ""),
        Behind::Nothing,
        &[target::BGP_BFD],
    ),
    row("rpki", ("BGP RPKI", ""), Behind::Nothing, &[target::RPKI]),
    row(
        "bfd peer",
        ("Peer events", ""),
        Behind::Nothing,
        &[target::BFD_PEER],
    ),
    row(
        "bfd zebra",
        ("Zebra events", ""),
        Behind::Nothing,
        &[target::BFD_ZEBRA],
    ),
    row(
        "bfd network",
        ("Network layer", ""),
        Behind::Nothing,
        &[target::BFD_NETWORK],
    ),
    row(
        "static events",
        ("Staticd events", ""),
        Behind::Nothing,
        &[target::STATIC_EVENTS],
    ),
    row(
        "static route",
        ("Staticd route", ""),
        Behind::Nothing,
        &[target::STATIC_ROUTE],
    ),
];

/// Words that stand for several parts.
const SEVERAL: [(&str, &[&str]); 2] = [
    ("bgp updates", &["bgp updates in", "bgp updates out"]),
    ("static", &["static events", "static route"]),
];

impl DebugPart {
    /// All of them.
    pub(crate) fn all() -> impl Iterator<Item = DebugPart> {
        (0..PARTS.len()).map(DebugPart)
    }

    fn row(self) -> Option<&'static Row> {
        PARTS.get(self.0)
    }

    /// Its words.
    pub(crate) fn words(self) -> &'static str {
        self.row().map_or("", |row| row.words)
    }

    /// How FRR calls it, and which way it goes.
    pub(crate) fn name(self) -> (&'static str, &'static str) {
        self.row().map_or(("", ""), |row| (row.name, row.way))
    }
}

impl Debug {
    /// What the words behind `debug` ask for; `None` if they ask for nothing that we have.
    pub(crate) fn read(text: &str) -> Option<Vec<Self>> {
        if let Some((_, parts)) = SEVERAL.iter().find(|(words, _)| *words == text) {
            let parts = parts.iter().filter_map(|words| Self::one(words));
            return Some(parts.collect());
        }
        Self::one(text).map(|one| vec![one])
    }

    /// The same of one part.
    pub(crate) fn one(text: &str) -> Option<Self> {
        let longest = DebugPart::all()
            .filter(|part| rest(text, part.words()).is_some())
            .max_by_key(|part| part.words().len())?;
        let (row, rest) = (longest.row()?, rest(text, longest.words())?);
        let mut one = Self {
            part: longest,
            detailed: false,
            only: None,
        };
        match (row.behind, rest) {
            (Behind::Prefix, "") => return None,
            (_, "") => {}
            (Behind::Detail(word), rest) if rest == word => one.detailed = true,
            (Behind::Neighbor, name) if !name.contains(' ') => {
                one.only = Some(Only::Neighbor(name.to_owned()));
            }
            (Behind::Prefix, prefix) => one.only = Some(Only::Prefix(prefix.parse().ok()?)),
            (Behind::Nothing | Behind::Detail(_) | Behind::Neighbor, _) => return None,
        }
        Some(one)
    }

    /// The part.
    pub(crate) fn part(&self) -> DebugPart {
        self.part
    }

    /// What it is narrowed down to.
    pub(crate) fn only(&self) -> Option<&Only> {
        self.only.as_ref()
    }

    /// With more detail.
    pub(crate) fn is_detailed(&self) -> bool {
        self.detailed
    }

    /// Messages with this target are of it.
    pub(crate) fn is_about(&self, target: &str) -> bool {
        let targets = self.part.row().map_or(&[][..], |row| row.targets);
        targets.contains(&target)
    }

    /// As in FRR, the whole takes the place of one neighbour's or prefix's, and the other way round.
    pub(crate) fn replaces(&self, other: &Self) -> bool {
        let whole = |words: &'static str| match words {
            "bgp zebra prefix" => "bgp zebra",
            words => words,
        };
        let same = whole(self.part.words()) == whole(other.part.words());
        same && (self.only.is_none() || other.only.is_none() || self.only == other.only)
    }

    /// Whether `no debug` with these words takes it back: they name it, or something that it is part of.
    pub(crate) fn is_within(&self, words: &str) -> bool {
        let words = words
            .strip_suffix(" detailed")
            .or(words.strip_suffix(" detail"))
            .unwrap_or(words);
        words == "all" || rest(&self.to_string(), words).is_some()
    }
}

impl fmt::Display for Debug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.part.words())?;
        if let (true, Some(Behind::Detail(word))) =
            (self.detailed, self.part.row().map(|row| row.behind))
        {
            write!(f, " {word}")?;
        }
        match &self.only {
            None => Ok(()),
            Some(only) => write!(f, " {only}"),
        }
    }
}

impl fmt::Display for Only {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Only::Neighbor(name) => f.write_str(name),
            Only::Prefix(prefix) => prefix.fmt(f),
        }
    }
}

/// What stands behind whole words.
fn rest<'t>(text: &'t str, words: &str) -> Option<&'t str> {
    let rest = text.strip_prefix(words)?;
    match rest {
        "" => Some(""),
        rest => rest.strip_prefix(' '),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_reads_as_the_same() {
        for part in DebugPart::all() {
            let words = part.words();
            let forms = [
                "",
                " detail",
                " detailed",
                " 10.0.0.1",
                " eth0",
                " 10.0.0.0/8",
            ];
            let read = forms.map(|form| Debug::one(&format!("{words}{form}")));
            assert!(read.iter().flatten().count() >= 1, "{words}");
            for one in read.into_iter().flatten() {
                assert_eq!(Debug::one(&one.to_string()), Some(one.clone()), "{one}");
            }
        }
    }

    #[test]
    fn no_target_is_of_no_part_and_no_part_without_one() {
        for target in target::ALL {
            let about =
                |part: DebugPart| part.row().is_some_and(|row| row.targets.contains(target));
            assert!(DebugPart::all().any(about), "{target}");
        }
        for row in PARTS {
            assert!(!row.targets.is_empty(), "{}", row.words);
            for target in row.targets {
                assert!(target::ALL.contains(target), "{target}");
            }
        }
    }

    #[test]
    fn words_that_name_nothing_are_not_read() {
        for text in [
            "",
            "bgp",
            "bgp updatesin",
            "bgp bestpath",
            "bgp bestpath x",
            "bgp nht 10.0.0.1",
            "zebra rib more",
            "bgp updates in 10.0.0.1 prefix-list X",
        ] {
            assert_eq!(Debug::read(text), None, "{text}");
        }
        let both = Debug::read("bgp updates").unwrap();
        let both: Vec<String> = both.iter().map(ToString::to_string).collect();
        assert_eq!(both, ["bgp updates in", "bgp updates out"]);
    }

    #[test]
    fn one_neighbor_takes_the_place_of_all_and_all_that_of_one() {
        let one = |text| Debug::one(text).unwrap();
        let all = one("bgp updates in");
        let (a, b) = (
            one("bgp updates in 10.0.0.1"),
            one("bgp updates in 10.0.0.2"),
        );
        assert!(all.replaces(&a) && a.replaces(&all) && a.replaces(&a));
        assert!(!a.replaces(&b) && !all.replaces(&one("bgp updates out")));
        assert!(one("bgp zebra").replaces(&one("bgp zebra prefix 10.0.0.0/8")));
        assert!(one("zebra rib detailed").replaces(&one("zebra rib")));
    }

    #[test]
    fn no_takes_back_what_it_names_and_what_is_within() {
        let one = |text| Debug::one(text).unwrap();
        let updates = one("bgp updates in 10.0.0.1");
        for words in [
            "all",
            "bgp",
            "bgp updates",
            "bgp updates in",
            "bgp updates in 10.0.0.1",
        ] {
            assert!(updates.is_within(words), "{words}");
        }
        for words in [
            "zebra",
            "bgp updates out",
            "bgp updates in 10.0.0.2",
            "bgp up",
        ] {
            assert!(!updates.is_within(words), "{words}");
        }
        assert!(one("zebra rib detailed").is_within("zebra rib"));
        assert!(one("zebra rib").is_within("zebra rib detailed"));
    }
}
