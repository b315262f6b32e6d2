//! Every operation, with the policy actions that it asks; walked by whoever is allowed nothing, and by another workspace.
//!
//! A field of the schema that is in neither of the two tables fails a test. To add one that reads data: its row in [`ROWS`], with the
//! actions without any one of which its answer changes.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};
use tests::{
    TestHost,
    answers::TYPES,
    dice::Dice,
    generate,
    host::RULES,
    model::{Grant, World},
    naive::policy::Asker,
    on_each_database,
};

/// A field, a query that asks for it, and the actions that the policy is asked about.
struct Row {
    field: &'static str,
    /// `USER` and the like stand for ids.
    query: &'static str,
    actions: &'static [&'static str],
}

const fn row(field: &'static str, query: &'static str, actions: &'static [&'static str]) -> Row {
    Row { field, query, actions }
}

/// What reads data.
const ROWS: &[Row] = &[
    row("Query.viewer", "{ viewer { id kind status permissions } }", &[]),
    row("Query.workspace", "{ workspace { id key name } }", &["workspace.read"]),
    row("Query.node", "{ node(id: WORKSPACE) { id } }", &["workspace.read"]),
    row("Query.node", "{ node(id: USER) { id ... on User { userName email } } }", &["user.read"]),
    row("Query.node", "{ node(id: GROUP) { id ... on Group { key } } }", &["group.read"]),
    row("Query.node", "{ node(id: ROLE) { id ... on Role { key } } }", &["role.read"]),
    row("Query.node", "{ node(id: MEMBERSHIP) { id } }", &["membership.read", "user.read", "group.read"]),
    row("Query.node", "{ node(id: GRANT) { id } }", &["grant.read", "user.read", "role.read"]),
    row("Query.nodes", "{ nodes(ids: [USER, GROUP]) { id } }", &["user.read", "group.read"]),
    row("Query.user", "{ user(by: { id: USER }) { id userName } }", &["user.read"]),
    row("Query.user", "{ user(by: { userName: USER_NAME }) { id } }", &["user.read"]),
    row("Query.group", "{ group(by: { id: GROUP }) { id key } }", &["group.read"]),
    row("Query.group", "{ group(by: { key: GROUP_KEY }) { id } }", &["group.read"]),
    row("Query.role", "{ role(by: { id: ROLE }) { id key } }", &["role.read"]),
    row("Query.users", "{ users(first: 100) { nodes { id } totalCount } }", &["user.read"]),
    row("Query.users", "{ users(filter: { inGroups: [GROUP] }) { nodes { id } } }", &["user.read", "group.read", "membership.read"]),
    row("Query.users", "{ users(filter: { roles: [ROLE] }) { nodes { id } } }", &["user.read", "role.read", "grant.read"]),
    row("Query.groups", "{ groups(first: 100) { nodes { id } totalCount } }", &["group.read"]),
    row("Query.groups", "{ groups(filter: { members: [USER] }) { nodes { id } } }", &["user.read", "group.read", "membership.read"]),
    row("Query.groups", "{ groups(filter: { belowGroups: [GROUP] }) { nodes { id } } }", &["group.read"]),
    row("Query.roles", "{ roles { nodes { id } totalCount } }", &["role.read"]),
    row(
        "Query.memberships",
        "{ memberships(filter: { users: [USER] }) { nodes { id } totalCount } }",
        &["membership.read", "user.read", "group.read"],
    ),
    row("Query.grants", "{ grants(filter: { users: [USER] }) { nodes { id } totalCount } }", &["grant.read", "user.read", "role.read"]),
    row("Query.groupTree", "{ groupTree(rootId: GROUP) { nodes { group { id } parent { id } depth } truncated } }", &["group.read"]),
    row(
        "Query.checkPermissions",
        "{ checkPermissions(subject: USER, actions: [\"user.read\"], object: USER) { action allowed } }",
        &["policy.explain", "user.read"],
    ),
    row(
        "Query.comparePolicies",
        "{ comparePolicies(input: { candidate: { standard: true }, objectIds: [USER] }) { done total actions { action gained lost } } }",
        &["policy.explain", "user.read"],
    ),
    row(
        "PolicyComparisonExample.subject",
        "{ comparePolicies(input: { candidate: OPEN, objectIds: [GROUP] }) { actions { examples { change subject { id } } } } }",
        &["policy.explain", "user.read", "group.read"],
    ),
    row(
        "PolicyComparisonExample.object",
        "{ comparePolicies(input: { candidate: OPEN, objectIds: [GROUP] }) { actions { examples { change object { id } } } } }",
        &["policy.explain", "user.read", "group.read"],
    ),
    row(
        "Query.previewGroupMove",
        "{ previewGroupMove(input: { groupId: CHILD }) { group { id } people leaves { id } losingManagers { id } userErrors { code } } }",
        &["group.read", "group.move", "user.read", "membership.read"],
    ),
    row(
        "Query.explain",
        "{ explain(userId: USER, action: \"user.read\", objectId: USER) { allowed reason calls { facts { name values } } } }",
        &["policy.explain", "user.read", "group.read", "membership.read", "role.read", "grant.read"],
    ),
    row("Query.whoCan", "{ whoCan(action: \"user.read\", objectId: USER) { nodes { reason } } }", &["policy.explain", "user.read"]),
    row(
        "WhoCanEntry.user",
        "{ whoCan(action: \"user.read\", objectId: USER) { nodes { user { id } } } }",
        &["policy.explain", "user.read"],
    ),
    row("Query.visibleTo", "{ visibleTo(userId: USER) { user { id } } }", &["policy.explain", "user.read"]),
    row("VisibleTo.user", "{ visibleTo(userId: USER) { user { id userName } } }", &["policy.explain", "user.read"]),
    row("VisibleTo.users", "{ visibleTo(userId: USER) { users { nodes { id } } } }", &["policy.explain", "user.read"]),
    row("VisibleTo.groups", "{ visibleTo(userId: USER) { groups { nodes { id } } } }", &["policy.explain", "user.read", "group.read"]),
    row("VisibleTo.roles", "{ visibleTo(userId: FIRST) { roles { nodes { id } } } }", &["policy.explain", "user.read", "role.read"]),
    row("Query.policyModules", "{ policyModules { id digest } }", &["policy.read"]),
    row("PolicyModule.uploadedBy", "{ policyModules { id uploadedBy { id } } }", &["policy.read"]),
    row("Query.policyVersions", "{ policyVersions { id number } }", &["policy.read"]),
    row("PolicyVersion.activatedBy", "{ policyVersions { id activatedBy { id } } }", &["policy.read"]),
    row("Query.policyTests", "{ policyTests { text version } }", &["policy.read"]),
    row("PolicyTests.changedBy", "{ policyTests { version changedBy { id } } }", &["policy.read"]),
    row("Query.policyTestReport", "{ policyTestReport(candidate: {}) { passed failed } policyTests { version } }", &["policy.read"]),
    row("Query.policyHistory", "{ policyHistory { nodes { number kind } } }", &["policy.read"]),
    row("PolicyStep.user", "{ policyHistory { nodes { number user { id } } } }", &["policy.read", "user.read"]),
    row("Query.policyShadow", "{ policyShadow { id note running } }", &["policy.explain", "policy.read"]),
    row("PolicyShadow.startedBy", "{ policyShadow { id startedBy { id } } }", &["policy.explain", "policy.read", "user.read"]),
    row("Query.decisions", "{ decisions { nodes { number } } }", &["policy.explain"]),
    row("Decision.user", "{ decisions { nodes { number user { id } } } }", &["policy.explain", "user.read"]),
    row("Query.recycleBin", "{ recycleBin { nodes { id kind name } } }", &["user.read", "group.read", "role.read"]),
    row("RecycleBinEntry.deletedBy", "{ recycleBin { nodes { id deletedBy { id } } } }", &["user.read", "group.read", "role.read"]),
    row("Query.attributes", "{ attributes { name type } }", &["attribute.read"]),
    row("Query.userCodeSettings", "{ userCodeSettings { minLength } }", &["settings.read"]),
    row("Query.tokens", "{ tokens { id name } }", &["token.read"]),
    row("Token.user", "{ tokens { id user { id } } }", &["token.read", "user.read"]),
    row("Viewer.name", "{ viewer { name } }", &[]),
    row("Viewer.user", "{ viewer { user { id } } }", &["user.read"]),
    row("Viewer.can", "{ viewer { can(actions: [\"policy.read\"]) { action allowed } } }", &["policy.read"]),
    row("Workspace.policy", "{ workspace { policy { id number name digest } } }", &["workspace.read", "policy.read"]),
    row(
        "Workspace.viewerCan",
        "{ workspace { viewerCan(actions: [\"workspace.update\"]) { allowed } } }",
        &["workspace.read", "workspace.update"],
    ),
    row(
        "User.groups",
        "{ user(by: { id: USER }) { groups { nodes { id } totalCount } } }",
        &["user.read", "group.read", "membership.read"],
    ),
    row("User.memberships", "{ user(by: { id: USER }) { memberships { nodes { id } } } }", &["user.read", "group.read", "membership.read"]),
    row("User.roles", "{ user(by: { id: USER }) { roles { nodes { id } totalCount } } }", &["user.read", "role.read", "grant.read"]),
    row("User.grants", "{ user(by: { id: USER }) { grants { nodes { id } } } }", &["user.read", "role.read", "grant.read"]),
    row(
        "User.effectivePermissions",
        "{ user(by: { id: USER }) { effectivePermissions { permission sources { limited role { id } within { id } } } } }",
        &["user.read", "role.read", "grant.read", "group.read"],
    ),
    row("User.grantsVersion", "{ user(by: { id: USER }) { id grantsVersion } }", &["user.read", "role.read", "grant.read"]),
    row(
        "User.viewerCan",
        "{ user(by: { id: USER }) { viewerCan(actions: [\"user.update\"]) { allowed } } }",
        &["user.read", "user.update"],
    ),
    row("Group.parent", "{ group(by: { id: CHILD }) { parent { id } } }", &["group.read"]),
    row("Group.ancestors", "{ group(by: { id: CHILD }) { ancestors { id } } }", &["group.read"]),
    row("Group.depth", "{ group(by: { id: CHILD }) { depth } }", &["group.read"]),
    row("Group.children", "{ group(by: { id: GROUP }) { children { nodes { id } totalCount } } }", &["group.read"]),
    row("Group.descendants", "{ group(by: { id: GROUP }) { descendants { nodes { id } totalCount } } }", &["group.read"]),
    row(
        "Group.members",
        "{ group(by: { id: GROUP }) { members { nodes { id } totalCount } } }",
        &["group.read", "user.read", "membership.read"],
    ),
    row(
        "Group.memberships",
        "{ group(by: { id: GROUP }) { memberships { nodes { id } } } }",
        &["group.read", "user.read", "membership.read"],
    ),
    row(
        "GroupMemberEdge.memberships",
        "{ group(by: { id: GROUP }) { members(scope: EFFECTIVE) { edges { memberships { id } } } } }",
        &["group.read", "user.read", "membership.read"],
    ),
    row(
        "Group.viewerCan",
        "{ group(by: { id: GROUP }) { viewerCan(actions: [\"membership.add\"]) { allowed } } }",
        &["group.read", "membership.add"],
    ),
    row("Role.grants", "{ role(by: { id: ROLE }) { grants { nodes { id } totalCount } } }", &["role.read", "user.read", "grant.read"]),
    row(
        "Role.viewerCan",
        "{ role(by: { id: ROLE }) { viewerCan(actions: [\"role.update\"]) { allowed } } }",
        &["role.read", "role.update"],
    ),
    row(
        "Membership.user",
        "{ node(id: MEMBERSHIP) { id ... on Membership { user { id userName } } } }",
        &["membership.read", "user.read", "group.read"],
    ),
    row(
        "Membership.group",
        "{ node(id: MEMBERSHIP) { id ... on Membership { group { id key } } } }",
        &["membership.read", "user.read", "group.read"],
    ),
    row(
        "Membership.viewerCan",
        "{ node(id: MEMBERSHIP) { id ... on Membership { viewerCan(actions: [\"membership.remove\"]) { allowed } } } }",
        &["membership.read", "membership.remove", "user.read", "group.read"],
    ),
    row("Grant.user", "{ node(id: GRANT) { id ... on Grant { user { id userName } } } }", &["grant.read", "user.read", "role.read"]),
    row("Grant.role", "{ node(id: GRANT) { id ... on Grant { role { id key } } } }", &["grant.read", "user.read", "role.read"]),
    row(
        "Grant.within",
        "{ node(id: GRANT) { id ... on Grant { within { id key } } } }",
        &["grant.read", "user.read", "role.read", "group.read"],
    ),
    row("Grant.grantedBy", "{ node(id: GRANT) { id ... on Grant { grantedBy { id } } } }", &["grant.read", "user.read", "role.read"]),
    row(
        "Grant.viewerCan",
        "{ node(id: GRANT) { id ... on Grant { viewerCan(actions: [\"grant.remove\"]) { allowed } } } }",
        // Nobody takes away what they do not hold themselves, so that the role's own permissions count, too.
        &["grant.read", "user.read", "role.read", "grant.remove"],
    ),
];

