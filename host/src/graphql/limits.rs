//! What a document may ask for, measured before any of it runs.
//!
//! Three steps, each linear in the document: `lexer` counts before the parser looks, the parser builds the tree, `walk` measures it
//! with every fragment spread. async-graphql's own limits come too late: they spread fragments one by one, exponentially. To add a
//! limit: a [`Limit`] here, what it counts in `walk`, its row in `docs/http.md`, its test at N and N + 1.

mod lexer;
mod walk;

use async_graphql::{
    Pos, Positioned, Value as ConstValue, Variables,
    parser::{
        parse_query,
        types::{DocumentOperations, ExecutableDocument, OperationDefinition, OperationType, VariableDefinition},
    },
};

use lexer::Unlexed;
use walk::{Measure, Walk};

/// A bound on documents.
#[derive(Debug, PartialEq, Eq)]
pub struct Limit {
    /// Its name on the wire.
    pub name: &'static str,
    /// The most that passes.
    pub max: u64,
    /// What is counted.
    counts: &'static str,
    /// What to do about it.
    remedy: &'static str,
}

/// Every bound, in the order in which they are looked at.
pub const LIMITS: [&Limit; 15] = [
    &BYTES,
    &TOKENS,
    &BRACKETS,
    &NAMES,
    &NESTING,
    &SELECTIONS,
    &DEPTH,
    &ROOT_FIELDS,
    &ALIASES,
    &DIRECTIVES,
    &SCHEMAS,
    &TYPES,
    &INTROSPECTION_DEPTH,
    &INTROSPECTION_LISTS,
    &COST,
];

const BYTES: Limit = limit("bytes", 65_536, "bytes", "move values into variables, or split it");
/// The parser takes about 1 us for each on one core, and for each comment.
const TOKENS: Limit = limit("tokens", 2_000, "tokens, comments included", "split it into several requests");
const BRACKETS: Limit = limit("brackets", 32, "brackets within one another", "move nested values into variables");
/// Each unknown one is compared with every field of its type, to suggest another: about 0.3 ms for each KiB.
const NAMES: Limit = limit("names", 24_576, "bytes of names", "shorten those of fragments and aliases");
/// What async-graphql descends before it refuses without a name.
const NESTING: Limit = limit("nesting", 32, "selection sets within one another, fragments included", "spread fragments less deeply");
const SELECTIONS: Limit = limit("selections", 10_000, "selections once its fragments are spread", "spread fragments less often");
const DEPTH: Limit = limit("depth", 15, "levels of fields", "ask for the lower levels by id in a second request");
const ROOT_FIELDS: Limit = limit("rootFields", 20, "fields at the root", "split it into several requests");
const ALIASES: Limit = limit("aliases", 30, "aliases once its fragments are spread", "ask by list or filter instead of once for each");
const DIRECTIVES: Limit = limit("directives", 50, "directives once its fragments are spread", "use fewer");
const SCHEMAS: Limit = limit("schemas", 1, "`__schema` fields", "ask for it once");
const TYPES: Limit = limit("types", 10, "`__type` fields", "ask for `__schema` instead");
/// The deepest common introspection query (nine levels of `ofType`) has 15.
const INTROSPECTION_DEPTH: Limit = limit("introspectionDepth", 20, "levels of introspection", "ask for types by name");
const INTROSPECTION_LISTS: Limit = limit(
    "introspectionLists",
    2,
    "of `fields`, `inputFields`, `interfaces` and `possibleTypes` within one another",
    "ask for types by name",
);
const COST: Limit = limit("cost", 50_000, "as its cost", "ask for smaller pages, or for fewer fields of the innermost lists");

const fn limit(name: &'static str, max: u64, counts: &'static str, remedy: &'static str) -> Limit {
    Limit { name, max, counts, remedy }
}

/// The greatest cost that passes.
pub const MAX_COST: u64 = COST.max;

/// A document within every limit.
#[derive(Debug)]
pub struct Admitted {
    /// As parsed.
    pub document: ExecutableDocument,
    /// What kind of operation is to be executed.
    pub operation: OperationType,
    /// Whether it asks for the schema.
    pub introspects: bool,
    /// What it may cost by the published formula.
    pub cost: u64,
}

/// Why a document is not looked at any further.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is no GraphQL.
    #[error("the document can not be parsed: {message}")]
    Syntax {
        /// What is wrong, and what to do about it.
        message: String,
        /// Where.
        at: Vec<Pos>,
    },
    /// An input object names a field twice (section 5.6.3), of which the parser would keep the last.
    #[error("an input object has the field `{name}` twice; give it once")]
    Twice {
        /// Which one.
        name: String,
        /// Where the second one is.
        at: Pos,
    },
    /// It has no operation to be executed.
    #[error("{0}")]
    Operation(String),
    /// A variable that must have a value has none.
    #[error("the variable `${name}` of type `{of}` has no value; send one in `variables`")]
    Variable {
        /// Which one.
        name: String,
        /// Its type.
        of: String,
        /// Where it is declared.
        at: Pos,
    },
    /// A fragment spreads itself.
    #[error("fragment `{0}` spreads itself; take one spread out of the circle")]
    Cycle(String),
    /// It is beyond a limit.
    #[error("the document has {actual} {}, more than {}; {}", limit.counts, limit.max, limit.remedy)]
    Limit {
        /// Which one.
        limit: &'static Limit,
        /// What was counted.
        actual: u64,
    },
}

