//! NOTIFICATIONs in words.

use super::*;
use crate::session::notification::hard_reset;

#[test]
fn notifications_have_names() {
    let cases: [(u8, u8, &[u8], &str); 12] = [
        (1, 2, &[], "Message Header Error/Bad Message Length"),
        (2, 2, &[], "OPEN Message Error/Bad Peer AS"),
        (2, 11, &[], "OPEN Message Error/Role Mismatch"),
        (3, 11, &[], "UPDATE Message Error/Malformed AS_PATH"),
        (4, 0, &[], "Hold Timer Expired"),
        (
            5,
            3,
            &[],
            "Finite State Machine Error/Unexpected Message in Established",
        ),
        (6, 4, b"\x02ok", "Cease/Administrative Reset: \"ok\""),
        (6, 10, &[], "Cease/BFD Down"),
        (
            7,
            1,
            &[],
            "ROUTE-REFRESH Message Error/Invalid Message Length",
        ),
        (8, 0, &[], "Send Hold Timer Expired"),
        (6, 99, &[], "Cease (code 6, subcode 99)"),
        (77, 0, &[], "Unknown Error (code 77, subcode 0)"),
    ];
    for (code, subcode, data, text) in cases {
        assert_eq!(Notification::new(code, subcode, data).to_string(), text);
    }
}

#[test]
fn a_hard_reset_tells_what_it_wraps() {
    let inner = Notification::new(6, 2, b"\x04bye!");
    let wrapped = hard_reset(&inner);
    assert_eq!(*wrapped.data, *b"\x06\x02\x04bye!");
    assert_eq!(wrapped.inner(), Some(inner));
    assert_eq!(wrapped.text().as_deref(), Some("bye!"));
    assert_eq!(
        wrapped.to_string(),
        "Cease/Hard Reset, Cease/Administrative Shutdown: \"bye!\""
    );
    let twice = hard_reset(&wrapped);
    assert_eq!(twice.text(), None);
    assert_eq!(twice.to_string(), "Cease/Hard Reset");
}

#[test]
fn a_text_that_is_none_is_not_shown() {
    for data in [&b""[..], b"\x00", b"\x05abc", b"\xff"] {
        assert_eq!(Notification::new(6, 2, data).text(), None);
    }
    assert_eq!(
        Notification::new(6, 3, b"\x01a").text(),
        None,
        "not of this subcode"
    );
    assert!(
        Notification::new(6, 2, b"\x02\xff\xfe").text().is_some(),
        "bad UTF-8 is shown"
    );
}
