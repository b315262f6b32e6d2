//! Looks at what arguments are given before anything runs.
//!
//! An argument that does not fit its type would fail in the middle of the execution, where async-graphql (7.2) drops the field's key
//! from the answer, and once for every row. Its validation lets through integers of more than 32 bits and input objects that are
//! none; these are refused here, once and as a whole.

use std::{collections::HashSet, sync::Arc};

use async_graphql::{
    Pos, Positioned, ServerError, ServerResult, Variables,
    extensions::{Extension, ExtensionContext, ExtensionFactory, NextParseQuery},
    parser::types::{DocumentOperations, ExecutableDocument, Field, OperationDefinition, OperationType, Selection, SelectionSet},
    registry::{MetaType, MetaTypeName, Registry},
};
use async_graphql_value::{ConstValue, Name, Value};

/// The check, as an extension of the schema: it sees the parsed document with its variables.
pub(super) struct Inputs;

impl ExtensionFactory for Inputs {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Self)
    }
}

#[async_trait::async_trait]
impl Extension for Inputs {
    async fn parse_query(
        &self,
        context: &ExtensionContext<'_>,
        query: &str,
        variables: &Variables,
        next: NextParseQuery<'_>,
    ) -> ServerResult<ExecutableDocument> {
        let mut document = next.run(context, query, variables).await?;
        leave_out(&mut document, variables);
        check(&context.schema_env.registry, &document, variables)?;
        Ok(document)
    }
}

/// Takes out of input objects what is to be a variable that was not sent: it counts as left out, and not as null (GraphQL specification,
/// section 3.10, Input Coercion), which async-graphql would make of it. A variable that is not used elsewhere goes with it.
fn leave_out(document: &mut ExecutableDocument, variables: &Variables) {
    let mut operations: Vec<&mut OperationDefinition> = match &mut document.operations {
        DocumentOperations::Single(operation) => vec![&mut operation.node],
        DocumentOperations::Multiple(operations) => operations.values_mut().map(|operation| &mut operation.node).collect(),
    };
    let definitions = operations.iter().flat_map(|operation| &operation.variable_definitions);
    // One that must be sent is refused as it ever was.
    let absent = definitions.filter(|definition| definition.node.var_type.node.nullable && definition.node.default_value.is_none());
    let absent = absent.map(|definition| definition.node.name.node.clone());
    let mut prune =
        Prune { absent: absent.filter(|name| !variables.contains_key(name)).collect(), used: HashSet::new(), pruned: HashSet::new() };
    for operation in &mut operations {
        prune.selections(&mut operation.selection_set.node);
    }
    for fragment in document.fragments.values_mut() {
        prune.selections(&mut fragment.node.selection_set.node);
    }
    let Prune { used, pruned, .. } = prune;
    for operation in operations {
        operation.variable_definitions.retain(|definition| {
            let name = &definition.node.name.node;
            used.contains(name) || !pruned.contains(name)
        });
    }
}

/// Variables that were not sent, and where they stand.
struct Prune {
    absent: HashSet<Name>,
    used: HashSet<Name>,
    pruned: HashSet<Name>,
}

impl Prune {
    fn selections(&mut self, set: &mut SelectionSet) {
        for selection in &mut set.items {
            let (directives, inner) = match &mut selection.node {
                Selection::Field(field) => {
                    field.node.arguments.iter_mut().for_each(|(_, value)| self.value(&mut value.node));
                    (&mut field.node.directives, Some(&mut field.node.selection_set.node))
                }
                Selection::FragmentSpread(spread) => (&mut spread.node.directives, None),
                Selection::InlineFragment(inline) => (&mut inline.node.directives, Some(&mut inline.node.selection_set.node)),
            };
            let arguments = directives.iter_mut().flat_map(|directive| &mut directive.node.arguments);
            arguments.for_each(|(_, value)| self.value(&mut value.node));
            if let Some(inner) = inner {
                self.selections(inner);
            }
        }
    }

    fn value(&mut self, value: &mut Value) {
        match value {
            Value::Variable(name) => {
                self.used.insert(name.clone());
            }
            Value::List(values) => values.iter_mut().for_each(|value| self.value(value)),
            Value::Object(fields) => {
                fields.retain(|_, value| match value {
                    Value::Variable(name) if self.absent.contains(name) => {
                        self.pruned.insert(name.clone());
                        false
                    }
                    _ => true,
                });
                fields.values_mut().for_each(|value| self.value(value));
            }
            _ => {}
        }
    }
}

