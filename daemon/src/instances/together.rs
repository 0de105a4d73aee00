//! One answer out of those of all instances.
//!
//! Lines are marked with the instance they are of, unless that is the default one, whose lines are
//! as they are without others beside it.
//!
//! An order for all is safe for all first: a drain is tried dry before any instance drains. One
//! without a session has nobody to tell and nothing to move, and keeps no other from draining.
//! What is safe can still fail, as when the state directory is full: the others drain then, and the
//! error says of each instance whether it does.
//! Taking traffic back is not for all or none: an instance that is ready returns, and one that is
//! not is named.

use bgp::ScopedAddr;

use crate::control::reply::{self, Reply};
use crate::control::{Answer, CoreHandle, Drain, ErrorKind, ErrorReply, Request};

/// Whom to ask.
pub(super) struct Member {
    /// `None` for the default instance.
    pub(super) name: Option<String>,
    pub(super) vrf: Option<String>,
    pub(super) table: u32,
    pub(super) core: CoreHandle,
}

impl Member {
    fn word(&self) -> &str {
        self.name.as_deref().unwrap_or("default")
    }

    fn mark(&self, line: String) -> String {
        mark(self.name.as_deref(), line)
    }
}

fn mark(name: Option<&str>, line: String) -> String {
    match name {
        Some(name) => format!("instance {name}: {line}"),
        None => line,
    }
}

/// Asks all and makes one answer.
pub(super) async fn ask(
    members: &[Member],
    waiting: Vec<reply::Instance>,
    request: Request,
) -> Answer {
    match request {
        Request::Instances => {
            let mut instances = instances(members).await?;
            instances.extend(waiting);
            Ok(Reply::Instances(reply::Instances { instances }))
        }
        Request::Summary => summary(members, waiting).await,
        Request::Version => version(members).await,
        Request::Metrics => metrics(members).await,
        Request::Verify => verify(members).await,
        Request::Drain(order) => drain(members, order).await,
        Request::Undrain { neighbor, force } => {
            let order = || Request::Undrain { neighbor, force };
            match neighbor {
                Some(_) => whoever_has_it(members, order).await,
                None => undrain(members, order).await,
            }
        }
        Request::DrainStatus => status(members).await.map(Reply::Drain),
        Request::Networks => networks(members).await,
        Request::Neighbors { .. }
        | Request::Routes(_)
        | Request::Explain { .. }
        | Request::EvpnVni
        | Request::EvpnMac { .. }
        | Request::EvpnNeighbors { .. }
        | Request::EvpnVteps
        | Request::EvpnNextHops
        | Request::EvpnDuplicates { .. }
        | Request::ClearDuplicates { .. }
        | Request::Arrived { .. }
        | Request::EvpnRoutes(_)
        | Request::Bfd
        | Request::Rpki { .. }
        | Request::StaticRoutes
        | Request::Reload { .. }
        | Request::Running(_)
        | Request::Configure { .. }
        | Request::Debug { .. }
        | Request::Debugging
        | Request::Write
        | Request::Clear(_)
        | Request::RouteMaps { .. }
        | Request::PrefixLists
        | Request::Memory
        | Request::NetworkCreate(_)
        | Request::NetworkDelete(_)
        | Request::Of(..) => Err(ErrorReply::failed("this is for one instance")),
    }
}

/// Asks one about a neighbour. If it does not have that one, the answer names who does.
pub(super) async fn ask_one(
    members: &[Member],
    name: Option<String>,
    request: Request,
    address: ScopedAddr,
) -> Answer {
    let Some(one) = members.iter().find(|it| it.name == name) else {
        return Err(unexpected());
    };
    let answer = one.core.ask(request).await;
    let Err(error) = answer else { return answer };
    if error.kind != ErrorKind::NotFound {
        return Err(error);
    }
    let question = || Request::Neighbors {
        address: Some(address),
    };
    for other in members.iter().filter(|it| it.name != name) {
        if other.core.ask(question()).await.is_ok() {
            let word = other.word();
            let hint = format!("instance {word} has it: say so with `--instance {word}`");
            return Err(error.hint(hint));
        }
    }
    Err(error)
}

/// The core answered another question than it was asked.
fn unexpected() -> ErrorReply {
    ErrorReply::failed("the daemon gave an answer that does not fit the question")
}

async fn instances(members: &[Member]) -> Result<Vec<reply::Instance>, ErrorReply> {
    let mut instances = Vec::new();
    for member in members {
        let Reply::Summary(summary) = member.core.ask(Request::Summary).await? else {
            return Err(unexpected());
        };
        let established = |it: &&reply::NeighborSummary| it.state == "Established";
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        instances.push(reply::Instance {
            name: member.word().to_owned(),
            vrf: member.vrf.clone(),
            asn: summary.asn,
            router_id: summary.router_id,
            table: member.table,
            draining: summary.draining,
            neighbors: number(summary.neighbors.len()),
            established: number(summary.neighbors.iter().filter(established).count()),
            waiting: false,
        });
    }
    Ok(instances)
}

