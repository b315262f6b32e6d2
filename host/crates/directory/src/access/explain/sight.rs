//! What the one who asks may see of what a policy was shown.
//!
//! A fact is told where the asker could read it otherwise: a group or role of somebody, if it sees that very membership or grant; a field, if
//! it is not withheld; and what follows from somebody's memberships (`managed-by-me`), if it sees all of them. Who created something
//! is told to whoever sees the row whole.

use std::collections::{HashMap, HashSet};

use super::{ExplainedCall, ShownFact, Witness};
use crate::{
    Error,
    access::{Ask, Directory, Object, Visible},
    contract::{Column, NumberColumn, UNASSIGNED, UNASSIGNED_NUMBER},
    ids::{GroupId, RoleId, UserId},
    limits,
    model::{Attributes, Field, Grant, Group, Membership, Role, User},
    query::{Order, Window},
    register::{Kind, Shape},
    store::{AmongGrants, AmongMemberships},
};

/// What the asker may see of the facts about a user and an object.
pub(super) struct Sight {
    subject: Known,
    /// The user whom the rows are about; `None` for the subject itself, or where they are about nobody.
    object: Option<Known>,
    /// The row itself, where it is the object; else rows hang on the object, or are made up.
    row: Option<Row>,
    /// Groups that it sees, by name.
    places: HashMap<GroupId, String>,
    /// Roles that it sees, by name.
    names: HashMap<RoleId, String>,
}

/// What the asker sees of a user.
struct Known {
    user: User,
    /// The groups in which it sees the user, and whether it sees who manages.
    memberships: HashMap<GroupId, bool>,
    grants: HashSet<(RoleId, Option<GroupId>)>,
    /// Of those grants.
    permissions: HashSet<String>,
    /// Whether it sees all memberships and grants of anybody, or asks about itself and sees all of its own: that it sees all of somebody else's
    /// would tell that there are no others.
    is_whole: bool,
}

/// What the asker sees of a row.
struct Row {
    kind: Kind,
    withheld: Vec<String>,
    attributes: Attributes,
}

impl Directory {
    /// What the asker may see of the facts about a user and an object; `None` if it does not see one of them.
    pub(super) async fn sight_of(&self, user: UserId, object: &Object) -> Result<Option<Sight>, Error> {
        let Some((row, person)) = self.row_of(object).await? else { return Ok(None) };
        let mut people = vec![user];
        people.extend(person.filter(|person| *person != user));
        let Some(mut known) = self.known_users(&people).await? else { return Ok(None) };
        let other = if known.len() > 1 { known.pop() } else { None };
        let Some(subject) = known.pop() else { return Ok(None) };
        Ok(Some(Sight { subject, object: other, row, places: HashMap::new(), names: HashMap::new() }))
    }

    /// Which groups and roles of the facts the asker sees, whoever is in them or holds them.
    pub(super) async fn see_places(&self, sight: &mut Sight, witnesses: &[Witness]) -> Result<(), Error> {
        let groups: Vec<GroupId> = witnesses.iter().flat_map(|witness| witness.groups.iter().flatten().copied()).collect();
        let roles: Vec<RoleId> = witnesses.iter().flat_map(|witness| witness.roles.iter().copied()).collect();
        let groups = self.groups(&groups).await?;
        sight.places = groups.iter().flatten().map(|row| (row.id, named(&row.key, row.id.to_string()))).collect();
        let roles = self.roles(&roles).await?;
        sight.names = roles.iter().flatten().map(|row| (row.id, named(&row.key, row.id.to_string()))).collect();
        Ok(())
    }

