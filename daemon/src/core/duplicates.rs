//! Addresses that move again and again: what is logged of them, shown, and cleared by hand.
//!
//! `evpn` finds them and holds those that are frozen; here is what people see of it. Lines of the
//! log are gathered for a moment: a loop between two sites makes a duplicate of every address
//! there is, all at once.

use std::time::{Duration, Instant};

use bgp::Vni;
use evpn::{Address, Concern, Duplicate, DuplicateEnd, Input};

use super::Core;
use crate::control::{ErrorReply, reply};

/// How long lines are gathered.
const GATHER: Duration = Duration::from_secs(1);

/// Addresses with a line of their own, or named in `show summary`; the rest is a number.
const NAMED_MAX: usize = 5;

/// What no line was written about yet.
#[derive(Debug, Default)]
pub(super) struct News {
    since: Option<Instant>,
    found: Vec<Duplicate>,
    over: Vec<(Vni, Address, DuplicateEnd)>,
}

impl News {
    pub(super) fn found(&mut self, now: Instant, duplicate: Duplicate) {
        self.since.get_or_insert(now);
        self.found.push(duplicate);
    }

    pub(super) fn over(&mut self, now: Instant, vni: Vni, address: Address, why: DuplicateEnd) {
        self.since.get_or_insert(now);
        self.over.push((vni, address, why));
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.since.map(|since| since + GATHER)
    }

    fn take_due(&mut self, now: Instant) -> Option<Self> {
        let due = self.deadline().is_some_and(|deadline| deadline <= now);
        due.then(|| std::mem::take(self))
    }
}

impl Core {
    /// Hands EVPN what happened.
    pub(super) fn tell_evpn(&mut self, input: Input) {
        let now = Instant::now();
        self.concerns.look(now);
        self.tunnels.look(now);
        self.evpn.handle(now, input);
    }

    /// Times of EVPN, and lines of the log that are due.
    pub(super) fn duplicates_timeout(&mut self, now: Instant) {
        if self.evpn.deadline().is_some_and(|deadline| deadline <= now) {
            self.evpn.handle(now, Input::Timeout);
        }
        let Some(news) = self.duplicates.take_due(now) else {
            return;
        };
        for found in news.found.iter().take(NAMED_MAX) {
            let Duplicate {
                vni,
                address,
                between,
                moves,
                frozen,
                ..
            } = found;
            tracing::warn!(
                %vni, %address, moves, frozen,
                "an address moves again and again between {between}: two hosts have it"
            );
        }
        if news.found.len() > NAMED_MAX {
            let more = news.found.len() - NAMED_MAX;
            tracing::warn!(
                more,
                "more addresses move again and again: is there a loop between two sites? \
                 (rbgpctl show evpn duplicates)"
            );
        }
        for (vni, address, why) in news.over.iter().take(NAMED_MAX) {
            tracing::info!(%vni, %address, "no longer a duplicate: {why}");
        }
        if news.over.len() > NAMED_MAX {
            let more = news.over.len() - NAMED_MAX;
            tracing::info!(more, "more addresses are no longer duplicates");
        }
    }

    /// For `show summary`.
    pub(super) fn duplicate_notices(&self) -> Vec<String> {
        let mut duplicates = self.evpn.duplicates();
        let first = duplicates.by_ref().take(NAMED_MAX);
        let mut notices: Vec<String> = first.map(|it| notice(&it)).collect();
        let more = duplicates.count();
        if more > 0 {
            notices.push(format!(
                "{more} more addresses move again and again; rbgpctl show evpn duplicates lists them"
            ));
        }
        notices
    }

    /// For `show evpn duplicates`.
    pub(super) fn evpn_duplicates(
        &self,
        vni: Option<Vni>,
    ) -> Result<reply::EvpnDuplicates, ErrorReply> {
        self.known_vni(vni)?;
        let duplicates = self.evpn.duplicates();
        let wanted = duplicates.filter(|it| vni.is_none_or(|vni| vni == it.vni));
        let now = Instant::now();
        let detection = self.config.evpn.and_then(|it| it.duplicates);
        Ok(reply::EvpnDuplicates {
            detection: detection.map(told),
            duplicates: wanted.map(|it| row(now, &it)).collect(),
            conflicts: self.static_conflicts(vni, None),
        })
    }

