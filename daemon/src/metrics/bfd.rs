//! Metrics of BFD: its sessions, and how well the thread that runs them keeps time.

use bgp::ScopedAddr;
use serde::{Deserialize, Serialize};

use super::{COUNTER, GAUGE, Samples, Snapshot, Text};
use crate::bfd_io::Report;

/// A BFD session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BfdSessionNumbers {
    /// The other side.
    pub peer: ScopedAddr,
    /// The VRF it is in.
    pub vrf: Option<String>,
    /// The other side is behind routers.
    pub multihop: bool,
    /// It is up.
    pub up: bool,
    /// Packets taken in.
    pub received: u64,
    /// Packets sent.
    pub sent: u64,
    /// Packets of the peer that were refused, by reason.
    pub refused: Vec<(String, u64)>,
    /// Echo packets, by what became of them.
    pub echo: Vec<(String, u64)>,
    /// Times it was up and went down.
    pub flaps: u64,
    /// Times this host was stalled and the peer was given more time.
    pub stalls: u64,
    /// Packets the kernel did not take.
    pub send_errors: u64,
}

/// The BFD thread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BfdNumbers {
    /// Real-time priority was granted.
    pub realtime: bool,
    /// How late it came for timers, in microseconds.
    pub lateness: Classes,
    /// How much of the detection time had passed when a packet came, in percent.
    pub gaps: Classes,
    /// Packets that no session took, by reason.
    pub refused: Vec<(String, u64)>,
    /// The kernel drops what is of no session, since there is too much of it.
    pub shielded: bool,
}

/// Values counted by class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Classes {
    /// Upper ends, and how many were not above.
    pub at_most: Vec<(u64, u64)>,
    /// How many there were.
    pub count: u64,
    /// All together.
    pub sum: u64,
}

impl BfdNumbers {
    /// What the thread reports.
    pub fn of(report: &Report) -> Self {
        let micros =
            |time: std::time::Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let (lateness, gaps, refused) = (&report.lateness, report.gaps, report.refused);
        Self {
            realtime: report.realtime,
            lateness: Classes {
                at_most: lateness
                    .at_most()
                    .map(|(end, count)| (micros(end), count))
                    .collect(),
                count: lateness.count(),
                sum: micros(lateness.sum()),
            },
            gaps: Classes {
                at_most: gaps.at_most().collect(),
                count: gaps.count(),
                sum: gaps.sum_percent(),
            },
            refused: [
                ("malformed", refused.malformed),
                ("no_session", refused.no_session),
                ("wrong_source", refused.wrong_source),
                ("echo", refused.echo),
            ]
            .map(|(reason, count)| (reason.to_owned(), count))
            .to_vec(),
            shielded: report.shielded,
        }
    }
}

/// Name and help of a metric, its kind and where its value is.
type Column = (
    &'static str,
    &'static str,
    &'static str,
    fn(&BfdSessionNumbers) -> u64,
);

impl Snapshot {
    pub(super) fn bfd(&self, text: &mut Text) {
        let columns: [Column; 6] = [
            (
                "rbgpd_bfd_up",
                GAUGE,
                "1 while the BFD session is up.",
                |it| u64::from(it.up),
            ),
            (
                "rbgpd_bfd_flaps_total",
                COUNTER,
                "Times the BFD session was up and went down.",
                |it| it.flaps,
            ),
            (
                "rbgpd_bfd_packets_received_total",
                COUNTER,
                "Packets that the BFD session took in.",
                |it| it.received,
            ),
            (
                "rbgpd_bfd_packets_sent_total",
                COUNTER,
                "Packets that the BFD session sent.",
                |it| it.sent,
            ),
            (
                "rbgpd_bfd_send_errors_total",
                COUNTER,
                "Packets of the BFD session that the kernel did not take.",
                |it| it.send_errors,
            ),
            (
                "rbgpd_bfd_stalls_total",
                COUNTER,
                "Times this host was stalled and the peer was given more time.",
                |it| it.stalls,
            ),
        ];
        for (name, kind, help, value) in columns {
            let mut family = text.family(name, kind, help);
            for session in &self.bfd_sessions {
                session.sample(&mut family, None, value(session));
            }
        }
        let help = "Packets of the peer that were refused.";
        let mut refused = text.family("rbgpd_bfd_refused_total", COUNTER, help);
        for session in &self.bfd_sessions {
            for (reason, count) in &session.refused {
                session.sample(&mut refused, Some(("reason", reason)), *count);
            }
        }
        let help = "Echo packets: ours that were sent and that came back, and the peer's that were sent back \
                    by rbgpd itself.";
        let mut echo = text.family("rbgpd_bfd_echo_packets_total", COUNTER, help);
        for session in &self.bfd_sessions {
            for (what, count) in &session.echo {
                session.sample(&mut echo, Some(("packets", what)), *count);
            }
        }
        if let Some(thread) = &self.bfd {
            thread.render(text);
        }
    }
}

impl BfdSessionNumbers {
    fn sample(&self, family: &mut Samples<'_>, which: Option<(&str, &str)>, value: u64) {
        let peer = self.peer.to_string();
        let mut labels = vec![("peer", peer.as_str())];
        labels.extend(self.vrf.as_deref().map(|vrf| ("vrf", vrf)));
        if self.multihop {
            labels.push(("hops", "multi"));
        }
        labels.extend(which);
        family.sample(&labels, value);
    }
}

impl BfdNumbers {
    fn render(&self, text: &mut Text) {
        let help = "1 if the BFD thread was granted real-time priority.";
        text.family("rbgpd_bfd_realtime", GAUGE, help)
            .sample(&[], u64::from(self.realtime));
        let help = "1 while BFD's ports are flooded and the kernel drops what is of no session.";
        text.family("rbgpd_bfd_shielded", GAUGE, help)
            .sample(&[], u64::from(self.shielded));
        let help = "Packets that no BFD session took.";
        let mut unclaimed = text.family("rbgpd_bfd_unclaimed_total", COUNTER, help);
        for (reason, count) in &self.refused {
            unclaimed.sample(&[("reason", reason)], *count);
        }
        let help = "How late the BFD thread came for its timers.";
        self.lateness
            .render(text, ("rbgpd_bfd_lateness_seconds", help), 1_000_000);
        let help = "Part of the detection time that had passed when a BFD packet came; at 1 the \
                    session is lost.";
        self.gaps.render(text, ("rbgpd_bfd_gap_ratio", help), 100);
    }
}

impl Classes {
    /// As a histogram of values in units of which the counted ones are so many.
    fn render(&self, text: &mut Text, (name, help): (&str, &str), unit: u32) {
        let in_unit = |value: u64| {
            let whole = u64::from(unit);
            let digits = unit.ilog10() as usize;
            let (number, rest) = (value / whole, value % whole);
            let text = format!("{number}.{rest:0digits$}");
            let text = text.trim_end_matches('0').trim_end_matches('.');
            text.to_owned()
        };
        let mut family = text.family(name, "histogram", help);
        for (end, count) in &self.at_most {
            family.part("_bucket", &[("le", &in_unit(*end))], &count.to_string());
        }
        family.part("_bucket", &[("le", "+Inf")], &self.count.to_string());
        family.part("_sum", &[], &in_unit(self.sum));
        family.part("_count", &[], &self.count.to_string());
    }
}
