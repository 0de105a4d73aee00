//! Moving traffic away and taking it back (RFC 8326).
//!
//! A drain is a state of the router or of one neighbour that is kept on disk. While it lasts
//! every advertisement to the neighbours concerned carries GRACEFUL_SHUTDOWN, own AS prepended
//! and a high MED, on every family, and what they send is the last choice. Sessions and
//! forwarding stay as they are.
//!
//! It counts as done when the neighbours have been sent everything and, for each of our prefixes
//! that somebody else announces too, each external neighbour has shown by its own advertisement
//! that it uses another way. A prefix that nobody else has cannot move: it is named as a risk.

use std::collections::BTreeSet;
use std::time::{Duration, Instant, SystemTime};

use bgp::policy::{Action, OnMatch, RouteMap, Set};
use bgp::rib::{PeerId, Select};
use bgp::{Asn, Community, Family, Nlri, ScopedAddr};

use super::Core;
use super::named::meant;
use super::neighbor::Neighbor;
use crate::control::reply::{self, BfdState, Families, FamilyDrain, NeighborDrain};
use crate::control::words::counted;
use crate::control::{Drain, ErrorKind, ErrorReply, Timestamp};
use crate::state::{DrainRecord, DrainState};

/// How often a drain whose time is over tries to return while something is still missing.
const RETURN_RETRY: Duration = Duration::from_secs(5);

/// How often it is said, while nothing changes, that the return is overdue.
pub(super) const OVERDUE_PAUSE: Duration = Duration::from_secs(10 * 60);

/// So many entries are kept with a drain that the kernel refused when it began: beyond that something is
/// wrong that a return should wait for.
const REFUSED_MAX: usize = 1000;

/// Prefixes named one by one; beyond this their number says enough.
const NAMED_MAX: usize = 20;

/// What is known of one of our prefixes.
struct Standing {
    /// Somebody else announces it too, and is not itself draining.
    alternative: bool,
    /// Every other way leads through a router that is draining.
    only_draining: bool,
}

impl Core {
    pub(super) fn drain_order(&mut self, mut order: Drain) -> Result<reply::Drain, ErrorReply> {
        if let Some(address) = &mut order.neighbor {
            *address = self.full_name(*address)?;
        }
        let longest = Drain::DURATION_MAX.as_secs();
        if let Some(time) = order.duration.map(|time| time.as_secs())
            && !(1..=longest).contains(&time)
        {
            return Err(ErrorReply::bad_request(format!(
                "a drain for {time} s, but the time must be from 1 to {longest} s"
            ))
            .hint("leave it out for a drain that lasts until it is ended"));
        }
        let faults = self.drain_faults(order.neighbor);
        if !faults.is_empty() && !order.force {
            return Err(
                ErrorReply::new(ErrorKind::NotSafe, "draining now is not safe")
                    .details(faults)
                    .hint("wait until the other router is back, or use --force"),
            );
        }
        if order.dry_run {
            let mut status = self.drain_status();
            status.dry_run = true;
            return Ok(status);
        }
        let earlier = match order.neighbor {
            Some(address) => self.drain.neighbors.get(&address),
            None => self.drain.router.as_ref(),
        };
        let now = Timestamp::from(SystemTime::now());
        let (mut record, notes) = record(earlier, order.reason, order.duration, now);
        if earlier.is_none() {
            record.refused = self.refused();
        }
        let mut state = self.drain.clone();
        match order.neighbor {
            Some(address) => {
                state.neighbors.insert(address, record);
            }
            None => state.router = Some(record),
        }
        self.set_drain(state)?;
        let mut status = self.drain_status();
        status.notes = notes;
        Ok(status)
    }

