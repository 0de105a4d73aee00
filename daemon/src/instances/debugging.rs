//! Which debug messages are asked for: those of the configuration, and what was ordered since.
//!
//! An order holds until the next start or until it is taken back, as in FRR. A change of the configuration changes
//! what it names and leaves other orders as they are. Who writes the log follows ([`crate::service`]).

use std::collections::BTreeSet;

use tokio::sync::watch;

use super::Instances;
use crate::config::{Config, Debug};
use crate::control::{ErrorReply, reply};

/// What is asked for, and whoever follows it.
#[derive(Debug)]
pub(crate) struct Debugging(watch::Sender<BTreeSet<Debug>>);

impl Debugging {
    /// What the configuration asks for.
    pub(crate) fn of(config: &Config) -> Self {
        Self(watch::Sender::new(config.log.debug.clone()))
    }

    /// For whoever writes the log.
    pub(crate) fn follow(&self) -> watch::Receiver<BTreeSet<Debug>> {
        self.0.subscribe()
    }

    fn now(&self) -> BTreeSet<Debug> {
        self.0.borrow().clone()
    }

    fn set(&self, next: BTreeSet<Debug>) {
        self.0.send_if_modified(|now| {
            let differs = *now != next;
            *now = next;
            differs
        });
    }

    /// The configuration asks for something else.
    pub(super) fn configure(&self, old: &Config, new: &Config) {
        let (old, new) = (&old.log.debug, &new.log.debug);
        let mut now = self.now();
        now.retain(|it| !old.contains(it) || new.contains(it));
        for added in new.difference(old) {
            ask(&mut now, added.clone());
        }
        self.set(now);
    }
}

/// What takes its place is gone.
fn ask(all: &mut BTreeSet<Debug>, one: Debug) {
    all.retain(|it| !one.replaces(it));
    all.insert(one);
}

impl Instances {
    /// Asks for debug messages, or for no more of them.
    pub(super) fn debug(&self, words: &str, on: bool) -> Result<reply::Debugging, ErrorReply> {
        let mut now = self.debugging.now();
        match (Debug::read(words), on) {
            (Some(asked), true) => asked.into_iter().for_each(|it| ask(&mut now, it)),
            (None, true) => {
                let error = format!("there are no debug messages of `{words}`");
                return Err(ErrorReply::bad_request(error)
                    .hint("those that there are: [log] in docs/configuration.md"));
            }
            (_, false) => now.retain(|it| !it.is_within(words)),
        }
        self.debugging.set(now);
        Ok(self.debugs())
    }

    /// What is asked for, and who shows it.
    pub(super) fn debugs(&self) -> reply::Debugging {
        let words = self.debugging.now();
        let targets = self.in_effect.config.log.selecting();
        reply::Debugging {
            debug: words.iter().map(ToString::to_string).collect(),
            targets: targets.into_iter().map(str::to_owned).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    fn with(debug: &str) -> Config {
        let text = format!("asn = 65001\nrouter_id = \"10.0.0.1\"\n[log]\ndebug = [{debug}]\n");
        config::parse(&text, "test.toml").unwrap()
    }

    #[test]
    fn a_change_of_the_configuration_leaves_what_was_ordered_beside_it() {
        let (one, two) = (
            with(r#""bgp nht", "bgp updates in 10.0.0.1""#),
            with(r#""bgp updates in", "bgp zebra""#),
        );
        let debugging = Debugging::of(&one);
        let mut ordered = debugging.now();
        for order in ["bfd peer", "bgp keepalives"] {
            ask(&mut ordered, Debug::one(order).unwrap());
        }
        debugging.set(ordered);
        let shown = || {
            let now = debugging.now();
            now.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        debugging.configure(&one, &two);
        assert_eq!(
            shown(),
            ["bgp keepalives", "bgp updates in", "bgp zebra", "bfd peer"]
        );
        debugging.configure(&two, &one);
        assert_eq!(
            shown(),
            [
                "bgp keepalives",
                "bgp nht",
                "bgp updates in 10.0.0.1",
                "bfd peer"
            ]
        );
    }
}