    /// The object as a row, and the user whom it is about. The outer `None` if the asker does not see it.
    async fn row_of(&self, object: &Object) -> Result<Option<(Option<Row>, Option<UserId>)>, Error> {
        fn only<R: Clone>(rows: Vec<Option<Visible<R>>>) -> Option<R> {
            rows.into_iter().next().flatten().map(|row| (*row).clone())
        }
        let plain = |kind, withheld| Row { kind, withheld, attributes: Attributes::new() };
        Ok(match object {
            Object::Workspace => Some((None, None)),
            Object::Users(ids) => only::<User>(self.users(ids).await?)
                .map(|row| (Some(Row { kind: Kind::User, withheld: row.withheld, attributes: row.attributes }), Some(row.id))),
            Object::Groups(ids) => only::<Group>(self.groups(ids).await?)
                .map(|row| (Some(Row { kind: Kind::Group, withheld: row.withheld, attributes: row.attributes }), None)),
            Object::Roles(ids) => only::<Role>(self.roles(ids).await?).map(|row| (Some(plain(Kind::Role, row.withheld)), None)),
            Object::Memberships(ids) => {
                only::<Membership>(self.memberships(ids).await?).map(|row| (Some(plain(Kind::Membership, row.withheld)), Some(row.user)))
            }
            Object::Grants(ids) => {
                only::<Grant>(self.grants(ids).await?).map(|row| (Some(plain(Kind::Grant, row.withheld)), Some(row.user)))
            }
        })
    }

    /// What the asker sees of users; `None` if it does not see all of them.
    async fn known_users(&self, people: &[UserId]) -> Result<Option<Vec<Known>>, Error> {
        let users: Option<Vec<Visible<User>>> = self.users(people).await?.into_iter().collect();
        let Some(users) = users else { return Ok(None) };
        let window = || Window { rows: limits::LEVEL_ROWS / people.len().max(1), ..Window::default() };
        let memberships = AmongMemberships::OfUsers(people.to_vec());
        let memberships =
            self.list_memberships(Ask { among: memberships, filter: None, order: Order::default(), window: window() }).await?;
        let grants = AmongGrants::OfUsers(people.to_vec());
        let grants = self.list_grants(Ask { among: grants, filter: None, order: Order::default(), window: window() }).await?;
        let held: Vec<RoleId> = grants.iter().flat_map(|page| &page.rows).map(|(_, row)| row.role).collect();
        let roles = self.roles(&held).await?;
        let permissions = |row: &Visible<Role>| (row.id, row.permissions.shown().cloned().unwrap_or_default());
        let permissions: HashMap<RoleId, Vec<String>> = roles.iter().flatten().map(permissions).collect();
        let mut sees_every = true;
        for kind in [Kind::Membership, Kind::Grant, Kind::User, Kind::Group, Kind::Role] {
            sees_every = sees_every && self.scope(kind).await?.is_everything();
        }
        let stored = self.snapshot.lock().await.direct_groups(people).await?.open();
        let granted = self.grants_of(people).await?;
        let known = users.into_iter().zip(memberships).zip(grants).map(|((user, memberships), grants)| {
            let memberships: HashMap<GroupId, bool> =
                memberships.rows.iter().map(|(_, row)| (row.group, row.manager.shown().is_some())).collect();
            let grants: HashSet<(RoleId, Option<GroupId>)> = grants.rows.iter().map(|(_, row)| (row.role, row.within)).collect();
            let sees_groups = stored.iter().filter(|(of, _)| *of == user.id).all(|(_, group)| memberships.get(group) == Some(&true));
            let sees_grants =
                granted.iter().filter(|grant| grant.user == user.id).all(|grant| grants.contains(&(grant.role, grant.within)));
            let is_self = self.subject.user() == Some(user.id) && !self.is_watched();
            let permissions = grants.iter().flat_map(|(role, _)| permissions.get(role).into_iter().flatten().cloned()).collect();
            Known {
                user: (*user).clone(),
                memberships,
                grants,
                permissions,
                is_whole: sees_groups && sees_grants && (sees_every || is_self),
            }
        });
        Ok(Some(known.collect()))
    }
}