/// What is read off a row, a page or an answer that is already decided.
const PLAIN: &[(&str, &[&str])] = &[
    ("ActionDecision", &["action", "allowed", "reason"]),
    ("ActivePolicy", &["activatedAt", "digest", "id", "name", "note", "number", "settings", "standardSettings", "summary", "version"]),
    ("Attribute", &["multivalued", "name", "required", "searchable", "type", "unique", "version"]),
    ("BulkItem", &["done", "index", "userErrors"]),
    ("CustomAttribute", &["name", "values"]),
    (
        "Decision",
        &[
            "action",
            "at",
            "digest",
            "factsDigest",
            "fields",
            "fuel",
            "number",
            "objectIds",
            "outcome",
            "policyVersionId",
            "purpose",
            "reason",
            "rows",
            "serviceId",
            "via",
            "weight",
            "withheldFields",
        ],
    ),
    ("DecisionPage", &["endCursor", "firstNumber", "hasNextPage", "lastNumber", "nodes"]),
    ("EffectivePermission", &["permission", "sources"]),
    ("ExplainedCall", &["digest", "facts", "factsDigest", "fuel", "module"]),
    ("Explanation", &["action", "allowed", "calls", "failure", "hiddenFields", "policyVersionId", "reason"]),
    ("Grant", &["grantedAt", "id", "limited", "provenance", "withheldFields"]),
    ("GrantConnection", &["edges", "nodes", "pageInfo", "totalCount"]),
    ("GrantEdge", &["cursor", "node"]),
    ("Group", &["attributes", "createdAt", "description", "id", "key", "name", "updatedAt", "version", "withheldFields"]),
    ("GroupConnection", &["edges", "nodes", "pageInfo", "totalCount"]),
    ("GroupEdge", &["cursor", "node"]),
    ("GroupMemberConnection", &["edges", "nodes", "pageInfo", "totalCount"]),
    ("GroupMemberEdge", &["cursor", "node"]),
    (
        "GroupMovePreview",
        &[
            "gainingGrants",
            "gainingManagers",
            "group",
            "groups",
            "joins",
            "leaves",
            "losingGrants",
            "losingManagers",
            "people",
            "truncated",
            "userErrors",
        ],
    ),
    ("GroupTree", &["nodes", "truncated"]),
    ("GroupTreeNode", &["depth", "group", "parent"]),
    ("Membership", &["createdAt", "id", "manager", "withheldFields"]),
    ("MembershipConnection", &["edges", "nodes", "pageInfo", "totalCount"]),
    ("MembershipEdge", &["cursor", "node"]),
    ("Node", &["id"]),
    ("PageInfo", &["endCursor", "hasNextPage", "hasPreviousPage", "startCursor"]),
    ("PermissionSource", &["limited", "role", "within"]),
    ("PolicyHistoryPage", &["endCursor", "hasNextPage", "nodes"]),
    ("PolicyModule", &["digest", "id", "name", "note", "reasons", "size", "status", "uploadedAt", "version"]),
    ("PolicyReason", &["gate", "message"]),
    (
        "PolicyShadow",
        &[
            "actions",
            "activeCalls",
            "activeFuel",
            "activeVersionId",
            "candidateCalls",
            "candidateFuel",
            "digest",
            "failures",
            "id",
            "note",
            "policyId",
            "running",
            "settings",
            "skipped",
            "standardSettings",
            "startedAt",
            "stoppedAt",
        ],
    ),
    ("PolicyShadowAction", &["action", "compared", "examples", "fields", "fieldsChanged", "gained", "lost"]),
    (
        "PolicyStep",
        &["at", "author", "digest", "kind", "note", "number", "peer", "policyId", "policyVersionId", "reasons", "serviceId", "via"],
    ),
    (
        "PolicyVersion",
        &["activatedAt", "digest", "id", "note", "number", "policyId", "repeatsId", "settings", "standardDigest", "standardSettings"],
    ),
    ("PolicyTestDifference", &["action", "expected", "expectedReason", "found", "foundReason", "place", "resource", "subject"]),
    ("PolicyTestReport", &["differences", "failed", "passed", "succeeded", "unfinished"]),
    ("PolicyTests", &["changedAt", "text", "version"]),
    ("PolicyFact", &["name", "values", "withheld"]),
    ("PolicyComparison", &["actions", "activeVersion", "done", "endCursor", "failures", "hasNextPage", "total"]),
    ("PolicyComparisonAction", &["action", "compared", "examples", "fields", "fieldsChanged", "gained", "lost", "unseen"]),
    ("PolicyComparisonExample", &["activeReason", "candidateReason", "change", "hiddenFields", "shownFields"]),
    ("PolicyComparisonFailure", &["action", "pairs", "reason", "side"]),
    ("PolicyComparisonField", &["hidden", "name", "shown"]),
    ("RecycleBinEntry", &["deletedAt", "id", "kind", "mode", "name", "purgedAt"]),
    ("RecycleBinPage", &["endCursor", "hasNextPage", "nodes"]),
    ("Role", &["builtin", "createdAt", "description", "id", "key", "name", "permissions", "updatedAt", "version", "withheldFields"]),
    ("RoleConnection", &["edges", "nodes", "pageInfo", "totalCount"]),
    ("RoleEdge", &["cursor", "node"]),
    (
        "User",
        &[
            "attributes",
            "avatarUrl",
            "code",
            "createdAt",
            "displayName",
            "email",
            "exclusive",
            "externalId",
            "familyName",
            "givenName",
            "id",
            "locale",
            "phone",
            "status",
            "timeZone",
            "title",
            "updatedAt",
            "userName",
            "version",
            "withheldFields",
        ],
    ),
    ("UserConnection", &["edges", "nodes", "pageInfo", "totalCount"]),
    ("UserEdge", &["cursor", "node"]),
    ("Token", &["createdAt", "expiresAt", "id", "kind", "name", "scopes"]),
    ("UserCodeSettings", &["maxLength", "minLength", "rule"]),
    ("UserError", &["code", "field", "message"]),
    ("Viewer", &["id", "kind", "permissions", "status"]),
    ("WhoCanEntry", &["hiddenFields", "reason"]),
    ("WhoCanPage", &["endCursor", "failed", "hasNextPage", "nodes"]),
    ("Workspace", &["createdAt", "id", "key", "name", "updatedAt", "userCount", "userQuota", "version", "withheldFields"]),
];

