//! `show bgp ipv4 unicast detail`: a table with everything about each path.

use std::collections::HashMap;

use bgp::{Family, ScopedAddr};
use serde_json::{Map, Value, json};

use super::prefix::{Overlay, prefix_json, prefix_text};
use super::{NO_ROUTES, View, by_prefix, is_listed, passed_json, views};
use crate::control::Select;
use crate::control::reply::Route;
use crate::vtysh::ask::{Asking, Trouble};
use crate::vtysh::grammar::Said;
use crate::vtysh::show::summary::is_up;
use crate::vtysh::show::{Answer, Answered};

/// With `detail json` FRR has a list of paths for each prefix, with `json detail` what it has of one prefix.
pub(in crate::vtysh::show) async fn detailed(
    said: &Said,
    asking: &Asking,
    whole: bool,
) -> Answered {
    let family = super::family(said);
    let every = said.value(&["NAME"]) == Some("all");
    let (mut text, mut objects) = (String::new(), Map::new());
    for view in views(said, asking).await? {
        if every {
            text.push_str(&format!("\nInstance {}:\n", view.router.vrf));
        }
        let mut routes = view.router.routes(family, None, Select::All).await?;
        routes.retain(is_listed);
        let told = told(&view, family).await?;
        let overlay = Overlay::of(asking, &routes).await?;
        let paths = routes.len();
        let groups = by_prefix(routes);
        text.push_str(&match groups.is_empty() {
            true => NO_ROUTES.to_owned(),
            false => view.text_head(),
        });
        let mut object = view.head();
        let mut table = Map::new();
        for (name, all) in &groups {
            let told = told.get(name).map_or(&[][..], Vec::as_slice);
            let shown: Vec<&Route> = all.iter().collect();
            let (part, of_prefix) = match said.has("json") {
                true => (
                    String::new(),
                    prefix_json(&view, &overlay, name, &shown, all, told),
                ),
                false => (
                    prefix_text(&view, &overlay, name, &shown, all, told),
                    Value::Null,
                ),
            };
            text.push_str(&part);
            let paths = |it: &Value| it.get("paths").cloned().unwrap_or_default();
            let of_prefix = if whole { of_prefix } else { paths(&of_prefix) };
            table.insert(name.clone(), of_prefix);
        }
        object.insert("routes".to_owned(), Value::Object(table));
        object.insert("totalRoutes".to_owned(), json!(groups.len()));
        object.insert("totalPaths".to_owned(), json!(paths));
        if !groups.is_empty() {
            let routes = groups.len();
            text.push_str(&format!(
                "\nDisplayed {routes} routes and {paths} total paths\n"
            ));
        }
        objects.insert(view.router.vrf.clone(), Value::Object(object));
    }
    Ok(Answer::of_instances(said, text, objects))
}

/// What passed between us and a neighbour, with everything.
pub(super) async fn passed(
    said: &Said,
    asking: &Asking,
    view: &View,
    family: Family,
    key: &str,
    routes: Vec<Route>,
) -> Answered {
    let told = told(view, family).await?;
    let mut listed = view.router.routes(family, None, Select::All).await?;
    listed.retain(is_listed);
    let listed: HashMap<String, Vec<Route>> = by_prefix(listed).into_iter().collect();
    let overlay = Overlay::of(asking, &routes).await?;
    let mut table = Map::new();
    let mut text = match routes.is_empty() {
        true => "Network not in table\n".to_owned(),
        false => view.text_head(),
    };
    for (name, passed) in by_prefix(routes) {
        let told = told.get(&name).map_or(&[][..], Vec::as_slice);
        let all = listed.get(&name).map_or(&[][..], Vec::as_slice);
        let shown: Vec<&Route> = passed.iter().collect();
        text.push_str(&prefix_text(view, &overlay, &name, &shown, all, told));
        let object = prefix_json(view, &overlay, &name, &shown, all, told);
        table.insert(name, object);
    }
    let count = table.len();
    if count > 0 {
        text.push_str(&format!("\nTotal number of prefixes {count}\n"));
    }
    Ok(match said.has("json") {
        false => Answer::Text(text),
        true => passed_json(view, key, table, count),
    })
}

/// Who is told of each prefix.
async fn told(view: &View, family: Family) -> Result<HashMap<String, Vec<ScopedAddr>>, Trouble> {
    let mut told: HashMap<String, Vec<ScopedAddr>> = HashMap::new();
    let mut up: Vec<ScopedAddr> = view
        .neighbors
        .values()
        .filter(|it| is_up(&it.summary) && it.summary.families.get(family).is_some())
        .map(|it| it.summary.address)
        .collect();
    up.sort();
    for neighbor in up {
        let select = Select::Advertised(neighbor);
        for route in view.router.routes(family, None, select).await? {
            let of_prefix = told.entry(route.prefix).or_default();
            if of_prefix.last() != Some(&neighbor) {
                of_prefix.push(neighbor);
            }
        }
    }
    Ok(told)
}