    /// Takes traffic back, if everything that carries it is in place; `differences` are what a
    /// comparison with the kernel has just found.
    pub(super) fn undrain_order(
        &mut self,
        neighbor: Option<ScopedAddr>,
        force: bool,
        differences: &[fib::Difference],
    ) -> Result<reply::Drain, ErrorReply> {
        let neighbor = match neighbor {
            Some(address) => {
                let found = meant(address, self.drain.neighbors.keys().copied())?;
                Some(found.ok_or_else(|| not_drained(address))?)
            }
            None => None,
        };
        if self.drain.is_empty() {
            return Ok(self.drain_status());
        }
        let mut missing = if force {
            Vec::new()
        } else {
            self.missing_for_return()
        };
        missing.extend(
            differences
                .iter()
                .filter(|difference| !force && !self.bears_return(difference))
                .map(|difference| format!("kernel: {difference}")),
        );
        if !missing.is_empty() {
            return Err(
                ErrorReply::new(ErrorKind::NotSafe, "not ready to take traffic back")
                    .details(missing)
                    .hint("rbgpctl undrain --wait returns as soon as it is, --force at once"),
            );
        }
        let still = differences.iter().filter(|it| self.was_refused(it));
        let still = still.map(|it| format!("as before the drain: {it}"));
        let notes = still.take(NAMED_MAX).collect();
        let mut state = self.drain.clone();
        match neighbor {
            Some(address) => {
                state.neighbors.remove(&address);
            }
            None => state = DrainState::default(),
        }
        self.set_drain(state)?;
        let mut status = self.drain_status();
        status.notes = notes;
        Ok(status)
    }

    /// What the kernel refuses now, by what it is called; nothing where it is very much.
    fn refused(&self) -> BTreeSet<String> {
        match self.failed.len() <= REFUSED_MAX {
            true => self.names_of_refused().collect(),
            false => BTreeSet::new(),
        }
    }

    /// What the kernel refuses for another reason than an entry of somebody else's.
    fn names_of_refused(&self) -> impl Iterator<Item = String> {
        let refused = self.failed.keys();
        let refused = refused.filter(|key| !self.occupied.contains(*key));
        refused.map(ToString::to_string)
    }

    /// Everything that the kernel refused when what lasts began.
    fn refused_before(&self) -> impl Iterator<Item = &BTreeSet<String>> {
        let neighbors = self.drain.neighbors.values();
        let records = self.drain.router.iter().chain(neighbors);
        records.map(|record| &record.refused)
    }

    /// The kernel refuses it, and did when the drain began.
    fn was_refused(&self, difference: &fib::Difference) -> bool {
        let mut before = self.refused_before().filter(|it| !it.is_empty());
        difference.error.is_some()
            && before.any(|refused| refused.contains(&difference.key.to_string()))
    }

    /// A difference that traffic may come back with: what somebody else put in the place of ours is
    /// theirs to take away, and what was so before has not become worse.
    pub(super) fn bears_return(&self, difference: &fib::Difference) -> bool {
        difference.occupied || self.was_refused(difference)
    }

    /// On disk first: a drain that a restart forgets would be a trap.
    fn set_drain(&mut self, state: DrainState) -> Result<(), ErrorReply> {
        if state == self.drain {
            return Ok(());
        }
        if let Some(dir) = &self.place.state {
            dir.set_drain(&state).map_err(|error| {
                ErrorReply::failed(format!(
                    "cannot keep the drain state in `{}`: {error}",
                    dir.path().display()
                ))
                .hint("make the state directory writable; nothing was changed")
            })?;
        }
        self.put_drain(state);
        Ok(())
    }

    /// The service stops: drain without a trace on disk. What an operator ordered stays as it is.
    pub(super) fn drain_before_stop(&mut self) {
        let mut state = self.drain.clone();
        state.router.get_or_insert_with(|| DrainRecord {
            since: Timestamp::from(SystemTime::now()),
            reason: Some("the service stops".to_owned()),
            deadline: None,
            refused: BTreeSet::new(),
        });
        self.put_drain(state);
    }

