//! An edge with whoever reads its file at the time.

use conformance::lab::{Edge, Error, Frr, Lab, Node, Release};
use serde_json::Value;

use super::told::states;

/// One of the three.
pub(super) struct Site {
    /// Where it stands.
    pub(super) edge: Edge,
    /// FRR, if that runs.
    pub(super) theirs: Frr,
    /// What both read.
    pub(super) file: String,
    is_ours: bool,
}

impl Site {
    pub(super) fn new(
        lab: &Lab,
        edge: Edge,
        release: &Release,
        file: String,
    ) -> Result<Self, Error> {
        let folder = lab.folder(&format!("frr-{}", edge.id()))?;
        let theirs = Frr::new(release.clone(), edge.space().clone(), folder).keeping();
        Ok(Self {
            edge,
            theirs,
            file,
            is_ours: false,
        })
    }

    pub(super) fn start_frr(&mut self, lab: &Lab) -> Result<(), Error> {
        self.is_ours = false;
        self.theirs.start(lab, &self.file)
    }

    /// All at once: zebra would take out what bgpd has left, when that goes first.
    pub(super) fn swap_in(&mut self, lab: &Lab) -> Result<(), Error> {
        self.theirs.freeze(true)?;
        self.theirs.kill9()?;
        self.is_ours = true;
        match self.edge.node_mut() {
            Node::Rbgpd(ours) => ours.start_frr(lab, &self.file),
            Node::Frr(_) => Err(Error::State("no rbgpd".to_owned())),
        }
    }

    /// As [`Self::swap_in`], with FRR itself in the place.
    pub(super) fn again(&mut self, lab: &Lab) -> Result<(), Error> {
        self.theirs.freeze(true)?;
        self.theirs.kill9()?;
        self.start_frr(lab)
    }

    pub(super) fn swap_back(&mut self, lab: &Lab) -> Result<(), Error> {
        self.edge.node_mut().kill9()?;
        self.start_frr(lab)
    }

    /// Whether rbgpd is in FRR's place.
    pub(super) fn runs_rbgpd(&self) -> bool {
        self.is_ours
    }

    /// Whether all of its sessions are up, whichever daemon has them.
    pub(super) fn is_up(&self, question: &str) -> Result<(), Error> {
        let shown = match self.is_ours {
            true => self.edge.node().vtysh(&[question])?,
            false => self.theirs.vtysh(&[question])?,
        };
        let value: Value = serde_json::from_str(&shown.stdout)
            .map_err(|error| Error::State(format!("{error}: {}", shown.text())))?;
        let mut found = Vec::new();
        states(&value, &mut found);
        match !found.is_empty() && found.iter().all(|it| it == "Established") {
            true => Ok(()),
            false => Err(Error::State(format!("edge {}: {found:?}", self.edge.id()))),
        }
    }

    /// What it shows of its file.
    pub(super) fn running_config(&self) -> Result<String, Error> {
        let shown = match self.is_ours {
            true => self.edge.node().ctl(&["show", "running-config", "--frr"])?,
            false => self.theirs.vtysh(&["show running-config"])?,
        };
        match shown.ok() {
            true => Ok(shown.stdout),
            false => Err(Error::State(shown.text())),
        }
    }
}