/// Of whom, or of what, a fact says that a group or role belongs to it.
#[derive(Clone, Copy)]
enum Of<'a> {
    /// The object itself, which the asker sees.
    Itself,
    /// Somebody: a membership or grant.
    User(&'a Known),
    /// Nothing but that somebody has to do with it.
    Place(&'a Known),
    /// Something that the asker does not see.
    Hidden,
}

impl Sight {
    /// A call, as far as the asker may see it.
    pub(super) fn call(&self, witness: &Witness) -> ExplainedCall {
        let mut facts = self.subject_facts(witness);
        facts.extend(self.row_facts(witness));
        let places = witness.groups.iter().flatten().all(|id| self.places.contains_key(id));
        let names = witness.roles.iter().all(|id| self.names.contains_key(id));
        let further = witness.rows.len <= 1 || self.person().is_whole;
        let is_whole = places && names && further && !facts.iter().any(|fact| fact.withheld);
        ExplainedCall {
            digest: witness.digest,
            module: witness.module.clone(),
            facts_digest: Some(witness.facts).filter(|_| is_whole),
            fuel: Some(witness.fuel).filter(|_| is_whole),
            facts,
        }
    }

    /// The user whom the rows are about.
    fn person(&self) -> &Known {
        self.object.as_ref().unwrap_or(&self.subject)
    }

    fn subject_facts(&self, witness: &Witness) -> Vec<ShownFact> {
        let subject = &witness.context.subject;
        let of = Of::User(&self.subject);
        let is_cut = !self.subject.is_whole;
        let mut manages = ShownFact { withheld: is_cut, ..fact("subject.manages", Vec::new()) };
        for position in &subject.manages {
            let is_known = match witness.groups.get(*position as usize) {
                Some(Some(id)) => self.subject.memberships.get(id) == Some(&true),
                // Nobody is in the top group: that somebody manages it follows from a grant.
                _ => self.subject.is_whole,
            };
            match self.group(witness, *position, of).filter(|_| is_known) {
                Some(group) => manages.values.push(group),
                None => manages.withheld = true,
            }
        }
        let mut facts =
            vec![fact("subject.kind", vec![subject.kind.clone()]), self.groups("subject.groups", witness, &subject.groups, of), manages];
        let mut grants = ShownFact { withheld: is_cut, ..fact("subject.grants", Vec::new()) };
        for held in &subject.grants {
            match self.grant(witness, held.role, held.within) {
                Some(grant) => grants.values.push(grant),
                None => grants.withheld = true,
            }
        }
        facts.push(grants);
        let (seen, unseen): (Vec<_>, Vec<_>) =
            subject.permissions.iter().cloned().partition(|name| self.subject.permissions.contains(name));
        facts.push(ShownFact { withheld: is_cut || !unseen.is_empty(), ..fact("subject.permissions", seen) });
        for given in &subject.facts {
            let user = &self.subject.user;
            let is_hidden = lacks(&user.attributes, &user.withheld, &given.name);
            let name = format!("subject.{}", given.name);
            let at = match facts.iter().position(|fact| fact.name == name) {
                Some(at) => at,
                None => {
                    facts.push(fact(&name, Vec::new()));
                    facts.len() - 1
                }
            };
            if let Some(known) = facts.get_mut(at) {
                if is_hidden {
                    known.withheld = true;
                } else {
                    known.values.push(given.value.clone());
                }
            }
        }
        facts
    }

    /// A grant of the subject's, if the asker sees it.
    fn grant(&self, witness: &Witness, role: u32, within: u32) -> Option<String> {
        let id = witness.roles.get(role as usize)?;
        let group = if within == UNASSIGNED { None } else { Some(witness.groups.get(within as usize).copied().flatten()?) };
        if !self.subject.grants.contains(&(*id, group)) {
            return None;
        }
        let role = self.names.get(id)?;
        match group {
            None => Some(role.clone()),
            Some(group) => Some(format!("{role} in {}", self.places.get(&group)?)),
        }
    }

    /// The columns of the first row.
    fn row_facts(&self, witness: &Witness) -> Vec<ShownFact> {
        let kind = Kind::named(&witness.rows.kind);
        let itself = self.itself(witness, kind);
        let columns = witness.rows.columns.iter().map(|column| self.column(witness, kind, column, itself));
        columns.chain(witness.rows.numbers.iter().map(|column| self.numbers(witness, column))).collect()
    }

    /// What the first row is for the asker.
    fn itself(&self, witness: &Witness, kind: Option<Kind>) -> Of<'_> {
        match (&self.row, kind) {
            (Some(row), Some(kind)) if row.kind == kind && kind != Kind::User => Of::Itself,
            // What may hang on a group or role that the asker sees.
            (Some(Row { kind: Kind::Group, .. }), Some(Kind::Membership)) | (Some(Row { kind: Kind::Role, .. }), Some(Kind::Grant)) => {
                Of::Itself
            }
            (_, Some(Kind::User)) => Of::User(self.person()),
            // One of somebody's memberships or grants, or a made-up one in a place of the subject's.
            (_, Some(Kind::Membership)) if self.has_membership(witness) => Of::Itself,
            (_, Some(Kind::Grant)) if self.has_grant(witness) => Of::Itself,
            (None, Some(Kind::Group)) => Of::Place(&self.subject),
            _ => Of::Hidden,
        }
    }

    fn has_membership(&self, witness: &Witness) -> bool {
        let group = first_item(witness, "groups").and_then(|at| witness.groups.get(at as usize).copied().flatten());
        group.is_some_and(|group| self.person().memberships.contains_key(&group))
    }

    fn has_grant(&self, witness: &Witness) -> bool {
        let role = first_item(witness, "role").and_then(|at| witness.roles.get(at as usize).copied());
        let within = first_item(witness, "groups").filter(|at| *at != UNASSIGNED);
        let within = within.map(|at| witness.groups.get(at as usize).copied().flatten());
        role.is_some_and(|role| self.person().grants.contains(&(role, within.flatten())))
    }

    fn column(&self, witness: &Witness, kind: Option<Kind>, column: &Column, itself: Of<'_>) -> ShownFact {
        let name = format!("{}.{}", witness.rows.kind, column.name);
        let bare = column.name.strip_prefix("user.");
        let is_of_user = kind == Some(Kind::User) || bare.is_some();
        let bare = bare.unwrap_or(&column.name);
        if self.is_hidden(bare, is_of_user, itself, witness) {
            return ShownFact { withheld: true, ..fact(&name, Vec::new()) };
        }
        let items = first_row(&column.ends, &column.items);
        let of = if is_of_user { Of::User(self.person()) } else { itself };
        match kind.and_then(|kind| shape(kind, &column.name)) {
            Some(Shape::Groups | Shape::Group) => self.groups(&name, witness, items, of),
            Some(Shape::Roles | Shape::Role) => {
                let known: Vec<Option<String>> =
                    items.iter().filter(|item| **item != UNASSIGNED).map(|item| self.role(witness, *item, of)).collect();
                ShownFact { withheld: of.is_cut() || known.contains(&None), ..fact(&name, known.into_iter().flatten().collect()) }
            }
            Some(Shape::Flag) => fact(&name, items.iter().map(|item| (*item != 0).to_string()).collect()),
            Some(Shape::Text | Shape::Texts | Shape::Count | Shape::Instant) | None => {
                fact(&name, items.iter().filter(|item| **item != UNASSIGNED).map(|item| text(column, *item)).collect())
            }
        }
    }

    /// Whether the asker may not see a column, `bare` of the prefix of its user.
    fn is_hidden(&self, bare: &str, is_of_user: bool, itself: Of<'_>, witness: &Witness) -> bool {
        let person = self.person();
        let nothing = Attributes::new();
        let (withheld, attributes) = match &self.row {
            _ if is_of_user => (person.user.withheld.as_slice(), &person.user.attributes),
            Some(row) => (row.withheld.as_slice(), &row.attributes),
            None => (&[] as &[String], &nothing),
        };
        match bare {
            "self" | "groups" | "role" | "roles" => false,
            "created-by-me" => !withheld.is_empty() || !is_of_user && !matches!(itself, Of::Itself),
            // They follow from memberships and grants.
            "shares-group" | "below-my-groups" | "managed-by-me" if is_of_user => !self.subject.is_whole || !person.is_whole,
            "mine" | "managed-by-me" | "below-my-groups" | "above-my-groups" | "held-by-me" => !self.subject.is_whole,
            "depth" => !witness.groups.iter().flatten().all(|id| self.places.contains_key(id)),
            _ if !is_of_user && matches!(itself, Of::Hidden) => true,
            field => lacks(attributes, withheld, field),
        }
    }

    fn numbers(&self, witness: &Witness, column: &NumberColumn) -> ShownFact {
        let name = format!("{}.{}", witness.rows.kind, column.name);
        let person = self.person();
        if column.name.strip_prefix("user.").is_some() && lacks(&person.user.attributes, &person.user.withheld, &column.name) {
            return ShownFact { withheld: true, ..fact(&name, Vec::new()) };
        }
        let items = first_row(&column.ends, &column.items).iter().filter(|item| **item != UNASSIGNED_NUMBER);
        fact(&name, items.map(i64::to_string).collect())
    }

    fn groups(&self, name: &str, witness: &Witness, positions: &[u32], of: Of<'_>) -> ShownFact {
        let known: Vec<Option<String>> = positions.iter().filter(|at| **at != UNASSIGNED).map(|at| self.group(witness, *at, of)).collect();
        ShownFact { withheld: of.is_cut() || known.contains(&None), ..fact(name, known.into_iter().flatten().collect()) }
    }

    fn group(&self, witness: &Witness, position: u32, of: Of<'_>) -> Option<String> {
        match witness.groups.get(position as usize)? {
            // The top group, in which everybody is.
            None => Some("(everybody)".to_owned()),
            Some(id) => self.places.get(id).filter(|_| of.has_group(*id)).cloned(),
        }
    }

    fn role(&self, witness: &Witness, position: u32, of: Of<'_>) -> Option<String> {
        let id = witness.roles.get(position as usize)?;
        self.names.get(id).filter(|_| of.has_role(*id)).cloned()
    }
}

