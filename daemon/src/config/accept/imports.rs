//! `[[import]]`: which instance is meant, and that it is another one.

use super::tenant::families;
use super::{Once, Policies};
use crate::config::error::{Conflict, Report};
use crate::config::file::File;
use crate::config::policy::resolve::undefined;
use crate::config::types::Import;
use crate::exchange::DEFAULT;

/// What an instance imports from others, all of which `whole` has.
pub(super) fn accept(
    whole: &File,
    file: &File,
    policies: &Policies,
    report: &mut Report,
) -> Vec<Import> {
    let vrf = |from: &str| {
        let instances = whole.instances.iter().map(|at| &at.value);
        let named = |it: &&File| it.name.as_ref().is_some_and(|name| name.value == from);
        let vrf = match from == DEFAULT {
            true => &whole.vrf,
            false => &instances.into_iter().find(named)?.vrf,
        };
        vrf.as_ref().map(|at| at.value.clone())
    };
    let mut seen = Once::new("import from");
    let mut imports = Vec::new();
    for table in file.imports.iter().map(|at| &at.value) {
        let route_map = policies.route_map(table.route_map.as_ref(), report);
        let families = families(table.families.as_ref(), report);
        let Some(from) = &table.from else { continue };
        seen.see(from.value.clone(), from.span, report);
        imports.push(Import {
            from: from.value.clone(),
            vrf: vrf(&from.value),
            route_map,
            families: families.unwrap_or(Import::FAMILIES),
        });
    }
    imports
}

/// That there is the instance, and that nobody imports from itself.
pub(super) fn check(file: &File, report: &mut Report) {
    let others = file.instances.iter().map(|at| &at.value);
    let named = |file: &File| match &file.name {
        Some(name) => name.value.clone(),
        None => DEFAULT.to_owned(),
    };
    let names: Vec<String> = others
        .clone()
        .filter_map(|it| Some(it.name.as_ref()?.value.clone()))
        .chain([DEFAULT.to_owned()])
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for (file, own) in
        std::iter::once((file, DEFAULT.to_owned())).chain(others.map(|it| (it, named(it))))
    {
        for import in file.imports.iter().map(|at| &at.value) {
            let Some(from) = &import.from else { continue };
            if from.value == own {
                let hint = "name another instance, or leave the table out";
                report.error_with_hint(from.span, Conflict::ImportFromItself(own.clone()), hint);
            } else if !names.contains(&from.value.as_str()) {
                undefined("instance", &from.value, from.span, &names, report);
            }
        }
    }
}
