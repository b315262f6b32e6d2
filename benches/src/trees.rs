//! The tree at its limits: read whole, paged, written to and moved, through the gate with its sandbox.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bailiwick::{
    config::{Config, Layers},
    graphql, wiring,
};
use directory::{
    access::{
        AddGrants, AddMembers, AddUsers, Command, CreateGroup, Done, GrantDraft, Member, MoveGroup, RemoveGrants, RemoveMembers,
        UpdateUser, UserDraft,
    },
    ids::{GrantId, GroupId, RoleId, UserId},
    limits::{BULK, GROUP_DEPTH},
    model::{Role, Status, UserText},
};

use crate::{
    desk::Desk,
    forest::{self, BIG, DEEP, GROUPS, MEMBERSHIPS, PEOPLE, Part, REST, SHALLOW},
    lists,
    measure::{Times, millis},
};

const TREE: &str = "{ groupTree { truncated nodes { depth group { id name } parent { id } } } }";

/// Milliseconds that a statement may take: what misses its bar is to be published, not cut off.
const STATEMENT_MS: u64 = 3_600_000;
/// Moves in each direction.
const MOVES: usize = 3;
/// Reads of the whole tree.
const TREE_CALLS: usize = 5;
/// Rows of a page.
const PAGE_ROWS: usize = 50;
/// The page, counted from 1, that must cost what the first does.
const FAR_PAGE: usize = 1_000;
/// Reads of a page.
const PAGE_CALLS: usize = 200;
/// Writes of [`BULK`] items.
const BULK_CALLS: usize = 10;
/// Writes of one item.
const SINGLE_CALLS: usize = 100;

/// What stands where `quality.md` has no bar.
const NO_BAR: &str = "none";

/// Measures one database.
pub async fn run(name: &str, url: Option<String>) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut config = Config::load(&Layers::new()?)?;
    config.data = folder.path().to_owned();
    config.database = url;
    config.limits.statement_ms = STATEMENT_MS;
    let database = wiring::Database::open(&config).await?;
    database.migrate().await?;
    progress(&format!("importing on {name}"));
    let start = Instant::now();
    let (workspace, administrator) = forest::import(database.store().as_ref()).await?;
    println!("\n## A tree of {GROUPS} groups on {name}\n");
    println!("{MEMBERSHIPS} memberships of {PEOPLE} people, {GROUP_DEPTH} levels.");
    println!("Imported in {:.0} s.\n", start.elapsed().as_secs_f64());
    let mut desk = Desk::new(wiring::gate(&config, &database, None)?, workspace, administrator);
    println!("| what | calls | median ms | p99 ms | bar |\n| --- | --- | --- | --- | --- |");
    whole_tree(&desk).await?;
    let big = desk.group(&BIG.key(0)).await?;
    pages(&desk, big).await?;
    let people: Vec<UserId> = desk.members(big, None, BULK).await?.into_iter().map(|(_, user)| user).collect();
    users(&mut desk, &people).await?;
    edges(&mut desk, &people).await?;
    aside(&mut desk, SHALLOW, "1,000 ms").await?;
    moves(&mut desk, SHALLOW, "1,000 ms").await?;
    moves(&mut desk, DEEP, "published").await?;
    drop(desk);
    database.close().await;
    Ok(())
}

async fn whole_tree(desk: &Desk) -> Result<()> {
    progress("the whole tree");
    let tree = desk.open().await?.group_tree(None, None).await?;
    let levels = tree.nodes.iter().map(|node| node.depth as usize).max();
    ensure!(tree.nodes.len() as u64 == GROUPS && !tree.truncated, "{} of {GROUPS} groups", tree.nodes.len());
    ensure!(levels == Some(GROUP_DEPTH), "{levels:?} of {GROUP_DEPTH} levels");
    drop(tree);
    let times = Times::of_async(0, TREE_CALLS, || async {
        desk.open().await.expect("opened before").group_tree(None, None).await.expect("answered before");
    })
    .await;
    line("`groupTree` of everything, at the gate", &times, "2,000 ms");
    let schema = graphql::schema();
    lists::execute(&schema, &desk.gate, desk.workspace, desk.user, TREE).await?;
    let times = Times::of_async(0, TREE_CALLS, || async {
        lists::execute(&schema, &desk.gate, desk.workspace, desk.user, TREE).await.expect("answered before");
    })
    .await;
    line("`groupTree` of everything, from the document to JSON", &times, "2,000 ms");
    Ok(())
}