#[test]
fn every_field_of_the_schema_is_in_a_table() {
    // Mutations have a table of their own, and what a payload shows is read as everything else is.
    let read = TYPES.iter().filter(|(of, _)| *of != "Mutation" && !of.ends_with("Payload"));
    let fields = read.flat_map(|(of, fields)| fields.keys().map(move |field| format!("{of}.{field}")));
    let schema: BTreeSet<String> = fields.collect();
    let plain = PLAIN.iter().flat_map(|(of, fields)| fields.iter().map(move |field| format!("{of}.{field}")));
    let tables: BTreeSet<String> = plain.chain(ROWS.iter().map(|row| row.field.to_owned())).collect();
    let missing: Vec<_> = schema.difference(&tables).collect();
    assert!(missing.is_empty(), "{missing:?} are in no table: what reads data needs a row with the actions that it asks");
    let gone: Vec<_> = tables.difference(&schema).collect();
    assert!(gone.is_empty(), "{gone:?} are in a table, but not in the schema");
}

/// The ids that queries name.
struct Ids {
    workspace: String,
    user: String,
    user_name: String,
    first: String,
    group: String,
    group_key: String,
    child: String,
    role: String,
    membership: String,
    grant: String,
}

impl Ids {
    /// Somebody in a group that has groups above and below, who holds a role within a group.
    fn of(world: &World) -> Self {
        let grant = limited(world).expect("somebody with a limited grant, in a group that has groups below");
        let membership = world.memberships_of(grant.person).find(|edge| Some(edge.group) == middle(world, grant.person)).unwrap();
        let child = (0..world.groups.len()).find(|group| world.groups[*group].parent == Some(membership.group)).unwrap();
        let person = &world.people[grant.person];
        Self {
            workspace: world.id.clone(),
            user: person.id.clone(),
            user_name: person.texts["userName"].clone(),
            first: world.people[0].id.clone(),
            group: world.groups[membership.group].id.clone(),
            group_key: world.groups[membership.group].key.clone(),
            child: world.groups[child].id.clone(),
            role: world.roles[grant.role].id.clone(),
            membership: membership.id.clone(),
            grant: grant.id.clone(),
        }
    }

