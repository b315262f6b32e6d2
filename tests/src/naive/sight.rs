//! What one subject sees: the policy's word on every row, and what the host enforces beside it.

use super::{
    Kind,
    policy::{Asker, Policy, Scope, Subject, names},
};
use crate::model::{Attributes, World};

/// A workspace as one subject may see it.
pub struct Sight<'a> {
    /// The workspace.
    pub world: &'a World,
    /// Who asks.
    pub subject: Subject<'a>,
    /// What decides.
    pub policy: &'a Policy,
    /// The fields that each row loses, in the register's order; `None` for rows that are not there for the subject.
    rows: [Vec<Option<Vec<String>>>; 5],
    /// The rows that are there, by id.
    seen: [Vec<usize>; 5],
    scopes: [Scope; 5],
    /// The visible group right above each group, seen or not.
    parents: Vec<Option<usize>>,
}

impl<'a> Sight<'a> {
    /// Looks at every row.
    #[must_use]
    pub fn new(world: &'a World, asker: &'a Asker, policy: &'a Policy) -> Self {
        let subject = Subject::new(world, asker);
        let counts = [world.people.len(), world.groups.len(), world.roles.len(), world.memberships.len(), world.grants.len()];
        let may = |kind: Kind| asker.may_attempt(&format!("{kind}.read"));
        let judge =
            |kind: Kind, row| if may(kind) { policy.judge(&subject, kind, row).map(|withheld| losing(kind, &withheld)) } else { None };
        let mut rows = Kind::ALL.map(|kind| (0..counts[kind as usize]).map(|row| judge(kind, row)).collect::<Vec<_>>());
        let scopes = Kind::ALL.map(|kind| if may(kind) { policy.scope(&subject, kind) } else { Scope::nothing() });
        // An edge is there only where both of its ends are.
        for (row, membership) in world.memberships.iter().enumerate() {
            if rows[Kind::User as usize][membership.person].is_none() || rows[Kind::Group as usize][membership.group].is_none() {
                rows[Kind::Membership as usize][row] = None;
            }
        }
        for (row, grant) in world.grants.iter().enumerate() {
            if rows[Kind::User as usize][grant.person].is_none() || rows[Kind::Role as usize][grant.role].is_none() {
                rows[Kind::Grant as usize][row] = None;
            }
        }
        let seen = Kind::ALL.map(|kind| {
            let by_id = world.by_id[kind as usize].iter().copied();
            by_id.filter(|row| rows[kind as usize][*row].is_some()).collect()
        });
        let mut sight = Self { world, subject, policy, rows, seen, scopes, parents: Vec::new() };
        sight.parents = (0..world.groups.len()).map(|group| sight.ancestors(group).first().copied()).collect();
        sight
    }

    /// What lists of a kind obey beside their rows.
    #[must_use]
    pub fn scope(&self, kind: Kind) -> &Scope {
        &self.scopes[kind as usize]
    }

    /// The fields that a row loses; `None` if it is not there for the subject.
    #[must_use]
    pub fn row(&self, kind: Kind, row: usize) -> Option<&[String]> {
        self.rows[kind as usize][row].as_deref()
    }

    /// Whether a row is there for the subject.
    #[must_use]
    pub fn sees(&self, kind: Kind, row: usize) -> bool {
        self.row(kind, row).is_some()
    }

    /// Every row that is there for the subject, by id.
    #[must_use]
    pub fn all(&self, kind: Kind) -> &[usize] {
        &self.seen[kind as usize]
    }

    /// The id of a row.
    #[must_use]
    pub fn id(&self, kind: Kind, row: usize) -> &str {
        match kind {
            Kind::User => &self.world.people[row].id,
            Kind::Group => &self.world.groups[row].id,
            Kind::Role => &self.world.roles[row].id,
            Kind::Membership => &self.world.memberships[row].id,
            Kind::Grant => &self.world.grants[row].id,
        }
    }

