//! `debug` and `no debug` of the first mode, which hold until the next start, and `show debugging`.

use super::{Answer, Answered};
use crate::config::{Debug, DebugPart, Only};
use crate::control::{Request, reply};
use crate::vtysh::ask::{Asking, Trouble};
use crate::vtysh::grammar::Said;

/// Asks for debug messages, or for no more of them. FRR's bgpd says what it has done, and its other daemons do
/// not.
pub(super) async fn order(said: &Said, asking: &Asking) -> Answered {
    const NAMES: [&str; 5] = ["A.B.C.D", "X:X::X:X", "WORD", "A.B.C.D/M", "X:X::X:X/M"];
    let on = !said.has("no");
    let mut words = said.words_behind("debug");
    let only = said.value(&NAMES);
    words.extend(only);
    let words = words.join(" ");
    let request = Request::Debug {
        words: words.clone(),
        on,
    };
    let now: reply::Debugging = asking.ask(&request).await?;
    let mut text = told(&words, only, on);
    if on && now.targets.is_empty() {
        text.push_str(NOWHERE);
    }
    Ok(Answer::Text(text))
}

/// Where FRR, too, would show nothing, and does not say so.
const NOWHERE: &str = "note: no target of the log shows debug messages\n\
    hint: `configure terminal` and `log syslog debugging` (or `log file PATH`, `log stdout`)\n";

/// What FRR's bgpd says.
fn told(words: &str, only: Option<&str>, on: bool) -> String {
    let Some(of_bgp) = words.strip_prefix("bgp") else {
        return String::new();
    };
    let state = if on { "on" } else { "off" };
    let mut parts = of_bgp.split_whitespace();
    let part = match parts.next() {
        None => return "All possible debugging has been turned off\n".to_owned(),
        Some("nht") => "nexthop tracking",
        Some("graceful-restart") => "Graceful Restart",
        // Of the library that it has for BFD.
        Some("bfd") => return String::new(),
        Some(part) => part,
    };
    let way = match parts.next() {
        Some("in") => " (inbound)",
        Some("out") => " (outbound)",
        Some(_) | None => "",
    };
    let of = only.map_or(String::new(), |only| format!(" for {only}"));
    format!("BGP {part} debugging is {state}{way}{of}\n")
}

/// `show debugging`.
pub(super) async fn shown(asking: &Asking) -> Answered {
    let now: reply::Debugging = asking.ask(&Request::Debugging).await?;
    let read = |words: &String| {
        let one = Debug::one(words);
        one.ok_or_else(|| Trouble::Failure(format!("% `{words}` is not known to this client\n")))
    };
    let on = now.debug.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let mut text = "MGMT debugging status:\n\n".to_owned();
    for (daemon, begins) in [
        ("Zebra", ["zebra "].as_slice()),
        ("BGP", &["bgp ", "rpki"]),
        ("BFD", &["bfd "]),
        ("Static", &["static "]),
    ] {
        let mine = |part: &DebugPart| begins.iter().any(|it| part.words().starts_with(it));
        let lines: String = DebugPart::all()
            .filter(mine)
            .map(|part| line(part, &on))
            .collect();
        // FRR's staticd has nothing to say where nothing is on.
        if daemon != "Static" || !lines.is_empty() {
            text += &format!("{daemon} debugging status:\n{lines}\n");
        }
    }
    if !now.debug.is_empty() && now.targets.is_empty() {
        text.push_str(NOWHERE);
    }
    Ok(Answer::Text(text))
}

/// What FRR says of a part that is on.
fn line(part: DebugPart, on: &[Debug]) -> String {
    let mine: Vec<&Debug> = on.iter().filter(|it| it.part() == part).collect();
    let Some(first) = mine.first() else {
        return String::new();
    };
    let (name, way) = part.name();
    let words = part.words();
    let name = match (name.strip_prefix("Zebra "), first.is_detailed()) {
        // One of them says it behind the name.
        (Some("RIB"), true) => "Zebra RIB detailed".to_owned(),
        (Some(rest), true) => format!("Zebra detailed {rest}"),
        (_, _) => name.to_owned(),
    };
    let point = if words.starts_with("bfd ") { "." } else { "" };
    let mut text = format!("  {name} debugging is on{way}{point}");
    let only: Vec<String> = mine.iter().filter_map(|it| it.only().map(entry)).collect();
    match only.is_empty() {
        true => text.push('\n'),
        false => text += &format!(" for:\n{}\n", only.concat()),
    }
    text
}

fn entry(only: &Only) -> String {
    match only {
        Only::Neighbor(name) => format!("   {name}\n"),
        Only::Prefix(prefix) => format!(" {prefix}\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_what_frr_says() {
        for (words, only, on, wanted) in [
            ("bgp updates", None, true, "BGP updates debugging is on\n"),
            (
                "bgp nht",
                None,
                true,
                "BGP nexthop tracking debugging is on\n",
            ),
            (
                "bgp nht",
                None,
                false,
                "BGP nexthop tracking debugging is off\n",
            ),
            (
                "bgp updates in 10.0.0.1",
                Some("10.0.0.1"),
                true,
                "BGP updates debugging is on (inbound) for 10.0.0.1\n",
            ),
            (
                "bgp updates in",
                None,
                false,
                "BGP updates debugging is off (inbound)\n",
            ),
            (
                "bgp zebra prefix 10.0.0.0/8",
                Some("10.0.0.0/8"),
                true,
                "BGP zebra debugging is on for 10.0.0.0/8\n",
            ),
            (
                "bgp",
                None,
                false,
                "All possible debugging has been turned off\n",
            ),
            ("bgp bfd", None, true, ""),
            ("zebra rib", None, true, ""),
        ] {
            assert_eq!(told(words, only, on), wanted, "{words}");
        }
    }
}
