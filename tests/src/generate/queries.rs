//! Queries: every root field, lists within lists, every condition, orders, windows, lookups and trees.

use super::worlds::{ATTRIBUTES, PERMISSIONS};
use crate::{
    dice::Dice,
    document::{Arguments, Comparison, Condition, Field, NEW_YEAR, Order, Window, leaves},
    model::{TEXTS, World},
    naive::{Kind, policy::Asker, text::words},
};

/// One to three fields at the root.
#[must_use]
pub fn query(dice: &mut Dice, world: &World, asker: &Asker) -> Vec<Field> {
    let maker = Maker { world, asker };
    (0..dice.between(1, 3)).map(|at| maker.root(dice).alias(format!("r{at}"))).collect()
}

/// A list of the workspace without a window, to be walked page by page.
#[must_use]
pub fn walk(dice: &mut Dice, world: &World, asker: &Asker) -> (Kind, Arguments) {
    let maker = Maker { world, asker };
    let kind = *dice.pick(&Kind::ALL);
    (kind, Arguments { window: None, ..maker.list(dice, kind) })
}

/// The root field that lists a kind.
#[must_use]
pub const fn list_of(kind: Kind) -> &'static str {
    match kind {
        Kind::User => "users",
        Kind::Group => "groups",
        Kind::Role => "roles",
        Kind::Membership => "memberships",
        Kind::Grant => "grants",
    }
}

struct Maker<'a> {
    world: &'a World,
    asker: &'a Asker,
}

