//! Row filters judged one row at a time by looking at the world: the oracle that columns and SQL are compared with.

use super::{Caller, Row, World};
use crate::bindings::bailiwick::policy::types::Term;
use crate::{RowFilter, Test};

impl World {
    pub(super) fn admits(&self, caller: &Caller, row: Row, filter: &RowFilter) -> bool {
        filter.any_of.iter().any(|clause| clause.iter().all(|term| self.passes(caller, row, term)))
    }

    /// Unknown is false both ways.
    fn passes(&self, caller: &Caller, row: Row, term: &Term) -> bool {
        self.holds(caller, row, &term.test.name, &term.test).is_some_and(|holds| holds != term.negate)
    }

    /// `None` where the test cannot know.
    fn holds(&self, caller: &Caller, row: Row, name: &str, test: &Test) -> Option<bool> {
        let groups: Vec<usize> = test.groups.iter().map(|group| *group as usize).collect();
        let subject = self.caller(caller);
        match (row, name.split_once('.')) {
            (Row::Membership(person, _) | Row::Grant(person, _), Some(("user", name))) => self.holds(caller, Row::User(person), name, test),
            (Row::Membership(..), Some(("group", name))) => self.holds(caller, Row::Group(self.limit(row)?), name, test),
            (Row::Grant(..), Some(("role", name))) => self.holds(caller, Row::Role(self.role_of(row)?), name, test),
            (_, Some(_)) => None,
            (_, None) => match (row, name) {
                (Row::User(_) | Row::Membership(..) | Row::Grant(..), "self") => Some(self.is_caller(caller, row)),
                // Nobody in this world created anything.
                (_, "created-by-me") => Some(false),
                (Row::User(person), _) => {
                    let person = self.people.get(person)?;
                    match name {
                        "in-group" => Some(self.groups_of(person).iter().any(|group| groups.contains(group))),
                        "under-group" => Some(self.is_top(caller, &groups) || self.any_below(&self.groups_of(person), &groups)),
                        "in-group-key" => {
                            let keyed = self.keyed_groups(&test.values)?;
                            Some(self.groups_of(person).iter().any(|group| keyed.contains(group)))
                        }
                        "under-group-key" => Some(self.any_below(&self.groups_of(person), &self.keyed_groups(&test.values)?)),
                        "has-role-key" => {
                            let keyed = self.keyed_roles(&test.values)?;
                            Some(self.roles_of(person).iter().any(|role| keyed.contains(role)))
                        }
                        "status" => Some(test.values.contains(&person.status)),
                        "attribute" => has_attribute(&person.attributes, &test.values),
                        _ => None,
                    }
                }
                (Row::Group(group), "in-group") => Some(groups.contains(&group)),
                (Row::Group(group), "under-group") => Some(self.is_top(caller, &groups) || self.is_below(group, &groups)),
                (Row::Group(group), "in-group-key") => Some(self.keyed_groups(&test.values)?.contains(&group)),
                (Row::Group(group), "under-group-key") => Some(self.is_below(group, &self.keyed_groups(&test.values)?)),
                (Row::Group(group), "mine") => Some(subject.is_some_and(|person| self.groups_of(person).contains(&group))),
                (Row::Group(group), "attribute") => has_attribute(&self.groups.get(group)?.attributes, &test.values),
                (Row::Role(role), "held-by-me") => Some(subject.is_some_and(|person| self.roles_of(person).contains(&role))),
                (Row::Role(_), "builtin") => Some(false),
                (Row::Role(role), "role-key") => Some(self.keyed_roles(&test.values)?.contains(&role)),
                (Row::Membership(..), "manager") => Some(self.is_manager(row)),
                (Row::Membership(..) | Row::Grant(..), "in-group") => Some(self.limit(row).is_some_and(|group| groups.contains(&group))),
                (Row::Membership(..) | Row::Grant(..), "under-group") => {
                    Some(self.limit(row).is_some_and(|group| self.is_top(caller, &groups) || self.is_below(group, &groups)))
                }
                (Row::Grant(..), "provenance") => Some(test.values.iter().any(|value| value == "manual")),
                _ => None,
            },
        }
    }

    fn is_top(&self, caller: &Caller, groups: &[usize]) -> bool {
        self.top(caller).is_some_and(|top| groups.contains(&top))
    }

    fn any_below(&self, groups: &[usize], above: &[usize]) -> bool {
        groups.iter().any(|group| self.is_below(*group, above))
    }

    fn keyed_groups(&self, keys: &[String]) -> Option<Vec<usize>> {
        keys.iter().map(|key| self.groups.iter().position(|group| group.key == *key)).collect()
    }

    fn keyed_roles(&self, keys: &[String]) -> Option<Vec<usize>> {
        keys.iter().map(|key| self.roles.iter().position(|role| role.key == *key)).collect()
    }
}

fn has_attribute(attributes: &[(String, String)], arguments: &[String]) -> Option<bool> {
    let (name, values) = arguments.split_first()?;
    let mut own = attributes.iter().filter(|(known, _)| known == name).map(|(_, value)| value).peekable();
    own.peek()?;
    Some(own.any(|value| values.contains(value)))
}