/// The same from the front and from far behind: the cost must not grow with the position.
async fn pages(desk: &Desk, group: GroupId) -> Result<()> {
    progress("effective members");
    let mut after = None;
    for page in 1..=FAR_PAGE {
        if page == 1 || page == FAR_PAGE {
            let times = Times::of_async(PAGE_CALLS / 10, PAGE_CALLS, || async {
                desk.members(group, after.clone(), PAGE_ROWS).await.expect("a page");
            })
            .await;
            line(&format!("effective members of a group of {}, page {page} of {PAGE_ROWS}", PEOPLE / 3), &times, NO_BAR);
        }
        let mut rows = desk.members(group, after, PAGE_ROWS).await?;
        ensure!(rows.len() == PAGE_ROWS, "page {page} has {} of {PAGE_ROWS} rows", rows.len());
        after = rows.pop().map(|(keyset, _)| keyset);
    }
    Ok(())
}

/// What users to be begin with.
struct Newcomers {
    /// Part of their names: the workspace may be there from an earlier run.
    run: i64,
    group: GroupId,
    role: RoleId,
}

impl Newcomers {
    /// So many at once; `call` is another one each time.
    fn add(&self, len: usize, call: usize) -> Command {
        let draft = |at: usize| {
            let name = format!("new-{}-{len}-{call}-{at}", self.run);
            UserDraft {
                texts: vec![
                    (UserText::UserName, name.clone()),
                    (UserText::DisplayName, format!("Newcomer {at}")),
                    (UserText::GivenName, format!("Given{call}")),
                    (UserText::FamilyName, format!("Family{at}")),
                    (UserText::Email, format!("{name}@example.com")),
                ],
                status: Some(Status::Active),
                groups: vec![Member { id: self.group, manager: false }],
                roles: vec![(self.role, None)],
                ..UserDraft::default()
            }
        };
        Command::AddUsers(AddUsers { users: (0..len).map(draft).collect() })
    }
}

async fn users(desk: &mut Desk, people: &[UserId]) -> Result<()> {
    progress("users");
    let run = desk.clock.now().0;
    let group = desk.group(&REST.key(REST.groups - 1)).await?;
    let newcomers = Newcomers { run, group, role: desk.role(Role::MEMBER).await? };
    let one = desk.each((0..SINGLE_CALLS).map(|call| newcomers.add(1, call))).await?;
    line("`addUser` with a role and a group on level 10", &one, NO_BAR);
    let rename = |(at, user): (usize, &UserId)| {
        let texts = vec![(UserText::DisplayName, Some(format!("Renamed {run} {at}")))];
        Command::UpdateUser(UpdateUser { user: *user, expected: None, texts, exclusive: None, attributes: Vec::new() })
    };
    let renamed = desk.each(people.iter().take(SINGLE_CALLS).enumerate().map(rename)).await?;
    line("`updateUser`, the display name", &renamed, NO_BAR);
    let many = desk.each((0..BULK_CALLS).map(|call| newcomers.add(BULK, call))).await?;
    line(&format!("`addUsers` of {BULK}, each with a role and a group on level 10"), &many, NO_BAR);
    Ok(())
}

async fn edges(desk: &mut Desk, people: &[UserId]) -> Result<()> {
    progress("memberships and grants");
    let group = desk.group(&SHALLOW.key(0)).await?;
    let members = people.iter().map(|user| Member { id: *user, manager: false }).collect();
    let add = Command::AddMembers(AddMembers { group, members });
    let remove = |_: &Done| Command::RemoveMembers(RemoveMembers { group, users: people.to_vec() });
    let (added, removed) = desk.there_and_back(BULK_CALLS, &add, remove).await?;
    line(&format!("`addGroupMembers` of {} on level {}", people.len(), SHALLOW.depth), &Times::sorted(added), NO_BAR);
    line(&format!("`removeGroupMembers` of {} on level {}", people.len(), SHALLOW.depth), &Times::sorted(removed), NO_BAR);
    let role = desk.role(Role::MEMBER).await?;
    let grants = people.iter().map(|user| GrantDraft { user: *user, role, within: Some(group) }).collect();
    let add = Command::AddGrants(AddGrants { grants });
    let remove = |done: &Done| Command::RemoveGrants(RemoveGrants { grants: done.ids.iter().copied().map(GrantId).collect() });
    let (added, removed) = desk.there_and_back(BULK_CALLS, &add, remove).await?;
    line(&format!("`addGrants` of {} within a group", people.len()), &Times::sorted(added), NO_BAR);
    line(&format!("`removeGrants` of {} within a group", people.len()), &Times::sorted(removed), NO_BAR);
    Ok(())
}

