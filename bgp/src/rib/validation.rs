//! What another set of VRPs means for the routes that are there (RFC 6811).

use std::sync::Arc;

use super::context::Cx;
use super::peer::PeerFamily;
use super::{Rib, on_family};
use crate::attributes::Attributes;
use crate::family::{Family, PerFamily};
use crate::nlri::Nlri;
use crate::policy;
use crate::rpki::{Affected, Validation, Validity, Vrps};

impl Rib {
    pub(super) fn validate(&mut self, new: Option<Arc<Validation>>) {
        let old = std::mem::replace(&mut self.validation, new);
        let (old, new) = (old.as_deref(), self.validation.clone());
        let mut asked = false;
        for peer in &mut self.peers.peers {
            if let Some(facts) = &mut peer.facts {
                asked |= validate_by(&mut facts.families, new.as_ref());
            }
        }
        for family in Family::ALL {
            // They keep it for maps that ask later.
            asked |= on_family!(self, family, |table, _cx| table
                .validate_dependent(new.as_ref()));
        }
        if !asked {
            return;
        }
        let affected = affected(old, new.as_deref());
        for family in Family::ALL {
            on_family!(self, family, |table, cx| table.validate(
                cx,
                new.as_ref(),
                &affected
            ));
        }
    }

    /// What origin validation says of a received route, if routes are validated.
    pub fn validity(&self, nlri: &Nlri, received: &Attributes) -> Option<Validity> {
        let validation = self.validation.as_ref()?;
        policy::validity(nlri, received, validation)
    }
}

/// Where two validations may come to something else.
fn affected(old: Option<&Validation>, new: Option<&Validation>) -> Affected {
    let none = Vrps::default();
    let vrps = |of: Option<&Validation>| of.map(|it| Arc::clone(&it.vrps));
    let (one, two) = (vrps(old), vrps(new));
    if let (Some(one), Some(two)) = (&one, &two)
        && old.map(|it| it.own_as) != new.map(|it| it.own_as)
    {
        // What we originate has another origin, and may be under any VRP.
        return Affected::between(&none, &Vrps::union([one, two]));
    }
    Affected::between(
        one.as_deref().unwrap_or(&none),
        two.as_deref().unwrap_or(&none),
    )
}

/// True if a policy asks for it.
pub(super) fn validate_by(
    families: &mut PerFamily<Option<PeerFamily>>,
    validation: Option<&Arc<Validation>>,
) -> bool {
    let mut asked = false;
    for family in Family::ALL {
        if let Some(settings) = families.get_mut(family) {
            settings.import.validate_by(validation);
            settings.export.validate_by(validation);
            asked |= settings.import.validates() || settings.export.validates();
        }
    }
    asked
}