    fn put_drain(&mut self, state: DrainState) {
        tracing::info!(draining = !state.is_empty(), "drain state changed");
        self.overdue.forget();
        self.drain = state;
        self.schedule_return();
        self.reconfigure_links();
        self.offer_again();
        let ids: Vec<PeerId> = self.neighbors.keys().copied().collect();
        for id in ids {
            self.reconfigure_peer(id);
        }
    }

    /// What makes a drain unsafe: nobody to tell, or the other way goes through a router that is
    /// itself draining.
    fn drain_faults(&self, neighbor: Option<ScopedAddr>) -> Vec<String> {
        let mut faults = Vec::new();
        if neighbor.is_none() && !self.neighbors.values().any(Neighbor::is_up) {
            faults.push("no session is Established: nobody can be told".to_owned());
        }
        for (nlri, standing) in self.own_prefixes() {
            if standing.only_draining {
                faults.push(format!(
                    "{nlri}: the only other way is through a router that is draining"
                ));
            }
        }
        faults
    }

    /// Our unicast prefixes and how else they can be reached.
    fn own_prefixes(&self) -> Vec<(Nlri, Standing)> {
        let mut own = Vec::new();
        for family in [Family::Ipv4Unicast, Family::Ipv6Unicast] {
            self.rib
                .visit(family, Select::Received(PeerId::LOCAL), |route| {
                    own.push(route.nlri);
                    true
                });
        }
        own.sort();
        own.into_iter()
            .map(|nlri| {
                let standing = self.standing(&nlri);
                (nlri, standing)
            })
            .collect()
    }

    fn standing(&self, nlri: &Nlri) -> Standing {
        let paths = self
            .rib
            .route(nlri)
            .map(|route| route.paths)
            .unwrap_or_default();
        let others = paths.iter().filter(|path| {
            path.peer != PeerId::LOCAL && !self.config.has_been_here(&path.received)
        });
        let (leaving, staying): (Vec<_>, Vec<_>) =
            others.partition(|path| path.received.has_community(Community::GRACEFUL_SHUTDOWN));
        Standing {
            alternative: !staying.is_empty(),
            only_draining: staying.is_empty() && !leaving.is_empty(),
        }
    }

    pub(super) fn drain_status(&self) -> reply::Drain {
        let own = self.own_prefixes();
        let mut status = reply::Drain {
            draining: self.drain.router.is_some(),
            risks: self.risks(&own),
            packets_per_second: self.hands.spawner.packet_rate(),
            ..reply::Drain::default()
        };
        let record = self
            .drain
            .router
            .as_ref()
            .or_else(|| self.drain.neighbors.values().next());
        if let Some(record) = record {
            status.since = Some(record.since);
            status.reason = record.reason.clone();
            status.deadline = record.deadline;
        }
        if !self.due_records().is_empty() {
            status.overdue = self.missing_for_return();
        }
        for (id, neighbor) in &self.neighbors {
            let row = self.neighbor_drain(*id, neighbor, &own);
            if !row.complete {
                status.pending.extend(pending(&row));
            }
            status.neighbors.push(row);
        }
        if !self.drain.is_empty() || !status.pending.is_empty() {
            // Nobody is told anything while the restart holds routes back.
            status.pending.splice(0..0, self.hold_line());
        }
        status.complete = status.pending.is_empty();
        status
    }

    fn risks(&self, own: &[(Nlri, Standing)]) -> Vec<String> {
        let alone: Vec<&Nlri> = own
            .iter()
            .filter(|(_, standing)| !standing.alternative)
            .map(|(nlri, _)| nlri)
            .collect();
        let mut risks: Vec<String> = alone
            .iter()
            .take(NAMED_MAX)
            .map(|nlri| format!("{nlri} has no other way and will be unreachable"))
            .collect();
        if let Some(more) = alone.len().checked_sub(NAMED_MAX).filter(|more| *more > 0) {
            let more = counted(more, "more prefix has", "more prefixes have");
            risks.push(format!("{more} no other way"));
        }
        for vni in self.evpn.vnis().iter().filter(|vni| vni.local_macs > 0) {
            risks.push(format!(
                "VNI {}: {} on this host only",
                vni.vni,
                counted(vni.local_macs, "MAC address is", "MAC addresses are")
            ));
        }
        risks
    }

