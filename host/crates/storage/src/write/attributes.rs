//! Declarations of custom attributes, and what they ask of the values that are there.

use directory::{
    Error, Rule,
    change::{AttributeAfter, ValuesOfRemoved},
    ids::UserId,
    limits::ATTRIBUTES,
    model::{AttributeType, Version},
};
use uuid::Uuid;

use super::Writer;
use crate::{
    exec::{Row, Tx},
    put::users::User,
    sql::{Sql, among, among_texts, sql},
};

const COUNT: &str = "
select count(*)
from attribute_definitions
where workspace_id = {}";

const INSERT: &str = "
insert into attribute_definitions (workspace_id, name, type, required, is_unique, multivalued, searchable)
values ({}, {}, {}, {}, {}, {}, {})
on conflict do nothing";

/// Declares an attribute.
pub(super) async fn define(writer: &mut Writer, attribute: &AttributeAfter) -> Result<(), Error> {
    let found = writer.tx.fetch(sql!(COUNT, writer.of)).await?;
    let count: i64 = found.first().map_or(Ok(0), Row::only)?;
    if usize::try_from(count).is_ok_and(|count| count >= ATTRIBUTES) {
        return Err(Error::TooLarge(format!("the workspace declares {count} custom attributes, and may declare {ATTRIBUTES}; remove one")));
    }
    let AttributeAfter { name, type_, required, unique, multivalued, searchable } = attribute;
    let insert = sql!(INSERT, writer.of, name.clone(), type_.name().to_owned(), *required, *unique, *multivalued, *searchable);
    if writer.tx.execute(insert).await? == 0 {
        return Err(Error::Taken(format!("the attribute `{name}`")));
    }
    check_values(writer, attribute, *required).await
}

const REQUIRED: &str = "
select required
from attribute_definitions
where workspace_id = {}
  and name = {}";

const UPDATE: &str = "
update attribute_definitions
set type = {},
  required = {},
  is_unique = {},
  multivalued = {},
  searchable = {},
  version = version + 1
where workspace_id = {}
  and name = {}
  and version = {}";

/// Changes a declaration, if the values that are there fit it.
pub(super) async fn update(writer: &mut Writer, seen: Version, attribute: &AttributeAfter) -> Result<(), Error> {
    let AttributeAfter { name, type_, required, unique, multivalued, searchable } = attribute;
    let found = writer.tx.fetch(sql!(REQUIRED, writer.of, name.clone())).await?;
    let was_required: bool = found.first().map_or(Ok(false), Row::only)?;
    let update = sql!(UPDATE, type_.name().to_owned(), *required, *unique, *multivalued, *searchable, writer.of, name.clone(), seen.0);
    if writer.tx.execute(update).await? == 0 {
        return Err(super::stale());
    }
    // Whoever came back from the recycle bin since may lack what is required, which is no reason against another change.
    check_values(writer, attribute, *required && !was_required).await
}

/// How a database reads the column `attributes`, which holds JSON: `[["name", ["value", ...]], ...]`. The two have no name in common.
struct Json {
    /// Each attribute `a` of a row `h`.
    attributes: &'static str,
    /// The name of an attribute `a`.
    name: &'static str,
    /// Each value `v` of an attribute `a`.
    values: &'static str,
    /// How many values an attribute `a` has.
    count: &'static str,
    /// The column of a row `h` but for one name, the rest as it is and in its order.
    without: &'static str,
}

const SQLITE: Json = Json {
    attributes: "json_each(h.attributes) a",
    name: "json_extract(a.value, '$[0]')",
    values: "json_each(a.value, '$[1]') v",
    count: "json_array_length(a.value, '$[1]')",
    without: "(
    select json_group_array(json(e.value))
    from (
      select a.value
      from json_each(h.attributes) a
      where json_extract(a.value, '$[0]') <> {}
      order by a.key
    ) e
  )",
};

const POSTGRES: Json = Json {
    attributes: "json_array_elements(h.attributes::json) a",
    name: "(a.value ->> 0)",
    values: "json_array_elements_text(a.value -> 1) v",
    count: "json_array_length(a.value -> 1)",
    without: "(
    select '[' || coalesce(string_agg(a.value::text, ',' order by a.ordinality), '') || ']'
    from json_array_elements(h.attributes::json) with ordinality a
    where (a.value ->> 0) <> {}
  )",
};

