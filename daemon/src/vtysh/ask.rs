//! What commands ask of the daemon, and of which instance.
//!
//! FRR has an instance for each VRF and one called `default`; so has rbgpd, whose instances may have
//! names of their own beside. A VRF is looked up by its device first, then by the instance's name.

use bgp::{Family, Prefix, ScopedAddr, Vni};
use serde::de::DeserializeOwned;

use super::host::DEFAULT;
use crate::config::{self, Config};
use crate::control::client::{Client, ClientError};
use crate::control::{self, EvpnRoutes, Language, Page, Request, Select, reply};

/// Why a command has no answer.
#[derive(Debug)]
pub(super) enum Trouble {
    /// This is said instead. FRR calls it a warning, which is no failure to a script.
    Warning(String),
    /// This is said instead, and the command has failed.
    Failure(String),
    /// The daemon did not answer, or says no.
    Client(ClientError),
}

impl From<ClientError> for Trouble {
    fn from(error: ClientError) -> Self {
        Trouble::Client(error)
    }
}

/// A daemon that is asked.
#[derive(Debug)]
pub(super) struct Asking {
    client: Client,
}

/// An instance that is asked.
#[derive(Debug)]
pub(super) struct Router {
    client: Client,
    /// What FRR calls its VRF.
    pub(super) vrf: String,
    /// The instance.
    pub(super) instance: reply::Instance,
}

impl Asking {
    pub(super) fn new(client: Client) -> Self {
        Self { client }
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) async fn version(&self) -> Result<reply::Version, ClientError> {
        self.client.ask(&Request::Version).await
    }

    /// All instances, the default one first.
    pub(super) async fn routers(&self) -> Result<Vec<Router>, Trouble> {
        let all: reply::Instances = self.client.ask(&Request::Instances).await?;
        let router = |instance: reply::Instance| Router {
            client: self.client.clone().instance(Some(instance.name.clone())),
            vrf: instance
                .vrf
                .clone()
                .unwrap_or_else(|| instance.name.clone()),
            instance,
        };
        Ok(all.instances.into_iter().map(router).collect())
    }

    /// The instance of a VRF, the default one without a name.
    pub(super) async fn router(&self, vrf: Option<&str>) -> Result<Option<Router>, Trouble> {
        let vrf = vrf.unwrap_or(DEFAULT);
        let mut all = self.routers().await?;
        let of_vrf = all.iter().position(|it| it.vrf == vrf);
        let place = of_vrf.or_else(|| all.iter().position(|it| it.instance.name == vrf));
        Ok(place.map(|place| all.swap_remove(place)))
    }

    /// What is in force.
    pub(super) async fn running(&self) -> Result<Config, Trouble> {
        let running: reply::Running = self.ask(&Request::Running(Language::Toml)).await?;
        config::parse(&running.text, "running-config").map_err(|errors| {
            let errors: String = errors.iter().map(|error| format!("{error}\n")).collect();
            Trouble::Failure(format!(
                "% the running configuration cannot be read:\n{errors}"
            ))
        })
    }

    /// A question that is not for one instance, or for the default one.
    pub(super) async fn ask<T: DeserializeOwned>(&self, request: &Request) -> Result<T, Trouble> {
        Ok(self.client.ask(request).await?)
    }
}

impl Router {
    pub(super) async fn ask<T: DeserializeOwned>(&self, request: &Request) -> Result<T, Trouble> {
        Ok(self.client.ask(request).await?)
    }

    pub(super) async fn summary(&self) -> Result<reply::Summary, Trouble> {
        self.ask(&Request::Summary).await
    }

    pub(super) async fn neighbors(&self) -> Result<Vec<reply::Neighbor>, Trouble> {
        let all: reply::Neighbors = self.ask(&Request::Neighbors { address: None }).await?;
        Ok(all.neighbors)
    }

    pub(super) async fn memory(&self) -> Result<reply::Memory, Trouble> {
        self.ask(&Request::Memory).await
    }

    /// The routes of a family, all of them or those of a prefix.
    pub(super) async fn routes(
        &self,
        family: Family,
        prefix: Option<Prefix>,
        select: Select,
    ) -> Result<Vec<reply::Route>, Trouble> {
        let mut all = Vec::new();
        let mut after = None;
        loop {
            let page: reply::Routes = self
                .ask(&Request::Routes(control::Routes {
                    family: Some(family),
                    prefix,
                    select,
                    page: usual(after),
                }))
                .await?;
            all.extend(page.routes);
            after = page.next;
            if after.is_none() {
                return Ok(all);
            }
        }
    }

    /// EVPN routes.
    pub(super) async fn evpn_routes(
        &self,
        wanted: &EvpnRoutes,
    ) -> Result<Vec<reply::EvpnRoute>, Trouble> {
        let mut all = Vec::new();
        let mut after = None;
        loop {
            let request = EvpnRoutes {
                page: usual(after),
                ..wanted.clone()
            };
            let page: reply::EvpnRoutes = self.ask(&Request::EvpnRoutes(request)).await?;
            all.extend(page.routes);
            after = page.next;
            if after.is_none() {
                return Ok(all);
            }
        }
    }

    pub(super) async fn vnis(&self) -> Result<reply::EvpnVni, Trouble> {
        self.ask(&Request::EvpnVni).await
    }

    pub(super) async fn macs(&self, vni: Option<Vni>) -> Result<Vec<reply::Mac>, Trouble> {
        let mut all = Vec::new();
        let mut after = None;
        loop {
            let page = usual(after);
            let page: reply::EvpnMac = self.ask(&Request::EvpnMac { vni, page }).await?;
            all.extend(page.macs);
            after = page.next;
            if after.is_none() {
                return Ok(all);
            }
        }
    }

    pub(super) async fn evpn_neighbors(
        &self,
        vni: Option<Vni>,
    ) -> Result<Vec<reply::EvpnNeighbor>, Trouble> {
        let mut all = Vec::new();
        let mut after = None;
        loop {
            let page = usual(after);
            let page: reply::EvpnNeighbors =
                self.ask(&Request::EvpnNeighbors { vni, page }).await?;
            all.extend(page.neighbors);
            after = page.next;
            if after.is_none() {
                return Ok(all);
            }
        }
    }

    pub(super) async fn next_hops(&self) -> Result<Vec<reply::EvpnNextHop>, Trouble> {
        let all: reply::EvpnNextHops = self.ask(&Request::EvpnNextHops).await?;
        Ok(all.next_hops)
    }

    /// The neighbour that a word names: an address, or the interface of one that was heard there.
    pub(super) async fn neighbor(&self, word: &str) -> Result<Option<ScopedAddr>, Trouble> {
        let all = self.summary().await?.neighbors;
        let address = word.parse::<ScopedAddr>().ok();
        let found = all.iter().find(|it| match address {
            Some(address) => it.address == address || it.address.ip() == address.ip(),
            None => it.interface.as_deref() == Some(word),
        });
        Ok(found.map(|it| it.address))
    }
}

fn usual(after: Option<String>) -> Page {
    Page {
        limit: Some(Page::USUAL),
        after,
    }
}
