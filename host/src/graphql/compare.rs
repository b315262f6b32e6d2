//! What would change under another policy, a piece at a time.

use std::{collections::HashMap, sync::Arc};

use async_graphql::{Context, Enum, ID, InputObject, SimpleObject};
use directory::{
    Error,
    access::{
        Candidate, CandidateModule, Compare, ComparePairs, ComparePosition, ComparedAction, ComparedField, ComparisonChange,
        ComparisonExample, ComparisonFailure, ComparisonSide, Directory, ObjectId,
    },
    ids::{PolicyId, PolicyVersionId, UserId},
    query::Keyset,
    register::Kind,
};
use uuid::Uuid;

use super::{
    RequestContext,
    connection::cursors,
    level::Level,
    node::{self, AnyId, Node, parse, parse_all},
    user::{IntoId as _, UserNode},
};

/// Users and rows of each kind in a sample where nobody says.
const SAMPLE: i32 = 50;
/// Pairs in a piece where nobody says: a second or so of work.
const PAIRS: i32 = 20_000;
/// Examples of each change of each action where nobody says.
const EXAMPLES: i32 = 5;

/// A policy that might be activated.
#[derive(Clone, Debug, InputObject)]
pub(super) struct PolicyCandidateInput {
    /// The module, validated; the active one if neither this nor `standard` is given.
    policy_id: Option<ID>,
    /// Whether `standard` decides alone, without a module.
    #[graphql(default)]
    standard: bool,
    /// The module's settings; by default the active ones where the module stays the same, else the module's defaults.
    settings: Option<String>,
    /// The settings of `standard`; by default the active ones.
    standard_settings: Option<String>,
}

impl PolicyCandidateInput {
    /// As the gate takes it.
    pub(super) fn candidate(&self) -> Result<Candidate, Error> {
        let module = match (&self.policy_id, self.standard) {
            (Some(_), true) => {
                return Err(Error::Invalid("`policyId` and `standard: true` exclude each other; leave one out".to_owned()));
            }
            (Some(id), false) => CandidateModule::Named(parse::<PolicyId>(id)?),
            (None, true) => CandidateModule::Standard,
            (None, false) => CandidateModule::Active,
        };
        if module == CandidateModule::Standard && self.settings.is_some() {
            return Err(Error::Invalid(
                "`settings` are those of a module, but `standard` decides alone; send `standardSettings`".to_owned(),
            ));
        }
        Ok(Candidate { module, settings: self.settings.clone(), standard_settings: self.standard_settings.clone() })
    }
}

/// What is compared with what. Without users and objects, and without `recorded`, a sample of real ones.
#[derive(Clone, Debug, InputObject)]
pub(super) struct ComparePoliciesInput {
    /// What the active policy is compared with.
    candidate: PolicyCandidateInput,
    /// For whom: at most 100 active users; without `objectIds`, about every row of each kind.
    user_ids: Option<Vec<ID>>,
    /// About what: at most 100 users, groups, roles, memberships and grants; without `userIds`, for every active user.
    object_ids: Option<Vec<ID>>,
    /// Of a sample, how many active users and how many rows of each kind: 1 to 500, by default 50.
    sample: Option<i32>,
    /// What the choice of a sample follows from: the same gives the same, by default 0.
    seed: Option<i32>,
    /// Instead: for whom and about what the latest so many entries of the decision log are, 1 to 10,000.
    recorded: Option<i32>,
    /// The actions: of users, groups, roles, memberships and grants, and decided about what is there. By default all of them.
    actions: Option<Vec<String>>,
    /// At most so many examples of each change of each action in one piece: 0 to 50, by default 5.
    examples: Option<i32>,
    /// After so many pairs a piece ends: 1 to 100,000, by default 20,000.
    pairs: Option<i32>,
}

impl ComparePoliciesInput {
    /// As the gate takes it.
    fn ask(&self) -> Result<Compare, Error> {
        let lengths = [self.actions.as_ref().map(Vec::len), self.user_ids.as_ref().map(Vec::len), self.object_ids.as_ref().map(Vec::len)];
        for (name, length) in ["actions", "userIds", "objectIds"].into_iter().zip(lengths) {
            if length == Some(0) {
                return Err(Error::Invalid(format!(
                    "`{name}` is an empty list, of which nothing is compared; name something, or leave it out"
                )));
            }
        }
        Ok(Compare {
            candidate: self.candidate.candidate()?,
            pairs: self.choice(number("sample", self.sample.unwrap_or(SAMPLE))?)?,
            actions: self.actions.clone(),
            examples: number("examples", self.examples.unwrap_or(EXAMPLES))?,
            piece: number("pairs", self.pairs.unwrap_or(PAIRS))?,
        })
    }