fn check(registry: &Registry, document: &ExecutableDocument, variables: &Variables) -> ServerResult<()> {
    for (_, operation) in document.operations.iter() {
        let root = match operation.node.ty {
            OperationType::Query => Some(registry.query_type.as_str()),
            OperationType::Mutation => registry.mutation_type.as_deref(),
            OperationType::Subscription => registry.subscription_type.as_deref(),
        };
        let mut walk = Walk { registry, document, operation: &operation.node, variables, spread: HashSet::new() };
        if let Some(root) = root {
            walk.selections(&operation.node.selection_set.node, root)?;
        }
    }
    Ok(())
}

/// A walk through one operation; each fragment once, since its type does not depend on where it is spread.
struct Walk<'a> {
    registry: &'a Registry,
    document: &'a ExecutableDocument,
    operation: &'a OperationDefinition,
    variables: &'a Variables,
    spread: HashSet<&'a str>,
}

impl<'a> Walk<'a> {
    fn selections(&mut self, set: &'a SelectionSet, of: &str) -> ServerResult<()> {
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) => self.field(&field.node, of)?,
                Selection::FragmentSpread(spread) => {
                    let name = spread.node.fragment_name.node.as_str();
                    if let Some(fragment) = self.document.fragments.get(name)
                        && self.spread.insert(name)
                    {
                        let on = fragment.node.type_condition.node.on.node.as_str();
                        self.selections(&fragment.node.selection_set.node, on)?;
                    }
                }
                Selection::InlineFragment(inline) => {
                    let on = inline.node.type_condition.as_ref().map(|condition| condition.node.on.node.as_str());
                    self.selections(&inline.node.selection_set.node, on.unwrap_or(of))?;
                }
            }
        }
        Ok(())
    }

    /// Fields and arguments that there are not are left to validation.
    fn field(&mut self, field: &'a Field, of: &str) -> ServerResult<()> {
        let Some(meta) = self.registry.types.get(of).and_then(|of| of.field_by_name(&field.name.node)) else { return Ok(()) };
        for (name, value) in &field.arguments {
            let Some(argument) = meta.args.get(name.node.as_str()) else { continue };
            let value = value.node.clone().into_const_with(|variable| self.variable(variable.as_str()).ok_or(()));
            if let Ok(value) = value
                && let Some(why) = self.misfit(&argument.ty, &value)
            {
                return Err(refused(&name.node, why, name.pos));
            }
        }
        self.selections(&field.selection_set.node, MetaTypeName::concrete_typename(&meta.ty))
    }

    fn variable(&self, name: &str) -> Option<ConstValue> {
        let given = self.variables.get(name).cloned();
        let definition = || self.operation.variable_definitions.iter().find(|definition| definition.node.name.node == *name);
        given.or_else(|| definition()?.node.default_value.as_ref().map(|value: &Positioned<ConstValue>| value.node.clone()))
    }

    /// Why a value does not fit a type, as far as validation does not say so.
    fn misfit(&self, type_: &str, value: &ConstValue) -> Option<&'static str> {
        match (MetaTypeName::create(type_), value) {
            (_, ConstValue::Null) => None,
            (MetaTypeName::NonNull(type_), value) => self.misfit(type_, value),
            (MetaTypeName::List(type_), ConstValue::List(values)) => values.iter().find_map(|value| self.misfit(type_, value)),
            (MetaTypeName::List(type_), value) => self.misfit(type_, value),
            (MetaTypeName::Named("Int"), ConstValue::Number(number)) => {
                let fits = number.as_i64().is_some_and(|number| i32::try_from(number).is_ok());
                (!fits).then_some("is no integer of 32 bits; give one between -2147483648 and 2147483647")
            }
            (MetaTypeName::Named(type_), value) => match (self.registry.types.get(type_), value) {
                (Some(MetaType::InputObject { input_fields, .. }), ConstValue::Object(values)) => input_fields
                    .values()
                    .filter_map(|field| Some((field, values.get(field.name.as_str())?)))
                    .find_map(|(field, value)| self.misfit(&field.ty, value)),
                (Some(MetaType::InputObject { .. }), _) => Some("is no object; give one with the fields that the schema names"),
                _ => None,
            },
        }
    }
}

fn refused(argument: &str, why: &str, at: Pos) -> ServerError {
    ServerError::new(format!("Invalid value for argument \"{argument}\": it or a part of it {why}."), Some(at))
}
