//! Why somebody may or may not: the policy's answer with the facts that it was shown, as far as the one who asks may see them.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use super::{Ask, Directory, Object, decide::Decision, facts::Prepared};
use crate::{
    Error,
    contract::{Column, Context, Digest, Failure, Manifest, NumberColumn, Rows, UNASSIGNED, UNASSIGNED_NUMBER},
    ids::{GroupId, PolicyVersionId, RoleId, UserId},
    limits,
    model::{Attributes, Field, Group, User},
    query::{Order, Window},
    register::{Kind, Shape},
    store::{AmongGroups, AmongRoles},
};

/// An answer, and what stands behind it.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// `kind.verb`.
    pub action: String,
    /// Whether it is allowed.
    pub allowed: bool,
    /// The policy's own words.
    pub reason: String,
    /// Fields that an allowing verdict withholds; for writes those that may not be set.
    pub hidden: Vec<String>,
    /// Why there was no answer that counts; the action is denied.
    pub failure: Option<Failure>,
    /// The version that was asked.
    pub version: PolicyVersionId,
    /// The calls that led to the answer, in order; none where nobody had to be asked. Whether somebody may change what hangs on the
    /// object is asked of several things.
    pub calls: Vec<ExplainedCall>,
}

/// One call of a module.
#[derive(Clone, Debug)]
pub struct ExplainedCall {
    /// The module.
    pub digest: Digest,
    /// Its name and version.
    pub module: String,
    /// SHA-256 of what it was shown, as in the decision log.
    pub facts_digest: Digest,
    /// Units that the call used.
    pub fuel: u64,
    /// What it was shown about the subject and the first row.
    pub facts: Vec<ShownFact>,
}

/// A fact in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownFact {
    /// `subject.NAME`, or `KIND.COLUMN` of the register.
    pub name: String,
    /// Its values; none where unassigned. Groups and roles are named by their keys.
    pub values: Vec<String>,
    /// Whether some or all values are left out because the one who asks may not see them.
    pub withheld: bool,
}

/// What a call was shown, kept for whoever explains it.
pub(super) struct Witness {
    pub(super) digest: Digest,
    pub(super) module: String,
    pub(super) facts: Digest,
    pub(super) fuel: u64,
    pub(super) context: Arc<Context>,
    pub(super) rows: Rows,
    pub(super) groups: Vec<Option<GroupId>>,
    pub(super) roles: Vec<RoleId>,
}

impl Witness {
    /// Of a call that is about to be made.
    pub(super) fn of(prepared: &Prepared, digest: Digest, module: String, facts: Digest) -> Self {
        let Prepared { context, rows, change, positions, roles } = prepared;
        let after = change.as_ref().and_then(|change| change.after.as_ref());
        Self {
            digest,
            module,
            facts,
            fuel: 0,
            context: context.clone(),
            rows: after.filter(|_| rows.columns.is_empty()).unwrap_or(rows).clone(),
            groups: positions.clone(),
            roles: roles.clone(),
        }
    }
}

impl Directory {
    /// Explains whether a user may do something to an object, under the active policy, for whoever may `policy.explain`.
    ///
    /// `None` where the asker does not see the user or the object. Groups, roles and values that the asker may not see are left out of the
    /// facts, which say so.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::Invalid`] for an unknown action; those of policy and store.
    pub async fn explain(&self, user: UserId, action: &str, object: &Object) -> Result<Option<Explanation>, Error> {
        let subject = match self.seen_by(user).await {
            Err(Error::NotFound(_)) => return Ok(None),
            subject => subject?,
        };
        let Some(mut sight) = self.sight_of(user, object).await? else { return Ok(None) };
        let (decision, failure) = match subject.witnessed(action, object).await {
            Ok(decision) => (decision, None),
            Err(Error::Policy(failure)) => (Decision::deny(""), Some(failure)),
            Err(error) => return Err(error),
        };
        let hidden = match &decision {
            Decision::Allow { hidden, .. } => hidden.names().to_vec(),
            Decision::Deny { .. } => Vec::new(),
        };
        let witnesses = subject.take_witnesses();
        self.see_places(&mut sight, &witnesses).await?;
        let calls = witnesses.iter().map(|witness| sight.call(witness)).collect();
        Ok(Some(Explanation {
            action: action.to_owned(),
            allowed: decision.allows(),
            reason: decision.reason().to_owned(),
            hidden,
            failure,
            version: subject.version.id,
            calls,
        }))
    }