    fn choice(&self, size: usize) -> Result<ComparePairs, Error> {
        let subjects = parse_all::<UserId>(self.user_ids.as_deref().unwrap_or_default())?;
        let objects = self.object_ids.iter().flatten().map(object).collect::<Result<Vec<_>, _>>()?;
        let named = !subjects.is_empty() || !objects.is_empty();
        if let Some(entries) = self.recorded {
            if named || self.sample.is_some() || self.seed.is_some() {
                let message =
                    "`recorded` takes users and objects from the decision log; leave `userIds`, `objectIds`, `sample` and `seed` out";
                return Err(Error::Invalid(message.to_owned()));
            }
            return Ok(ComparePairs::Recorded { entries: number("recorded", entries)? });
        }
        match (named, self.sample, self.seed) {
            (true, None, None) => Ok(ComparePairs::Named { subjects, objects }),
            (true, _, _) => {
                let message = "`sample` and `seed` choose users and objects, and `userIds` and `objectIds` name them; leave either out";
                Err(Error::Invalid(message.to_owned()))
            }
            (false, _, seed) => Ok(ComparePairs::Sample { size, seed: u64::from(seed.unwrap_or_default().cast_unsigned()) }),
        }
    }
}

fn number(name: &str, asked: i32) -> Result<usize, Error> {
    usize::try_from(asked).map_err(|_| Error::Invalid(format!("`{name}: {asked}` is negative; ask for more, or leave it out")))
}

fn object(id: &ID) -> Result<ObjectId, Error> {
    Ok(match AnyId::parse(id)? {
        AnyId::User(id) => ObjectId::User(id),
        AnyId::Group(id) => ObjectId::Group(id),
        AnyId::Role(id) => ObjectId::Role(id),
        AnyId::Membership(id) => ObjectId::Membership(id),
        AnyId::Grant(id) => ObjectId::Grant(id),
        AnyId::Workspace(_) => {
            let message = "the workspace is no object of a comparison; name users, groups, roles, memberships or grants";
            return Err(Error::Invalid(message.to_owned()));
        }
    })
}

/// A piece of a comparison: what it found by itself. Add the pieces up, from the first to the last.
#[derive(SimpleObject)]
#[graphql(name = "PolicyComparison")]
pub(super) struct ComparisonNode {
    /// The policy version that the candidate was compared with.
    active_version: ID,
    /// Pairs of a user and a row that were looked at since the comparison began, in this piece and in those before.
    done: i64,
    /// Pairs that there were when it began.
    total: i64,
    /// What changes, an entry for each action that was compared.
    actions: Vec<ActionNode>,
    /// Where a policy gave no usable answer, which denies; these pairs are in no sum of `actions`.
    failures: Vec<FailureNode>,
    /// Whether there is more to compare.
    has_next_page: bool,
    /// Where the next piece begins, for `after`; null at the end.
    end_cursor: Option<String>,
}

/// What changes for one action. To do something, a user must be allowed to *and* see the row; a membership or grant is seen where both its
/// ends are.
#[derive(SimpleObject)]
#[graphql(name = "PolicyComparisonAction")]
struct ActionNode {
    /// The action, `kind.verb`.
    action: String,
    /// Pairs on which both policies answered.
    compared: i64,
    /// Pairs for which only the candidate allows it.
    gained: i64,
    /// Pairs for which only the active policy allows it.
    lost: i64,
    /// Of a read, pairs for which both show the row, with other fields.
    fields_changed: i64,
    /// Which fields those are.
    fields: Vec<FieldNode>,
    /// How many of these changes are about something that you can not see. They are in no example.
    unseen: i64,
    /// The first changes of each kind that are about somebody and something that you can see.
    examples: Vec<ExampleNode>,
}