impl Of<'_> {
    /// Whether there may be more than the asker sees.
    const fn is_cut(self) -> bool {
        match self {
            Self::Itself => false,
            Self::User(known) | Self::Place(known) => !known.is_whole,
            Self::Hidden => true,
        }
    }

    fn has_group(self, id: GroupId) -> bool {
        match self {
            Self::Itself => true,
            Self::User(known) => known.memberships.contains_key(&id),
            Self::Place(known) => known.memberships.contains_key(&id) || known.grants.iter().any(|(_, within)| *within == Some(id)),
            Self::Hidden => false,
        }
    }

    fn has_role(self, id: RoleId) -> bool {
        match self {
            Self::Itself => true,
            Self::User(known) | Self::Place(known) => known.grants.iter().any(|(role, _)| *role == id),
            Self::Hidden => false,
        }
    }
}

/// The name of a row that the asker sees.
fn named(key: &Field<String>, id: String) -> String {
    key.shown().cloned().unwrap_or(id)
}

fn fact(name: &str, values: Vec<String>) -> ShownFact {
    ShownFact { name: name.to_owned(), values, withheld: false }
}

/// Whether a field, or an attribute as `attributes.NAME`, is withheld from what is shown of a row.
fn lacks(shown: &Attributes, withheld: &[String], name: &str) -> bool {
    let Some(attribute) = name.strip_prefix("attributes.") else { return withheld.iter().any(|field| field == name) };
    let is_shown = shown.iter().any(|(known, _)| known == attribute);
    !is_shown && withheld.iter().any(|field| field == "attributes.*" || field == name)
}

fn shape(kind: Kind, name: &str) -> Option<Shape> {
    let named = |pattern: &str| pattern == name || pattern.strip_suffix('*').is_some_and(|start| name.starts_with(start));
    kind.columns().iter().find(|column| named(column.name)).map(|column| column.shape)
}

/// The first item of the first row in a column, if the policy was shown that column.
fn first_item(witness: &Witness, name: &str) -> Option<u32> {
    let column = witness.rows.columns.iter().find(|column| column.name == name)?;
    first_row(&column.ends, &column.items).first().copied()
}

/// The items of the first row.
fn first_row<'a, T>(ends: &[u32], items: &'a [T]) -> &'a [T] {
    let end = ends.first().map_or(1, |end| *end as usize);
    items.get(..end).unwrap_or(items)
}

fn text(column: &Column, item: u32) -> String {
    column.dictionary.get(item as usize).cloned().unwrap_or_else(|| item.to_string())
}
