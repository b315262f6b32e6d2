//! A generated organisation: a tree of groups seven levels deep, and people in one to three of them.

use anyhow::{Context as _, Result};
use bailiwick::ids::Ids;
use directory::{
    access::{Operator, OperatorVia},
    ids::{PolicyVersionId, UserId, WorkspaceId},
    model::{Provenance, Status, Timestamp, UserText},
    store::{IdSource as _, ImportGroup, ImportPerson, ImportProgress, ImportWorkspace, NewPolicyVersion, Store},
};

/// Children of each group.
const WIDTH: u64 = 4;

/// Imports `people` people in `people / 100` groups. The first group is the root of nine tenths of them; person 0 is an administrator,
/// person 1 is in the root of the large subtree, person 2 in a leaf.
pub async fn import(store: &dyn Store, people: u64) -> Result<WorkspaceId> {
    import_as(store, &format!("bench-{people}"), people, (people / 100).max(50)).await
}

/// The same under a key of its own, in so many groups, of which there are three at least.
pub async fn import_as(store: &dyn Store, key: &str, people: u64, groups: u64) -> Result<WorkspaceId> {
    let now = Timestamp(1_700_000_000_000_000);
    let mut ids = Ids::seeded(&format!("benchmarks of {key}"), now);
    let policy = standard(&mut ids, now);
    let change = ImportWorkspace {
        key: key.to_owned(),
        name: format!("{people} people"),
        user_quota: None,
        attributes: Vec::new(),
        groups: (0..groups).map(group).collect(),
        roles: Vec::new(),
        people: Box::new((0..people).map(move |at| person(at, groups))),
        policy,
        provenance: Provenance::Import,
        now,
        ids: Box::new(ids),
    };
    let operator = Operator::new(OperatorVia::CommandLine);
    let summary = store.import(operator.import(change), &|progress| tell(people, progress)).await?;
    summary.workspace.context("the import names its workspace")
}

fn tell(people: u64, progress: ImportProgress) {
    // Many small ones have nothing to tell.
    if people > 1_000 {
        eprintln!("{}: {}", progress.stage, progress.done);
    }
}

/// `standard` decides alone, with its default settings.
pub fn standard(ids: &mut Ids, now: Timestamp) -> NewPolicyVersion {
    NewPolicyVersion {
        id: PolicyVersionId(ids.next_id()),
        module: None,
        settings: String::new(),
        standard: bailiwick::wiring::standard().digest,
        standard_settings: String::new(),
        activated_by: None,
        activated_at: now,
        repeats: None,
        note: None,
    }
}

/// The administrator, the person at the root of the large subtree, and the person in a leaf.
pub async fn first(store: &dyn Store, workspace: WorkspaceId) -> Result<[UserId; 3]> {
    let operator = Operator::new(OperatorVia::CommandLine);
    let names: Vec<String> = (0..3).map(user_name).collect();
    let found = operator.users_named(store, workspace, &names.iter().map(String::as_str).collect::<Vec<_>>()).await?;
    let found: Vec<UserId> = found.into_iter().collect::<Option<_>>().context("the first three people are there")?;
    found.try_into().map_err(|_| anyhow::anyhow!("three people"))
}

fn user_name(at: u64) -> String {
    format!("person{at:07}")
}

/// Group 0 is on the first level, and so is group 1; the rest hangs below group 0.
fn group(at: u64) -> ImportGroup {
    let parent = match at {
        0 | 1 => None,
        2..=5 => Some(0),
        at => Some((at - 2) / WIDTH + 1),
    };
    ImportGroup {
        key: format!("group-{at}"),
        name: format!("Group {at}"),
        description: None,
        parent: parent.map(|parent| format!("group-{}", if parent == 1 { 0 } else { parent })),
        attributes: Vec::new(),
    }
}

fn person(at: u64, groups: u64) -> ImportPerson {
    // A multiplicative hash scatters people over groups the same way every time.
    let scattered = at.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20;
    let mut memberships = match at {
        0 => Vec::new(),
        1 => vec![("group-0".to_owned(), false)],
        2 => vec![(format!("group-{}", groups - 1), false)],
        at if at % 10 == 0 => vec![("group-1".to_owned(), false)],
        _ => vec![(format!("group-{}", 2 + scattered % (groups - 2)), at % 50 == 7)],
    };
    if at % 4 == 3 {
        let second = (format!("group-{}", 2 + (scattered / 7) % (groups - 2)), false);
        if memberships.iter().all(|(key, _)| *key != second.0) {
            memberships.push(second);
        }
    }
    ImportPerson {
        issuer: "bench".to_owned(),
        identifier: user_name(at),
        texts: vec![
            (UserText::UserName, user_name(at)),
            (UserText::DisplayName, format!("Person {}", scattered % 1_000_003)),
            (UserText::GivenName, format!("Given{}", scattered % 997)),
            (UserText::FamilyName, format!("Family{}", scattered % 9_973)),
            (UserText::Email, format!("{}@example.com", user_name(at))),
        ],
        exclusive: false,
        status: if at % 100 == 99 { Status::Suspended } else { Status::Active },
        attributes: Vec::new(),
        memberships,
        manages_top: false,
        grants: vec![((if at == 0 { "administrator" } else { "member" }).to_owned(), None)],
    }
}
