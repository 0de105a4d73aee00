//! Encoded messages that several peers share.
//!
//! A batch is made once per update group. Each message in it remembers which peer its routes came
//! from, so that the same bytes serve everybody: the peer of origin leaves its own messages out.

use bytes::{Bytes, BytesMut};

use super::path::PeerId;

/// A batch is handed out when it has grown to this many octets: large enough for one large write,
/// small enough that the first route does not wait for the last.
pub(super) const BATCH_SIZE: usize = 64 * 1024;

/// Messages in wire form, to be written as they are.
#[derive(Debug)]
pub struct Batch {
    bytes: Bytes,
    spans: Vec<Span>,
    messages: usize,
}

/// Consecutive messages with routes of one origin.
#[derive(Debug, Clone, Copy)]
struct Span {
    end: usize,
    messages: usize,
    origin: Option<PeerId>,
}

impl Batch {
    /// Messages for everybody, such as an End-of-RIB marker.
    pub(super) fn plain(bytes: Bytes, messages: usize) -> Self {
        let spans = vec![Span {
            end: bytes.len(),
            messages,
            origin: None,
        }];
        Self {
            bytes,
            spans,
            messages,
        }
    }

    /// The octets for one peer: everything but its own routes, in as few pieces as possible.
    pub fn pieces(&self, peer: PeerId) -> impl Iterator<Item = Bytes> + '_ {
        let mut start = 0;
        let mut spans = self.spans.iter().peekable();
        std::iter::from_fn(move || {
            while let Some(span) = spans.next_if(|span| span.origin == Some(peer)) {
                start = span.end;
            }
            let mut end = start;
            while let Some(span) = spans.next_if(|span| span.origin != Some(peer)) {
                end = span.end;
            }
            let piece = (end > start).then(|| self.bytes.slice(start..end));
            start = end;
            piece
        })
    }

    /// Number of messages for one peer.
    pub fn messages(&self, peer: PeerId) -> usize {
        let own = self.spans.iter().filter(|span| span.origin == Some(peer));
        self.messages - own.map(|span| span.messages).sum::<usize>()
    }

    /// Octets of the whole batch, which is what it counts against a peer's window.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// True without any message.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

/// A batch in the making.
#[derive(Debug, Default)]
pub(super) struct BatchBuilder {
    pub(super) bytes: BytesMut,
    spans: Vec<Span>,
}

impl BatchBuilder {
    /// Accounts `messages` that were just written to `bytes` as routes of `origin`.
    pub(super) fn close_span(&mut self, messages: usize, origin: Option<PeerId>) {
        let end = self.bytes.len();
        match self.spans.last_mut() {
            Some(last) if last.origin == origin => {
                last.end = end;
                last.messages += messages;
            }
            _ => self.spans.push(Span {
                end,
                messages,
                origin,
            }),
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() >= BATCH_SIZE
    }

    /// What was written so far, if anything; the builder is empty afterwards.
    pub(super) fn take(&mut self) -> Option<Batch> {
        let spans = std::mem::take(&mut self.spans);
        let messages = spans.iter().map(|span| span.messages).sum();
        let bytes = self.bytes.split().freeze();
        (!bytes.is_empty()).then_some(Batch {
            bytes,
            spans,
            messages,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_gets_everything_but_its_own_routes() {
        let mut builder = BatchBuilder::default();
        for (text, origin) in [("a", 1), ("b", 2), ("c", 2), ("d", 1), ("e", 3)] {
            builder.bytes.extend_from_slice(text.as_bytes());
            builder.close_span(1, Some(PeerId(origin)));
        }
        let batch = builder.take().unwrap();
        let of = |peer| {
            let text: Vec<_> = batch
                .pieces(PeerId(peer))
                .map(|piece| String::from_utf8(piece.to_vec()).unwrap())
                .collect();
            (text, batch.messages(PeerId(peer)))
        };
        assert_eq!(of(9), (vec!["abcde".to_owned()], 5));
        assert_eq!(of(1), (vec!["bc".to_owned(), "e".to_owned()], 3));
        assert_eq!(of(2), (vec!["a".to_owned(), "de".to_owned()], 3));
        assert_eq!(of(3), (vec!["abcd".to_owned()], 4));
    }
}