    /// Lets duplicates go. The answer is what they were.
    pub(super) fn clear_duplicates(
        &mut self,
        vni: Option<Vni>,
        address: Option<Address>,
    ) -> Result<reply::EvpnDuplicates, ErrorReply> {
        let mut cleared = self.evpn_duplicates(vni)?;
        if let Some(address) = address {
            let text = address.to_string();
            cleared.duplicates.retain(|it| it.address == text);
            cleared.conflicts = self.static_conflicts(vni, Some(address));
            if cleared.duplicates.is_empty() && cleared.conflicts.is_empty() {
                let error = format!("`{text}` is no duplicate");
                let hint = "rbgpctl show evpn duplicates lists them";
                return Err(ErrorReply::not_found(error).hint(hint));
            }
        }
        self.tell_evpn(Input::ClearDuplicates { vni, address });
        let left = self.static_conflicts(vni, address);
        cleared.conflicts.retain(|line| !left.contains(line));
        Ok(cleared)
    }

    /// A line for each address that is static at one site while another one has it, too.
    fn static_conflicts(&self, vni: Option<Vni>, address: Option<Address>) -> Vec<String> {
        let concerns = self.evpn.concerns().into_iter();
        let wanted = concerns.filter(|concern| {
            let Concern::Static { vni: of, mac, .. } = concern else {
                return false;
            };
            vni.is_none_or(|vni| vni == *of)
                && address.is_none_or(|address| address == Address::Mac(*mac))
        });
        wanted.map(|it| format!("{it}; {}", it.remedy())).collect()
    }

    /// An error that says so if there is no such VNI.
    pub(super) fn known_vni(&self, vni: Option<Vni>) -> Result<(), ErrorReply> {
        let known = |vni| self.config.vnis.iter().any(|config| config.id == vni);
        match vni.filter(|vni| !known(*vni)) {
            Some(vni) => Err(ErrorReply::not_found(format!("no VNI `{vni}`"))
                .hint("rbgpctl show evpn vni lists them")),
            None => Ok(()),
        }
    }
}

/// How duplicates are found.
fn told(detection: evpn::DuplicateDetection) -> reply::Detection {
    let (freeze, time) = match detection.action {
        evpn::DuplicateAction::Warn => (false, None),
        evpn::DuplicateAction::Freeze(time) => (true, time),
    };
    reply::Detection {
        moves: detection.moves,
        window_s: detection.window.as_secs(),
        freeze,
        freeze_s: time.map(|time| time.as_secs()),
    }
}

fn row(now: Instant, duplicate: &Duplicate) -> reply::DuplicateAddress {
    let left = |until: Instant| until.saturating_duration_since(now).as_secs();
    reply::DuplicateAddress {
        vni: duplicate.vni.get(),
        address: duplicate.address.to_string(),
        between: duplicate.between.to_string(),
        moves: duplicate.moves,
        since_s: now.saturating_duration_since(duplicate.since).as_secs(),
        frozen: duplicate.frozen,
        left_s: duplicate.until.map(left),
    }
}

fn notice(duplicate: &Duplicate) -> String {
    let Duplicate {
        vni,
        address,
        between,
        moves,
        frozen,
        until,
        ..
    } = duplicate;
    let what = match (frozen, until) {
        (false, _) => "it is followed",
        (true, Some(_)) => "it is frozen for a time",
        (true, None) => "it is frozen until `rbgpctl evpn clear-duplicate`",
    };
    format!(
        "VNI {vni}: {address} is a duplicate, it moved {moves} times between {between}; {what}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_moment_are_gathered() {
        let start = Instant::now();
        let mut news = News::default();
        let vni = Vni::new(100).unwrap();
        for last in 0..100 {
            let address = Address::Ip([10, 0, 0, last].into());
            let at = start + Duration::from_millis(u64::from(last));
            news.over(at, vni, address, DuplicateEnd::Rested);
        }
        assert_eq!(news.deadline(), Some(start + GATHER));
        assert!(news.take_due(start + GATHER / 2).is_none());
        assert_eq!(news.take_due(start + GATHER).unwrap().over.len(), 100);
        assert_eq!(news.deadline(), None);
    }

    #[test]
    fn a_notice_says_what_becomes_of_the_address() {
        let now = Instant::now();
        let mut duplicate = Duplicate {
            vni: Vni::new(100).unwrap(),
            address: Address::Mac("02:00:00:00:00:01".parse().unwrap()),
            between: evpn::Between::HereAnd([10, 0, 0, 2].into()),
            moves: 7,
            since: now,
            frozen: false,
            until: Some(now + Duration::from_secs(90)),
        };
        assert_eq!(
            notice(&duplicate),
            "VNI 100: 02:00:00:00:00:01 is a duplicate, it moved 7 times between this site and \
             10.0.0.2; it is followed"
        );
        assert_eq!(row(now, &duplicate).left_s, Some(90));
        duplicate.frozen = true;
        assert!(notice(&duplicate).ends_with("it is frozen for a time"));
        duplicate.until = None;
        assert!(notice(&duplicate).ends_with("until `rbgpctl evpn clear-duplicate`"));
        assert_eq!(row(now, &duplicate).left_s, None);
    }
}
