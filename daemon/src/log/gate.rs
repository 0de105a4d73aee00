//! Which messages pass to a target: those up to its level, and the debug messages that are asked for.
//!
//! A message that passes nowhere is switched off where it is written, so it costs the look at one flag. What is
//! asked for may change at any time; then all such switches are set anew. A message that is asked for by a neighbour
//! or a prefix is written by whoever has it, and looked at here.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, RwLock};

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata};
use tracing_subscriber::layer::{Context, Filter};

use crate::config::{Debug, Only};

/// What passes to a target. All have the same set of what is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Passes {
    pub(super) level: Option<Level>,
    pub(super) asked: Arc<BTreeSet<Debug>>,
}

/// The way to a target. A lock, since all threads speak, and what passes may change.
#[derive(Debug, Clone, Default)]
pub(super) struct Gate(Arc<RwLock<Passes>>);

impl Gate {
    /// Lets these through from now on. [`renew`] makes it known.
    pub(super) fn set(&self, passes: Passes) {
        if let Ok(mut now) = self.0.write() {
            *now = passes;
        }
    }

    fn ask<T: Default>(&self, about: impl FnOnce(&Passes) -> T) -> T {
        self.0.read().map_or_else(|_| T::default(), |it| about(&it))
    }
}

/// Has all messages learn whether they pass anywhere.
pub(super) fn renew() {
    tracing::callsite::rebuild_interest_cache();
}

impl Passes {
    fn by_level(&self, about: &Metadata<'_>) -> bool {
        self.level.is_some_and(|level| *about.level() <= level)
    }

    fn asking<'a>(&'a self, about: &'a Metadata<'_>) -> impl Iterator<Item = &'a Debug> {
        let deep = *about.level() > Level::DEBUG;
        let ours = move |it: &&Debug| it.is_about(about.target()) && (!deep || it.is_detailed());
        self.asked.iter().filter(ours)
    }

    fn may_pass(&self, about: &Metadata<'_>) -> bool {
        self.by_level(about) || self.asking(about).next().is_some()
    }

    fn passes(&self, event: &Event<'_>) -> bool {
        let about = event.metadata();
        self.by_level(about) || self.asking(about).any(|it| is_about(it.only(), event))
    }

    fn deepest(&self) -> LevelFilter {
        let asked = self.asked.iter().map(|it| match it.is_detailed() {
            true => LevelFilter::TRACE,
            false => LevelFilter::DEBUG,
        });
        let level = self.level.map_or(LevelFilter::OFF, LevelFilter::from_level);
        asked.fold(level, LevelFilter::max)
    }
}

impl<S> Filter<S> for Gate {
    fn enabled(&self, about: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        self.ask(|it| it.may_pass(about))
    }

    fn callsite_enabled(&self, about: &'static Metadata<'static>) -> Interest {
        self.ask(|it| Pass {
            always: it.by_level(about),
            may: it.may_pass(about),
        })
        .interest()
    }

    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        self.ask(|it| it.passes(event))
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.0.read().map_or(LevelFilter::OFF, |it| it.deepest()))
    }
}

#[derive(Default)]
struct Pass {
    always: bool,
    may: bool,
}

impl Pass {
    fn interest(self) -> Interest {
        match (self.always, self.may) {
            (true, _) => Interest::always(),
            (false, true) => Interest::sometimes(),
            (false, false) => Interest::never(),
        }
    }
}

/// Whether a message is about the one that is asked for.
fn is_about(only: Option<&Only>, event: &Event<'_>) -> bool {
    let Some(only) = only else {
        return true;
    };
    let field = match only {
        Only::Neighbor(_) => "neighbor",
        Only::Prefix(_) => "prefix",
    };
    let mut look = Look {
        field,
        wanted: only.to_string(),
        found: false,
    };
    event.record(&mut look);
    look.found
}

/// Looks for a field with a value.
struct Look {
    field: &'static str,
    wanted: String,
    found: bool,
}

impl Look {
    fn at(&mut self, field: &Field, value: &str) {
        if field.name() == self.field {
            // A neighbour without an address is called by its interface.
            let zone = value.split_once('%').map(|(_, zone)| zone);
            self.found |= value == self.wanted || zone == Some(&self.wanted);
        }
    }
}

impl Visit for Look {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == self.field {
            self.at(field, &format!("{value:?}"));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.at(field, value);
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Mutex;

