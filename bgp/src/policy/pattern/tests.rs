use proptest::prelude::*;

use super::*;

fn matches(pattern: &str, text: &str) -> bool {
    let mut written = Text::new();
    written.push(text.as_bytes());
    Pattern::new(pattern).unwrap().is_match(&written)
}

#[test]
fn an_underscore_is_a_boundary() {
    for (pattern, text, holds) in [
        ("_65001_", "65001", true),
        ("_65001_", "1 65001 2", true),
        ("_65001_", "1 {65001,2}", true),
        ("_65001_", "(65001) 2", true),
        ("_65001_", "165001", false),
        ("_65001_", "650011", false),
        ("^65001_", "65001 2", true),
        ("^65001_", "1 65001", false),
        ("_65001$", "1 65001", true),
        ("^$", "", true),
        ("^$", "1", false),
        // Without boundaries a number is found within others, as in FRR.
        ("5001", "65001", true),
        ("^1 (2|3)+ 4$", "1 22 4", true),
        ("^6500[12](_65002)*$", "65001 65002 65002", true),
        ("1[_]2", "1 2", true),
        ("1[^_]2", "1 2", false),
        ("[[:digit:]]+", "7", true),
        ("^[]x]$", "]", true),
        ("^[[x]$", "[", true),
        ("^\\{1\\}$", "{1}", true),
        ("a\\_b", "a_b", true),
    ] {
        assert_eq!(matches(pattern, text), holds, "{pattern} on `{text}`");
    }
}

#[test]
fn a_pattern_that_cannot_be_compiled_says_why() {
    let error = |pattern: &str| Pattern::new(pattern).unwrap_err().to_string();
    for (pattern, sign) in [
        ("*", "*"),
        ("^{65001}$", "{"),
        ("65001$*", "*"),
        ("1|+", "+"),
        ("^?1", "?"),
        ("[]{^]1^{2}", "{"),
    ] {
        assert_eq!(
            error(pattern),
            format!(
                "pattern `{pattern}` is not a regular expression: there is nothing to repeat \
                 before `{sign}`"
            )
        );
    }
    for usable in [
        "^\\{65001\\}$",
        "1{2}",
        "(?:1)+",
        "[*^]*",
        "_*1",
        "(1|2)?",
        "[^*]{2}",
        "\\^*",
        "[[:digit:]]+",
    ] {
        assert!(Pattern::new(usable).is_ok(), "{usable}");
    }
    assert!(error("(1").contains("unclosed group"), "{}", error("(1"));
    assert!(error("(.{1000}){1000}").contains("takes more than 262144 octets"));
    assert!(error(&"1".repeat(1025)).contains("longer than 1024"));
    assert!(error(&"(".repeat(500)).len() < 200);
}

#[test]
fn equality_is_that_of_the_text() {
    assert_eq!(Pattern::new("_1_").unwrap(), Pattern::new("_1_").unwrap());
    assert_ne!(Pattern::new("_1_").unwrap(), Pattern::new("_2_").unwrap());
}

proptest! {
    #[test]
    fn any_text_is_a_pattern_or_an_error(source in "\\PC{0,40}", text in "\\PC{0,40}") {
        if let Ok(pattern) = Pattern::new(&source) {
            let _ = pattern.is_match(&Text::of([&text].into_iter()));
        }
    }

    #[test]
    fn a_text_holds_what_was_written_however_long(numbers in prop::collection::vec(any::<u32>(), 0..200)) {
        let mut text = Text::new();
        for number in &numbers {
            text.push_number(*number);
            text.push(b" ");
        }
        let wanted: String = numbers.iter().map(|number| format!("{number} ")).collect();
        prop_assert_eq!(text.to_string(), wanted.clone());
        prop_assert_eq!(Text::of(numbers.iter()).to_string(), wanted.trim_end());
    }
}