impl Maker<'_> {
    fn root(&self, dice: &mut Dice) -> Field {
        match dice.below(16) {
            0 => self.viewer(dice),
            1 => Field::of("workspace", leaves(&["id", "key", "userQuota", "userCount", "withheldFields"])),
            2 => Field::with("node", Arguments { id: Some(("id", self.id(dice))), ..Arguments::default() }, fragments()),
            3 => {
                let ids = (0..dice.below(6)).map(|_| self.id(dice)).collect();
                Field::with("nodes", Arguments { ids: Some(ids), ..Arguments::default() }, fragments())
            }
            4 | 5 => self.lookup(dice),
            6 | 7 => {
                let root = dice.one_in(2).then(|| ("rootId", self.id_of(dice, Kind::Group)));
                let levels = dice.one_in(3).then(|| i32::try_from(dice.between(1, 4)).unwrap());
                let nodes =
                    vec![Field::of("group", self.row(dice, Kind::Group, 0)), Field::of("parent", leaves(&["id"])), Field::leaf("depth")];
                let arguments = Arguments { id: root, levels, ..Arguments::default() };
                Field::with("groupTree", arguments, vec![Field::of("nodes", nodes), Field::leaf("truncated")])
            }
            _ => {
                let kind =
                    *dice.pick(&[Kind::User, Kind::User, Kind::User, Kind::Group, Kind::Group, Kind::Role, Kind::Membership, Kind::Grant]);
                self.connection(dice, list_of(kind), kind, 2)
            }
        }
    }

    fn viewer(&self, dice: &mut Dice) -> Field {
        let mut fields = leaves(&["kind", "name", "status", "permissions"]);
        fields.push(Field::of("user", self.row(dice, Kind::User, 1)));
        Field::of("viewer", fields)
    }

    fn lookup(&self, dice: &mut Dice) -> Field {
        let (name, kind, by): (_, _, &[&'static str]) = match dice.below(3) {
            0 => ("user", Kind::User, &["id", "email", "userName", "externalId"]),
            1 => ("group", Kind::Group, &["id", "key"]),
            _ => ("role", Kind::Role, &["id", "key"]),
        };
        let by = *dice.pick(by);
        let value = if by == "id" { self.id_of(dice, kind) } else { self.value(dice, kind, by) };
        let value = if dice.one_in(3) { value.to_uppercase() } else { value };
        let value = if by == "id" { value.to_lowercase() } else { value };
        Field::with(name, Arguments { by: Some((by, value)), ..Arguments::default() }, self.row(dice, kind, 2))
    }

    /// A connection; at most `depth` further ones within one another.
    fn connection(&self, dice: &mut Dice, name: &'static str, kind: Kind, depth: usize) -> Field {
        let mut arguments = self.list(dice, kind);
        if name == "descendants" && dice.one_in(2) {
            arguments.levels = Some(i32::try_from(dice.between(1, 4)).unwrap());
        }
        arguments.effective = name == "members" && dice.one_in(2);
        let rows = self.row(dice, kind, depth);
        let mut fields = if dice.one_in(2) {
            let mut edge = vec![Field::leaf("cursor"), Field::of("node", rows)];
            if name == "members" && dice.one_in(2) {
                edge.push(Field::of("memberships", self.row(dice, Kind::Membership, 0)));
            }
            vec![Field::of("edges", edge)]
        } else {
            vec![Field::of("nodes", rows)]
        };
        if dice.one_in(2) {
            fields.push(Field::of("pageInfo", leaves(&["hasNextPage", "hasPreviousPage", "startCursor", "endCursor"])));
        }
        if dice.one_in(2) {
            fields.push(Field::leaf("totalCount"));
        }
        Field::with(name, arguments, fields)
    }

    /// Fields of a row: some of its own, and lists if there is depth left.
    fn row(&self, dice: &mut Dice, kind: Kind, depth: usize) -> Vec<Field> {
        let mut fields = leaves(&["id", "withheldFields"]);
        fields.push(Field::leaf(if kind == Kind::Grant { "grantedAt" } else { "createdAt" }));
        for name in dice.some(kind.fields(), 6) {
            match name {
                "attributes.*" => fields.push(Field::of("attributes", leaves(&["name", "values"]))),
                "grantedBy" => fields.push(Field::of("grantedBy", leaves(&["id"]))),
                name => fields.push(Field::leaf(name)),
            }
        }
        let further: Vec<Field> = match kind {
            Kind::User => vec![
                self.can(&["user.read", "user.update", "user.suspend"]),
                Field::of("effectivePermissions", vec![Field::leaf("permission"), Field::of("sources", sources())]),
            ],
            Kind::Group => vec![
                self.can(&["group.read", "group.update", "membership.add", "membership.remove"]),
                Field::of("parent", leaves(&["id", "key", "withheldFields"])),
                Field::of("ancestors", leaves(&["id", "name"])),
                Field::leaf("depth"),
            ],
            Kind::Role => vec![self.can(&["role.read"])],
            Kind::Membership => vec![Field::of("user", leaves(&["id", "email"])), Field::of("group", leaves(&["id", "key"]))],
            Kind::Grant => vec![
                Field::of("user", leaves(&["id", "userName"])),
                Field::of("role", leaves(&["id", "permissions"])),
                Field::of("within", leaves(&["id", "name"])),
                Field::leaf("limited"),
            ],
        };
        fields.extend(dice.some(&further, 2));
        if depth > 0 {
            let lists: &[(&'static str, Kind)] = match kind {
                Kind::User => &[("groups", Kind::Group), ("memberships", Kind::Membership), ("roles", Kind::Role), ("grants", Kind::Grant)],
                Kind::Group => {
                    &[("children", Kind::Group), ("descendants", Kind::Group), ("members", Kind::User), ("memberships", Kind::Membership)]
                }
                Kind::Role => &[("grants", Kind::Grant)],
                Kind::Membership | Kind::Grant => &[],
            };
            let chosen = dice.some(lists, 2);
            fields.extend(chosen.into_iter().map(|(name, kind)| self.connection(dice, name, kind, depth - 1)));
        }
        fields
    }

    fn can(&self, actions: &[&str]) -> Field {
        let actions = actions.iter().map(|action| (*action).to_owned()).collect();
        Field::with("viewerCan", Arguments { actions: Some(actions), ..Arguments::default() }, leaves(&["action", "allowed"]))
    }

    fn list(&self, dice: &mut Dice, kind: Kind) -> Arguments {
        let window = match dice.below(3) {
            0 => Window::Last(dice.between(1, 6)),
            _ => Window::First(dice.between(1, 9)),
        };
        let filter = (!dice.one_in(3)).then(|| self.condition(dice, kind, 2));
        let sorts: &[&'static str] = match kind {
            Kind::User => &["id", "userName", "displayName", "givenName", "familyName", "email"],
            Kind::Group | Kind::Role => &["id", "name", "key"],
            Kind::Membership | Kind::Grant => &[],
        };
        let order = (!sorts.is_empty() && dice.one_in(2)).then(|| Order { field: dice.pick::<&str>(sorts), descending: dice.one_in(2) });
        Arguments { window: Some(window), filter, order, ..Arguments::default() }
    }

    fn condition(&self, dice: &mut Dice, kind: Kind, depth: usize) -> Condition {
        if depth > 0 && dice.one_in(2) {
            let parts: Vec<Condition> = (0..dice.between(1, 3)).map(|_| self.condition(dice, kind, depth - 1)).collect();
            return match dice.below(4) {
                0 => Condition::All(parts),
                1 => Condition::Any(parts),
                2 => Condition::Not(Box::new(parts.into_iter().next().unwrap())),
                _ => {
                    let mut together: Vec<Condition> = Vec::new();
                    for part in parts.into_iter().filter(|part| !part.name().is_empty()) {
                        if together.iter().all(|other| other.name() != part.name()) {
                            together.push(part);
                        }
                    }
                    Condition::Together(together)
                }
            };
        }
        match kind {
            Kind::User => self.user_condition(dice),
            Kind::Group => self.group_condition(dice),
            Kind::Role => self.role_condition(dice),
            Kind::Membership => match dice.below(5) {
                0 => Condition::Ids("users", self.ids_of(dice, Kind::User)),
                1 => Condition::Ids("groups", self.ids_of(dice, Kind::Group)),
                2 => Condition::Ids("underGroups", self.ids_of(dice, Kind::Group)),
                3 => Condition::Flag("manager", dice.one_in(2)),
                _ => period(dice, "createdAt"),
            },
            Kind::Grant => match dice.below(6) {
                0 => Condition::Ids("users", self.ids_of(dice, Kind::User)),
                1 => Condition::Ids("roles", self.ids_of(dice, Kind::Role)),
                2 => Condition::Ids("within", self.ids_of(dice, Kind::Group)),
                3 => Condition::Flag("limited", dice.one_in(2)),
                4 => Condition::OneOf("provenance", dice.some(&["import", "manual", "scim"], 2)),
                _ => period(dice, "createdAt"),
            },
        }
    }

    fn user_condition(&self, dice: &mut Dice) -> Condition {
        match dice.below(12) {
            0 => Condition::Ids("ids", self.ids_of(dice, Kind::User)),
            1 => Condition::Ids("inGroups", self.ids_of(dice, Kind::Group)),
            2 => Condition::Ids("underGroups", self.ids_of(dice, Kind::Group)),
            3 => Condition::Ids("manages", self.ids_of(dice, Kind::Group)),
            4 => Condition::Ids("roles", self.ids_of(dice, Kind::Role)),
            5 => Condition::OneOf("status", dice.some(&["active", "invited", "inactive", "suspended", "deleted"], 3)),
            6 => Condition::Flag("exclusive", dice.one_in(2)),
            7 => self.attribute(dice),
            8 => Condition::Search(self.search(dice, Kind::User)),
            9 => period(dice, "createdAt"),
            _ => {
                let field = dice.pick(&TEXTS).0;
                let value = self.value(dice, Kind::User, field);
                Condition::Text(field, self.comparison(dice, &value))
            }
        }
    }

    fn group_condition(&self, dice: &mut Dice) -> Condition {
        match dice.below(8) {
            0 => Condition::Ids("ids", self.ids_of(dice, Kind::Group)),
            1 => Condition::Ids("belowGroups", self.ids_of(dice, Kind::Group)),
            2 => Condition::Ids("members", self.ids_of(dice, Kind::User)),
            3 => self.attribute(dice),
            4 => Condition::Search(self.search(dice, Kind::Group)),
            5 => period(dice, "createdAt"),
            _ => self.named(dice, Kind::Group),
        }
    }

    fn role_condition(&self, dice: &mut Dice) -> Condition {
        match dice.below(6) {
            0 => Condition::Ids("ids", self.ids_of(dice, Kind::Role)),
            1 => Condition::Flag("builtin", dice.one_in(2)),
            2 => Condition::Permissions(dice.some(&PERMISSIONS, 2).into_iter().map(str::to_owned).collect()),
            3 => Condition::Search(self.search(dice, Kind::Role)),
            _ => self.named(dice, Kind::Role),
        }
    }

    fn named(&self, dice: &mut Dice, kind: Kind) -> Condition {
        let field = *dice.pick(&["key", "name", "description"]);
        let value = self.value(dice, kind, field);
        Condition::Text(field, self.comparison(dice, &value))
    }

    fn attribute(&self, dice: &mut Dice) -> Condition {
        let (name, values) = dice.pick(&ATTRIBUTES);
        let name = if dice.one_in(8) { "ghost" } else { *name };
        let value = *dice.pick(values);
        Condition::Attribute(name.to_owned(), self.comparison(dice, value))
    }

    /// A comparison with a value, a part of it, or something else, in another case now and then.
    fn comparison(&self, dice: &mut Dice, value: &str) -> Comparison {
        let value = if dice.one_in(3) { value.to_uppercase() } else { value.to_owned() };
        let letters: Vec<char> = value.chars().collect();
        let cut = dice.below(letters.len().max(1));
        let (front, back): (String, String) = (letters[..cut].iter().collect(), letters[cut..].iter().collect());
        match dice.below(8) {
            0 => Comparison::Eq(value),
            1 => Comparison::Ne(value),
            2 => Comparison::In(vec![value, "no such thing".to_owned()]),
            3 => Comparison::StartsWith(front),
            4 => Comparison::EndsWith(back),
            5 => Comparison::Contains(back.chars().take(3).collect()),
            6 => Comparison::Contains((*dice.pick(&["%", "_", "\\", "'", "\"", "ß", "ë"])).to_owned()),
            _ => Comparison::Present(dice.one_in(2)),
        }
    }

    fn search(&self, dice: &mut Dice, kind: Kind) -> String {
        let field = *dice.pick(if kind == Kind::User {
            &["userName", "displayName", "email", "code", "externalId"][..]
        } else {
            &["key", "name", "description"]
        });
        let found = words(&self.value(dice, kind, field));
        let word = found.first().map_or_else(|| "a".to_owned(), |word| word.chars().take(dice.between(1, 4)).collect());
        let word = if dice.one_in(2) { word.to_uppercase() } else { word };
        if dice.one_in(3) { format!("{word} {}", dice.pick(&["z", "Ä", "example", "1"])) } else { word }
    }

    /// A value that some row has in that field, or one that none has.
    fn value(&self, dice: &mut Dice, kind: Kind, field: &str) -> String {
        let world = self.world;
        let found = match kind {
            Kind::User => dice.pick(&world.people).texts.get(field).cloned(),
            Kind::Group => {
                let group = dice.pick(&world.groups);
                match field {
                    "key" => Some(group.key.clone()),
                    "name" => Some(group.name.clone()),
                    _ => group.description.clone(),
                }
            }
            _ => {
                let role = dice.pick(&world.roles);
                match field {
                    "key" => Some(role.key.clone()),
                    "name" => Some(role.name.clone()),
                    _ => role.description.clone(),
                }
            }
        };
        found.unwrap_or_else(|| "nobody".to_owned())
    }

    fn id(&self, dice: &mut Dice) -> String {
        let kind = *dice.pick(&Kind::ALL);
        self.id_of(dice, kind)
    }

    fn ids_of(&self, dice: &mut Dice, kind: Kind) -> Vec<String> {
        (0..dice.below(4)).map(|_| self.id_of(dice, kind)).collect()
    }

    /// The id of a row, now and then of none; often the subject's own.
    fn id_of(&self, dice: &mut Dice, kind: Kind) -> String {
        let world = self.world;
        let (prefix, ids): (_, Vec<&String>) = match kind {
            Kind::User => ("usr", world.people.iter().map(|row| &row.id).collect()),
            Kind::Group => ("grp", world.groups.iter().map(|row| &row.id).collect()),
            Kind::Role => ("rol", world.roles.iter().map(|row| &row.id).collect()),
            Kind::Membership => ("mem", world.memberships.iter().map(|row| &row.id).collect()),
            Kind::Grant => ("gra", world.grants.iter().map(|row| &row.id).collect()),
        };
        match self.asker.person {
            Some(person) if kind == Kind::User && dice.one_in(4) => world.people[person].id.clone(),
            _ if ids.is_empty() || dice.one_in(10) => format!("{prefix}_{:032x}", dice.below(1_000_000)),
            _ => (*dice.pick(&ids)).clone(),
        }
    }
}

fn period(dice: &mut Dice, name: &'static str) -> Condition {
    let mut edge =
        || dice.one_in(2).then(|| NEW_YEAR + i64::try_from(dice.between(0, 6)).unwrap() * 1_800_000_000 + i64::from(dice.one_in(2)));
    Condition::Period(name, edge(), edge())
}

fn fragments() -> Vec<Field> {
    let mut fields = leaves(&["__typename", "id"]);
    fields.push(Field::of("... on User", leaves(&["userName", "email", "status", "withheldFields"])));
    fields.push(Field::of("... on Group", leaves(&["key", "name", "description"])));
    fields.push(Field::of("... on Role", leaves(&["key", "builtin", "permissions"])));
    fields.push(Field::of("... on Membership", leaves(&["manager"])));
    fields.push(Field::of("... on Grant", leaves(&["provenance", "limited"])));
    fields
}

fn sources() -> Vec<Field> {
    vec![Field::of("role", leaves(&["id"])), Field::of("within", leaves(&["id"])), Field::leaf("limited")]
}
