//! Holds what a module says about a whole list against what it says about each row, on rows of the made-up workspace.
//!
//! `scope` becomes SQL and `check` confirms a page, so a module that answers the two differently hides rows at random, and a field that
//! may be searched although it is withheld can be read by searching.

use std::sync::Arc;

use directory::{
    contract::{Context, Failure, Manifest, RowFilter, Session as _, Test, Verdict, Verdicts},
    register::{Kind, names_field},
    scope,
    text::fold,
};

use crate::{
    facts::{Facts, Keys},
    guest::quoted,
    session::GuestSession,
    validate::failed,
    world::{self, GROUPS, Group, Role, Row, Subject, User},
};

/// Rows on which the two are compared, for each subject.
const ROWS: u32 = 256;

/// Compares the two for a kind whose reads the module decides.
pub(crate) async fn agree(session: &impl Fn() -> GuestSession, facts: &Facts<'_>, manifest: &Manifest, kind: Kind) -> Result<(), String> {
    // Of the other kinds there are no lists.
    if !matches!(kind, Kind::User | Kind::Group | Kind::Role | Kind::Membership | Kind::Grant) {
        return Ok(());
    }
    for subject in Subject::ALL {
        let mut session = session();
        let asked = ask(&mut session, facts, kind, subject).await;
        let Some(answers) = asked.map_err(|failure| failed(&format!("check of {}", kind.read()), &failure))? else { continue };
        answers.compare(kind, subject)?;
        answers.searches(manifest, kind, subject)?;
    }
    Ok(())
}

/// Both answers about the same rows.
struct Answers {
    filter: RowFilter,
    verdicts: Verdicts,
    keys: Keys,
    groups: u32,
}

/// Asks for both. `None` if the filter names more keys than the made-up workspace has groups or roles to give them to.
async fn ask(session: &mut GuestSession, facts: &Facts<'_>, kind: Kind, subject: Subject) -> Result<Option<Answers>, Failure> {
    let action = kind.read();
    let context = |facts: &Facts<'_>| -> Arc<Context> { Arc::new(facts.context(&action, subject)) };
    let mut filter = session.scope(context(facts), kind.name()).await?;
    let keys = keys_of(&filter);
    if keys.groups.len() > GROUPS as usize || keys.roles.len() > world::ROLES.len() {
        return Ok(None);
    }
    let facts = Facts { keys: keys.clone(), ..*facts };
    if !keys.groups.is_empty() || !keys.roles.is_empty() {
        // What it names exists from now on, so that an unknown name decides nothing.
        filter = session.scope(context(&facts), kind.name()).await?;
    }
    let asked = context(&facts);
    let groups = asked.groups.len;
    let verdicts = session.check(asked, facts.rows(kind, subject, ROWS), None).await?;
    Ok(Some(Answers { filter, verdicts, keys, groups }))
}

/// The keys that a filter names, each once.
fn keys_of(filter: &RowFilter) -> Keys {
    let distinct = |mut keys: Vec<String>| {
        keys.sort_unstable();
        keys.dedup();
        keys
    };
    let scope::Keys { groups, roles } = scope::keys(filter);
    Keys { groups: distinct(groups), roles: distinct(roles) }
}

impl Answers {
    /// An exact scope admits what `check` allows; one that is not exact admits at least that.
    fn compare(&self, kind: Kind, subject: Subject) -> Result<(), String> {
        let (mut denied, mut missing) = (Vec::new(), Vec::new());
        for (at, verdict) in self.rows() {
            let row = Row::of(kind, subject, at);
            match (self.admits(&row), verdict.allow) {
                (true, false) if self.filter.exact => denied.push((row, verdict)),
                (false, true) => missing.push((row, verdict)),
                _ => {}
            }
        }
        let asked_by = subject.name();
        let (scope, check, exact) = (format!("`scope of {}`", kind.name()), format!("`check of {}`", kind.read()), self.exactness());
        if let Some((row, verdict)) = denied.first() {
            return Err(format!(
                "{scope} and {check} disagree: asked by {asked_by}, of {ROWS} made-up rows {} are in the {exact} scope and denied, the first of \
                 them {}, because of `{}`; let both follow one rule, or answer `exact: false`",
                denied.len(),
                described(row),
                quoted(&verdict.reason)
            ));
        }
        if let Some((row, verdict)) = missing.first() {
            return Err(format!(
                "{scope} and {check} disagree: asked by {asked_by}, of {ROWS} made-up rows {} are allowed and not in the {exact} scope, the first \
                 of them {}, because of `{}`; let both follow one rule, or let the scope admit more and answer `exact: false`",
                missing.len(),
                described(row),
                quoted(&verdict.reason)
            ));
        }
        Ok(())
    }