    /// The row of an id, seen or not.
    #[must_use]
    pub fn find(&self, kind: Kind, id: &str) -> Option<usize> {
        (0..self.rows[kind as usize].len()).find(|row| self.id(kind, *row) == id)
    }

    /// Whether a field of a row that is there is withheld.
    #[must_use]
    pub fn hides(&self, kind: Kind, row: usize, field: &str) -> bool {
        self.row(kind, row).is_none_or(|lost| lost.iter().any(|name| names(name, kind, field)))
    }

    /// The custom attributes of a row that are not withheld.
    #[must_use]
    pub fn attributes(&self, kind: Kind, row: usize, attributes: &Attributes) -> Attributes {
        attributes.clone().into_iter().filter(|(name, _)| !self.hides(kind, row, &format!("attributes.{name}"))).collect()
    }

    /// The visible groups above a group, the nearest first.
    #[must_use]
    pub fn ancestors(&self, group: usize) -> Vec<usize> {
        self.world.above(group).filter(|above| self.sees(Kind::Group, *above)).collect()
    }

    /// The visible groups below a group, at most so many levels of visible groups down.
    #[must_use]
    pub fn below(&self, group: usize, levels: Option<usize>) -> Vec<usize> {
        let distance = |start: usize| {
            let mut climb = std::iter::successors(self.parents[start], |above| self.parents[*above]);
            climb.position(|above| above == group).map(|position| position + 1)
        };
        let near = |start: &usize| distance(*start).is_some_and(|distance| levels.is_none_or(|levels| distance <= levels));
        self.all(Kind::Group).iter().copied().filter(near).collect()
    }

    /// Visible groups in a tree: each after its parent, siblings by id, with its parent and its level from 1.
    #[must_use]
    pub fn tree(&self, root: Option<usize>, levels: Option<usize>) -> Vec<(usize, Option<usize>, usize)> {
        let mut tree = Vec::new();
        let starts: Vec<usize> = match root {
            Some(root) => vec![root],
            None => self.children(None).collect(),
        };
        for start in starts {
            self.grow(&mut tree, (start, None, 1));
        }
        tree.retain(|(_, _, level)| levels.is_none_or(|levels| *level <= levels));
        tree
    }

    fn grow(&self, tree: &mut Vec<(usize, Option<usize>, usize)>, node: (usize, Option<usize>, usize)) {
        tree.push(node);
        for child in self.children(Some(node.0)) {
            self.grow(tree, (child, Some(node.0), node.2 + 1));
        }
    }

    fn children(&self, of: Option<usize>) -> impl Iterator<Item = usize> + '_ {
        self.all(Kind::Group).iter().copied().filter(move |group| self.parents[*group] == of)
    }

    /// Visible memberships that put a person into a group (or, with `below`, into it or a group below), by id.
    #[must_use]
    pub fn paths(&self, person: usize, group: usize, below: bool) -> Vec<usize> {
        let leads = |at: &usize| {
            let membership = &self.world.memberships[*at];
            membership.person == person && (membership.group == group || below && self.world.is_under(membership.group, group))
        };
        self.all(Kind::Membership).iter().copied().filter(leads).collect()
    }
}

/// The fields as `withheldFields` names them: the register's order, then single attributes unless all of them are gone.
fn losing(kind: Kind, withheld: &[String]) -> Vec<String> {
    let named = |field: &str| withheld.iter().any(|name| names(name, kind, field));
    let mut lost: Vec<String> = kind.fields().iter().filter(|field| named(field)).map(|field| (*field).to_owned()).collect();
    if !lost.iter().any(|name| name == "attributes.*") {
        let bare = |name: &String| name.strip_prefix(&format!("{kind}.")).unwrap_or(name).to_owned();
        let mut single: Vec<String> = withheld.iter().map(bare).filter(|name| name.starts_with("attributes.")).collect();
        single.sort_unstable();
        single.dedup();
        lost.extend(single);
    }
    lost
}