    /// Decides, and keeps what the policy was shown.
    async fn witnessed(&self, action: &str, object: &Object) -> Result<Decision, Error> {
        *super::locked(&self.witnesses) = Some(Vec::new());
        let decided = self.decide_object(action, object).await?;
        decided.into_iter().next().ok_or_else(|| Error::Store("a decision is missing".to_owned()))
    }

    /// Whether somebody wants to know what the policy is shown.
    pub(super) fn is_witnessed(&self) -> bool {
        super::locked(&self.witnesses).is_some()
    }

    /// Keeps what a call is shown.
    pub(super) fn witness(&self, prepared: &Prepared, digest: Digest, manifest: &Manifest, facts: Option<Digest>) {
        if let (Some(witnesses), Some(facts)) = (super::locked(&self.witnesses).as_mut(), facts) {
            witnesses.push(Witness::of(prepared, digest, format!("{} {}", manifest.name, manifest.version), facts));
        }
    }

    /// Keeps what that call cost.
    pub(super) fn witness_fuel(&self, fuel: u64) {
        if let Some(last) = super::locked(&self.witnesses).as_mut().and_then(|witnesses| witnesses.last_mut()) {
            last.fuel = fuel;
        }
    }

    fn take_witnesses(&self) -> Vec<Witness> {
        super::locked(&self.witnesses).take().unwrap_or_default()
    }

    /// Which groups and roles of the facts the asker sees, whoever is in them or holds them.
    async fn see_places(&self, sight: &mut Sight, witnesses: &[Witness]) -> Result<(), Error> {
        let groups: Vec<GroupId> = witnesses.iter().flat_map(|witness| witness.groups.iter().flatten().copied()).collect();
        let roles: Vec<RoleId> = witnesses.iter().flat_map(|witness| witness.roles.iter().copied()).collect();
        let groups = self.groups(&groups).await?;
        sight.places = groups.iter().flatten().map(|row| (row.id, named(&row.key, row.id.to_string()))).collect();
        let roles = self.roles(&roles).await?;
        sight.names = roles.iter().flatten().map(|row| (row.id, named(&row.key, row.id.to_string()))).collect();
        Ok(())
    }

    /// What the asker may see of the facts about a user and an object; `None` if it does not see the object.
    async fn sight_of(&self, user: UserId, object: &Object) -> Result<Option<Sight>, Error> {
        let mut people = vec![user];
        match object {
            Object::Workspace => {}
            Object::Users(ids) => people.extend(ids),
            Object::Groups(ids) if self.groups(ids).await?.contains(&None) => return Ok(None),
            Object::Roles(ids) if self.roles(ids).await?.contains(&None) => return Ok(None),
            Object::Memberships(ids) => {
                for row in self.memberships(ids).await? {
                    let Some(row) = row else { return Ok(None) };
                    people.push(row.user);
                }
            }
            Object::Grants(ids) => {
                for row in self.grants(ids).await? {
                    let Some(row) = row else { return Ok(None) };
                    people.push(row.user);
                }
            }
            Object::Groups(_) | Object::Roles(_) => {}
        }
        people.dedup();
        let rows = self.users(&people).await?;
        if rows.contains(&None) {
            return Ok(None);
        }
        let withheld = |row: &User, name: &str| row.withheld.iter().any(|field| field == name);
        let rows: Vec<User> = rows.into_iter().flatten().map(|row| (*row).clone()).collect();
        let window = || Window { rows: limits::LEVEL_ROWS / people.len().max(1), ..Window::default() };
        let groups = Ask { among: AmongGroups::Of(people.clone()), filter: None, order: Order::default(), window: window() };
        let roles = Ask { among: AmongRoles::Of(people.clone()), filter: None, order: Order::default(), window: window() };
        let edges = self.list_groups(groups).await?;
        let held = self.list_roles(roles).await?;
        let group = match object {
            Object::Groups(ids) => self.groups(ids).await?.into_iter().flatten().next().map(|row| (*row).clone()),
            _ => None,
        };
        Ok(Some(Sight {
            places: HashMap::new(),
            names: HashMap::new(),
            groups: edges.iter().flat_map(|page| &page.rows).map(|(_, row)| row.id).collect(),
            roles: held.iter().flat_map(|page| &page.rows).map(|(_, row)| row.id).collect(),
            group,
            permissions: held
                .iter()
                .flat_map(|page| &page.rows)
                .flat_map(|(_, row)| row.permissions.shown().cloned().unwrap_or_default())
                .collect(),
            subject: rows.first().cloned(),
            object: rows.last().cloned(),
            hides_status: rows.iter().any(|row| withheld(row, "status")),
            hides_exclusive: rows.iter().any(|row| withheld(row, "exclusive")),
        }))
    }
}