impl From<Unlexed> for Refusal {
    fn from(unlexed: Unlexed) -> Self {
        match unlexed {
            Unlexed::Malformed { message, at } => Self::Syntax { message, at: vec![at] },
            Unlexed::Twice { name, at } => Self::Twice { name, at },
        }
    }
}

/// Every variable that may not be null has a value (GraphQL, section 6.1.2): without one nothing is executed.
fn check_variables(operation: &OperationDefinition, variables: &Variables) -> Result<(), Refusal> {
    let lacks = |variable: &&Positioned<VariableDefinition>| {
        let declared = &variable.node;
        let given = variables.get(&declared.name.node);
        let needed = !declared.var_type.node.nullable;
        needed && (given == Some(&ConstValue::Null) || (given.is_none() && declared.default_value.is_none()))
    };
    operation.variable_definitions.iter().find(lacks).map_or(Ok(()), |variable| {
        let (name, of) = (variable.node.name.node.to_string(), variable.node.var_type.node.to_string());
        Err(Refusal::Variable { name, of, at: variable.pos })
    })
}

/// Parses a document and measures it, for the named operation or the only one.
///
/// # Errors
/// The first [`Refusal`] in the order of [`LIMITS`].
pub fn admit(document: &str, operation: Option<&str>, variables: &Variables) -> Result<Admitted, Refusal> {
    check(&BYTES, document.len() as u64)?;
    let counts = lexer::count(document)?;
    check(&TOKENS, counts.tokens)?;
    check(&BRACKETS, counts.nesting)?;
    check(&NAMES, counts.names)?;
    let document = parse_query(document).map_err(|error| syntax(&error))?;
    let chosen = &chosen(&document, operation)?.node;
    let measure = measure(&document, chosen, variables)?;
    check_variables(chosen, variables)?;
    let (operation, introspects) = (chosen.ty, measure.schemas + measure.types > 0);
    Ok(Admitted { operation, introspects, cost: measure.cost(), document })
}

/// Measures the chosen operation, and holds everything that validation will spread against the limits.
fn measure(document: &ExecutableDocument, chosen: &OperationDefinition, variables: &Variables) -> Result<Measure, Refusal> {
    let mut walk = Walk::new(document, chosen, variables);
    for name in document.fragments.keys() {
        let measure = walk.fragment(name)?.unwrap_or_default();
        check(&NESTING, measure.nesting)?;
        check(&SELECTIONS, measure.selections)?;
    }
    let mut selections = 0_u64;
    for (_, operation) in document.operations.iter() {
        let measure = walk.operation(&operation.node)?;
        check(&NESTING, measure.nesting)?;
        selections = selections.saturating_add(measure.selections);
    }
    check(&SELECTIONS, selections)?;
    let measure = walk.operation(chosen)?;
    check(&DEPTH, measure.depth)?;
    check(&ROOT_FIELDS, measure.fields)?;
    check(&ALIASES, measure.aliases)?;
    check(&DIRECTIVES, measure.directives)?;
    check(&SCHEMAS, measure.schemas)?;
    check(&TYPES, measure.types)?;
    check(&INTROSPECTION_DEPTH, measure.introspection_depth)?;
    check(&INTROSPECTION_LISTS, measure.introspection_lists)?;
    check(&COST, measure.cost())?;
    Ok(measure)
}

const fn check(limit: &'static Limit, actual: u64) -> Result<(), Refusal> {
    if actual <= limit.max { Ok(()) } else { Err(Refusal::Limit { limit, actual }) }
}

/// The operation to be executed (section 6.1 of the specification, October 2021).
fn chosen<'a>(document: &'a ExecutableDocument, name: Option<&str>) -> Result<&'a Positioned<OperationDefinition>, Refusal> {
    let among = |named: Option<&str>| match (&document.operations, named) {
        (DocumentOperations::Single(operation), None) => Some(operation),
        (DocumentOperations::Multiple(operations), Some(name)) => operations.get(name),
        (DocumentOperations::Multiple(operations), None) if operations.len() == 1 => operations.values().next(),
        _ => None,
    };
    among(name).ok_or_else(|| {
        Refusal::Operation(match name {
            Some(name) => format!("the document has no operation named `{name}`; name one that it has as `operationName`"),
            None => "the document has several operations; name the one to execute as `operationName`".to_owned(),
        })
    })
}

/// The parser's errors end in the line that says what it expected; the lines before it draw the place.
fn syntax(error: &async_graphql::parser::Error) -> Refusal {
    let text = error.to_string();
    let message = text.lines().last().unwrap_or_default().trim_start_matches([' ', '=']).to_owned();
    Refusal::Syntax { message, at: error.positions().collect() }
}

#[cfg(test)]
mod tests;