    /// As long, of the same kinds, and of nobody.
    fn of_nobody(&self) -> Self {
        let other = |text: &str, prefix: usize| {
            let (prefix, rest) = text.split_at(prefix);
            format!("{prefix}{}", rest.chars().map(|letter| if letter == 'f' { '0' } else { 'f' }).collect::<String>())
        };
        Self {
            workspace: other(&self.workspace, 4),
            user: other(&self.user, 4),
            user_name: other(&self.user_name, 0),
            first: other(&self.first, 4),
            group: other(&self.group, 4),
            group_key: other(&self.group_key, 0),
            child: other(&self.child, 4),
            role: other(&self.role, 4),
            membership: other(&self.membership, 4),
            grant: other(&self.grant, 4),
        }
    }

    fn fill(&self, query: &str) -> String {
        // A policy under which everybody sees everybody, and every group.
        let mut text = query.replace("OPEN", "{ standard: true, standardSettings: \"{\\\"members_see\\\":\\\"workspace\\\"}\" }");
        // The longer names first: `USER_NAME` begins with `USER`.
        for (name, id) in [
            ("USER_NAME", &self.user_name),
            ("GROUP_KEY", &self.group_key),
            ("WORKSPACE", &self.workspace),
            ("MEMBERSHIP", &self.membership),
            ("USER", &self.user),
            ("FIRST", &self.first),
            ("GROUP", &self.group),
            ("CHILD", &self.child),
            ("ROLE", &self.role),
            ("GRANT", &self.grant),
        ] {
            text = text.replace(name, &json!(id).to_string());
        }
        text
    }