    fn neighbor_drain(
        &self,
        id: PeerId,
        neighbor: &Neighbor,
        own: &[(Nlri, Standing)],
    ) -> NeighborDrain {
        let draining = self.drain.covers(neighbor.address());
        let by_route_map = self.lengthened_by(neighbor);
        let mut families: Families<FamilyDrain> = Families::default();
        let Some(negotiated) = neighbor.negotiated() else {
            // Nobody there to send traffic here.
            return NeighborDrain {
                address: neighbor.address(),
                instance: None,
                description: neighbor.config.description.clone(),
                draining,
                by_route_map,
                complete: true,
                families,
            };
        };
        let told = self.rib.is_settled(id);
        for family in Family::ALL {
            if negotiated.families.get(family).is_none() {
                continue;
            }
            let mut row = FamilyDrain {
                told,
                ..FamilyDrain::default()
            };
            if (draining || by_route_map.is_some()) && negotiated.external {
                let preferred = self.still_preferred(id, family, own);
                row.still_preferred_total = u64::try_from(preferred.len()).unwrap_or(u64::MAX);
                row.still_preferred = preferred
                    .into_iter()
                    .take(NAMED_MAX)
                    .map(|nlri| nlri.to_string())
                    .collect();
            }
            families.set(family, row);
        }
        // While nothing is drained by order, told is all there is to it.
        let complete = families
            .iter()
            .all(|(_, row)| row.told && (!draining || row.still_preferred_total == 0));
        NeighborDrain {
            address: neighbor.address(),
            instance: None,
            description: neighbor.config.description.clone(),
            draining,
            by_route_map,
            complete,
            families,
        }
    }

    /// The route-map that makes the path of everything longer that a neighbour is told, in each family
    /// that it is to have: operators drain so who know FRR.
    fn lengthened_by(&self, neighbor: &Neighbor) -> Option<String> {
        let config = &neighbor.config;
        let own = self.config.asn_towards(config);
        let mut name = None;
        for family in Family::ALL {
            let Some(family) = config.families.get(family) else {
                continue;
            };
            let map = family.export.as_ref().filter(|map| lengthens(map, own))?;
            name.get_or_insert_with(|| map.name().to_owned());
        }
        name
    }

    /// Prefixes with another way that a neighbour does not yet show to use: it would announce
    /// that way to us. An internal neighbour does not announce what it learned inside the AS, so
    /// nothing can be seen of it.
    fn still_preferred(
        &self,
        id: PeerId,
        family: Family,
        own: &[(Nlri, Standing)],
    ) -> BTreeSet<Nlri> {
        own.iter()
            .filter(|(nlri, standing)| nlri.family() == family && standing.alternative)
            .filter(|(nlri, _)| {
                let paths = self
                    .rib
                    .route(nlri)
                    .map(|route| route.paths)
                    .unwrap_or_default();
                !paths
                    .iter()
                    .any(|path| path.peer == id && !self.config.has_been_here(&path.received))
            })
            .map(|(nlri, _)| nlri.clone())
            .collect()
    }

