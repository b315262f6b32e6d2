//! A generated workspace whose tree has as many groups, and as many levels, as one may have.

use anyhow::{Context as _, Result};
use bailiwick::ids::Ids;
use directory::{
    access::{Operator, OperatorVia},
    ids::{UserId, WorkspaceId},
    model::{Provenance, Status, Timestamp, UserText},
    store::{ImportGroup, ImportPerson, ImportWorkspace, Store},
};

use crate::people;

/// Groups of the workspace.
pub const GROUPS: u64 = 100_000;
/// People of the workspace.
pub const PEOPLE: u64 = 300_000;
/// Memberships of the workspace: of every three people, one has four and two have three.
pub const MEMBERSHIPS: u64 = PEOPLE / 3 * 10;

/// 100,000 people with one membership each, on levels 10 to 18.
pub const SHALLOW: Part = Part { name: "shallow", depth: 10, groups: 10_000, height: 8 };
/// Another 100,000 with one each, on levels 45 to 64.
pub const DEEP: Part = Part { name: "deep", depth: 45, groups: 10_000, height: 19 };
/// The last 100,000 with three each, near the top.
pub const BIG: Part = Part { name: "big", depth: 2, groups: 30_000, height: 6 };
/// The other memberships of the people of [`SHALLOW`] and [`DEEP`], on levels 1 to 10.
pub const REST: Part = Part { name: "rest", depth: 1, groups: GROUPS - SHALLOW.size() - DEEP.size() - BIG.size(), height: 9 };

/// A subtree, and two chains of groups from the first level down: its root hangs below the one, and could as well below the other.
#[derive(Clone, Copy)]
pub struct Part {
    /// What the keys of its groups begin with.
    pub name: &'static str,
    /// Levels down to its root, itself included.
    pub depth: u64,
    /// Groups of the subtree, its root included.
    pub groups: u64,
    /// Levels below its root.
    pub height: u64,
}

impl Part {
    /// Groups of the subtree and of both chains.
    const fn size(&self) -> u64 {
        self.groups + 2 * (self.depth - 1)
    }

    /// The key of one group of the subtree; 0 is the root, and the last is on the lowest level.
    pub fn key(&self, at: u64) -> String {
        format!("{}-{at}", self.name)
    }

    /// The lowest groups of both chains, which have no group above them in common: the parent first.
    pub fn parents(&self) -> [String; 2] {
        ["above", "beside"].map(|chain| self.link(chain, self.depth - 1))
    }

    /// The group above the parent.
    pub fn grandparent(&self) -> String {
        self.link("above", self.depth - 2)
    }

    fn link(&self, chain: &str, level: u64) -> String {
        format!("{}-{chain}-{level}", self.name)
    }

    /// Parents before children.
    fn import(self) -> impl Iterator<Item = ImportGroup> {
        let chain = move |chain: &'static str| {
            (1..self.depth).map(move |level| group(self.link(chain, level), (level > 1).then(|| self.link(chain, level - 1))))
        };
        let subtree = (0..self.groups).map(move |at| group(self.key(at), self.parent(at)));
        ["above", "beside"].into_iter().flat_map(chain).chain(subtree)
    }

    /// All levels below the root are equally wide, but for the lowest; each group hangs below some group of the level above.
    fn parent(&self, at: u64) -> Option<String> {
        let width = (self.groups - 1).div_ceil(self.height);
        match at.checked_sub(1).map(|at| at / width) {
            None => (self.depth > 1).then(|| self.link("above", self.depth - 1)),
            Some(0) => Some(self.key(0)),
            Some(level) => Some(self.key(1 + (level - 1) * width + scattered(at) % width)),
        }
    }

    /// So many memberships of one person in different groups of the subtree, at most four.
    fn memberships(self, person: u64, times: u64) -> impl Iterator<Item = (String, bool)> {
        let at = move |time: u64| (scattered(person) + time * (self.groups / 4)) % self.groups;
        (0..times).map(move |time| (self.key(at(time)), false))
    }
}

/// Imports the workspace `trees`; answers it and its administrator.
pub async fn import(store: &dyn Store) -> Result<(WorkspaceId, UserId)> {
    let now = Timestamp(1_700_000_000_000_000);
    let mut ids = Ids::seeded("benchmarks of trees", now);
    let policy = people::standard(&mut ids, now);
    let change = ImportWorkspace {
        key: "trees".to_owned(),
        name: format!("A tree of {GROUPS} groups"),
        user_quota: None,
        attributes: Vec::new(),
        groups: [SHALLOW, DEEP, BIG, REST].into_iter().flat_map(Part::import).collect(),
        roles: Vec::new(),
        people: Box::new((0..PEOPLE).map(person)),
        policy,
        provenance: Provenance::Import,
        now,
        ids: Box::new(ids),
    };
    let operator = Operator::new(OperatorVia::CommandLine);
    let summary = store.import(operator.import(change), &|progress| eprintln!("{}: {}", progress.stage, progress.done)).await?;
    let workspace = summary.workspace.context("the import names its workspace")?;
    let administrator = operator.users_named(store, workspace, &[&user_name(0)]).await?.into_iter().next().flatten();
    Ok((workspace, administrator.context("the administrator is there")?))
}

fn group(key: String, parent: Option<String>) -> ImportGroup {
    ImportGroup { name: format!("Group {key}"), key, description: None, parent, attributes: Vec::new() }
}

fn user_name(at: u64) -> String {
    format!("tree{at:06}")
}

/// Person 0 is an administrator.
fn person(at: u64) -> ImportPerson {
    let memberships: Vec<(String, bool)> = match at % 3 {
        0 => SHALLOW.memberships(at, 1).chain(REST.memberships(at, 3)).collect(),
        1 => DEEP.memberships(at, 1).chain(REST.memberships(at, 2)).collect(),
        _ => BIG.memberships(at, 3).collect(),
    };
    ImportPerson {
        issuer: "trees".to_owned(),
        identifier: user_name(at),
        texts: vec![
            (UserText::UserName, user_name(at)),
            (UserText::DisplayName, format!("Person {}", scattered(at) % 1_000_003)),
            (UserText::GivenName, format!("Given{}", scattered(at) % 997)),
            (UserText::FamilyName, format!("Family{}", scattered(at) % 9_973)),
            (UserText::Email, format!("{}@example.com", user_name(at))),
        ],
        exclusive: false,
        status: Status::Active,
        attributes: Vec::new(),
        memberships,
        manages_top: false,
        grants: vec![((if at == 0 { "administrator" } else { "member" }).to_owned(), None)],
    }
}

/// A multiplicative hash: scattered, and the same every time.
fn scattered(at: u64) -> u64 {
    at.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20
}