impl Json {
    const fn of(writer: &Writer) -> &'static Self {
        match writer.tx {
            Tx::Sqlite(_) => &SQLITE,
            Tx::Postgres(_) => &POSTGRES,
        }
    }
}

const VALUES: &str = "
select distinct v.value
from {} h
cross join {}
cross join {}
where h.workspace_id = {}
  and {} = {}{}";

const SEVERAL: &str = "
select 1
from {} h
cross join {}
where h.workspace_id = {}
  and {} = {}
  and {} > 1{}
limit 1";

/// Whether what is there fits a type and a number of values: as it was given, in the recycle bin, too. Folded values say less: `TRUE`
/// is folded to `true`, and two may be folded to one.
async fn check_given(writer: &mut Writer, attribute: &AttributeAfter) -> Result<(), Error> {
    let (of, json, name) = (writer.of, Json::of(writer), &attribute.name);
    let with = |holders: &Holders| sql!("\n  and h.id in ({})", sql!(holders.with, of, name.clone()));
    for (table, which) in [(USERS.table, with(&USERS)), (GROUPS.table, with(&GROUPS)), (BIN, Sql::default())] {
        if attribute.type_ != AttributeType::Text {
            let values = sql!(VALUES, table, json.attributes, json.values, of, json.name, name.clone(), which.clone());
            for row in writer.tx.fetch(values).await? {
                if attribute.type_.refuses(&row.only::<String>()?).is_some() {
                    return Err(unfit(name, "there are values that are not of this type; correct them first"));
                }
            }
        }
        if !attribute.multivalued {
            let several = sql!(SEVERAL, table, json.attributes, of, json.name, name.clone(), json.count, which);
            if !writer.tx.fetch(several).await?.is_empty() {
                return Err(unfit(name, "there are users or groups with several values; correct them first, or allow several"));
            }
        }
    }
    Ok(())
}

fn unfit(name: &str, why: &str) -> Error {
    Error::Invalid(format!("attribute `{name}`: {why}"))
}

const WITHOUT: &str = "
select 1
from users u
where u.workspace_id = {}
  and u.status <> 'deleted'
  and not exists (
    select 1
    from user_attributes t
    where t.workspace_id = u.workspace_id
      and t.user_id = u.id
      and t.name = {}
  )
limit 1";

const SHARED: &str = "
select 1
from user_attributes t
join users u
  on u.workspace_id = t.workspace_id
  and u.id = t.user_id
  and u.status <> 'deleted'
where t.workspace_id = {}
  and t.name = {}
group by t.value_key
having count(*) > 1
limit 1";

/// Refuses a declaration that values which are there do not fit. Whose they are is not said.
async fn check_values(writer: &mut Writer, attribute: &AttributeAfter, becomes_required: bool) -> Result<(), Error> {
    let (of, name) = (writer.of, &attribute.name);
    check_given(writer, attribute).await?;
    let checks = [
        (becomes_required, WITHOUT, "there are users without a value; give them one first, or do not require it"),
        (attribute.unique, SHARED, "there are users who share a value; correct them first, or do not make it unique"),
    ];
    for (asked, statement, why) in checks {
        if asked && !writer.tx.fetch(sql!(statement, of, name.clone())).await?.is_empty() {
            return Err(unfit(name, why));
        }
    }
    Ok(())
}

const DELETE: &str = "
delete from attribute_definitions
where workspace_id = {}
  and name = {}
  and version = {}";

/// Removes a declaration and, if asked, its values.
pub(super) async fn remove(writer: &mut Writer, name: &str, seen: Version, values: ValuesOfRemoved) -> Result<(), Error> {
    if writer.tx.execute(sql!(DELETE, writer.of, name.to_owned(), seen.0)).await? == 0 {
        return Err(super::stale());
    }
    for holders in [&USERS, &GROUPS] {
        erase(writer, name, holders, values).await?;
    }
    erase_in_bin(writer, name, values).await
}

/// A kind whose attributes are looked for, so that their folded values stand in a table of their own.
struct Holders {
    table: &'static str,
    /// Who has an attribute, once for each value.
    with: &'static str,
    /// Takes an attribute of some of them out of that table.
    forget: &'static str,
}

const USERS: Holders = Holders {
    table: "users",
    with: "
    select t.user_id
    from user_attributes t
    where t.workspace_id = {}
      and t.name = {}",
    forget: "
delete from user_attributes
where workspace_id = {}
  and name = {}
  and user_id {}",
};

