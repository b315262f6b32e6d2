//! The terms of rules, by the names of the register.
//!
//! A term is a question that both sides can answer: the host in SQL, for lists, and the kit on the columns, for rows at hand. The
//! manifest's `needs` must name the column that the kit reads for it.

use crate::bindings::bailiwick::policy::types;
use crate::{Ask, Test};

/// One test of a row, or its opposite. Unknown is false both ways.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// As it goes to the host.
    pub(crate) wire: types::Term,
    /// The flag column that already says so, if there is one.
    pub(crate) flag: Option<&'static str>,
}

/// A test without arguments: `self`, `mine`, `created-by-me`, `held-by-me`, `builtin`, `manager`.
///
/// Needs the column of the same name.
#[must_use]
pub fn is(test: &str) -> Term {
    named(test, [], Vec::new())
}

/// A direct member of one of `groups`; of a group: is one of them. Needs `rows.groups`.
#[must_use]
pub fn in_group(groups: &[u32]) -> Term {
    named("in-group", groups.iter().copied(), Vec::new())
}

/// In or below one of `groups`. Needs `rows.groups`.
#[must_use]
pub fn under_group(groups: &[u32]) -> Term {
    named("under-group", groups.iter().copied(), Vec::new())
}

/// Shares a direct group with the subject. Needs `rows.shares-group`.
#[must_use]
pub fn shares_group(ask: &Ask<'_>) -> Term {
    in_group(ask.groups()).as_flag("shares-group")
}

/// In or below a direct group of the subject. Needs `rows.below-my-groups`.
#[must_use]
pub fn below_my_groups(ask: &Ask<'_>) -> Term {
    under_group(ask.groups()).as_flag("below-my-groups")
}

/// In or below a group that the subject manages. Needs `rows.managed-by-me`.
#[must_use]
pub fn managed(ask: &Ask<'_>) -> Term {
    under_group(ask.manages()).as_flag("managed-by-me")
}

/// As [`in_group`], by folded key. Needs `rows.groups` and `groups.key`.
#[must_use]
pub fn in_group_key(key: &str) -> Term {
    named("in-group-key", [], vec![key.to_owned()])
}

/// As [`under_group`], by folded key. Needs `rows.groups` and `groups.key`.
#[must_use]
pub fn under_group_key(key: &str) -> Term {
    named("under-group-key", [], vec![key.to_owned()])
}

/// Holds the role of that folded key, wherever limited to. Needs `rows.roles` and `roles.key`.
#[must_use]
pub fn has_role(key: &str) -> Term {
    named("has-role-key", [], vec![key.to_owned()])
}

/// Has that status. Needs `rows.status`.
#[must_use]
pub fn status(status: &str) -> Term {
    named("status", [], vec![status.to_owned()])
}

/// Has one of `values` of a custom attribute, folded. Needs `rows.attributes.NAME`.
#[must_use]
pub fn attribute<'v>(name: &str, values: impl IntoIterator<Item = &'v str>) -> Term {
    let mut arguments = vec![name.to_owned()];
    arguments.extend(values.into_iter().map(ToOwned::to_owned));
    named("attribute", [], arguments)
}

/// The opposite; still false where the test cannot know.
#[must_use]
pub fn not(mut term: Term) -> Term {
    term.wire.negate = !term.wire.negate;
    term
}

/// Any test of the register, by name.
#[must_use]
pub fn named(test: &str, groups: impl IntoIterator<Item = u32>, values: Vec<String>) -> Term {
    let test = Test { name: test.to_owned(), groups: groups.into_iter().collect(), values };
    Term { wire: types::Term { negate: false, test }, flag: None }
}

impl Term {
    /// Reads the answer off a flag column, which the host has computed for every row, instead of climbing the tree.
    #[must_use]
    pub fn as_flag(mut self, column: &'static str) -> Self {
        self.flag = Some(column);
        self
    }

    /// Whether no row can pass: being in one of no groups, having one of no values.
    pub(crate) fn is_impossible(&self) -> bool {
        let test = &self.wire.test;
        !self.wire.negate
            && match test.name.rsplit_once('.').map_or(test.name.as_str(), |(_, bare)| bare) {
                "in-group" | "under-group" => test.groups.is_empty(),
                "attribute" => test.values.len() < 2,
                "in-group-key" | "under-group-key" | "has-role-key" | "role-key" | "status" | "provenance" => test.values.is_empty(),
                _ => false,
            }
    }
}
