//! Sending changes in batches.
//!
//! One send carries up to [`crate::kernel::BATCH`] operations, and only its last message asks for
//! an answer. Refusals come back for every message all the same, each with its sequence number, so
//! the answer to the last one means that all others are decided. The kernel does the work inside
//! `send`, which is the back-pressure.
//!
//! Devices that are to be removed are put into a group first and go together: the kernel waits once
//! for everybody who may still look at them, some ten milliseconds, where it waits for each device
//! that is removed alone.

use std::io;

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

use super::message::{
    HEADER, NLM_F_ACK, NLM_F_ACK_TLVS, NLM_F_CAPPED, NLMSG_ERROR, aligned, attributes, messages,
    u16_at, u32_at,
};
use super::notice::Notice;
use super::{device, encode, sysctl};
use crate::state::{FdbKey, Mac};
use crate::table::{Op, OpError};

/// A batch is sent when it has grown this far; the kernel copies it into one buffer.
const BATCH_BYTES: usize = 64 << 10;

/// The explanation in an extended acknowledgement (`NLMSGERR_ATTR_MSG`).
const ATTR_MSG: u16 = 1;

/// The writing socket.
pub(crate) struct Writer {
    socket: Socket,
    port: u32,
    protocol: u8,
    sequence: u32,
    buffer: Vec<u8>,
}

