//! Puts a response into the order of its document.
//!
//! async-graphql 7.2 resolves the fields of an object concurrently and writes them as they finish, so that two runs of one document
//! can differ. The specification asks for the document's order (October 2021, section 7.2.2), and clients compare and cache texts.

use std::collections::HashMap;

use async_graphql::{
    Name, Value,
    indexmap::IndexMap,
    parser::types::{ExecutableDocument, Selection, SelectionSet},
};

/// The response keys of an object in the order of a document, and what is selected below each.
pub struct DocumentOrder(IndexMap<Name, DocumentOrder>);

impl DocumentOrder {
    /// The order of one operation; without a name, of the only one.
    ///
    /// The document must have passed the limits: fragments do not spread themselves, and few selections expand. A key that stands in
    /// several fragments stands where the first of them has it, whatever the type conditions.
    #[must_use]
    pub fn of(document: &ExecutableDocument, operation: Option<&str>) -> Self {
        let mut order = Self(IndexMap::new());
        let wanted = |name: Option<&Name>| operation.is_none_or(|wanted| name.is_some_and(|name| name == wanted));
        if let Some((_, operation)) = document.operations.iter().find(|(name, _)| wanted(*name)) {
            order.add(&operation.node.selection_set.node, document);
        }
        order
    }

    fn add(&mut self, set: &SelectionSet, document: &ExecutableDocument) {
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) => {
                    let below = self.0.entry(field.node.response_key().node.clone()).or_insert_with(|| Self(IndexMap::new()));
                    below.add(&field.node.selection_set.node, document);
                }
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = document.fragments.get(&spread.node.fragment_name.node) {
                        self.add(&fragment.node.selection_set.node, document);
                    }
                }
                Selection::InlineFragment(fragment) => self.add(&fragment.node.selection_set.node, document),
            }
        }
    }

    /// The data of a response in this order.
    #[must_use]
    pub fn apply(&self, value: Value) -> Value {
        match value {
            Value::Object(object) => {
                let mut fields: HashMap<Name, Value> = object.into_iter().collect();
                let ordered =
                    self.0.iter().filter_map(|(key, below)| fields.remove_entry(key).map(|(key, value)| (key, below.apply(value))));
                Value::Object(ordered.collect())
            }
            Value::List(items) if !self.0.is_empty() => Value::List(items.into_iter().map(|item| self.apply(item)).collect()),
            value => value,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(document: &str, data: &str, expected: &str) {
        let document = async_graphql::parser::parse_query(document).unwrap();
        let data: Value = serde_json::from_str(data).unwrap();
        assert_eq!(serde_json::to_string(&DocumentOrder::of(&document, None).apply(data)).unwrap(), expected);
    }

    #[test]
    fn fields_stand_as_the_document_has_them() {
        check("{ a b { c d } }", r#"{"b":[{"d":1,"c":2},null],"a":0}"#, r#"{"a":0,"b":[{"c":2,"d":1},null]}"#);
        check("{ x: a b }", r#"{"b":1,"x":2}"#, r#"{"x":2,"b":1}"#);
    }

    #[test]
    fn fragments_stand_where_they_are_spread() {
        check("{ a { ...F e } } fragment F on T { c ... { d } }", r#"{"a":{"e":3,"d":2,"c":1}}"#, r#"{"a":{"c":1,"d":2,"e":3}}"#);
    }

    #[test]
    fn a_key_selected_twice_is_merged() {
        check("{ a { c } b a { d } }", r#"{"b":1,"a":{"d":2,"c":1}}"#, r#"{"a":{"c":1,"d":2},"b":1}"#);
    }
}
