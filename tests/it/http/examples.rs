//! The examples of `docs/mutations.md`, run in their order as the page says: in the demo's `acme`, by its administrator.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use bailiwick::graphql::sdl;
use serde_json::{Value as Json, json};

use super::site::{Site, answer, on_sites};
use crate::docs::blocks;

#[test]
fn every_mutation_has_an_example_that_does_what_it_shows() {
    on_sites(async |site| {
        let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/mutations.md")).unwrap();
        let mut known = BTreeMap::new();
        let mut shown = BTreeSet::new();
        for document in blocks(&page, "graphql") {
            let found = run(site, document, &mut known).await;
            for (field, payload) in found.as_object().unwrap() {
                if document.starts_with("mutation") {
                    assert_eq!(payload["userErrors"], json!([]), "{document}");
                    shown.insert(field.clone());
                }
            }
        }
        assert_eq!(shown, mutations(), "each mutation has an example");
    });
}

/// What a document answers, with the ids that its variables stand for. An id is looked up once: what was removed is found no more.
async fn run(site: &Site, document: &str, known: &mut BTreeMap<String, Json>) -> Json {
    let head = document.lines().next().unwrap();
    let names = head.split('$').skip(1).map(|rest| rest.split(':').next().unwrap().to_owned());
    let mut variables = serde_json::Map::new();
    for name in names {
        let value = match known.get(&name) {
            Some(value) => value.clone(),
            None => look_up(site, &name).await,
        };
        known.insert(name.clone(), value.clone());
        variables.insert(name, value);
    }
    let body = json!({ "query": document, "variables": variables }).to_string();
    let (_, mut found) = answer(site.post(body).bearer_auth(site.admin())).await;
    assert_eq!(found.get("errors"), None, "{document}\n{variables:?}");
    found["data"].take()
}

/// What the page calls by a name: somebody's first name, the key of a group or role, or what an example before made.
async fn look_up(site: &Site, name: &str) -> Json {
    let (query, path) = match name {
        "peopleReader" => (role("people-reader"), "/found/id"),
        "helpdesk" | "member" => (role(name), "/found/id"),
        "teamBuilder" => (role("team-builder"), "/found/id"),
        "grantsVersion" => ("{ found: user(by: { userName: \"yusuf.demir\" }) { grantsVersion } }".to_owned(), "/found/grantsVersion"),
        "active" | "restored" => ("{ workspace { policy { id } } }".to_owned(), "/workspace/policy/id"),
        "shadow" => ("{ policyShadow { id } }".to_owned(), "/policyShadow/id"),
        "token" => return only(site, "{ rows: tokens { id name } }", |row| row["name"] == "directory sync").await,
        "grant" => {
            let query = "{ rows: grants(first: 100) { nodes { id user { userName } within { key } } } }";
            return only(site, query, |row| row["user"]["userName"] == "wanjiru.kamau" && row["within"]["key"] == "platform").await;
        }
        name if GROUPS.contains(&name) => (format!("{{ found: group(by: {{ key: \"{name}\" }}) {{ id }} }}"), "/found/id"),
        name => {
            let query = "{ rows: users(first: 100) { nodes { id userName } } }";
            let of_name = format!("{name}.");
            return only(site, query, |row| row["userName"].as_str().unwrap().starts_with(&of_name)).await;
        }
    };
    let (_, found) = answer(site.ask(&query)).await;
    let value = found["data"].pointer(path).unwrap_or_else(|| panic!("`{name}` is nothing: {found}"));
    value.clone()
}

/// The groups that the page names.
const GROUPS: [&str; 8] = ["databases", "support", "commercial", "platform", "networking", "compaction", "mobile", "finance"];

fn role(key: &str) -> String {
    format!("{{ found: role(by: {{ key: \"{key}\" }}) {{ id }} }}")
}

/// The id of the only row of a list that is meant.
async fn only(site: &Site, query: &str, meant: impl Fn(&Json) -> bool) -> Json {
    let (_, found) = answer(site.ask(query)).await;
    let rows = &found["data"]["rows"];
    let rows = rows.as_array().or_else(|| rows["nodes"].as_array()).unwrap_or_else(|| panic!("no list: {found}"));
    let meant: Vec<&Json> = rows.iter().filter(|row| meant(row)).collect();
    assert_eq!(meant.len(), 1, "{query}: {meant:?}");
    meant[0]["id"].clone()
}

/// The fields of the schema's type `Mutation`.
fn mutations() -> BTreeSet<String> {
    let sdl = sdl();
    let (_, rest) = sdl.split_once("\ntype Mutation {").unwrap();
    let (fields, _) = rest.split_once("\n}").unwrap();
    let names = fields.lines().filter_map(|line| line.trim().split_once('(')).map(|(name, _)| name);
    names.filter(|name| name.chars().all(|letter| letter.is_ascii_alphanumeric())).map(str::to_owned).collect()
}
