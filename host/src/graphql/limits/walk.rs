//! Measures a document with all its fragments spread, looking at every selection once.
//!
//! What a fragment adds is the same wherever it is spread, but for the size of the page around it, so its cost is kept as a line:
//! a fixed part, and a part that counts once for each row of the page.

use std::collections::HashMap;

use async_graphql::{
    Name, Number, Positioned, Variables,
    parser::types::{ExecutableDocument, Field, FragmentDefinition, OperationDefinition, Selection, SelectionSet},
};
use async_graphql_value::{ConstValue, Value};
use directory::limits::{PAGE_ROWS, PAGE_ROWS_DEFAULT};

use super::Refusal;

/// What a selection set comes to once every fragment is spread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Measure {
    /// Fields right in it.
    pub(super) fields: u64,
    /// Levels of fields, those below `__schema` and `__type` excepted.
    pub(super) depth: u64,
    /// Levels of selection sets; a fragment is one too.
    pub(super) nesting: u64,
    /// Fields, spreads and inline fragments.
    pub(super) selections: u64,
    /// Aliases.
    pub(super) aliases: u64,
    /// Directives.
    pub(super) directives: u64,
    /// Times that `__schema` is asked for.
    pub(super) schemas: u64,
    /// Times that `__type` is asked for.
    pub(super) types: u64,
    /// Levels of fields at and below `__schema` and `__type`.
    pub(super) introspection_depth: u64,
    /// The most of [`INTROSPECTION_LISTS`] around one another below `__schema` and `__type`.
    pub(super) introspection_lists: u64,
    /// Likewise anywhere: other fields may have these names.
    lists: u64,
    /// What it costs, apart from `row_cost`.
    cost: u64,
    /// What each row of the page around it costs.
    row_cost: u64,
}

/// The fields of `__Type` through which introspection comes round to types again.
const INTROSPECTION_LISTS: [&str; 4] = ["fields", "inputFields", "interfaces", "possibleTypes"];

impl Measure {
    /// What an operation costs.
    pub(super) const fn cost(&self) -> u64 {
        self.cost.saturating_add(self.row_cost)
    }

    /// Beside another part of the same selection set.
    const fn and(self, other: &Self) -> Self {
        Self {
            fields: self.fields.saturating_add(other.fields),
            depth: max(self.depth, other.depth),
            nesting: max(self.nesting, other.nesting),
            selections: self.selections.saturating_add(other.selections),
            aliases: self.aliases.saturating_add(other.aliases),
            directives: self.directives.saturating_add(other.directives),
            schemas: self.schemas.saturating_add(other.schemas),
            types: self.types.saturating_add(other.types),
            introspection_depth: max(self.introspection_depth, other.introspection_depth),
            introspection_lists: max(self.introspection_lists, other.introspection_lists),
            lists: max(self.lists, other.lists),
            cost: self.cost.saturating_add(other.cost),
            row_cost: self.row_cost.saturating_add(other.row_cost),
        }
    }

    /// As a fragment, spread or inline.
    const fn spread(self, directives: usize) -> Self {
        Self {
            nesting: self.nesting.saturating_add(1),
            selections: self.selections.saturating_add(1),
            directives: self.directives.saturating_add(directives as u64),
            ..self
        }
    }

    /// As what is selected of `field`, with `rows` to a page.
    fn under(self, field: &Field, rows: Rows) -> Self {
        let name = field.name.node.as_str();
        let leaf = field.selection_set.node.items.is_empty();
        let introspects = matches!(name, "__schema" | "__type");
        let lists = self.lists.saturating_add(u64::from(INTROSPECTION_LISTS.contains(&name)));
        let depth = self.depth.saturating_add(1);
        let (cost, row_cost) = match rows {
            Rows::OfThePage(rows) => (1_u64.saturating_add(self.cost).saturating_add(self.row_cost.saturating_mul(rows)), 0),
            Rows::Named(rows) => (1_u64.saturating_add(self.cost().saturating_mul(rows)), 0),
            Rows::Here => (1, self.cost()),
        };
        Self {
            fields: 1,
            depth: if introspects { 1 } else { depth },
            nesting: if leaf { 0 } else { self.nesting.saturating_add(1) },
            selections: self.selections.saturating_add(1),
            aliases: self.aliases.saturating_add(u64::from(field.alias.is_some())),
            directives: self.directives.saturating_add(field.directives.len() as u64),
            schemas: self.schemas.saturating_add(u64::from(name == "__schema")),
            types: self.types.saturating_add(u64::from(name == "__type")),
            introspection_depth: if introspects { depth } else { self.introspection_depth },
            introspection_lists: if introspects { lists } else { self.introspection_lists },
            lists,
            cost,
            row_cost,
        }
    }
}

const fn max(one: u64, other: u64) -> u64 {
    if one > other { one } else { other }
}

/// How often what is selected of a field counts.
enum Rows {
    /// Once, but for `edges` and `nodes` in it, which count so many times.
    OfThePage(u64),
    /// So many times: the ids that it is given.
    Named(u64),
    /// Once for each row of the page around it: `edges` and `nodes`.
    Here,
}