/// From below the parent to below a group beside the parent and back: everybody leaves one group above, and joins another.
async fn aside(desk: &mut Desk, part: Part, bar: &str) -> Result<()> {
    progress(&format!("moving `{}` aside", part.name));
    let group = desk.group(&part.key(0)).await?;
    let [above, _] = part.parents();
    let (above, top) = (desk.group(&above).await?, desk.group(&part.grandparent()).await?);
    let name = format!("Beside {} {}", part.name, desk.clock.now().0);
    let (_, made) = desk.write(Command::CreateGroup(CreateGroup { parent: Some(top), name, ..CreateGroup::default() })).await?;
    let beside = made.ids.first().copied().map(GroupId).context("the new group")?;
    hang(desk, group, [beside, above], &described(part, "all groups above but one in common"), bar).await
}

/// From below one parent to below the other and back. Everybody leaves every group above, and joins as many others.
async fn moves(desk: &mut Desk, part: Part, bar: &str) -> Result<()> {
    progress(&format!("moving `{}`", part.name));
    let group = desk.group(&part.key(0)).await?;
    let [above, beside] = part.parents();
    let (above, beside) = (desk.group(&above).await?, desk.group(&beside).await?);
    hang(desk, group, [beside, above], &described(part, "no group above in common"), bar).await
}

/// Hangs a group below one and the other in turns: until it is answered, what is read right after below the parent that it joined and the
/// one that it left, and until all is counted.
async fn hang(desk: &mut Desk, group: GroupId, parents: [GroupId; 2], what: &str, bar: &str) -> Result<()> {
    let (mut answered, mut joined, mut left, mut counts, mut followed) = (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let [there, back] = parents;
    for (parent, before) in [(there, back), (back, there)].into_iter().cycle().take(2 * MOVES) {
        let move_group = MoveGroup { group, expected: None, to: Some(parent) };
        answered.push(desk.write(Command::MoveGroup(move_group)).await?.0);
        let (took, rows) = timed(desk.members(parent, None, PAGE_ROWS)).await?;
        joined.push(took);
        ensure!(rows.len() == PAGE_ROWS, "{} of {PAGE_ROWS} rows below the new parent", rows.len());
        left.push(timed(desk.members(before, None, PAGE_ROWS)).await?.0);
        let (took, totals) = timed(totals(desk, parents)).await?;
        counts.push(took / 2);
        let (took, ()) = timed(async {
            while desk.gate.store().finish_moves().await? {}
            Ok(())
        })
        .await?;
        followed.push(took);
        let after = self::totals(desk, parents).await?;
        ensure!(totals == after, "{totals:?} people below the parents right after, {after:?} when all is counted");
    }
    line(what, &Times::sorted(answered), bar);
    for (what, times) in [
        ("effective members of the parent it joined, page 1 of 50", joined),
        ("effective members of the parent it left, page 1 of 50", left),
        ("the exact count of either", counts),
        ("until all groups above have counted", followed),
    ] {
        line(&format!("... right after: {what}"), &Times::sorted(times), NO_BAR);
    }
    Ok(())
}

async fn totals(desk: &Desk, groups: [GroupId; 2]) -> Result<[u64; 2]> {
    let [one, other] = groups;
    Ok([desk.count_members(one).await?, desk.count_members(other).await?])
}

/// What something comes to, and how long it took.
async fn timed<T>(work: impl Future<Output = Result<T>>) -> Result<(Duration, T)> {
    let start = Instant::now();
    let done = work.await?;
    Ok((start.elapsed(), done))
}

fn described(part: Part, how: &str) -> String {
    let Part { depth, groups, height, .. } = part;
    format!("`moveGroup` of {groups} groups with {} memberships, levels {depth} to {}; {how}", PEOPLE / 3, depth + height)
}

fn line(what: &str, times: &Times, bar: &str) {
    println!("| {what} | {} | {} | {} | {bar} |", times.calls(), millis(times.median()), millis(times.p99()));
}

fn progress(what: &str) {
    eprintln!("trees: {what}");
}