    /// What is not in place for taking traffic back; the comparison with the kernel comes on top.
    pub(super) fn missing_for_return(&self) -> Vec<String> {
        let mut missing: Vec<String> = self.hold_line().into_iter().collect();
        let bfd = self.bfd_states();
        for neighbor in self
            .neighbors
            .values()
            .filter(|neighbor| !neighbor.config.shutdown)
        {
            let address = neighbor.address();
            if !neighbor.is_up() {
                missing.push(format!("{address}: session is {}", neighbor.status().state));
            } else if !neighbor.is_complete() {
                missing.push(format!("{address}: End-of-RIB has not arrived"));
            }
            let down = bfd
                .iter()
                .find(|(of, state)| *of == address && *state != BfdState::Up);
            if let Some((_, state)) = down {
                missing.push(format!("{address}: BFD is {}", state.word()));
            }
        }
        if self.hands.kernel.is_some() {
            let backlog = self.kernel_backlog();
            if backlog > 0 {
                let entries = counted(backlog, "entry is on its", "entries are on their");
                missing.push(format!("{entries} way to the kernel"));
            }
            let before: Vec<_> = self.refused_before().filter(|it| !it.is_empty()).collect();
            let failed = match before.is_empty() {
                true => self.failed.len().saturating_sub(self.occupied.len()),
                false => {
                    let known = |name: &String| before.iter().any(|it| it.contains(name));
                    self.names_of_refused().filter(|it| !known(it)).count()
                }
            };
            if failed > 0 {
                let entries = counted(failed, "entry", "entries");
                missing.push(format!("the kernel refused {entries}"));
            }
        }
        missing
    }

    pub(super) fn drain_deadline(&self) -> Option<Instant> {
        self.return_at
    }

    /// When the next drain with a time limit is over.
    pub(super) fn schedule_return(&mut self) {
        let now = Timestamp::from(SystemTime::now());
        let records = self
            .drain
            .router
            .iter()
            .chain(self.drain.neighbors.values());
        let next = records.filter_map(|record| record.deadline).min();
        self.return_at = next.map(|next| Instant::now() + next.since(now));
    }

    /// The time of a drain is over: return, once a comparison with the kernel is clean.
    pub(super) fn drain_timeout(&mut self, now: Instant) {
        if self.return_at.is_none_or(|at| at > now) {
            return;
        }
        self.return_at = Some(now + RETURN_RETRY);
        let missing = self.missing_for_return();
        if missing.is_empty() {
            self.compare(|_| {});
        } else {
            if let Some(tries) = self.overdue.say(now, &missing.join("; ")) {
                tracing::warn!(
                    ?missing,
                    tries,
                    "the drain's time is over, but traffic cannot return yet"
                );
            }
        }
    }

    /// Neighbours (none: the whole router) whose drain is over.
    fn due_records(&self) -> Vec<Option<ScopedAddr>> {
        let now = Timestamp::from(SystemTime::now());
        let over = |record: &DrainRecord| record.deadline.is_some_and(|deadline| deadline <= now);
        let router = self
            .drain
            .router
            .iter()
            .filter(|record| over(record))
            .map(|_| None);
        let neighbors = self
            .drain
            .neighbors
            .iter()
            .filter(|(_, record)| over(record));
        router
            .chain(neighbors.map(|(address, _)| Some(*address)))
            .collect()
    }

    /// A comparison with the kernel is done; a drain that is over ends if it was clean.
    pub(super) fn verified_for_return(&mut self, equal: bool) {
        if !equal || !self.missing_for_return().is_empty() {
            return;
        }
        let due = self.due_records();
        if due.is_empty() {
            return;
        }
        let mut state = self.drain.clone();
        for neighbor in due {
            match neighbor {
                Some(address) => {
                    state.neighbors.remove(&address);
                }
                None => state.router = None,
            }
        }
        if let Err(error) = self.set_drain(state) {
            tracing::error!(%error, "cannot end the drain");
        }
    }
}

