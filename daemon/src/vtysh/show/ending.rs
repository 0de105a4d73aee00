//! Why a session ended, or did not begin, in FRR's words and numbers.
//!
//! What scripts look for is kept: `lastResetDueTo` and `lastResetCode` go together as in FRR, and a
//! NOTIFICATION is told with its code. What rbgpd knows beyond that is in `rbgpctl show neighbors`.

use serde_json::{Map, Value, json};

use super::summary::is_up;
use crate::control::reply::{FailureKind, Neighbor, Notification};

/// The end of a session.
#[derive(Debug)]
pub(super) struct Ending {
    cause: Cause,
    notification: Option<Notification>,
    /// Seconds since then.
    pub(super) ago_s: u64,
}

/// FRR's reasons, as far as rbgpd has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    Shutdown,
    Reset,
    NotificationReceived,
    NotificationSent,
    Closed,
    BfdDown,
    LinkDown,
    Waiting,
    MaximumPrefixes,
}

impl Cause {
    /// FRR's words, and its number of them.
    fn told(self) -> (&'static str, u8) {
        match self {
            Cause::Shutdown => ("Admin. shutdown", 11),
            Cause::Reset => ("User reset", 12),
            Cause::NotificationReceived => ("BGP Notification received", 13),
            Cause::NotificationSent => ("BGP Notification send", 14),
            Cause::Closed => ("Peer closed the session", 15),
            Cause::BfdDown => ("BFD down received", 24),
            Cause::LinkDown => ("Interface down", 25),
            Cause::Waiting => ("Waiting for peer OPEN", 32),
            Cause::MaximumPrefixes => ("Reached received prefix count", 33),
        }
    }
}

impl From<FailureKind> for Cause {
    fn from(kind: FailureKind) -> Self {
        match kind {
            FailureKind::Shutdown => Cause::Shutdown,
            FailureKind::Reset => Cause::Reset,
            FailureKind::MaximumPrefixes => Cause::MaximumPrefixes,
            FailureKind::LinkDown => Cause::LinkDown,
            FailureKind::NotificationReceived => Cause::NotificationReceived,
            FailureKind::Stopped | FailureKind::NotificationSent => Cause::NotificationSent,
            FailureKind::BfdDown => Cause::BfdDown,
            FailureKind::Closed => Cause::Closed,
            FailureKind::Connection => Cause::Waiting,
        }
    }
}

impl Ending {
    /// That of a neighbour: the last end of its session, or what keeps it from the first. None if the
    /// session is up and never ended.
    pub(super) fn of(neighbor: &Neighbor) -> Option<Self> {
        let never_up = neighbor.last_down.is_none() && !is_up(&neighbor.summary);
        if super::summary::state(&neighbor.summary) == "Idle (Admin)" {
            let ago_s = neighbor.last_down.as_ref().map_or(0, |it| it.ago_s);
            return Some(Self {
                cause: Cause::Shutdown,
                notification: None,
                ago_s,
            });
        }
        let failure =
            (neighbor.last_down.as_ref()).or(neighbor.last_error.as_ref().filter(|_| never_up));
        match failure {
            Some(failure) => Some(Self {
                cause: failure.kind.into(),
                notification: failure.notification.clone(),
                ago_s: failure.ago_s,
            }),
            None => never_up.then(Self::waiting),
        }
    }

    /// Nothing has failed yet.
    pub(super) fn waiting() -> Self {
        Self {
            cause: Cause::Waiting,
            notification: None,
            ago_s: 0,
        }
    }

    /// The NOTIFICATION, where FRR tells of one.
    fn notification(&self) -> Option<&Notification> {
        let told = matches!(
            self.cause,
            Cause::NotificationReceived | Cause::NotificationSent
        );
        self.notification.as_ref().filter(|_| told)
    }

    /// Under FRR's keys.
    pub(super) fn json(&self) -> Map<String, Value> {
        let mut object = Map::new();
        let mut put = |key: &str, value: Value| drop(object.insert(key.to_owned(), value));
        if let Some(it) = self.notification() {
            let code = format!("{:02X}{:02X}", it.code, it.subcode);
            put("lastErrorCodeSubcode", json!(code));
            put("lastNotificationReason", json!(it.name));
            put("lastNotificationHardReset", json!(it.hard_reset));
            if let (Some(text), Cause::NotificationReceived) = (&it.text, self.cause) {
                put("lastShutdownDescription", json!(text));
            }
        }
        let (words, number) = self.cause.told();
        put("lastResetDueTo", json!(words));
        put("lastResetCode", json!(number));
        // No neighbour is asked for it.
        put("softwareVersion", json!("n/a"));
        object
    }

    /// As in lists.
    pub(super) fn text(&self) -> String {
        match self.notification() {
            Some(it) => {
                let hard = if it.hard_reset { "/Hard Reset" } else { "" };
                let received = self.cause == Cause::NotificationReceived;
                let way = if received { "received" } else { "sent" };
                format!(" Notification {way} ({}{hard})", it.name)
            }
            None => format!(" {} (n/a)", self.cause.told().0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ending(cause: Cause) -> Ending {
        let notification = Notification {
            code: 6,
            subcode: 2,
            name: "Cease/Administrative Shutdown".to_owned(),
            hard_reset: false,
            text: Some("moving house".to_owned()),
        };
        Ending {
            cause,
            notification: Some(notification),
            ago_s: 3,
        }
    }

    #[test]
    fn a_notification_is_told_with_its_code_and_who_wrote_it() {
        let received = ending(Cause::NotificationReceived);
        let told = Value::Object(received.json());
        let expected = json!({
            "lastErrorCodeSubcode": "0602",
            "lastNotificationReason": "Cease/Administrative Shutdown",
            "lastNotificationHardReset": false,
            "lastShutdownDescription": "moving house",
            "lastResetDueTo": "BGP Notification received",
            "lastResetCode": 13,
            "softwareVersion": "n/a",
        });
        assert_eq!(told, expected);
        let words = " Notification received (Cease/Administrative Shutdown)";
        assert_eq!(received.text(), words);
        // What we wrote ourselves is nothing that an operator there has said.
        let sent = ending(Cause::NotificationSent);
        assert_eq!(sent.json().get("lastShutdownDescription"), None);
        assert!(sent.text().contains("sent"), "{}", sent.text());
    }

    #[test]
    fn what_no_notification_stands_for_has_words_alone() {
        for cause in [Cause::Closed, Cause::Waiting, Cause::Shutdown] {
            let ending = ending(cause);
            assert_eq!(ending.json().get("lastErrorCodeSubcode"), None, "{cause:?}");
            assert_eq!(ending.text(), format!(" {} (n/a)", cause.told().0));
        }
    }
}
