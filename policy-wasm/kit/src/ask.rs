//! One call's context, parsed: who asks what.

use crate::groups::Tree;
use crate::{Context, Held, UNASSIGNED};

/// Who asks for which action, with the group tree at hand.
#[derive(Clone, Debug)]
pub struct Ask<'a> {
    context: &'a Context,
    tree: Tree<'a>,
}

impl<'a> Ask<'a> {
    /// Parses a context; costs one pass over its groups.
    #[must_use]
    pub fn new(context: &'a Context) -> Self {
        Self { context, tree: Tree::new(&context.groups) }
    }

    /// `kind.verb`.
    #[must_use]
    pub fn action(&self) -> &'a str {
        &self.context.action
    }

    /// The clock, in milliseconds since 1970.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.context.now_ms
    }

    /// This module's settings, as the workspace wrote them.
    #[must_use]
    pub fn settings(&self) -> &'a str {
        &self.context.settings
    }

    /// The whole context, for what has no helper here.
    #[must_use]
    pub fn context(&self) -> &'a Context {
        self.context
    }

    /// The groups that the call refers to.
    #[must_use]
    pub fn tree(&self) -> &Tree<'a> {
        &self.tree
    }

    /// How many roles the call refers to.
    #[must_use]
    pub fn role_count(&self) -> usize {
        self.context.roles.height()
    }

    /// `user`, `service` or `scim`.
    #[must_use]
    pub fn subject_kind(&self) -> &'a str {
        &self.context.subject.kind
    }

    /// The subject's direct memberships.
    #[must_use]
    pub fn groups(&self) -> &'a [u32] {
        &self.context.subject.groups
    }

    /// The groups that the subject manages.
    #[must_use]
    pub fn manages(&self) -> &'a [u32] {
        &self.context.subject.manages
    }

    /// The subject's facts of that name, such as `attributes.project`.
    pub fn facts<'n>(&self, name: &'n str) -> impl Iterator<Item = &'a str> + use<'a, 'n> {
        self.context.subject.facts.iter().filter(move |fact| fact.name == name).map(|fact| fact.value.as_str())
    }

    /// Whether the subject has that fact.
    #[must_use]
    pub fn has_fact(&self, name: &str, value: &str) -> bool {
        self.facts(name).any(|known| known == value)
    }

    /// Whether the subject has a permission in the whole workspace.
    #[must_use]
    pub fn holds(&self, permission: &str) -> bool {
        self.context.subject.permissions.iter().any(|held| held == permission)
    }

    /// The groups to which the subject's grants of a permission are limited; needs `roles.permissions`.
    ///
    /// Like `subject.permissions`, cut down to the scopes of the subject's token.
    #[must_use]
    pub fn within(&self, permission: &str) -> Vec<u32> {
        let mut scopes = self.facts("token-scope").peekable();
        if scopes.peek().is_some() && !scopes.any(|scope| scope == permission) {
            return Vec::new();
        }
        let granting: Vec<bool> = match self.context.roles.texts("permissions") {
            Some(roles) => roles.iter().map(|mut permissions| permissions.any(|held| held == permission)).collect(),
            None => return Vec::new(),
        };
        let grants = self.context.subject.grants.iter().filter(|grant| grant.within != UNASSIGNED);
        let mut groups: Vec<u32> =
            grants.filter(|grant| granting.get(grant.role as usize).copied().unwrap_or_default()).map(|grant| grant.within).collect();
        groups.sort_unstable();
        groups.dedup();
        groups
    }

    /// Whether the subject holds the role of that folded key, wherever limited to; needs `roles.key`.
    #[must_use]
    pub fn holds_role(&self, key: &str) -> bool {
        let Some(keys) = self.context.roles.text("key") else { return false };
        let role = keys.iter().position(|known| known == Some(key));
        role.is_some_and(|role| self.grants().iter().any(|grant| grant.role as usize == role))
    }

    /// The subject's grants.
    #[must_use]
    pub fn grants(&self) -> &'a [Held] {
        &self.context.subject.grants
    }
}