/// That of the default instance, with a line for each of the others.
async fn summary(members: &[Member], waiting: Vec<reply::Instance>) -> Answer {
    let Some((first, others)) = members.split_first() else {
        return Err(unexpected());
    };
    let mut answer = first.core.ask(Request::Summary).await?;
    if let Reply::Summary(summary) = &mut answer {
        summary.instances = instances(others).await?;
        summary.instances.extend(waiting);
    }
    Ok(answer)
}

/// The daemon is well when all cores answer: its watchdog asks this.
async fn version(members: &[Member]) -> Answer {
    let mut answer = Err(unexpected());
    for member in members.iter().rev() {
        answer = Ok(member.core.ask(Request::Version).await?);
    }
    answer
}

async fn metrics(members: &[Member]) -> Answer {
    let Some((first, others)) = members.split_first() else {
        return Err(unexpected());
    };
    let mut answer = first.core.ask(Request::Metrics).await?;
    for other in others {
        let theirs = other.core.ask(Request::Metrics).await?;
        if let (Reply::Metrics(whole), Reply::Metrics(theirs)) = (&mut answer, theirs) {
            whole.instances.push((other.word().to_owned(), *theirs));
        }
    }
    Ok(answer)
}

async fn networks(members: &[Member]) -> Answer {
    let mut whole = reply::Networks::default();
    for member in members {
        let Reply::Networks(one) = member.core.ask(Request::Networks).await? else {
            return Err(unexpected());
        };
        whole.networks.extend(one.networks.into_iter().map(|row| {
            let instance = member.name.clone();
            reply::Network { instance, ..row }
        }));
    }
    Ok(Reply::Networks(whole))
}

async fn verify(members: &[Member]) -> Answer {
    let mut whole: Option<reply::Verify> = None;
    for member in members {
        let Reply::Verify(mut one) = member.core.ask(Request::Verify).await? else {
            return Err(unexpected());
        };
        for difference in &mut one.differences {
            let entry = std::mem::take(&mut difference.entry);
            difference.entry = member.mark(entry);
        }
        one.notes = one.notes.into_iter().map(|it| member.mark(it)).collect();
        whole = Some(match whole {
            None => one,
            Some(mut whole) => {
                whole.equal &= one.equal;
                whole.checked += one.checked;
                whole.missing += one.missing;
                whole.different += one.different;
                whole.unexpected += one.unexpected;
                whole.differences.append(&mut one.differences);
                whole.kernel_enabled |= one.kernel_enabled;
                whole.notes.append(&mut one.notes);
                // One queue for all of them.
                whole.pending = whole.pending.max(one.pending);
                whole
            }
        });
    }
    whole.map(Reply::Verify).ok_or_else(unexpected)
}

async fn drain(members: &[Member], order: Drain) -> Answer {
    if order.neighbor.is_some() {
        return whoever_has_it(members, || Request::Drain(order.clone())).await;
    }
    let standing = instances(members).await?;
    let any = standing.iter().any(|it| it.established > 0);
    let orders = |dry_run: bool| {
        let one = |it: &reply::Instance| {
            Request::Drain(Drain {
                force: order.force || any && it.established == 0,
                dry_run,
                ..order.clone()
            })
        };
        standing.iter().map(one).collect::<Vec<Request>>()
    };
    if !order.dry_run && !order.force {
        each(members, orders(true)).await?;
    }
    match each(members, orders(order.dry_run)).await {
        Ok(drain) => Ok(Reply::Drain(drain)),
        Err(error) if order.dry_run => Err(error),
        Err(error) => Err(taken_by_some(members, error).await),
    }
}

async fn undrain(members: &[Member], order: impl Fn() -> Request) -> Answer {
    let orders = members.iter().map(|_| order()).collect();
    match each(members, orders).await {
        Ok(drain) => Ok(Reply::Drain(drain)),
        // The reasons name who does not return yet.
        Err(error) if error.kind == ErrorKind::NotSafe => Err(error),
        Err(error) => Err(taken_by_some(members, error).await),
    }
}

async fn status(members: &[Member]) -> Result<reply::Drain, ErrorReply> {
    let questions = members.iter().map(|_| Request::DrainStatus).collect();
    each(members, questions).await
}