    /// No field is searchable that is withheld from a row which the subject may see.
    fn searches(&self, manifest: &Manifest, kind: Kind, subject: Subject) -> Result<(), String> {
        let searchable: Vec<&String> = match &self.filter.searchable {
            names if names.iter().any(|name| name == "*") => manifest.fields.iter().collect(),
            // What the manifest does not name is not searchable, whatever the scope says.
            names => names.iter().filter(|name| manifest.fields.iter().any(|known| overlap(known, name, kind))).collect(),
        };
        for (at, verdict) in self.rows().filter(|(_, verdict)| verdict.allow) {
            let row = Row::of(kind, subject, at);
            let Some(leak) = verdict.withheld.iter().find(|field| searchable.iter().any(|name| overlap(name, field, kind))) else {
                continue;
            };
            if self.admits(&row) {
                return Err(format!(
                    "`scope of {}` lets `{}` be searched, and `check of {}` withholds it: asked by {}, from {}; whoever may search a field can \
                     read it, so leave it out of `searchable`",
                    kind.name(),
                    quoted(leak),
                    kind.read(),
                    subject.name(),
                    described(&row)
                ));
            }
        }
        Ok(())
    }

    /// Each row's position and verdict.
    fn rows(&self) -> impl Iterator<Item = (u32, &Verdict)> {
        (0..).zip(&self.verdicts.rows).filter_map(|(at, position)| Some((at, self.verdicts.table.get(*position as usize)?)))
    }

    const fn exactness(&self) -> &'static str {
        if self.filter.exact { "exact" } else { "inexact" }
    }

    fn admits(&self, row: &Row) -> bool {
        self.filter.any_of.iter().any(|clause| clause.iter().all(|term| self.test(row, &term.test) == Some(!term.negate)))
    }

    /// Whether a test holds; `None` if it is unknown. As [`scope::compile`] has it, and storage.
    fn test(&self, row: &Row, test: &Test) -> Option<bool> {
        let (end, name) = test.name.split_once('.').unwrap_or(("", &test.name));
        match (row, end) {
            (Row::User(user), "") => self.user(user, name, test),
            (Row::Group(group), "") => self.group(*group, name, test),
            (Row::Role(role), "") => self.role(*role, name, test),
            (Row::Membership { user, .. } | Row::Grant { user, .. }, "user") => self.user(user, name, test),
            (Row::Membership { group, .. }, "group") => self.group(*group, name, test),
            (Row::Grant { role, .. }, "role") => self.role(*role, name, test),
            (Row::Membership { user, group, manager, created_by_me }, "") => Some(match name {
                "self" => user.own,
                "manager" => *manager,
                "created-by-me" => *created_by_me,
                name => self.group(*group, name, test)?,
            }),
            (Row::Grant { user, within, provenance, created_by_me, .. }, "") => Some(match name {
                "self" => user.own,
                "created-by-me" => *created_by_me,
                "provenance" => test.values.iter().any(|value| fold(value) == *provenance),
                // What holds in the whole workspace is limited to no group.
                name => within.map_or(Some(false), |group| self.group(group, name, test))?,
            }),
            _ => None,
        }
    }

    fn user(&self, user: &User, name: &str, test: &Test) -> Option<bool> {
        Some(match name {
            "self" => user.own,
            "created-by-me" => user.created_by_me,
            "in-group" => user.groups.iter().any(|group| test.groups.contains(group)),
            "under-group" => user.is_under(&test.groups),
            "in-group-key" => {
                let named = self.groups(test)?;
                user.groups.iter().any(|group| named.contains(group))
            }
            "under-group-key" => user.is_under(&self.groups(test)?),
            "has-role-key" => {
                let named = self.roles(test)?;
                user.roles.iter().any(|role| named.contains(role))
            }
            "status" => test.values.iter().any(|value| fold(value) == user.status),
            "attribute" => attribute(test, |name| user.attribute(name))?,
            _ => return None,
        })
    }

    fn group(&self, group: Group, name: &str, test: &Test) -> Option<bool> {
        Some(match name {
            "in-group" => test.groups.contains(&group.position),
            "under-group" => group.is_under(&test.groups),
            "in-group-key" => self.groups(test)?.contains(&group.position),
            "under-group-key" => group.is_under(&self.groups(test)?),
            "mine" => group.is_mine(),
            "created-by-me" => group.created_by_me(),
            "attribute" => attribute(test, |name| group.attribute(name))?,
            _ => return None,
        })
    }

    fn role(&self, role: Role, name: &str, test: &Test) -> Option<bool> {
        Some(match name {
            "held-by-me" => role.is_held_by_me(),
            "builtin" => role.builtin(),
            "role-key" => self.roles(test)?.contains(&role.position),
            "created-by-me" => role.created_by_me(),
            _ => return None,
        })
    }

    fn groups(&self, test: &Test) -> Option<Vec<u32>> {
        positions(test, self.groups, |at| self.keys.group(at))
    }

    fn roles(&self, test: &Test) -> Option<Vec<u32>> {
        positions(test, world::roles(), |at| self.keys.role(at))
    }
}