/// A walk through one document.
pub(super) struct Walk<'a> {
    fragments: &'a HashMap<Name, Positioned<FragmentDefinition>>,
    /// `None` while a fragment is being measured.
    measured: HashMap<&'a str, Option<Measure>>,
    variables: &'a Variables,
    /// Says what the variables are where the request does not.
    operation: &'a OperationDefinition,
    #[cfg(test)]
    pub(super) visited: u64,
}

impl<'a> Walk<'a> {
    /// A walk through `document`, with the variables of `operation`.
    pub(super) fn new(document: &'a ExecutableDocument, operation: &'a OperationDefinition, variables: &'a Variables) -> Self {
        Self {
            fragments: &document.fragments,
            measured: HashMap::new(),
            variables,
            operation,
            #[cfg(test)]
            visited: 0,
        }
    }

    /// Measures an operation of the document.
    pub(super) fn operation(&mut self, operation: &'a OperationDefinition) -> Result<Measure, Refusal> {
        let of_variables: usize = operation.variable_definitions.iter().map(|definition| definition.node.directives.len()).sum();
        let mut measure = self.selection_set(&operation.selection_set.node)?;
        measure.directives = measure.directives.saturating_add((operation.directives.len() + of_variables) as u64);
        Ok(measure)
    }

    /// Measures one fragment, once. `None` if there is none of that name: validation says so.
    pub(super) fn fragment(&mut self, name: &'a str) -> Result<Option<Measure>, Refusal> {
        if let Some(measure) = self.measured.get(name) {
            return measure.map(Some).ok_or_else(|| Refusal::Cycle(name.to_owned()));
        }
        let Some(fragment) = self.fragments.get(name) else { return Ok(None) };
        self.measured.insert(name, None);
        let mut measure = self.selection_set(&fragment.node.selection_set.node)?;
        measure.directives = measure.directives.saturating_add(fragment.node.directives.len() as u64);
        self.measured.insert(name, Some(measure));
        Ok(Some(measure))
    }

    fn selection_set(&mut self, set: &'a SelectionSet) -> Result<Measure, Refusal> {
        set.items.iter().try_fold(Measure::default(), |sum, selection| Ok(sum.and(&self.selection(&selection.node)?)))
    }

    fn selection(&mut self, selection: &'a Selection) -> Result<Measure, Refusal> {
        #[cfg(test)]
        {
            self.visited += 1;
        }
        Ok(match selection {
            Selection::Field(field) => self.selection_set(&field.node.selection_set.node)?.under(&field.node, self.rows(&field.node)),
            Selection::FragmentSpread(spread) => {
                self.fragment(&spread.node.fragment_name.node)?.unwrap_or_default().spread(spread.node.directives.len())
            }
            Selection::InlineFragment(inline) => self.selection_set(&inline.node.selection_set.node)?.spread(inline.node.directives.len()),
        })
    }

    fn rows(&self, field: &Field) -> Rows {
        if let Some(ids) = field.get_argument("ids") {
            return Rows::Named(if let Given::List(ids) = self.given(&ids.node) { ids as u64 } else { 1 });
        }
        match field.name.node.as_str() {
            "edges" | "nodes" => Rows::Here,
            _ => Rows::OfThePage(["first", "last"].into_iter().filter_map(|name| self.page(field, name)).max().unwrap_or(DEFAULT_ROWS)),
        }
    }

    /// The rows of a page as an argument asks for them; `None` if it does not.
    fn page(&self, field: &Field, argument: &str) -> Option<u64> {
        match self.given(&field.get_argument(argument)?.node) {
            Given::Nothing => None,
            // More than a page holds is refused when the list is asked for, in better words.
            Given::Number(rows) => Some(rows.as_u64().map_or(MOST_ROWS, |rows| rows.min(MOST_ROWS))),
            Given::List(_) | Given::Other => Some(MOST_ROWS),
        }
    }

    /// What an argument is given, a variable replaced by what the request or the operation says.
    fn given<'v>(&'v self, value: &'v Value) -> Given<'v> {
        match value {
            Value::Variable(name) => match self.variable(name) {
                None | Some(ConstValue::Null) => Given::Nothing,
                Some(ConstValue::Number(number)) => Given::Number(number),
                Some(ConstValue::List(items)) => Given::List(items.len()),
                Some(_) => Given::Other,
            },
            Value::Null => Given::Nothing,
            Value::Number(number) => Given::Number(number),
            Value::List(items) => Given::List(items.len()),
            _ => Given::Other,
        }
    }

    fn variable(&self, name: &Name) -> Option<&ConstValue> {
        let definition = || self.operation.variable_definitions.iter().find(|definition| definition.node.name.node == *name);
        self.variables.get(name).or_else(|| definition()?.node.default_value.as_ref().map(|value| &value.node))
    }
}

/// As much of a value as its cost depends on.
enum Given<'v> {
    Nothing,
    Number(&'v Number),
    /// Its length.
    List(usize),
    Other,
}

const DEFAULT_ROWS: u64 = PAGE_ROWS_DEFAULT as u64;
const MOST_ROWS: u64 = PAGE_ROWS as u64;