/// An order that not all have taken: says of each instance whether it drains.
async fn taken_by_some(members: &[Member], error: ErrorReply) -> ErrorReply {
    let mut lines = Vec::new();
    for member in members {
        let standing = match member.core.ask(Request::DrainStatus).await {
            Ok(Reply::Drain(drain)) if drain.draining => "draining".to_owned(),
            Ok(Reply::Drain(_)) => "not draining".to_owned(),
            Ok(_) => unexpected().error,
            Err(error) => format!("does not say whether it drains: {}", error.error),
        };
        lines.push(format!("instance {}: {standing}", member.word()));
    }
    error
        .details(lines)
        .hint("mend that and order it again; `rbgpctl show drain` says who drains")
}

/// Asks each its question about a drain, whatever the others answer. What any of them refuses is
/// refused, with the reasons of all.
async fn each(members: &[Member], requests: Vec<Request>) -> Result<reply::Drain, ErrorReply> {
    let mut answers = Vec::new();
    let mut refused = Vec::new();
    for (member, request) in members.iter().zip(requests) {
        match member.core.ask(request).await {
            Ok(Reply::Drain(drain)) => answers.push((member, drain)),
            Ok(_) => refused.push((member, unexpected())),
            Err(error) => refused.push((member, error)),
        }
    }
    match refusal(refused) {
        Some(refusal) => Err(refusal),
        None => Ok(merged(answers)),
    }
}

/// One refusal out of several. What did not work weighs more than what is not safe.
fn refusal(mut refused: Vec<(&Member, ErrorReply)>) -> Option<ErrorReply> {
    let failed = |it: &(&Member, ErrorReply)| it.1.kind != ErrorKind::NotSafe;
    let at = refused.iter().position(failed);
    if refused.is_empty() {
        return None;
    }
    let (member, mut whole) = refused.remove(at.unwrap_or(0));
    if at.is_some() {
        whole.error = member.mark(whole.error);
    }
    let reasons = std::mem::take(&mut whole.details).into_iter();
    whole.details = reasons.map(|it| member.mark(it)).collect();
    for (member, error) in refused {
        if error.kind != ErrorKind::NotSafe {
            whole.details.push(member.mark(error.error));
        }
        let reasons = error.details.into_iter().map(|it| member.mark(it));
        whole.details.extend(reasons);
    }
    Some(whole)
}

fn merged(answers: Vec<(&Member, reply::Drain)>) -> reply::Drain {
    let mut whole = reply::Drain {
        complete: true,
        ..reply::Drain::default()
    };
    let all = answers.iter().all(|(_, one)| one.draining);
    for (member, one) in answers {
        if one.draining && !all {
            whole.only.push(member.word().to_owned());
        }
        if one.draining && !whole.draining || whole.since.is_none() {
            whole.since = one.since;
            whole.reason = one.reason;
            whole.deadline = one.deadline;
        }
        whole.draining |= one.draining;
        whole.complete &= one.complete;
        for (to, from) in [
            (&mut whole.overdue, one.overdue),
            (&mut whole.pending, one.pending),
            (&mut whole.risks, one.risks),
            (&mut whole.notes, one.notes),
        ] {
            to.extend(from.into_iter().map(|it| member.mark(it)));
        }
        let rates = [whole.packets_per_second, one.packets_per_second];
        let known = rates.iter().flatten();
        whole.packets_per_second = known.copied().reduce(|one, two| one + two);
        whole.dry_run |= one.dry_run;
        whole.neighbors.extend(one.neighbors.into_iter().map(|row| {
            let instance = member.name.clone();
            reply::NeighborDrain { instance, ..row }
        }));
    }
    whole
}

/// A neighbour's address is that of one instance, or one in each VRF: the first that has it.
async fn whoever_has_it(members: &[Member], request: impl Fn() -> Request) -> Answer {
    let mut first = None;
    for member in members {
        match member.core.ask(request()).await {
            Err(error) if error.kind == ErrorKind::NotFound => {
                first.get_or_insert(error);
            }
            Ok(Reply::Drain(_)) => return status(members).await.map(Reply::Drain),
            answer => return answer,
        }
    }
    Err(first.unwrap_or_else(unexpected))
}

/// A reload that changes nothing yet.
pub(super) fn nothing(dry_run: bool) -> reply::Reload {
    reply::Reload {
        dry_run,
        changed: false,
        changes: Vec::new(),
        restarts: Vec::new(),
        restart_required: Vec::new(),
        notes: Vec::new(),
    }
}

/// What a reload means for one instance more.
pub(super) fn add(whole: &mut reply::Reload, name: Option<&str>, one: reply::Reload) {
    whole.changed |= one.changed;
    whole.restarts.extend(one.restarts);
    for (to, from) in [
        (&mut whole.changes, one.changes),
        (&mut whole.restart_required, one.restart_required),
        (&mut whole.notes, one.notes),
    ] {
        to.extend(from.into_iter().map(|line| mark(name, line)));
    }
}

/// An instance that comes or goes.
pub(super) fn add_line(whole: &mut reply::Reload, name: &str, what: &str) {
    whole.changes.push(format!("instance {name}: {what}"));
}