impl Writer {
    /// Opens the socket. `protocol` is the stamp on what is written.
    pub(crate) fn open(protocol: u8) -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        let port = socket.bind_auto()?.port_number();
        socket.connect(&SocketAddr::new(0, 0))?;
        // Refusals without a copy of the request, but with the kernel's explanation.
        socket.set_cap_ack(true)?;
        socket.set_ext_ack(true)?;
        Ok(Self {
            socket,
            port,
            protocol,
            sequence: 0,
            buffer: Vec::new(),
        })
    }

    /// The socket's port number, by which the kernel names who made a change.
    pub(crate) fn port(&self) -> u32 {
        self.port
    }

    /// Carries out operations in order. Gives one result for each. `free_group` is a group that no
    /// device is in.
    pub(crate) fn write(
        &mut self,
        ops: &[Op],
        free_group: impl FnOnce() -> u32,
    ) -> Vec<Result<(), OpError>> {
        let mut results: Vec<Result<(), OpError>> = vec![Ok(()); ops.len()];
        for (op, result) in ops.iter().zip(&mut results) {
            if let Op::SetForwarding { ipv6, on } = op {
                *result = sysctl::set_forwarding(*ipv6, *on);
            }
        }
        // Those that are removed come first in a plan that has any.
        let doomed: Vec<u32> = ops.iter().map_while(Op::deletes).collect();
        let of_doomed = results.get_mut(..doomed.len()).filter(|of| of.len() > 1);
        let together = of_doomed.is_some_and(|of| self.delete_together(&doomed, free_group(), of));
        let done = if together { doomed.len() } else { 0 };
        let mut ops = ops.get(done..).unwrap_or_default();
        let mut rest = results.get_mut(done..).unwrap_or_default();
        while !ops.is_empty() {
            let taken = self.batch(ops, rest);
            ops = ops.get(taken..).unwrap_or_default();
            rest = rest.get_mut(taken..).unwrap_or_default();
        }
        results
    }

    /// Removes devices at one stroke. False if the kernel did not do it: they are still there.
    fn delete_together(
        &mut self,
        doomed: &[u32],
        group: u32,
        results: &mut [Result<(), OpError>],
    ) -> bool {
        self.buffer.clear();
        let first = self.sequence.wrapping_add(1);
        let mut last = 0;
        for index in doomed {
            last = self.buffer.len();
            self.sequence = self.sequence.wrapping_add(1);
            device::encode_group(&mut self.buffer, self.sequence, *index, group);
        }
        self.ask_for_answer(last);
        let owners: Vec<usize> = (0..doomed.len()).collect();
        let grouped = self.exchange(first, &owners, results);
        // One that is gone already is in no group; one that is there has to go another way.
        let left = |result: &Result<(), OpError>| matches!(result, Err(error) if error.errno != libc::ENODEV);
        if grouped.is_err() || results.iter().any(left) {
            results.fill(Ok(()));
            return false;
        }
        self.buffer.clear();
        let first = self.sequence.wrapping_add(1);
        self.sequence = first;
        device::encode_delete_group(&mut self.buffer, first, group);
        self.ask_for_answer(0);
        let mut deleted = [Ok(())];
        let outcome = self.exchange(first, &[0], &mut deleted);
        match (outcome, deleted) {
            (Ok(()), [Ok(())]) => true,
            (outcome, [refused]) => {
                tracing::debug!(?outcome, ?refused, "devices are removed one by one");
                results.fill(Ok(()));
                false
            }
        }
    }

    /// Writes an entry of somebody else's as it was shown. Of routes and objects there is none to put
    /// back: the kernel refuses to write ours over them.
    pub(crate) fn put_back(&mut self, entry: &Notice) -> Result<(), OpError> {
        self.buffer.clear();
        self.sequence = self.sequence.wrapping_add(1);
        let first = self.sequence;
        match entry {
            Notice::Fdb { fdb, .. } => encode::put_back_fdb(&mut self.buffer, first, fdb),
            Notice::Neighbour { neighbour, .. } => {
                encode::put_back_neighbour(&mut self.buffer, first, neighbour);
            }
            Notice::Route { .. } | Notice::NextHop { .. } => return Ok(()),
        }
        self.ask_for_answer(0);
        let mut results = [Ok(())];
        self.exchange(first, &[0], &mut results)
            .map_err(|error| lost(&error))?;
        let [result] = results;
        result
    }

    /// Sends as many operations as fit. Returns their number, at least one.
    fn batch(&mut self, ops: &[Op], results: &mut [Result<(), OpError>]) -> usize {
        self.buffer.clear();
        let first = self.sequence.wrapping_add(1);
        // The operation of each message, by sequence number.
        let mut owners = Vec::with_capacity(ops.len());
        let mut last = 0;
        for (number, op) in ops.iter().enumerate() {
            if self.buffer.len() >= BATCH_BYTES {
                break;
            }
            self.encode(op, |start| {
                last = start;
                owners.push(number);
            });
        }
        let taken = owners.last().map_or(ops.len(), |number| number + 1);
        if owners.is_empty() {
            return taken;
        }
        self.ask_for_answer(last);
        let outcome = self.exchange(first, &owners, results);
        if let Err(error) = outcome {
            // Nothing is known about this batch; the table takes it as refused and reads again.
            for result in results.iter_mut().take(taken) {
                *result = Err(lost(&error));
            }
        }
        taken
    }

    /// Appends the messages of one operation, telling where each starts.
    fn encode(&mut self, op: &Op, mut starts: impl FnMut(usize)) {
        let protocol = self.protocol;
        let buffer = &mut self.buffer;
        let mut next = || {
            self.sequence = self.sequence.wrapping_add(1);
            self.sequence
        };
        if let Op::SetForwarding { .. } = op {
            // Done already, without a message.
            return;
        }
        starts(buffer.len());
        match op {
            Op::SetForwarding { .. } => {}
            Op::Device(_, op) => device::encode(buffer, next(), protocol, op),
            Op::SetNextHop(id, object) => {
                encode::set_next_hop(buffer, next(), protocol, *id, object);
            }
            Op::SetRoute {
                key,
                shape,
                replace,
            } => {
                encode::set_route(buffer, next(), protocol, *key, shape, *replace);
            }
            Op::SetFdb { key, index, remote } => {
                encode::set_fdb(buffer, next(), *index, key, *remote);
            }
            Op::SetFlood { key, index } => encode::set_flood(buffer, next(), *index, key),
            Op::SetNeighbour {
                key,
                index,
                neighbour,
            } => {
                encode::set_neighbour(buffer, next(), protocol, *index, key.ip, *neighbour);
            }
            Op::UnsetRoute { key, shape } => {
                encode::unset_route(buffer, next(), protocol, *key, shape.metric);
            }
            Op::UnsetTwin { key, shape } => {
                encode::unset_this_route(buffer, next(), protocol, *key, shape);
            }
            Op::UnsetFdb {
                key,
                index,
                tunnel,
                master,
            } => {
                // Two messages: a missing bridge entry would keep the other from being removed.
                match tunnel {
                    Some(tunnel) => {
                        encode::unset_fdb_tunnel(buffer, next(), *index, key, *tunnel);
                        if *master {
                            starts(buffer.len());
                            encode::unset_fdb_bridge(buffer, next(), *index, key);
                        }
                    }
                    None => encode::unset_fdb_bridge(buffer, next(), *index, key),
                }
            }
            Op::UnsetFlood { key, index } => {
                let all = FdbKey::new(key.device.clone(), Mac::ZERO).within(key.segment);
                encode::unset_fdb_tunnel(buffer, next(), *index, &all, key.tunnel);
            }
            Op::UnsetNeighbour { key, index } => {
                encode::unset_neighbour(buffer, next(), *index, key.ip);
            }
            Op::UnsetNextHop(id) => encode::unset_next_hop(buffer, next(), *id),
        }
    }

    /// Sets `NLM_F_ACK` on the message that starts here.
    fn ask_for_answer(&mut self, start: usize) {
        let flags = u16_at(&self.buffer, start + 6).unwrap_or(0) | NLM_F_ACK;
        if let Some(place) = self.buffer.get_mut(start + 6..start + 8) {
            place.copy_from_slice(&flags.to_ne_bytes());
        }
    }

    fn exchange(
        &mut self,
        first: u32,
        owners: &[usize],
        results: &mut [Result<(), OpError>],
    ) -> io::Result<()> {
        let sent = self.socket.send(&self.buffer, 0)?;
        if sent != self.buffer.len() {
            return Err(io::ErrorKind::WriteZero.into());
        }
        let mut answer: Vec<u8> = Vec::with_capacity(16 << 10);
        loop {
            answer.clear();
            match self.socket.recv(&mut answer, 0) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            for message in messages(&answer).filter(|message| message.kind == NLMSG_ERROR) {
                let place = usize::try_from(message.sequence.wrapping_sub(first)).ok();
                let owner = place.and_then(|place| owners.get(place)).copied();
                if let (Some(error), Some(owner)) = (error_of(&message), owner)
                    && let Some(result) = results.get_mut(owner)
                {
                    *result = Err(error);
                }
                if message.sequence == self.sequence {
                    return Ok(());
                }
            }
        }
    }
}

/// What is known of an operation when the answer did not come.
fn lost(error: &io::Error) -> OpError {
    OpError {
        errno: error.raw_os_error().unwrap_or(libc::EIO),
        explanation: Some(format!("netlink: {error}")),
    }
}

/// The refusal in an error message; `None` for an acknowledgement.
fn error_of(message: &super::message::Message<'_>) -> Option<OpError> {
    let payload = message.payload();
    let code = u32_at(payload, 0)?.cast_signed();
    if code == 0 {
        return None;
    }
    let explanation = (message.flags & NLM_F_ACK_TLVS != 0).then(|| {
        // The request's header is echoed, and the request too unless capped.
        let echoed = match message.flags & NLM_F_CAPPED {
            0 => usize::try_from(u32_at(payload, 4).unwrap_or(0)).unwrap_or(0),
            _ => HEADER,
        };
        let tail = payload.get(4 + aligned(echoed)..).unwrap_or_default();
        let text = attributes(tail).find(|(kind, _)| *kind == ATTR_MSG)?.1;
        let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
        Some(String::from_utf8_lossy(text).into_owned())
    });
    Some(OpError {
        errno: code.saturating_neg(),
        explanation: explanation.flatten(),
    })
}

#[cfg(test)]
mod tests;