/// How often a field becomes hidden or shown, on rows that both policies show.
#[derive(Clone, SimpleObject)]
#[graphql(name = "PolicyComparisonField")]
pub(super) struct FieldNode {
    /// The field; of custom attributes `attributes.NAME`.
    name: String,
    /// Pairs for which only the candidate hides it.
    hidden: i64,
    /// Pairs for which only the active policy hides it.
    shown: i64,
}

/// A change, by name.
#[derive(Clone, SimpleObject)]
#[graphql(name = "PolicyComparisonExample")]
pub(super) struct ExampleNode {
    /// What becomes of it.
    change: Change,
    /// For whom.
    subject: UserNode,
    /// Of what.
    object: Node,
    /// Fields that become hidden.
    hidden_fields: Vec<String>,
    /// Fields that become shown.
    shown_fields: Vec<String>,
    /// Why, in the words of the active policy; empty if it gave no reason.
    active_reason: String,
    /// Why, in the words of the candidate; likewise.
    candidate_reason: String,
}

/// What becomes of a user and a row.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(name = "PolicyComparisonChange")]
pub(super) enum Change {
    /// Only the candidate allows it.
    Gained,
    /// Only the active policy allows it.
    Lost,
    /// Both show the row, with other fields.
    FieldsChanged,
}

/// That a policy gave no usable answer: it trapped, ran out of fuel, or answered what is no answer.
#[derive(Clone, SimpleObject)]
#[graphql(name = "PolicyComparisonFailure")]
pub(super) struct FailureNode {
    /// Which of the two.
    side: PolicySide,
    /// The action that it was asked about, `kind.verb`.
    action: String,
    /// The pairs that could not be compared for it.
    pairs: i64,
    /// Why, of the first time.
    reason: String,
}

/// One of the two policies of a comparison.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub(super) enum PolicySide {
    /// The active one.
    Active,
    /// The candidate.
    Candidate,
}

/// Compares a piece; `None` if somebody or something named is not there for the viewer.
pub(super) async fn compare(
    context: &Context<'_>,
    directory: &Arc<Directory>,
    input: &ComparePoliciesInput,
    after: Option<&str>,
) -> Result<Option<ComparisonNode>, Error> {
    let ask = input.ask()?;
    let (cursors, workspace) = (cursors(context), directory.subject().workspace);
    // A cursor goes on with the same question to the same candidate, of which `standard` is a part.
    let standard = context.data::<RequestContext>().ok().map(|request| request.writer.gate.standard().digest);
    let list = format!("compare-policies:{standard:?}:{ask:?}");
    let after = after.map(|cursor| position(cursor, &cursors.open(workspace, &list, cursor)?)).transpose()?;
    let Some(found) = directory.compare_policies(&ask, after.as_ref()).await? else { return Ok(None) };
    let end_cursor = found.next.as_ref().map(|position| cursors.seal(workspace, &list, &keyset(position)));
    let named = Named::read(directory, &found.actions).await?;
    Ok(Some(ComparisonNode {
        active_version: found.active.into_id(),
        done: long(found.done),
        total: long(found.total),
        actions: found.actions.into_iter().map(|line| action(line, &named)).collect(),
        failures: found.failures.into_iter().map(failure).collect(),
        has_next_page: end_cursor.is_some(),
        end_cursor,
    }))
}

/// Who and what is in examples, read as the viewer: one list a kind, however many there are.
pub(super) struct Named {
    subjects: HashMap<UserId, UserNode>,
    objects: HashMap<ID, Node>,
}

impl Named {
    pub(super) async fn read(directory: &Arc<Directory>, actions: &[ComparedAction]) -> Result<Self, Error> {
        let examples = || actions.iter().flat_map(|line| &line.examples);
        let mut people: Vec<UserId> = examples().map(|example| example.subject).collect();
        people.sort_unstable();
        people.dedup();
        let mut things: Vec<ObjectId> = examples().map(|example| example.object).collect();
        things.sort_unstable();
        things.dedup();
        let things: Vec<ID> = things.into_iter().map(id_of).collect();
        let members = Level::members(directory, directory.users(&people).await?);
        let objects = node::find(directory, &things).await?;
        Ok(Self {
            subjects: people.into_iter().zip(members).filter_map(|(id, member)| Some((id, UserNode(member?)))).collect(),
            objects: things.into_iter().zip(objects).filter_map(|(id, object)| Some((id, object?))).collect(),
        })
    }

