//! The answer to a whole query, resolved field by field over what the subject sees.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json, json};

use super::{
    Kind,
    conditions::{Touches, created, meets, provenance, text, touches},
    sight::Sight,
    standard::Standard,
    text::fold,
};
use crate::document::{Arguments, Field, Window, instant};

/// An error that the answer must carry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Failure {
    /// Where, as JSON text.
    pub path: String,
    /// `extensions.code`.
    pub code: &'static str,
    /// The message is one of these.
    pub messages: Vec<String>,
}

/// What the server must answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// `data`; every cursor is `*`.
    pub data: Json,
    /// `errors`, in no order.
    pub failures: Vec<Failure>,
}

/// Where in the answer.
type Path = Vec<Json>;

/// The rows of a list before its window.
struct Listing {
    kind: Kind,
    rows: Vec<usize>,
    counted: bool,
    /// For members: of which group, and whether of those below, too.
    member_of: Option<(usize, bool)>,
}

/// Resolves queries for one subject.
struct Server<'a> {
    sight: &'a Sight<'a>,
    failures: Vec<Failure>,
}

/// Answers the fields of a query.
#[must_use]
pub fn answer(sight: &Sight<'_>, fields: &[Field]) -> Answer {
    let mut server = Server { sight, failures: Vec::new() };
    let data = server.object(fields, &[], Server::root);
    Answer { data, failures: server.failures }
}

/// Every row of a list of the workspace, in its order, as `arguments` filter and sort it; `None` if it is refused.
#[must_use]
pub fn rows(sight: &Sight<'_>, kind: Kind, arguments: &Arguments) -> Option<Vec<usize>> {
    let mut server = Server { sight, failures: Vec::new() };
    server.listing(arguments, &Vec::new(), kind, &[], |_| true).map(|listing| listing.rows)
}

