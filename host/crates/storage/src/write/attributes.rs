//! Declarations of custom attributes, and what they ask of the values that are there.

use directory::{
    Error,
    change::{AttributeAfter, ValuesOfRemoved},
    ids::UserId,
    limits::ATTRIBUTES,
    model::{AttributeType, Version},
};
use uuid::Uuid;

use super::Writer;
use crate::{
    exec::Row,
    put::users::User,
    rows,
    sql::{among_texts, sql},
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
    check_values(writer, attribute).await
}

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
    let update = sql!(UPDATE, type_.name().to_owned(), *required, *unique, *multivalued, *searchable, writer.of, name.clone(), seen.0);
    if writer.tx.execute(update).await? == 0 {
        return Err(super::stale());
    }
    check_values(writer, attribute).await
}

const VALUES: &str = "
select distinct t.value_key
from user_attributes t
where t.workspace_id = {}
  and t.name = {}
union
select distinct x.value_key
from group_attributes x
where x.workspace_id = {}
  and x.name = {}";

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

const SEVERAL: &str = "
select 1
from user_attributes t
where t.workspace_id = {}
  and t.name = {}
group by t.user_id
having count(*) > 1
limit 1";

/// Refuses a declaration that values which are there do not fit. Whose they are is not said.
async fn check_values(writer: &mut Writer, attribute: &AttributeAfter) -> Result<(), Error> {
    let (of, name) = (writer.of, &attribute.name);
    let refused = |what: &str| Error::Invalid(format!("attribute `{name}`: {what}"));
    if attribute.type_ != AttributeType::Text {
        for row in writer.tx.fetch(sql!(VALUES, of, name.clone(), of, name.clone())).await? {
            if attribute.type_.refuses(&row.only::<String>()?).is_some() {
                return Err(refused("there are values that are not of this type; correct them first"));
            }
        }
    }
    let checks = [
        (attribute.required, WITHOUT, "there are users without a value; give them one first, or do not require it"),
        (attribute.unique, SHARED, "there are users who share a value; correct them first, or do not make it unique"),
        (!attribute.multivalued, SEVERAL, "there are users with several values; correct them first, or allow several"),
    ];
    for (asked, statement, why) in checks {
        if asked && !writer.tx.fetch(sql!(statement, of, name.clone())).await?.is_empty() {
            return Err(refused(why));
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
    for of in [OF_USERS, OF_GROUPS] {
        erase(writer, name, &of, values).await?;
    }
    Ok(())
}

/// The statements about one kind that has attributes.
struct Holders {
    with: &'static str,
    set: &'static str,
    forget: &'static str,
}

const OF_USERS: Holders = Holders {
    with: "
select distinct u.id, u.attributes
from user_attributes t
join users u
  on u.workspace_id = t.workspace_id
  and u.id = t.user_id
where t.workspace_id = {}
  and t.name = {}
limit {}",
    set: "
update users
set attributes = {},
  version = version + 1
where workspace_id = {}
  and id = {}",
    forget: "
delete from user_attributes
where workspace_id = {}
  and user_id = {}
  and name = {}",
};

const OF_GROUPS: Holders = Holders {
    with: "
select distinct g.id, g.attributes
from group_attributes t
join groups g
  on g.workspace_id = t.workspace_id
  and g.id = t.group_id
where t.workspace_id = {}
  and t.name = {}
limit {}",
    set: "
update groups
set attributes = {},
  version = version + 1
where workspace_id = {}
  and id = {}",
    forget: "
delete from group_attributes
where workspace_id = {}
  and group_id = {}
  and name = {}",
};

/// Rows whose values are erased at a time.
const ERASED: i64 = 500;

async fn erase(writer: &mut Writer, name: &str, holders: &Holders, values: ValuesOfRemoved) -> Result<(), Error> {
    loop {
        let found = writer.tx.fetch(sql!(holders.with, writer.of, name.to_owned(), ERASED)).await?;
        if found.is_empty() {
            return Ok(());
        }
        if values == ValuesOfRemoved::None {
            return Err(Error::Broken {
                rule: directory::Rule::NotEmpty,
                message: format!("attribute `{name}` has values, perhaps some that you can not see; have them erased, or keep it"),
            });
        }
        for row in &found {
            let mut columns = row.columns();
            let id: Uuid = columns.take()?;
            let mut attributes: Vec<(String, Vec<String>)> = rows::json(&columns.take::<String>()?)?;
            attributes.retain(|(of, _)| of != name);
            writer.tx.execute(sql!(holders.set, serde_json::json!(attributes).to_string(), writer.of, id)).await?;
            writer.tx.execute(sql!(holders.forget, writer.of, id, name.to_owned())).await?;
        }
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