    fn all(&self) -> [&String; 7] {
        [&self.workspace, &self.user, &self.group, &self.child, &self.role, &self.membership, &self.grant]
    }
}

/// A grant within a group, of somebody in a group that has groups below.
fn limited(world: &World) -> Option<&Grant> {
    world.grants.iter().find(|grant| {
        let permits = !world.roles[grant.role].permissions.is_empty();
        grant.person > 0 && permits && grant.within.is_some() && middle(world, grant.person).is_some()
    })
}

/// An active person without roles, who is not the one of the limited grant.
fn outsider(world: &World) -> Option<usize> {
    let other = limited(world)?.person;
    (1..world.people.len())
        .find(|person| world.people[*person].status == "active" && *person != other && world.grants_of(*person).next().is_none())
}

/// A direct group of somebody that has a group right below it.
fn middle(world: &World, person: usize) -> Option<usize> {
    world.groups_of(person).find(|group| world.groups.iter().any(|child| child.parent == Some(*group)))
}

async fn world(host: &TestHost, key: &str) -> World {
    let mut worlds = (1..).map(|seed| generate::world(&mut Dice::seeded(seed), key.to_owned(), 8));
    let mut world = worlds.find(|world| outsider(world).is_some()).expect("one of endlessly many");
    host.import_world(&mut world, "").await;
    world
}