impl Server<'_> {
    fn object(&mut self, fields: &[Field], path: &[Json], mut resolve: impl FnMut(&mut Self, &Field, &Path) -> Json) -> Json {
        let mut object = Map::new();
        for field in fields {
            let path = below(path, field.key());
            let value = resolve(self, field, &path);
            object.insert(field.key().to_owned(), value);
        }
        Json::Object(object)
    }

    fn list<T>(&mut self, items: impl IntoIterator<Item = T>, path: &Path, mut resolve: impl FnMut(&mut Self, T, &Path) -> Json) -> Json {
        items.into_iter().enumerate().map(|(at, item)| resolve(self, item, &below(path, at))).collect()
    }

    fn fail(&mut self, path: &Path, code: &'static str, messages: Vec<String>) -> Json {
        self.failures.push(Failure { path: json!(path).to_string(), code, messages });
        Json::Null
    }

    fn root(&mut self, field: &Field, path: &Path) -> Json {
        let arguments = &field.arguments;
        match field.name {
            "viewer" => self.viewer(field, path),
            "workspace" => self.workspace(field, path),
            "node" => self.node(&arguments.id.as_ref().unwrap().1, &field.fields, path),
            "nodes" => self.list(arguments.ids.as_ref().unwrap(), path, |server, id, path| server.node(id, &field.fields, path)),
            "users" => self.connection(field, path, Kind::User, &[], |_| true),
            "groups" => self.connection(field, path, Kind::Group, &[], |_| true),
            "roles" => self.connection(field, path, Kind::Role, &[], |_| true),
            "memberships" => self.connection(field, path, Kind::Membership, &[], |_| true),
            "grants" => self.connection(field, path, Kind::Grant, &[], |_| true),
            "user" => self.lookup(field, path, Kind::User),
            "group" => self.lookup(field, path, Kind::Group),
            "role" => self.lookup(field, path, Kind::Role),
            "groupTree" => self.tree(field, path),
            name => panic!("no root field {name}"),
        }
    }

    fn viewer(&mut self, field: &Field, path: &Path) -> Json {
        let (sight, asker) = (self.sight, self.sight.subject.asker);
        self.object(&field.fields, path, |server, field, path| match (field.name, asker.person) {
            ("kind", person) => json!(if person.is_some() { "USER" } else { "SERVICE" }),
            ("name" | "status" | "user", None) => Json::Null,
            ("name", Some(person)) => {
                let texts = &sight.world.people[person].texts;
                json!(texts.get("displayName").unwrap_or(&texts["userName"]))
            }
            ("status", Some(_)) => json!("ACTIVE"),
            ("user", Some(person)) if sight.sees(Kind::User, person) => server.row(Kind::User, person, &field.fields, path),
            ("user", Some(_)) => Json::Null,
            ("permissions", None) => json!(asker.scopes),
            ("permissions", Some(person)) => {
                let wide = sight.world.grants_of(person).filter(|grant| grant.within.is_none());
                let held =
                    wide.flat_map(|grant| &sight.world.roles[grant.role].permissions).filter(|permission| asker.may_attempt(permission));
                json!(held.collect::<BTreeSet<_>>())
            }
            (name, _) => panic!("no field {name} of the viewer"),
        })
    }

    fn workspace(&mut self, field: &Field, path: &Path) -> Json {
        let sight = self.sight;
        if !sight.subject.asker.may_attempt("workspace.read") {
            return Json::Null;
        }
        let withheld = sight.policy.workspace(&sight.subject);
        self.object(&field.fields, path, |_, field, _| match field.name {
            "id" => json!(sight.world.id),
            "withheldFields" => json!(withheld),
            name if withheld.contains(&name) => Json::Null,
            "key" => json!(sight.world.key),
            "userQuota" => Json::Null,
            "userCount" => json!(sight.world.people.iter().filter(|person| person.status != "deleted").count()),
            name => panic!("no field {name} of the workspace"),
        })
    }

    fn node(&mut self, id: &str, fields: &[Field], path: &Path) -> Json {
        let (kind, kind_name) = match id.split('_').next().unwrap() {
            "usr" => (Kind::User, "User"),
            "grp" => (Kind::Group, "Group"),
            "rol" => (Kind::Role, "Role"),
            "mem" => (Kind::Membership, "Membership"),
            "gra" => (Kind::Grant, "Grant"),
            prefix => panic!("no kind of {prefix}"),
        };
        let Some(row) = self.sight.find(kind, id).filter(|row| self.sight.sees(kind, *row)) else { return Json::Null };
        let mut object = Map::new();
        for field in fields {
            match field.name.strip_prefix("... on ") {
                None if field.name == "__typename" => drop(object.insert(field.key().to_owned(), json!(kind_name))),
                None => drop(object.insert(field.key().to_owned(), json!(id))),
                Some(of) if of == kind_name => {
                    let Json::Object(fields) = self.row(kind, row, &field.fields, path) else { continue };
                    object.extend(fields);
                }
                Some(_) => {}
            }
        }
        Json::Object(object)
    }

    fn lookup(&mut self, field: &Field, path: &Path, kind: Kind) -> Json {
        let (by, value) = field.arguments.by.as_ref().unwrap();
        let row = if *by == "id" {
            self.sight.find(kind, value).filter(|row| self.sight.sees(kind, *row))
        } else {
            if self.sight.scope(kind).nothing {
                return Json::Null;
            }
            let mut touched = vec![(kind, (*by).to_owned())];
            if *by == "email" {
                touched.push((kind, "code".to_owned()));
            }
            if let Some(messages) = self.refusal(touched.into_iter()) {
                return self.fail(path, "FIELD_NOT_SEARCHABLE", messages);
            }
            let found = |row: &usize| {
                text(self.sight, kind, *row, by).is_some_and(|text| fold(text) == fold(value))
                    && (*by != "email" || text(self.sight, kind, *row, "code").is_none())
            };
            self.sight.all(kind).iter().copied().find(found)
        };
        row.map_or(Json::Null, |row| self.row(kind, row, &field.fields, path))
    }

    fn tree(&mut self, field: &Field, path: &Path) -> Json {
        let sight = self.sight;
        let root = match &field.arguments.id {
            None => None,
            Some((_, id)) => match sight.find(Kind::Group, id).filter(|group| sight.sees(Kind::Group, *group)) {
                None => return Json::Null,
                root => root,
            },
        };
        let tree = sight.tree(root, field.arguments.levels.map(|levels| usize::try_from(levels).unwrap()));
        self.object(&field.fields, path, |server, field, path| match field.name {
            "truncated" => json!(false),
            "nodes" => server.list(&tree, path, |server, (group, parent, level), path| {
                server.object(&field.fields, path, |server, field, path| match field.name {
                    "group" => server.row(Kind::Group, *group, &field.fields, path),
                    "parent" => parent.map_or(Json::Null, |parent| server.row(Kind::Group, parent, &field.fields, path)),
                    "depth" => json!(level),
                    name => panic!("no field {name} of a node of the tree"),
                })
            }),
            name => panic!("no field {name} of the tree"),
        })
    }

    /// A row that is there.
    fn row(&mut self, kind: Kind, row: usize, fields: &[Field], path: &Path) -> Json {
        let sight = self.sight;
        self.object(fields, path, |server, field, path| match field.name {
            "id" => json!(sight.id(kind, row)),
            "createdAt" | "grantedAt" => json!(instant(created(sight, kind, row))),
            "withheldFields" => json!(sight.row(kind, row)),
            "viewerCan" => server.can(field, path, kind, row),
            "attributes" => {
                let stored = if kind == Kind::User { &sight.world.people[row].attributes } else { &sight.world.groups[row].attributes };
                let shown = sight.attributes(kind, row, stored);
                shown.into_iter().map(|(name, values)| json!({ "name": name, "values": values })).collect()
            }
            name if kind.fields().contains(&name) && sight.hides(kind, row, name) => Json::Null,
            name => match kind {
                Kind::User => server.of_user(row, name, field, path),
                Kind::Group => server.of_group(row, name, field, path),
                Kind::Role => server.of_role(row, name, field, path),
                Kind::Membership => server.of_membership(row, name, field, path),
                Kind::Grant => server.of_grant(row, name, field, path),
            },
        })
    }

    fn of_user(&mut self, user: usize, name: &str, field: &Field, path: &Path) -> Json {
        let sight = self.sight;
        let world = sight.world;
        match name {
            "exclusive" => json!(world.people[user].exclusive),
            "status" => json!(world.people[user].status.to_uppercase()),
            "groups" => {
                let groups: Vec<usize> = self
                    .edges(Kind::Membership)
                    .filter(|at| world.memberships[*at].person == user)
                    .map(|at| world.memberships[at].group)
                    .collect();
                self.connection(field, path, Kind::Group, &[Kind::Membership], |group| groups.contains(&group))
            }
            "memberships" => self.connection(field, path, Kind::Membership, &[], |at| world.memberships[at].person == user),
            "roles" => {
                let roles: Vec<usize> =
                    self.edges(Kind::Grant).filter(|at| world.grants[*at].person == user).map(|at| world.grants[at].role).collect();
                self.connection(field, path, Kind::Role, &[Kind::Grant], |role| roles.contains(&role))
            }
            "grants" => self.connection(field, path, Kind::Grant, &[], |at| world.grants[at].person == user),
            "effectivePermissions" => self.permissions(user, field, path),
            text => json!(world.people[user].texts.get(text)),
        }
    }

    fn of_group(&mut self, group: usize, name: &str, field: &Field, path: &Path) -> Json {
        let sight = self.sight;
        let world = sight.world;
        let below = |levels: Option<i32>| sight.below(group, levels.map(|levels| usize::try_from(levels).unwrap()));
        match name {
            "key" | "name" | "description" => json!(text(sight, Kind::Group, group, name)),
            "parent" => sight.ancestors(group).first().map_or(Json::Null, |parent| self.row(Kind::Group, *parent, &field.fields, path)),
            "ancestors" => {
                self.list(sight.ancestors(group), path, |server, above, path| server.row(Kind::Group, above, &field.fields, path))
            }
            "depth" => json!(sight.ancestors(group).len() + 1),
            "children" | "descendants" => {
                let rows = below(if name == "children" { Some(1) } else { field.arguments.levels });
                self.connection(field, path, Kind::Group, &[], |group| rows.contains(&group))
            }
            "members" => {
                let effective = field.arguments.effective;
                let joins = |at: &usize| {
                    let of = world.memberships[*at].group;
                    of == group || effective && world.is_under(of, group)
                };
                let members: BTreeSet<usize> = self.edges(Kind::Membership).filter(joins).map(|at| world.memberships[at].person).collect();
                let among = |user| members.contains(&user);
                let Some(mut listing) = self.listing(&field.arguments, path, Kind::User, &[Kind::Membership], among) else {
                    return Json::Null;
                };
                listing.member_of = Some((group, effective));
                self.page(field, path, &listing)
            }
            "memberships" => self.connection(field, path, Kind::Membership, &[], |at| world.memberships[at].group == group),
            name => panic!("no field {name} of a group"),
        }
    }

    fn of_role(&mut self, role: usize, name: &str, field: &Field, path: &Path) -> Json {
        let world = self.sight.world;
        match name {
            "key" | "name" | "description" => json!(text(self.sight, Kind::Role, role, name)),
            "builtin" => json!(world.roles[role].builtin),
            "permissions" => json!(world.roles[role].permissions),
            "grants" => self.connection(field, path, Kind::Grant, &[], |at| world.grants[at].role == role),
            name => panic!("no field {name} of a role"),
        }
    }

    fn of_membership(&mut self, at: usize, name: &str, field: &Field, path: &Path) -> Json {
        let membership = &self.sight.world.memberships[at];
        match name {
            "manager" => json!(membership.manager),
            "user" => self.row(Kind::User, membership.person, &field.fields, path),
            "group" => self.row(Kind::Group, membership.group, &field.fields, path),
            name => panic!("no field {name} of a membership"),
        }
    }

    fn of_grant(&mut self, at: usize, name: &str, field: &Field, path: &Path) -> Json {
        let grant = &self.sight.world.grants[at];
        match name {
            "provenance" => json!(provenance(self.sight.world, at).to_uppercase()),
            // Otherwise the operator granted it, who is nobody of the workspace.
            "grantedBy" => {
                let by = grant.made.map(|made| made.by).filter(|by| self.sight.sees(Kind::User, *by));
                by.map_or(Json::Null, |by| self.row(Kind::User, by, &field.fields, path))
            }
            "limited" => json!(grant.within.is_some()),
            "user" => self.row(Kind::User, grant.person, &field.fields, path),
            "role" => self.row(Kind::Role, grant.role, &field.fields, path),
            "within" => self.seen_group(grant.within, &field.fields, path),
            name => panic!("no field {name} of a grant"),
        }
    }

    fn seen_group(&mut self, group: Option<usize>, fields: &[Field], path: &Path) -> Json {
        let seen = group.filter(|group| self.sight.sees(Kind::Group, *group));
        seen.map_or(Json::Null, |group| self.row(Kind::Group, group, fields, path))
    }

    /// The permissions of visible grants and roles; the subject's own of all, within the ceiling of its token.
    fn permissions(&mut self, user: usize, field: &Field, path: &Path) -> Json {
        let sight = self.sight;
        let world = sight.world;
        let own = sight.subject.is(user);
        let shown = |role: usize| own || sight.sees(Kind::Role, role) && !sight.hides(Kind::Role, role, "permissions");
        let mut found: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (at, grant) in world.grants.iter().enumerate() {
            if grant.person == user && (own || sight.sees(Kind::Grant, at)) && shown(grant.role) {
                let permissions = world.roles[grant.role].permissions.iter();
                for permission in permissions.filter(|permission| !own || sight.subject.asker.may_attempt(permission)) {
                    found.entry(permission).or_default().push(at);
                }
            }
        }
        self.list(found, path, |server, (permission, grants), path| {
            server.object(&field.fields, path, |server, field, path| match field.name {
                "permission" => json!(permission),
                "sources" => server.list(&grants, path, |server, at, path| {
                    let grant = &world.grants[*at];
                    server.object(&field.fields, path, |server, field, path| match field.name {
                        "role" if sight.sees(Kind::Role, grant.role) => server.row(Kind::Role, grant.role, &field.fields, path),
                        "role" => Json::Null,
                        "within" => server.seen_group(grant.within, &field.fields, path),
                        "limited" => json!(grant.within.is_some()),
                        name => panic!("no field {name} of a source"),
                    })
                }),
                name => panic!("no field {name} of a permission"),
            })
        })
    }

    fn can(&mut self, field: &Field, path: &Path, kind: Kind, row: usize) -> Json {
        let sight = self.sight;
        let standard: &Standard = sight.policy.standard();
        self.list(field.arguments.actions.as_ref().unwrap(), path, |server, action, path| {
            // Whoever sees the row may read it; everything else is left to `standard` by every policy here.
            let allowed = *action == format!("{kind}.read") || standard.may(&sight.subject, action, kind, row);
            server.object(&field.fields, path, |_, field, _| match field.name {
                "action" => json!(action),
                "allowed" => json!(allowed),
                name => panic!("no field {name} of a decision"),
            })
        })
    }

    fn edges(&self, kind: Kind) -> impl Iterator<Item = usize> + '_ {
        self.sight.all(kind).iter().copied()
    }

    /// Why a list that touches these fields is refused, in the words for any one of them.
    fn refusal(&self, touched: impl Iterator<Item = (Kind, String)>) -> Option<Vec<String>> {
        let is_secret = |kind: Kind, field: &str| {
            let scope = self.sight.scope(kind);
            !scope.nothing && !scope.admits_search(kind, field)
        };
        let secret = touched.filter(|(kind, field)| is_secret(*kind, field));
        let message = |(kind, field)| {
            format!(
                "{kind} field `{field}` can not be filtered, searched, sorted or looked up by under the workspace's policy; leave it out"
            )
        };
        Some(secret.map(message).collect()).filter(|messages: &Vec<String>| !messages.is_empty())
    }

    /// The rows of a list in its order; `None` if it is refused. `edges` are those that join its rows to a parent.
    fn listing(
        &mut self,
        arguments: &Arguments,
        path: &Path,
        kind: Kind,
        edges: &[Kind],
        among: impl Fn(usize) -> bool,
    ) -> Option<Listing> {
        let sight = self.sight;
        let scope = sight.scope(kind);
        let mut listing = Listing { kind, rows: Vec::new(), counted: true, member_of: None };
        if scope.nothing {
            return Some(listing);
        }
        let mut touched = Vec::new();
        arguments.filter.iter().for_each(|filter| touches(kind, filter, &mut touched));
        touched.extend(arguments.order.filter(|order| order.field != "id").map(|order| Touches::Field(kind, order.field.to_owned())));
        let fields = touched.iter().filter_map(|touch| match touch {
            Touches::Field(kind, field) => Some((*kind, field.clone())),
            Touches::Edges(_) => None,
        });
        if let Some(messages) = self.refusal(fields) {
            self.fail(path, "FIELD_NOT_SEARCHABLE", messages);
            return None;
        }
        let inexact = |touch: &Touches| matches!(touch, Touches::Edges(kind) if !sight.scope(*kind).exact);
        // Edges can not be confirmed one by one after the fact, so that they need an exact scope.
        if touched.iter().any(inexact) || edges.iter().any(|kind| !sight.scope(*kind).exact) {
            self.fail(path, "POLICY_UNAVAILABLE", vec!["the workspace's policy gave no usable answer".to_owned()]);
            return None;
        }
        listing.counted = scope.exact;
        let met = |row: usize| arguments.filter.as_ref().is_none_or(|filter| meets(sight, kind, row, filter));
        listing.rows = sight.all(kind).iter().copied().filter(|row| among(*row) && met(*row)).collect();
        if let Some(order) = arguments.order {
            if order.field != "id" {
                // Unassigned texts come last.
                let key = |row: &usize| text(sight, kind, *row, order.field).map_or((1, String::new()), |text| (0, fold(text)));
                listing.rows.sort_by_cached_key(key);
            }
            if order.descending {
                listing.rows.reverse();
            }
        }
        Some(listing)
    }

    fn connection(&mut self, field: &Field, path: &Path, kind: Kind, edges: &[Kind], among: impl Fn(usize) -> bool) -> Json {
        let is_tree = matches!(field.name, "children" | "descendants");
        // A tree is laid out over confirmed groups, so that an inexact scope over them is exact, and empty where no group is seen.
        if is_tree && !self.sight.scope(kind).exact && self.sight.all(kind).is_empty() {
            let listing = Listing { kind, rows: Vec::new(), counted: true, member_of: None };
            return self.page(field, path, &listing);
        }
        let Some(mut listing) = self.listing(&field.arguments, path, kind, edges, among) else { return Json::Null };
        listing.counted |= is_tree;
        self.page(field, path, &listing)
    }

    fn page(&mut self, field: &Field, path: &Path, listing: &Listing) -> Json {
        let (kind, total) = (listing.kind, listing.rows.len());
        let cursor = field.arguments.cursor.as_ref().map(|(_, at)| *at);
        let (start, end) = match field.arguments.window.unwrap_or(Window::First(25)) {
            Window::First(rows) => {
                let start = cursor.map_or(0, |at| at + 1);
                (start, total.min(start + rows))
            }
            Window::Last(rows) => {
                let end = cursor.unwrap_or(total);
                (end.saturating_sub(rows), end)
            }
        };
        let forwards = !matches!(field.arguments.window, Some(Window::Last(_)));
        let rows = &listing.rows[start..end];
        let position = |row: Option<&usize>| json!(row.map(|_| "*"));
        self.object(&field.fields, path, |server, field, path| match field.name {
            "nodes" => server.list(rows, path, |server, row, path| server.row(kind, *row, &field.fields, path)),
            "edges" => server.list(rows, path, |server, row, path| {
                server.object(&field.fields, path, |server, field, path| match field.name {
                    "cursor" => json!("*"),
                    "node" => server.row(kind, *row, &field.fields, path),
                    "memberships" => {
                        let (group, below) = listing.member_of.unwrap();
                        let paths = server.sight.paths(*row, group, below);
                        server.list(paths, path, |server, at, path| server.row(Kind::Membership, at, &field.fields, path))
                    }
                    name => panic!("no field {name} of an edge"),
                })
            }),
            "pageInfo" => server.object(&field.fields, path, |_, field, _| match field.name {
                "hasNextPage" => json!(end < total && (forwards || cursor.is_some())),
                "hasPreviousPage" => json!(start > 0 && (!forwards || cursor.is_some())),
                "startCursor" => position(rows.first()),
                "endCursor" => position(rows.last()),
                name => panic!("no field {name} of a page"),
            }),
            "totalCount" if listing.counted => json!(total),
            "totalCount" => server.fail(
                path,
                "COUNT_UNAVAILABLE",
                vec![
                    "the policy's scope over this list is inexact, so that its rows can not be counted; leave `totalCount` out".to_owned(),
                ],
            ),
            name => panic!("no field {name} of a connection"),
        })
    }
}

fn below(path: &[Json], part: impl Into<Json>) -> Path {
    path.iter().cloned().chain([part.into()]).collect()
}