/// Where the keys of a test stand; unknown if one of them does not exist.
fn positions(test: &Test, len: u32, key: impl Fn(u32) -> String) -> Option<Vec<u32>> {
    test.values.iter().map(|value| (0..len).find(|at| key(*at) == fold(value))).collect()
}

fn attribute(test: &Test, values: impl Fn(&str) -> Vec<&'static str>) -> Option<bool> {
    let (name, wanted) = test.values.split_first()?;
    let values = values(name);
    (!values.is_empty()).then(|| wanted.iter().any(|value| values.contains(&fold(value).as_str())))
}

/// Whether two names of fields name a field of `kind` in common.
fn overlap(one: &str, other: &str, kind: Kind) -> bool {
    let bare = |name: &str| name.strip_prefix(kind.name()).and_then(|rest| rest.strip_prefix('.')).unwrap_or(name).to_owned();
    names_field(one, kind, &bare(other)) || names_field(other, kind, &bare(one))
}

/// A row in the words of the register.
fn described(row: &Row) -> String {
    let user = |user: &User| {
        let own = if user.own { "the subject itself" } else { "a user" };
        format!("{own} of status `{}` in groups {:?} with roles {:?}", user.status, user.groups, user.roles)
    };
    match row {
        Row::User(it) => user(it),
        Row::Group(group) => format!("group {}", group.position),
        Row::Role(role) => format!("role {}", role.position),
        Row::Membership { user: it, group, .. } => format!("the membership in group {} of {}", group.position, user(it)),
        Row::Grant { user: it, role, within: None, .. } => format!("the grant of role {} to {}", role.position, user(it)),
        Row::Grant { user: it, role, within: Some(group), .. } => {
            format!("the grant of role {} within group {} to {}", role.position, group.position, user(it))
        }
        Row::Other { .. } => "a row".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use directory::contract::Term;

    use super::*;

    fn answers(any_of: Vec<Vec<Term>>, exact: bool, verdict: impl Fn(&Row) -> Verdict, kind: Kind, subject: Subject) -> Answers {
        let table: Vec<Verdict> = (0..ROWS).map(|at| verdict(&Row::of(kind, subject, at))).collect();
        let filter = RowFilter { any_of, exact, searchable: vec!["email".into()], ..RowFilter::default() };
        let keys = keys_of(&filter);
        Answers { filter, verdicts: Verdicts { rows: (0..ROWS).collect(), table }, keys, groups: GROUPS }
    }

    fn term(negate: bool, name: &str, groups: &[u32], values: &[&str]) -> Term {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        Term { negate, test: Test { name: name.into(), groups: groups.into(), values } }
    }

    fn allow(allow: bool) -> Verdict {
        Verdict { allow, reason: "so it is".into(), ..Verdict::default() }
    }

    #[test]
    fn tests_hold_of_what_the_columns_say() {
        let facts = Facts {
            needs: &["groups", "self", "shares-group", "status", "attributes.team", "roles"].map(|name| format!("rows.{name}")),
            settings: "",
            keys: Keys::default(),
        };
        for subject in Subject::ALL {
            let rows = facts.rows(Kind::User, subject, ROWS);
            let column = |name: &str| rows.columns.iter().find(|column| column.name == name).unwrap();
            let cell = |name: &str, at: usize| {
                let column = column(name);
                let start = if at == 0 { 0 } else { column.ends[at - 1] as usize };
                column.items[start..column.ends[at] as usize].to_vec()
            };
            let text = |name: &str, item: u32| column(name).dictionary[item as usize].clone();
            let holds = |test: Term, check: &dyn Fn(usize) -> bool| {
                let answers = answers(vec![vec![test.clone()]], true, |_| allow(true), Kind::User, subject);
                for at in 0..ROWS {
                    let admitted = answers.admits(&Row::of(Kind::User, subject, at));
                    assert_eq!(admitted, check(at as usize), "{test:?} of row {at} for {subject:?}");
                }
            };
            holds(term(false, "self", &[], &[]), &|at| column("self").items[at] == 1);
            holds(term(true, "self", &[], &[]), &|at| column("self").items[at] == 0);
            holds(term(false, "in-group", subject.groups(), &[]), &|at| column("shares-group").items[at] == 1);
            holds(term(false, "in-group-key", &[], &["HR"]), &|at| cell("groups", at).contains(&0));
            holds(term(true, "has-role-key", &[], &["boss"]), &|at| !cell("roles", at).contains(&0));
            holds(term(false, "status", &[], &["Active"]), &|at| text("status", column("status").items[at]) == "active");
            let team = |at: usize| cell("attributes.team", at).into_iter().map(|item| text("attributes.team", item)).collect::<Vec<_>>();
            holds(term(true, "attribute", &[], &["team", "Staff"]), &|at| !team(at).is_empty() && !team(at).contains(&"staff".to_owned()));
        }
    }

    #[test]
    fn edges_are_tested_by_their_ends() {
        for at in 0..ROWS {
            let check = |row: &Row, test: Term, expected| {
                let answers = answers(vec![vec![test.clone()]], true, |_| allow(true), Kind::User, Subject::Member);
                assert_eq!(answers.admits(row), expected, "{test:?} of {row:?}");
            };
            let row = Row::of(Kind::Membership, Subject::Member, at);
            let Row::Membership { user, group, .. } = &row else { panic!() };
            check(&row, term(false, "user.self", &[], &[]), user.own);
            check(&row, term(false, "group.mine", &[], &[]), group.is_mine());
            check(&row, term(true, "under-group", &[2], &[]), !group.is_under(&[2]));
            let row = Row::of(Kind::Grant, Subject::Member, at);
            let Row::Grant { role, within, .. } = &row else { panic!() };
            check(&row, term(false, "role.held-by-me", &[], &[]), role.is_held_by_me());
            check(&row, term(false, "under-group", &[0], &[]), within.is_some());
            check(&row, term(true, "in-group", &[0], &[]), within.is_none_or(|group| group.position != 0));
        }
    }

    #[test]
    fn a_scope_that_is_wider_or_narrower_than_check_is_told_with_a_row() {
        let own = |row: &Row| allow(matches!(row, Row::User(user) if user.own));
        let mine = || vec![vec![term(false, "self", &[], &[])]];
        let compare = |any_of, exact, verdict: &dyn Fn(&Row) -> Verdict| {
            answers(any_of, exact, verdict, Kind::User, Subject::Manager).compare(Kind::User, Subject::Manager)
        };
        assert_eq!(compare(mine(), true, &own), Ok(()));
        assert_eq!(compare(vec![Vec::new()], false, &own), Ok(()));
        let wider = compare(vec![Vec::new()], true, &own).unwrap_err();
        assert!(wider.starts_with("`scope of user` and `check of user.read` disagree: asked by a manager, of 256 made-up rows 240 are in the exact scope and denied"), "{wider}");
        assert!(
            wider.contains("a user of status") && wider.contains("because of `so it is`") && wider.ends_with("or answer `exact: false`"),
            "{wider}"
        );
        for exact in [true, false] {
            let narrower = compare(mine(), exact, &|_| allow(true)).unwrap_err();
            assert!(narrower.contains("240 are allowed and not in the"), "{narrower}");
        }
        assert!(compare(Vec::new(), true, &own).is_err());
    }

    #[test]
    fn what_is_withheld_somewhere_is_searched_nowhere() {
        let manifest = Manifest { fields: vec!["user.email".into(), "attributes.*".into()], ..Manifest::default() };
        let check = |searchable: &[&str], withheld: &str, any_of: Vec<Vec<Term>>| {
            let verdict = |row: &Row| {
                let own = matches!(row, Row::User(user) if user.own);
                Verdict { withheld: if own { Vec::new() } else { vec![withheld.into()] }, ..allow(true) }
            };
            let mut answers = answers(any_of, false, verdict, Kind::User, Subject::Manager);
            answers.filter.searchable = searchable.iter().map(|name| (*name).to_owned()).collect();
            answers.searches(&manifest, Kind::User, Subject::Manager)
        };
        let everybody = || vec![Vec::new()];
        assert_eq!(check(&["email"], "phone", everybody()), Ok(()));
        assert_eq!(check(&[], "email", everybody()), Ok(()));
        assert_eq!(check(&["*"], "phone", everybody()), Ok(()), "the manifest does not know it");
        assert_eq!(check(&["email"], "email", vec![vec![term(false, "self", &[], &[])]]), Ok(()), "nobody else is in the scope");
        for (searchable, withheld) in [
            ("email", "user.email"),
            ("user.email", "email"),
            ("*", "email"),
            ("attributes.team", "attributes.*"),
            ("attributes.*", "attributes.team"),
        ] {
            let leak = check(&[searchable], withheld, everybody()).unwrap_err();
            assert!(
                leak.starts_with(&format!("`scope of user` lets `{withheld}` be searched, and `check of user.read` withholds it")),
                "{leak}"
            );
        }
        assert_eq!(check(&["attributes.team"], "attributes.level", everybody()), Ok(()));
    }
}