/// What is kept of an order to drain, and what of it comes from an earlier one: who drains again
/// to be sure must not lose why, nor the end that somebody relies on.
fn record(
    earlier: Option<&DrainRecord>,
    reason: Option<String>,
    duration: Option<Duration>,
    now: Timestamp,
) -> (DrainRecord, Vec<String>) {
    let mut notes = Vec::new();
    let mut record = DrainRecord {
        since: earlier.map_or(now, |earlier| earlier.since),
        reason,
        deadline: duration
            .map(|time| Timestamp::from_unix_s(now.unix_s().saturating_add(time.as_secs()))),
        refused: BTreeSet::new(),
    };
    let Some(earlier) = earlier else {
        return (record, notes);
    };
    record.refused.clone_from(&earlier.refused);
    notes.push(format!("it was draining already, since {}", earlier.since));
    if let (None, Some(reason)) = (&record.reason, &earlier.reason) {
        notes.push(format!("kept: the reason, {reason}"));
        record.reason = Some(reason.clone());
    }
    match (record.deadline, earlier.deadline) {
        (None, Some(deadline)) if deadline > now => {
            notes.push(format!(
                "kept: it ends by itself {deadline}; --for gives it another end, undrain and \
                 drain none"
            ));
            record.deadline = Some(deadline);
        }
        (None, Some(deadline)) => {
            notes.push(format!(
                "its end was {deadline}, which is over; it now lasts until undrain"
            ));
        }
        (Some(_), _) | (None, None) => {}
    }
    (record, notes)
}

/// Whether a map lets everything pass with our own AS number before its path: by its first entry, which
/// asks for nothing.
fn lengthens(map: &RouteMap, own: Asn) -> bool {
    let only_own = |asns: &[Asn]| !asns.is_empty() && asns.iter().all(|asn| *asn == own);
    let prepends = |set: &Set| matches!(set, Set::AsPathPrepend(asns) if only_own(asns));
    map.entries().first().is_some_and(|entry| {
        entry.action == Action::Permit
            && entry.matches.is_empty()
            && entry.call.is_none()
            && entry.on_match == OnMatch::Exit
            && entry.sets.iter().any(prepends)
    })
}

/// One line for each thing that a neighbour has not confirmed.
fn pending(row: &NeighborDrain) -> Vec<String> {
    row.families
        .iter()
        .flat_map(|(family, state)| {
            let told = (!state.told)
                .then(|| format!("{}: {family} has not been sent completely", row.address));
            let ordered = row.draining.then_some(&state.still_preferred);
            let moved = ordered.into_iter().flatten().map(move |prefix| {
                format!("{}: no other way to {prefix} seen from it yet", row.address)
            });
            told.into_iter().chain(moved)
        })
        .collect()
}

fn not_drained(address: ScopedAddr) -> ErrorReply {
    ErrorReply::not_found(format!("neighbour `{address}` is not drained by itself"))
        .hint("rbgpctl show drain says what is")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_that_is_given_again_keeps_what_it_does_not_name() {
        let at = Timestamp::from_unix_s;
        let earlier = DrainRecord {
            since: at(100),
            reason: Some("new disk".to_owned()),
            deadline: Some(at(1000)),
            refused: BTreeSet::from(["route 10.11.0.0/16".to_owned()]),
        };
        let (again, notes) = record(Some(&earlier), None, None, at(200));
        assert_eq!(again, earlier);
        assert_eq!(notes.len(), 3, "{notes:?}");
        assert!(notes[1].contains("new disk"), "{notes:?}");
        assert!(notes[2].contains(&at(1000).to_string()), "{notes:?}");

        let reason = Some("new kernel".to_owned());
        let time = Some(Duration::from_secs(60));
        let (other, notes) = record(Some(&earlier), reason.clone(), time, at(200));
        let wanted = DrainRecord {
            since: at(100),
            reason,
            deadline: Some(at(260)),
            refused: earlier.refused.clone(),
        };
        assert_eq!(other, wanted);
        assert_eq!(notes.len(), 1, "{notes:?}");

        // An end that is over would end the new order at once.
        let (late, notes) = record(Some(&earlier), None, None, at(1000));
        assert_eq!(late.deadline, None);
        assert!(notes[2].contains("is over"), "{notes:?}");

        let (first, notes) = record(None, None, None, at(5));
        assert_eq!((first.since, first.deadline), (at(5), None));
        assert_eq!(notes, Vec::<String>::new());
    }
}
