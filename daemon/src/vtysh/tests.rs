//! The table of commands: each is read as itself, and the documentation has them all.

use std::path::Path;

use super::grammar::Found;
use super::table;
use super::*;

/// A line for each way of a command, with values.
fn examples(words: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut rest = words;
    while let Some((piece, after)) = group(rest) {
        let ways: Vec<String> = match piece.chars().next() {
            Some('(') => inner(piece).iter().flat_map(|way| examples(way)).collect(),
            Some('[') => {
                let mut ways: Vec<String> =
                    inner(piece).iter().flat_map(|way| examples(way)).collect();
                ways.push(String::new());
                ways
            }
            _ => vec![value(piece).to_owned()],
        };
        lines = lines
            .iter()
            .flat_map(|line| ways.iter().map(move |way| format!("{line} {way}")))
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        rest = after;
    }
    lines
}

/// The first word or bracket of a command, and what is behind it.
fn group(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    let first = text.chars().next()?;
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            ' ' if depth == 0 => return Some(text.split_at(at)),
            _ => {}
        }
        if depth == 0 && matches!(first, '(' | '[') {
            return Some(text.split_at(at + 1));
        }
    }
    Some((text, ""))
}

/// The ways within a bracket.
fn inner(piece: &str) -> Vec<&str> {
    let piece = &piece[1..piece.len() - 1];
    let (mut ways, mut depth, mut begin) = (Vec::new(), 0, 0);
    for (at, c) in piece.char_indices() {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            '|' if depth == 0 => {
                ways.push(&piece[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    ways.push(&piece[begin..]);
    ways
}

fn value(word: &str) -> &str {
    match word {
        "A.B.C.D" => "10.0.0.1",
        "A.B.C.D/M" => "10.0.0.0/8",
        "X:X::X:X" => "2001:db8::1",
        "X:X::X:X/M" => "2001:db8::/32",
        "X:X:X:X:X:X" => "02:00:00:00:00:01",
        "RD" => "10.0.0.1:100",
        "LOCAL" => "10.0.0.2",
        "NAME" | "MAP" | "WORD" | "LIST" | "GROUP" | "IFNAME" | "INSTANCE" => "zzz",
        "SEQ" => "5",
        "AA:NN" => "65001:100",
        "AA:BB:CC" => "65001:1:2",
        "REGEX" => "_65001_",
        "LINE" => "any words",
        word if word.starts_with('<') => "99",
        word => word,
    }
}

#[test]
fn every_way_of_every_command_is_read_as_that_command() {
    let grammar = table::grammar();
    let mut count = 0;
    for command in table::commands() {
        for line in examples(command.words) {
            let Found::Command(found, _) = grammar.read(&line) else {
                panic!("`{line}` of `{}` is not read", command.words);
            };
            let (found, own) = (table::command_at(found).unwrap(), command);
            assert_eq!(
                found.what, own.what,
                "`{line}`: {} {}",
                found.words, own.words
            );
            count += 1;
        }
    }
    assert!(count > 500, "{count}");
}

#[test]
fn every_word_of_a_command_says_what_it_is() {
    let marks = |c: char| "()[]| ".contains(c);
    for command in table::commands() {
        for word in command.words.split(marks).filter(|word| !word.is_empty()) {
            // Numbers of route types stand beside their names.
            let number = word.len() == 1 && word != "*";
            assert!(
                number || command.is_absent() || table::help(word) != table::NOT_HERE,
                "{word} in `{}`",
                command.words
            );
        }
    }
}

#[test]
fn words_that_scripts_abbreviate_are_understood() {
    let grammar = table::grammar();
    for (short, whole) in [
        ("sh ip bgp sum", "show ip bgp summary"),
        ("sh bgp sum", "show bgp summary"),
        ("sh ip bgp su js", "show ip bgp summary json"),
        ("sh bgp l2 ev sum", "show bgp l2vpn evpn summary"),
        (
            "sh bgp l2vpn evpn ro ty 2",
            "show bgp l2vpn evpn route type 2",
        ),
        (
            "sh ip bgp nei 10.0.0.1 adv",
            "show ip bgp neighbors 10.0.0.1 advertised-routes",
        ),
        (
            "sh ip bgp nei 10.0.0.1 filt",
            "show ip bgp neighbors 10.0.0.1 filtered-routes",
        ),
        ("sh ip bgp reg ^65001$", "show ip bgp regexp ^65001$"),
        (
            "sh ip bgp 10.0.0.0/8 lon",
            "show ip bgp 10.0.0.0/8 longer-prefixes",
        ),
        ("sh ip ro", "show ip route"),
        ("sh ip route 10.0.0.0/8", "show ip route 10.0.0.0/8"),
        ("sh bfd peers b", "show bfd peers brief"),
        ("sh ev mac vni all", "show evpn mac vni all"),
        ("cl ip bgp * so o", "clear ip bgp * soft out"),
        ("cle bgp 10.0.0.1 in", "clear bgp 10.0.0.1 in"),
        ("conf t", "configure terminal"),
        ("wr mem", "write memory"),
        ("wr", "write"),
        ("sh run", "show running-config"),
        ("sh int br", "show interface brief"),
        ("sh int desc", "show interface description"),
        ("sh int eth0", "show interface eth0"),
        ("sh bgp peer-group", "show bgp peer-group"),
        ("sh bgp ipv4 stat", "show bgp ipv4 statistics"),
        ("sh ver", "show version"),
    ] {
        let read = grammar.read(short);
        assert!(matches!(read, Found::Command(..)), "{short}: {read:?}");
        assert_eq!(read, grammar.read(whole), "{short}");
    }
}

/// The list of the documentation.
fn documented() -> String {
    let mut text = "| command | |\n|---|---|\n".to_owned();
    for command in table::commands() {
        let words = command
            .words
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        text.push_str(&format!(
            "| `{}` | {} |\n",
            words.replace('|', "\\|"),
            command.help
        ));
    }
    text
}

#[test]
fn the_documentation_lists_the_commands() {
    const MARK: &str = "<!-- From here on this page is made of the table of commands. -->\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/vtysh.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (head, list) = page.split_once(MARK).unwrap();
    let wanted = documented();
    if std::env::var_os("RBGPD_WRITE_DOCS").is_some() {
        std::fs::write(&path, format!("{head}{MARK}{wanted}")).unwrap();
        return;
    }
    assert!(
        list == wanted,
        "write it anew: RBGPD_WRITE_DOCS=1 cargo test -p rbgpd --lib the_documentation_lists"
    );
}

#[test]
fn lines_of_a_stream_are_bounded() {
    let text = [b'a'; 200_000];
    let lines: Vec<String> = Lines(&text[..]).map(Result::unwrap).collect();
    let most = usize::try_from(LINE_MAX).unwrap();
    assert!(lines.len() > 2 && lines.iter().all(|line| line.len() <= most));
    let lines: Vec<String> = Lines(&b"a\r\n\n\xffb"[..]).map(Result::unwrap).collect();
    assert_eq!(lines, ["a", "", "\u{fffd}b"]);
}