/// Starts a shadow, and puts something of each kind into the recycle bin.
async fn prepare_something(host: &TestHost, world: &World) {
    let token = host.token(world, &Asker::person(0)).await;
    let shade = "mutation ($input: StartPolicyShadowInput!) { done: startPolicyShadow(input: $input) { userErrors { code } } }";
    let shadow = json!({ "input": { "candidate": { "standardSettings": "{\"members_see\": \"self\"}" }, "note": "a shadow" } });
    assert_eq!(host.graphql(&token, shade, shadow).await["data"]["done"]["userErrors"], json!([]));
    for (add, input, remove) in [
        ("user: addUser(input: { user: { userName: \"binned\" } }) { of: user { id } }", "userId", "removeUser"),
        ("group: createGroup(input: { name: \"Binned\" }) { of: group { id } }", "groupId", "deleteGroup"),
        ("role: createRole(input: { name: \"Binned\", permissions: [] }) { of: role { id } }", "roleId", "deleteRole"),
    ] {
        let answer = host.graphql(&token, &format!("mutation {{ {add} }}"), Json::Null).await;
        let id = answer["data"].as_object().unwrap().values().next().unwrap()["of"]["id"].clone();
        let query = format!("mutation {{ done: {remove}(input: {{ {input}: {id} }}) {{ userErrors {{ code }} }} }}");
        assert_eq!(host.graphql(&token, &query, Json::Null).await["data"]["done"]["userErrors"], json!([]), "{query}");
    }
}