const GROUPS: Holders = Holders {
    table: "groups",
    with: "
    select t.group_id
    from group_attributes t
    where t.workspace_id = {}
      and t.name = {}",
    forget: "
delete from group_attributes
where workspace_id = {}
  and name = {}
  and group_id {}",
};

const SET: &str = "
update {} as h
set attributes = {},
  updated_at = {},
  version = version + 1
where h.workspace_id = {}
  and h.id {}";

/// Values that are erased at a time: few statements for many, and none that takes long.
const ERASED: i64 = 20_000;

async fn erase(writer: &mut Writer, name: &str, holders: &Holders, values: ValuesOfRemoved) -> Result<(), Error> {
    let (of, json) = (writer.of, Json::of(writer));
    loop {
        let with = sql!(holders.with, of, name.to_owned());
        let found = writer.tx.fetch(sql!("{}\nlimit {}", with, ERASED)).await?;
        if found.is_empty() {
            return Ok(());
        }
        may_be_erased(name, values)?;
        let ids: Vec<Uuid> = found.iter().map(Row::only).collect::<Result<_, _>>()?;
        let without = sql!(json.without, name.to_owned());
        writer.tx.execute(sql!(SET, holders.table, without, writer.now, of, among(ids.iter().copied()))).await?;
        writer.tx.execute(sql!(holders.forget, of, name.to_owned(), among(ids))).await?;
    }
}

/// The table of deleted groups, in which nothing is looked for.
const BIN: &str = "deleted_groups";

const HAS: &str = "exists (
    select 1
    from {}
    where {} = {}
  )";

const SOME_IN_BIN: &str = "
select 1
from {} h
where h.workspace_id = {}
  and {}
limit 1";

const SET_IN_BIN: &str = "
update {} as h
set attributes = {},
  version = version + 1
where h.workspace_id = {}
  and {}";

async fn erase_in_bin(writer: &mut Writer, name: &str, values: ValuesOfRemoved) -> Result<(), Error> {
    let (of, json) = (writer.of, Json::of(writer));
    let has = sql!(HAS, json.attributes, json.name, name.to_owned());
    if writer.tx.fetch(sql!(SOME_IN_BIN, BIN, of, has.clone())).await?.is_empty() {
        return Ok(());
    }
    may_be_erased(name, values)?;
    writer.tx.execute(sql!(SET_IN_BIN, BIN, sql!(json.without, name.to_owned()), of, has)).await.map(drop)
}

/// Refuses to erase values unless that was asked for.
fn may_be_erased(name: &str, values: ValuesOfRemoved) -> Result<(), Error> {
    match values {
        ValuesOfRemoved::Erased => Ok(()),
        ValuesOfRemoved::None => Err(Error::Broken {
            rule: Rule::NotEmpty,
            message: format!("attribute `{name}` has values, perhaps some that you can not see; have them erased, or keep it"),
        }),
    }
}

const UNIQUE: &str = "
select name
from attribute_definitions
where workspace_id = {}
  and is_unique = {}
  and name {}";

/// One of these values, which somebody else has, too.
const SHARED_AMONG: &str = "
select 1
from user_attributes t
join users u
  on u.workspace_id = t.workspace_id
  and u.id = t.user_id
  and u.status <> 'deleted'
where t.workspace_id = {}
  and t.name = {}
  and t.value_key {}
group by t.value_key
having count(*) > 1
limit 1";

/// Refuses a value of a unique attribute that two users have, of the values that these users have.
pub(super) async fn keep_unique(writer: &mut Writer, users: &[(UserId, &User)]) -> Result<(), Error> {
    let names = users.iter().flat_map(|(_, user)| user.attributes.0.iter().map(|(name, _)| name.clone()));
    let mut names: Vec<String> = names.collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() {
        return Ok(());
    }
    let found = writer.tx.fetch(sql!(UNIQUE, writer.of, true, among_texts(names))).await?;
    for row in found {
        let name: String = row.only()?;
        let values = users.iter().flat_map(|(_, user)| user.attributes.keys()).filter(|(of, _)| *of == name);
        let values: Vec<String> = values.map(|(_, value)| value).collect();
        if !writer.tx.fetch(sql!(SHARED_AMONG, writer.of, name.clone(), among_texts(values))).await?.is_empty() {
            return Err(Error::Taken(format!("a value of attribute `{name}`")));
        }
    }
    Ok(())
}
