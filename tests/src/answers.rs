//! What every answer keeps, whatever it says: each selected key is there, no other is, and nothing is null that must not be.

use std::{collections::HashMap, sync::LazyLock};

use async_graphql::{
    Name, Positioned,
    parser::{
        parse_query, parse_schema,
        types::{
            BaseType, DocumentOperations, ExecutableDocument, Field, FieldDefinition, OperationType, Selection, SelectionSet, Type,
            TypeKind, TypeSystemDefinition,
        },
    },
};
use serde_json::Value as Json;

use crate::naive::server::Answer;

/// The fields of each type of the schema.
pub static TYPES: LazyLock<HashMap<String, HashMap<String, FieldDefinition>>> = LazyLock::new(|| {
    let schema = parse_schema(bailiwick::graphql::sdl()).expect("the schema is a schema");
    let types = schema.definitions.into_iter().filter_map(|definition| match definition {
        TypeSystemDefinition::Type(of) => Some(of.node),
        TypeSystemDefinition::Schema(_) | TypeSystemDefinition::Directive(_) => None,
    });
    let fields =
        |fields: Vec<Positioned<FieldDefinition>>| fields.into_iter().map(|field| (field.node.name.to_string(), field.node)).collect();
    let named = types.filter_map(|of| match of.kind {
        TypeKind::Object(object) => Some((of.name.to_string(), fields(object.fields))),
        TypeKind::Interface(interface) => Some((of.name.to_string(), fields(interface.fields))),
        _ => None,
    });
    named.collect()
});

/// The name of the type that a field's values have, lists and all taken away.
#[must_use]
pub fn named(of: &Type) -> &str {
    match &of.base {
        BaseType::Named(name) => name,
        BaseType::List(of) => named(of),
    }
}

/// Panics unless `answer` has the shape that `document` asks for.
pub fn assert_shape(document: &str, answer: &Json) {
    let Some(data) = answer.get("data") else {
        assert!(answer["errors"].as_array().is_some_and(|errors| !errors.is_empty()), "neither data nor errors: {answer}");
        return;
    };
    let parsed = parse_query(document).expect("the test's document is a document");
    let operation = match &parsed.operations {
        DocumentOperations::Single(operation) => &operation.node,
        DocumentOperations::Multiple(operations) => &operations.values().next().unwrap().node,
    };
    let root = match operation.ty {
        OperationType::Mutation => "Mutation",
        _ => "Query",
    };
    Shape { document: &parsed, answer }.object(root, &operation.selection_set.node, data, "data");
}

struct Shape<'a> {
    document: &'a ExecutableDocument,
    answer: &'a Json,
}