    use tracing_subscriber::fmt::MakeWriter;
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::{Layer, fmt as lines};

    use super::*;
    use crate::debug;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Page {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend(octets);
            Ok(octets.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Page {
        type Writer = Page;

        fn make_writer(&'a self) -> Page {
            self.clone()
        }
    }

    impl Page {
        fn take(&self) -> String {
            let octets = std::mem::take(&mut *self.0.lock().unwrap());
            String::from_utf8(octets).unwrap()
        }
    }

    fn passes(level: Level, asked: &[&str]) -> Passes {
        let asked = asked.iter().flat_map(|text| Debug::read(text).unwrap());
        Passes {
            level: Some(level),
            asked: Arc::new(asked.collect()),
        }
    }

    fn speak() {
        tracing::info!("an event");
        tracing::debug!("of a developer");
        for (neighbor, prefix) in [("10.0.0.1", "10.1.0.0/16"), ("fe80::1%eth7", "10.2.0.0/16")] {
            tracing::debug!(target: debug::BGP_UPDATES_IN, %neighbor, prefix, "update from");
        }
        tracing::trace!(target: debug::ZEBRA_RIB, "deep");
        tracing::debug!(target: debug::ZEBRA_RIB, "shallow");
    }

    #[test]
    fn what_is_asked_for_passes_and_follows_what_is_asked_next() {
        let gates = [Gate::default(), Gate::default()];
        let pages = [Page::default(), Page::default()];
        let layer = |at: usize| {
            let layer = lines::layer()
                .with_writer(pages[at].clone())
                .with_ansi(false);
            layer.with_filter(gates[at].clone())
        };
        let layers = vec![layer(0).boxed(), layer(1).boxed()];
        let subscriber = tracing_subscriber::registry().with(layers);
        // One target takes what is asked for, and the other has its level alone.
        let said = |level: Level, asked: &[&str]| {
            gates[0].set(passes(level, asked));
            gates[1].set(passes(Level::INFO, &[]));
            renew();
            speak();
            // What was looked at and not written must not hold up what comes behind.
            tracing::info!("last");
            let [first, second] = [pages[0].take(), pages[1].take()];
            assert_eq!(second.lines().count(), 2, "{second}");
            let words = [
                "an event",
                "developer",
                "10.0.0.1",
                "eth7",
                "deep",
                "shallow",
                "last",
            ];
            words.map(|word| first.contains(word))
        };
        let (yes, no) = (true, false);
        tracing::subscriber::with_default(subscriber, || {
            assert_eq!(said(Level::INFO, &[]), [yes, no, no, no, no, no, yes]);
            assert_eq!(said(Level::WARN, &[]), [no; 7]);
            for (asked, wanted) in [
                ("bgp updates in", [yes, no, yes, yes, no, no, yes]),
                ("bgp updates", [yes, no, yes, yes, no, no, yes]),
                ("bgp updates out", [yes, no, no, no, no, no, yes]),
                ("bgp updates in 10.0.0.1", [yes, no, yes, no, no, no, yes]),
                ("bgp updates in eth7", [yes, no, no, yes, no, no, yes]),
                (
                    "bgp updates prefix 10.2.0.0/16",
                    [yes, no, no, yes, no, no, yes],
                ),
                ("zebra rib", [yes, no, no, no, no, yes, yes]),
                ("zebra rib detailed", [yes, no, no, no, yes, yes, yes]),
            ] {
                assert_eq!(said(Level::INFO, &[asked]), wanted, "{asked}");
            }
            assert_eq!(said(Level::TRACE, &[]), [yes; 7]);
            assert_eq!(said(Level::INFO, &[]), [yes, no, no, no, no, no, yes]);
        });
    }

    #[test]
    fn what_nobody_asks_for_is_not_even_worked_out() {
        let gate = Gate::default();
        let layer = lines::layer()
            .with_writer(io::sink)
            .with_filter(gate.clone());
        let mut worked = 0;
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            for asked in [&[][..], &["bgp nht"], &["bgp zebra"]] {
                gate.set(passes(Level::INFO, asked));
                renew();
                let mut work = || {
                    worked += 1;
                    worked
                };
                tracing::debug!(target: debug::BGP_ZEBRA, worked = work(), "worked out");
            }
        });
        assert_eq!(worked, 1);
    }
}