    /// An example in nodes; none of what is not there for the viewer.
    pub(super) fn example(&self, example: ComparisonExample) -> Option<ExampleNode> {
        Some(ExampleNode {
            change: match example.change {
                ComparisonChange::Gained => Change::Gained,
                ComparisonChange::Lost => Change::Lost,
                ComparisonChange::Fields => Change::FieldsChanged,
            },
            subject: self.subjects.get(&example.subject)?.clone(),
            object: self.objects.get(&id_of(example.object))?.clone(),
            hidden_fields: example.hidden,
            shown_fields: example.shown,
            active_reason: example.active_reason,
            candidate_reason: example.candidate_reason,
        })
    }
}

fn id_of(object: ObjectId) -> ID {
    match object {
        ObjectId::User(id) => id.into_id(),
        ObjectId::Group(id) => id.into_id(),
        ObjectId::Role(id) => id.into_id(),
        ObjectId::Membership(id) => id.into_id(),
        ObjectId::Grant(id) => id.into_id(),
    }
}

fn action(line: ComparedAction, named: &Named) -> ActionNode {
    ActionNode {
        action: line.action,
        compared: long(line.compared),
        gained: long(line.gained),
        lost: long(line.lost),
        fields_changed: long(line.fields_changed),
        fields: line.fields.into_iter().map(field).collect(),
        unseen: long(line.unseen),
        examples: line.examples.into_iter().filter_map(|example| named.example(example)).collect(),
    }
}

pub(super) fn field(field: ComparedField) -> FieldNode {
    FieldNode { name: field.name, hidden: long(field.hidden), shown: long(field.shown) }
}

pub(super) fn failure(failure: ComparisonFailure) -> FailureNode {
    let side = match failure.side {
        ComparisonSide::Active => PolicySide::Active,
        ComparisonSide::Candidate => PolicySide::Candidate,
    };
    FailureNode { side, action: failure.action, pairs: long(failure.pairs), reason: failure.reason }
}

pub(super) fn long(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A position as cursors carry it: the version as the id, and everything else as the key.
fn keyset(position: &ComparePosition) -> Keyset {
    let ComparePosition { active, kind, row, last, subject, done, total, newest } = position;
    let [row, last, subject] = [row, last, subject].map(|id| id.unwrap_or_default().simple());
    Keyset { key: format!("{} {row} {last} {subject} {done} {total} {newest}", kind.name()), id: active.0 }
}

/// The position of [`keyset`].
fn position(cursor: &str, keyset: &Keyset) -> Result<ComparePosition, Error> {
    let parts: Vec<&str> = keyset.key.split(' ').collect();
    let id = |text: &str| Uuid::try_parse(text).ok().map(|id| Some(id).filter(|id| !id.is_nil()));
    let read = || {
        let [kind, row, last, subject, done, total, newest] = parts.as_slice() else { return None };
        Some(ComparePosition {
            active: PolicyVersionId(keyset.id),
            kind: Kind::named(kind)?,
            row: id(row)?,
            last: id(last)?,
            subject: id(subject)?,
            done: done.parse().ok()?,
            total: total.parse().ok()?,
            newest: newest.parse().ok()?,
        })
    };
    read().ok_or_else(|| {
        Error::Invalid(format!("`{}` is no cursor of this comparison; start without one", cursor.chars().take(64).collect::<String>()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_comes_back_from_its_cursor() {
        let [seven, eight, nine] = [7, 8, 9].map(|id| Some(Uuid::from_u128(id)));
        for (row, last, subject) in [(None, None, None), (seven, None, None), (seven, eight, None), (seven, eight, nine)] {
            let active = PolicyVersionId(Uuid::from_u128(1));
            let at = ComparePosition { active, kind: Kind::Membership, row, last, subject, done: 3, total: u64::MAX, newest: 7 };
            assert_eq!(position("", &keyset(&at)).unwrap(), at);
        }
        for broken in ["", "user", "user - - - 0 0 0", "nothing 0 0 0 0 0 0"] {
            assert!(position("", &Keyset { key: broken.to_owned(), id: Uuid::nil() }).is_err(), "{broken}");
        }
    }
}