impl Shape<'_> {
    fn object(&self, of: &str, selections: &SelectionSet, value: &Json, path: &str) {
        let object = value.as_object().unwrap_or_else(|| panic!("{path} is no object in {}", self.answer));
        let mut fields = Vec::new();
        self.collect(of, selections, value, &mut fields);
        for field in &fields {
            let key = field.response_key().node.as_str();
            let value = object.get(key).unwrap_or_else(|| panic!("{path}.{key} is missing in {}", self.answer));
            if field.name.node != "__typename" {
                let definition = TYPES[of].get(field.name.node.as_str()).unwrap_or_else(|| panic!("{of} has no {}", field.name.node));
                self.value(&definition.ty.node, field, value, &format!("{path}.{key}"));
            }
        }
        let selected: Vec<&str> = fields.iter().map(|field| field.response_key().node.as_str()).collect();
        let extra: Vec<&String> = object.keys().filter(|key| !selected.contains(&key.as_str())).collect();
        assert!(extra.is_empty(), "{path} has {extra:?}, which nobody selected, in {}", self.answer);
    }

    fn value(&self, of: &Type, field: &Field, value: &Json, path: &str) {
        if value.is_null() {
            assert!(of.nullable, "{path} is null in {}", self.answer);
            return;
        }
        match &of.base {
            BaseType::List(of) => {
                let items = value.as_array().unwrap_or_else(|| panic!("{path} is no list in {}", self.answer));
                for (at, item) in items.iter().enumerate() {
                    self.value(of, field, item, &format!("{path}.{at}"));
                }
            }
            BaseType::Named(name) if TYPES.contains_key(name.as_str()) => {
                self.object(&runtime(name, value), &field.selection_set.node, value, path);
            }
            BaseType::Named(_) => assert!(!value.is_object() && !value.is_array(), "{path} is no scalar in {}", self.answer),
        }
    }

    fn collect<'s>(&'s self, of: &str, selections: &'s SelectionSet, value: &Json, fields: &mut Vec<&'s Field>) {
        for selection in &selections.items {
            match &selection.node {
                Selection::Field(field) => fields.push(&field.node),
                Selection::InlineFragment(fragment) => {
                    let condition = fragment.node.type_condition.as_ref().map(|condition| &condition.node.on.node);
                    self.fragment(of, condition, &fragment.node.selection_set.node, value, fields);
                }
                Selection::FragmentSpread(spread) => {
                    let fragment = &self.document.fragments[&spread.node.fragment_name.node].node;
                    self.fragment(of, Some(&fragment.type_condition.node.on.node), &fragment.selection_set.node, value, fields);
                }
            }
        }
    }

    fn fragment<'s>(&'s self, of: &str, on: Option<&Name>, selections: &'s SelectionSet, value: &Json, fields: &mut Vec<&'s Field>) {
        if on.is_none_or(|on| on == of || on == "Node") {
            self.collect(of, selections, value, fields);
        }
    }
}

/// The type of an object: of a node, the one that its id begins with.
fn runtime(declared: &str, value: &Json) -> String {
    if declared != "Node" {
        return declared.to_owned();
    }
    let id = value["id"].as_str().expect("nodes are asked for their ids");
    let of = match id.split('_').next().unwrap() {
        "usr" => "User",
        "grp" => "Group",
        "rol" => "Role",
        "mem" => "Membership",
        "gra" => "Grant",
        "wsp" => "Workspace",
        prefix => panic!("`{prefix}` begins no id of a node"),
    };
    of.to_owned()
}

/// Says how an answer differs from what it must be.
///
/// # Errors
/// The query, both answers and both lists of errors.
pub fn difference(document: &str, expected: &Answer, mut answer: Json) -> Result<(), String> {
    hide_positions(&mut answer["data"]);
    let mut data = expected.data.clone();
    hide_positions(&mut data);
    let mut failures: Vec<(String, String, String)> = answer["errors"].as_array().into_iter().flatten().map(failure).collect();
    failures.sort_unstable();
    let mut wanted = expected.failures.clone();
    wanted.sort_unstable();
    let as_wanted = failures.len() == wanted.len()
        && failures
            .iter()
            .zip(&wanted)
            .all(|((path, code, message), wanted)| *path == wanted.path && code == wanted.code && wanted.messages.contains(message));
    if answer["data"] == data && as_wanted {
        return Ok(());
    }
    let lines = |json: &Json| serde_json::to_string_pretty(json).unwrap_or_default();
    Err(format!("{document}\n\nexpected {}\n{wanted:#?}\n\nfound {}\n{failures:#?}", lines(&data), lines(&answer["data"])))
}

/// Cursors are opaque, and the grants of a permission come in no order.
fn hide_positions(json: &mut Json) {
    match json {
        Json::Array(items) => items.iter_mut().for_each(hide_positions),
        Json::Object(fields) => {
            for (name, value) in fields {
                match name.as_str() {
                    "cursor" | "startCursor" | "endCursor" if value.is_string() => *value = "*".into(),
                    "sources" => {
                        hide_positions(value);
                        if let Json::Array(sources) = value {
                            sources.sort_by_key(Json::to_string);
                        }
                    }
                    _ => hide_positions(value),
                }
            }
        }
        _ => {}
    }
}

fn failure(error: &Json) -> (String, String, String) {
    let text = |json: &Json| json.as_str().unwrap_or_default().to_owned();
    (error["path"].to_string(), text(&error["extensions"]["code"]), text(&error["message"]))
}