/// What the asker may see of what a policy was shown.
struct Sight {
    /// Groups that it sees, by name.
    places: HashMap<GroupId, String>,
    /// Roles that it sees, by name.
    names: HashMap<RoleId, String>,
    /// Groups in which it sees the subject or the object.
    groups: HashSet<GroupId>,
    /// Roles that it sees them hold.
    roles: HashSet<RoleId>,
    permissions: HashSet<String>,
    /// The object, if it is a group.
    group: Option<Group>,
    subject: Option<User>,
    object: Option<User>,
    hides_status: bool,
    hides_exclusive: bool,
}

impl Sight {
    fn call(&self, witness: &Witness) -> ExplainedCall {
        let mut facts = self.subject_facts(witness);
        facts.extend(self.row_facts(witness));
        ExplainedCall { digest: witness.digest, module: witness.module.clone(), facts_digest: witness.facts, fuel: witness.fuel, facts }
    }

    fn subject_facts(&self, witness: &Witness) -> Vec<ShownFact> {
        let subject = &witness.context.subject;
        let mut facts = vec![
            fact("subject.kind", vec![subject.kind.clone()]),
            self.groups("subject.groups", witness, &subject.groups, Of::Somebody),
            self.groups("subject.manages", witness, &subject.manages, Of::Somebody),
        ];
        let mut grants = fact("subject.grants", Vec::new());
        for held in &subject.grants {
            let within = (held.within != UNASSIGNED).then(|| self.group(witness, held.within, Of::Itself));
            match (self.role(witness, held.role, Of::Somebody), within) {
                (Some(role), None) => grants.values.push(role),
                (Some(role), Some(Some(group))) => grants.values.push(format!("{role} in {group}")),
                _ => grants.withheld = true,
            }
        }
        facts.push(grants);
        let (seen, unseen): (Vec<_>, Vec<_>) = subject.permissions.iter().cloned().partition(|name| self.permissions.contains(name));
        facts.push(ShownFact { withheld: !unseen.is_empty(), ..fact("subject.permissions", seen) });
        for given in &subject.facts {
            let hidden = self.subject.as_ref().is_none_or(|row| hides(row, &given.name));
            let name = format!("subject.{}", given.name);
            let at = match facts.iter().position(|fact| fact.name == name) {
                Some(at) => at,
                None => {
                    facts.push(fact(&name, Vec::new()));
                    facts.len() - 1
                }
            };
            if let Some(known) = facts.get_mut(at) {
                if hidden {
                    known.withheld = true;
                } else {
                    known.values.push(given.value.clone());
                }
            }
        }
        facts
    }

    /// The columns of the first row.
    fn row_facts(&self, witness: &Witness) -> Vec<ShownFact> {
        let kind = Kind::named(&witness.rows.kind);
        let columns = witness.rows.columns.iter().map(|column| self.column(witness, kind, column));
        columns.chain(witness.rows.numbers.iter().map(|column| numbers(&witness.rows.kind, column))).collect()
    }