#[test]
fn each_operation_asks_for_just_its_actions() {
    on_each_database(async |host: &TestHost| {
        let world = world(host, "asked").await;
        prepare_something(host, &world).await;
        let ids = Ids::of(&world);
        let unlimited = host.token(&world, &Asker::person(0)).await;
        for row in ROWS {
            let query = ids.fill(row.query);
            // Asked after the limited token is made: it is in the list of tokens.
            let expected = async || {
                let answer = host.graphql(&unlimited, &query, Json::Null).await;
                assert_eq!(answer.get("errors"), None, "{}: {query}", row.field);
                answer
            };
            let limited = async |left_out: Option<&str>| {
                let mut scopes: Vec<String> =
                    row.actions.iter().filter(|action| Some(**action) != left_out).map(|action| (*action).to_owned()).collect();
                // A token without scopes is not limited, so that one of no use here stands for none.
                scopes.push("webhook.read".to_owned());
                let token = host.token(&world, &Asker { person: Some(0), scopes: Some(scopes) }).await;
                host.graphql(&token, &query, Json::Null).await
            };
            // What a subject is told of itself depends on its token, not on the policy.
            if row.field != "Query.viewer" && row.field != "Grant.viewerCan" {
                let all = limited(None).await;
                assert_eq!(all["data"], expected().await["data"], "{}: {query}", row.field);
            }
            for action in row.actions {
                let less = limited(Some(action)).await;
                assert_ne!(less["data"], expected().await["data"], "{} does not ask for {action}: {query}", row.field);
            }
        }
    });
}

#[test]
fn hidden_and_absent_are_the_same_bytes() {
    on_each_database(async |host: &TestHost| {
        let (here, there) = (world(host, "here").await, world(host, "there").await);
        prepare_something(host, &here).await;
        let (ids, nobody) = (Ids::of(&here), Ids::of(&here).of_nobody());
        let outsiders = [
            ("somebody whom the policy allows nothing", &here, Asker::person(outsider(&here).unwrap())),
            ("a service that may do nothing", &here, Asker { person: None, scopes: Some(Vec::new()) }),
            ("the administrator of another workspace", &there, Asker::person(0)),
        ];
        let workspace = here.id.parse().unwrap();
        let module = host.install(workspace, "rules", RULES.into()).await;
        // Without settings, `rules` denies everything but the workspace itself.
        host.force(workspace, Some(module), String::new()).await;
        for (who, world, asker) in outsiders {
            let token = host.token(world, &asker).await;
            for row in ROWS {
                let (hidden, absent) = (text(host, &token, &ids.fill(row.query)).await, text(host, &token, &nobody.fill(row.query)).await);
                // A workspace is open to everybody in it, and names are those of one's own.
                let own: &[&str] = if world.id == here.id { &["WORKSPACE"] } else { &["USER_NAME", "GROUP_KEY"] };
                let open = own.iter().any(|name| row.query.contains(name));
                assert!(open || hidden == absent, "{who} tells {} hidden from absent: {hidden} {absent}", row.field);
                let shown: Vec<&String> = ids.all().into_iter().filter(|id| hidden.contains(id.as_str())).collect();
                assert!(shown.is_empty() || shown == [&ids.workspace], "{who} is shown {shown:?} by {}", row.field);
            }
        }
    });
}

/// The body of an answer, without the request's own id, which stands in its errors.
async fn text(host: &TestHost, token: &str, query: &str) -> String {
    host.graphql(token, query, Json::Null).await;
    let body = host.request(token).json(&json!({ "query": query })).send().await.unwrap().text().await.unwrap();
    let mut parts = body.split("\"requestId\":\"");
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |text, part| text + part.split_once('"').unwrap().1)
}
