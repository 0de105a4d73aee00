//! Sequence numbers of stations here outlive a daemon that is killed, or that leaves the kernel as it is.
//!
//! Other sites remember the highest number that was told of a MAC address (RFC 7432 §15), and some
//! routers do so beyond the route. A daemon that begins at 0 again claims a station less than it did
//! before, and after the next move they go on sending to where the station was. So numbers above 0 are
//! written to the state directory, at once and then once a second at most, and given to EVPN before
//! it hears of stations. They count until what the last run left is swept: what is there by then has
//! taken its number up. An orderly stop that takes the routes back forgets them.
//!
//! Nearly every station never moves and has number 0: the file is small, and not there at most sites.

use std::time::{Duration, Instant};

use bgp::{AttributeSet, EvpnKey};
use evpn::Input;

use super::Core;
use crate::state::Sequences;

/// How long after the file was written it is written again.
const PAUSE: Duration = Duration::from_secs(1);

/// And how long after it could not be.
const RETRY: Duration = Duration::from_secs(10);

/// What was written of it.
#[derive(Debug, Default)]
pub(super) struct Kept {
    written: Sequences,
    last: Option<Instant>,
    /// They may be others now.
    write_at: Option<Instant>,
    /// The file cannot be written, as was said.
    refused: bool,
}

impl Kept {
    /// What is told of a station changed. What has number 0 and is not in the file is none of its
    /// business.
    pub(super) fn told(&mut self, key: &EvpnKey, attributes: Option<&AttributeSet>) {
        if !matches!(key, EvpnKey::MacIp { ip: None, .. }) {
            return;
        }
        let communities = attributes.iter().flat_map(|it| &it.extended_communities);
        let mut numbers = communities.filter_map(|it| it.as_mac_mobility());
        if numbers.any(|(sequence, _)| sequence > 0) || !self.written.is_empty() {
            self.look();
        }
    }

    fn look(&mut self) {
        let now = Instant::now();
        let at = self.last.map_or(now, |last| now.max(last + PAUSE));
        self.write_at.get_or_insert(at);
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.write_at
    }
}

impl Core {
    /// Gives EVPN the numbers of the last run on this boot.
    pub(super) fn take_up_sequences(&mut self) {
        let Some(state) = &self.place.state else {
            return;
        };
        match state.sequences() {
            Ok(before) if before.is_empty() => {}
            Ok(before) => {
                self.kept.written.clone_from(&before);
                self.tell_evpn(Input::SetSequences(before));
            }
            Err(error) => tracing::warn!(
                %error,
                "cannot read the sequence numbers of stations that have moved here, expected the JSON \
                 object that this daemon writes: a site that remembers them may go on sending to where \
                 one was after its next move\n\nhint: `clear bgp l2vpn evpn *` there has it forget them"
            ),
        }
    }

    /// Stations that were here before have taken their numbers up, or are gone.
    pub(super) fn forget_sequences(&mut self) {
        if !self.kept.written.is_empty() {
            self.tell_evpn(Input::SetSequences(Sequences::new()));
            self.kept.look();
        }
    }

    pub(super) fn sequences_timeout(&mut self, now: Instant) {
        if self.kept.write_at.is_some_and(|at| at <= now) {
            self.write_sequences(now);
        }
    }

    fn write_sequences(&mut self, now: Instant) {
        self.kept.write_at = None;
        let Some(state) = &self.place.state else {
            return;
        };
        let sequences = self.evpn.sequences();
        if sequences == self.kept.written {
            return;
        }
        self.kept.last = Some(now);
        let result = state.set_sequences(&sequences);
        let refused = result.is_err();
        match result {
            Ok(()) => self.kept.written = sequences,
            Err(error) if !self.kept.refused => tracing::error!(
                %error,
                directory = %state.path().display(),
                "cannot keep the sequence numbers of stations that have moved here: if this daemon is killed, \
                 other sites may go on sending to where one was after its next move\n\nhint: make room in the \
                 directory, or make it writable"
            ),
            Err(_) => {}
        }
        self.kept.refused = refused;
        self.kept.write_at = refused.then(|| now + RETRY);
    }

    /// The routes have been taken back. Who leaves the kernel as it is does not come here.
    pub(super) fn end_sequences(&self) {
        if let Some(state) = &self.place.state
            && let Err(error) = state.set_sequences(&Sequences::new())
        {
            tracing::warn!(%error, "cannot forget the sequence numbers of stations");
        }
    }
}