    fn column(&self, witness: &Witness, kind: Option<Kind>, column: &Column) -> ShownFact {
        let name = format!("{}.{}", witness.rows.kind, column.name);
        let items = first_row(&column.ends, &column.items);
        let bare = column.name.strip_prefix("user.").unwrap_or(&column.name);
        let hidden = match bare {
            "status" => self.hides_status,
            "exclusive" => self.hides_exclusive,
            attribute if attribute.starts_with("attributes.") => match &self.group {
                Some(row) => lacks(&row.attributes, &row.withheld, attribute),
                None => self.object.as_ref().is_none_or(|row| hides(row, attribute)),
            },
            _ => false,
        };
        if hidden {
            return ShownFact { withheld: true, ..fact(&name, Vec::new()) };
        }
        // That somebody is in a group is more than that the group is there.
        let of = if kind == Some(Kind::User) || column.name.starts_with("user.") { Of::Somebody } else { Of::Itself };
        match kind.and_then(|kind| shape(kind, &column.name)) {
            Some(Shape::Groups | Shape::Group) => self.groups(&name, witness, items, of),
            Some(Shape::Roles | Shape::Role) => {
                let known: Vec<Option<String>> =
                    items.iter().filter(|item| **item != UNASSIGNED).map(|item| self.role(witness, *item, of)).collect();
                ShownFact { withheld: known.contains(&None), ..fact(&name, known.into_iter().flatten().collect()) }
            }
            Some(Shape::Flag) => fact(&name, items.iter().map(|item| (*item != 0).to_string()).collect()),
            Some(Shape::Text | Shape::Texts | Shape::Count | Shape::Instant) | None => {
                fact(&name, items.iter().filter(|item| **item != UNASSIGNED).map(|item| text(column, *item)).collect())
            }
        }
    }

    fn groups(&self, name: &str, witness: &Witness, positions: &[u32], of: Of) -> ShownFact {
        let known: Vec<Option<String>> = positions.iter().filter(|at| **at != UNASSIGNED).map(|at| self.group(witness, *at, of)).collect();
        ShownFact { withheld: known.contains(&None), ..fact(name, known.into_iter().flatten().collect()) }
    }

    fn group(&self, witness: &Witness, position: u32, of: Of) -> Option<String> {
        match witness.groups.get(position as usize)? {
            // The top group, in which everybody is.
            None => Some("(everybody)".to_owned()),
            Some(id) => self.places.get(id).filter(|_| of == Of::Itself || self.groups.contains(id)).cloned(),
        }
    }

    fn role(&self, witness: &Witness, position: u32, of: Of) -> Option<String> {
        let id = witness.roles.get(position as usize)?;
        self.names.get(id).filter(|_| of == Of::Itself || self.roles.contains(id)).cloned()
    }
}

/// What a group or role in a fact says something about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    /// Who is in it, or holds it.
    Somebody,
    /// Itself, or an edge that the asker sees.
    Itself,
}

/// The name of a row that the asker sees.
fn named(key: &Field<String>, id: String) -> String {
    key.shown().cloned().unwrap_or(id)
}

fn fact(name: &str, values: Vec<String>) -> ShownFact {
    ShownFact { name: name.to_owned(), values, withheld: false }
}

/// Whether the asker's view of a user lacks what a fact tells.
fn hides(row: &User, name: &str) -> bool {
    match name {
        "status" => row.withheld.iter().any(|field| field == "status"),
        name if name.starts_with("attributes.") => lacks(&row.attributes, &row.withheld, name),
        _ => false,
    }
}

/// Whether an attribute, `attributes.NAME`, is withheld from what is shown of a row.
fn lacks(shown: &Attributes, withheld: &[String], name: &str) -> bool {
    let known = name.strip_prefix("attributes.").is_some_and(|name| shown.iter().any(|(attribute, _)| attribute == name));
    !known && withheld.iter().any(|field| field == "attributes.*" || field == name)
}

fn shape(kind: Kind, name: &str) -> Option<Shape> {
    let named = |pattern: &str| pattern == name || pattern.strip_suffix('*').is_some_and(|start| name.starts_with(start));
    kind.columns().iter().find(|column| named(column.name)).map(|column| column.shape)
}

/// The items of the first row.
fn first_row<'a, T>(ends: &[u32], items: &'a [T]) -> &'a [T] {
    let end = ends.first().map_or(1, |end| *end as usize);
    items.get(..end).unwrap_or(items)
}

fn text(column: &Column, item: u32) -> String {
    column.dictionary.get(item as usize).cloned().unwrap_or_else(|| item.to_string())
}

fn numbers(kind: &str, column: &NumberColumn) -> ShownFact {
    let items = first_row(&column.ends, &column.items).iter().filter(|item| **item != UNASSIGNED_NUMBER);
    fact(&format!("{kind}.{}", column.name), items.map(i64::to_string).collect())
}
