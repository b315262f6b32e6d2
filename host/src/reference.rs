//! The page `docs/register.md`, printed from [`directory::register`]. To add something to the page, add it to the register.

use std::fmt::Write as _;

use directory::register::{CONTEXT_NEEDS, ColumnDef, Kind, SUBJECT_FACTS, Shape, TestDef, WRITES, WriteDef};

const HEAD: &str = "\
# The register

Generated from `host/crates/directory/src/register.rs`; `just bless` writes it again. The names that the policy contract speaks of:
kinds, actions, fields, columns and tests. A name never changes its meaning and never goes away; new ones may come. What the host does
with an answer is in [contract.md](contract.md).
";

const ACTIONS: &str = "
## Actions

An action is `kind.verb`. The names of permissions, of token scopes and of `context.action` are names of actions. A manifest's `decides`
takes actions, `kind.*` and `*`. That the register has an action does not say that the server offers it yet: those that it performs are
under [changes](#changes), beside reads and what is done with policies.
";

const CHANGES: &str = "
## Changes

What `check` is shown of each write that the server performs: its rows, and the `fields`, `after` and `parties` of `change`. A party has
one row for all changed rows, or one for each. The top group as a party is a row without groups, or with its own position where the subject
manages it. Which mutation asks which of these is in [integrity.md](integrity.md).
";

const FIELDS: &str = "
## Fields

The governed fields of each kind: those that `withheld` may remove, that `searchable` may open, and that a manifest's `fields` must name
to be shown at all. `id`, `createdAt`, `updatedAt` and `version` are not governed, nor are those that tell what a row joins: whoever may
read the row may read them. Kinds that are not listed have none.

A name may carry its kind: `email` names the field of every kind that has it, `user.email` that of users alone. `attributes.*` names every
custom attribute, `attributes.department` one.
";

const SHAPES: &str = "
## Shapes

How the items of a column are to be read.
";

const NEEDS: &str = "
## Needs

A manifest's `needs` takes `rows.` and the name of a column, for whichever kinds have it, and these:
";

const FACTS: &str = "
## Facts about the subject

In `subject.facts`, whatever `needs` says.
";

const SHAPE_LIST: [Shape; 9] =
    [Shape::Flag, Shape::Count, Shape::Text, Shape::Texts, Shape::Group, Shape::Groups, Shape::Role, Shape::Roles, Shape::Instant];

/// The page as `docs/register.md` has it.
#[must_use]
pub fn register() -> String {
    let mut page = HEAD.to_owned();
    page.push_str(ACTIONS);
    table(&mut page, ["kind", "actions"], Kind::ALL.map(|kind| [code(kind.name()), actions(kind)]));
    page.push_str(FIELDS);
    let governed = Kind::ALL.into_iter().filter(|kind| !kind.fields().is_empty());
    table(&mut page, ["kind", "fields"], governed.map(|kind| [code(kind.name()), list(kind.fields().iter().map(|field| code(field)))]));
    page.push_str(CHANGES);
    table(&mut page, ["action", "rows", "fields", "after", "parties"], WRITES.iter().map(change));
    page.push_str(SHAPES);
    table(&mut page, ["shape", "a row has", "an item is"], SHAPE_LIST.map(shape));
    page.push_str(NEEDS);
    table(&mut page, ["need", "fills"], CONTEXT_NEEDS.iter().map(|(name, doc)| [code(name), (*doc).to_owned()]));
    page.push_str(FACTS);
    table(&mut page, ["fact", "value"], SUBJECT_FACTS.iter().map(|(name, doc)| [code(name), (*doc).to_owned()]));
    for kinds in alike() {
        section(&mut page, &kinds);
    }
    page
}

fn change(write: &WriteDef) -> [String; 5] {
    let parties = write.parties.iter().map(|(name, doc)| format!("{}: {doc}", code(name))).collect::<Vec<_>>().join("; ");
    [code(write.action), write.rows.to_owned(), write.fields.to_owned(), write.after.to_owned(), parties]
}

/// The kinds, those with the same columns and tests together.
fn alike() -> Vec<Vec<Kind>> {
    let mut groups: Vec<Vec<Kind>> = Vec::new();
    for kind in Kind::ALL {
        let same = |other: &Kind| columns(*other) == columns(kind) && tests(*other) == tests(kind);
        match groups.iter_mut().find(|group| group.first().is_some_and(same)) {
            Some(group) => group.push(kind),
            None => groups.push(vec![kind]),
        }
    }
    groups
}

fn section(page: &mut String, kinds: &[Kind]) {
    let Some(kind) = kinds.first() else { return };
    line(page, &format!("\n## {}", list(kinds.iter().map(|kind| code(kind.name())))));
    line(page, "\nColumns, as `needs` names them:");
    table(page, ["need", "shape", "it says"], columns(*kind));
    line(page, "\nTests, of which a scope is made:");
    table(page, ["test", "arguments", "it holds if"], tests(*kind));
}

fn columns(kind: Kind) -> Vec<[String; 3]> {
    let row = |column: &ColumnDef| [code(&format!("rows.{}", column.name)), name(column.shape).to_owned(), column.doc.to_owned()];
    kind.columns().iter().map(row).collect()
}

fn tests(kind: Kind) -> Vec<[String; 3]> {
    kind.tests().iter().map(|test: &TestDef| [code(test.name), test.arguments.to_owned(), test.doc.to_owned()]).collect()
}

fn actions(kind: Kind) -> String {
    list(kind.verbs().iter().map(|verb| code(&format!("{}.{verb}", kind.name()))))
}

const fn name(shape: Shape) -> &'static str {
    match shape {
        Shape::Flag => "flag",
        Shape::Text => "text",
        Shape::Texts => "texts",
        Shape::Groups => "groups",
        Shape::Group => "group",
        Shape::Roles => "roles",
        Shape::Role => "role",
        Shape::Count => "count",
        Shape::Instant => "instant",
    }
}

fn shape(shape: Shape) -> [String; 3] {
    let (items, item) = match shape {
        Shape::Flag => ("one item", "0 or 1"),
        Shape::Count => ("one item", "a small number"),
        Shape::Text => ("one item", "a position in `dictionary`"),
        Shape::Texts => ("any number of items", "a position in `dictionary`; none where unassigned"),
        Shape::Group => ("one item", "a position in `context.groups`, or 4294967295 for none"),
        Shape::Groups => ("any number of items", "a position in `context.groups`"),
        Shape::Role => ("one item", "a position in `context.roles`"),
        Shape::Roles => ("any number of items", "a position in `context.roles`"),
        Shape::Instant => ("one item, in `rows.numbers`", "milliseconds since 1970, UTC"),
    };
    [name(shape), items, item].map(str::to_owned)
}

fn table<const N: usize>(page: &mut String, head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) {
    line(page, "");
    line(page, &format!("| {} |", head.join(" | ")));
    line(page, &format!("|{}", " --- |".repeat(N)));
    for row in rows {
        line(page, &format!("| {} |", row.join(" | ")));
    }
}

fn code(name: &str) -> String {
    format!("`{name}`")
}

fn list(names: impl Iterator<Item = String>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

fn line(page: &mut String, text: &str) {
    // Writing to a string does not fail.
    let _ = writeln!(page, "{text}");
}
