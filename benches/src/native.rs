//! `standard` compiled natively behind the same port: what the sandbox's tax is measured against.

use std::sync::Arc;

use async_trait::async_trait;
use directory::{
    contract::{self, Cost, Digest, Engine, Failure, Manifest, Module, Session, Validation},
    ids::WorkspaceId,
};
use policy_kit::{Ask, Policy as _};
use standard::Standard;

/// Runs `standard` in process, whatever the module.
pub struct Native {
    manifest: Arc<Manifest>,
}

impl Default for Native {
    fn default() -> Self {
        Self { manifest: Arc::new(manifest(Standard::manifest())) }
    }
}

#[async_trait]
impl Engine for Native {
    fn loaded(&self, _: Digest) -> Option<Arc<Manifest>> {
        Some(self.manifest.clone())
    }

    async fn load(&self, _: &Module) -> Result<Arc<Manifest>, Failure> {
        Ok(self.manifest.clone())
    }

    async fn validate(&self, _: &[u8], _: &str) -> Validation {
        Validation {
            digest: Digest([0; 32]),
            manifest: None,
            reasons: vec!["natively compiled rules take no uploads".to_owned()],
            unready: None,
            fuel_per_row: Vec::new(),
        }
    }

    async fn validate_settings(&self, _: Option<WorkspaceId>, _: Digest, settings: &str) -> Result<Vec<String>, Failure> {
        Ok(Standard::validate(settings).err().unwrap_or_default())
    }

    fn session(&self, _: WorkspaceId, _: Digest) -> Result<Box<dyn Session>, Failure> {
        Ok(Box::new(NativeSession { cost: Cost::default() }))
    }
}

struct NativeSession {
    cost: Cost,
}

#[async_trait]
impl Session for NativeSession {
    async fn scope(&mut self, context: Arc<contract::Context>, kind: &str) -> Result<contract::RowFilter, Failure> {
        self.cost.calls += 1;
        let context = self::context(&context);
        Ok(filter(Standard::scope(&Ask::new(&context), kind)))
    }

    async fn check(
        &mut self,
        context: Arc<contract::Context>,
        rows: contract::Rows,
        _: Option<contract::Change>,
    ) -> Result<contract::Verdicts, Failure> {
        self.cost.calls += 1;
        let (context, rows) = (self::context(&context), self::rows(&rows));
        Ok(verdicts(Standard::check(&Ask::new(&context), &rows, None)))
    }

    fn cost(&self) -> Cost {
        self.cost
    }
}

/// The kit's own form of rows.
pub fn rows(rows: &contract::Rows) -> policy_kit::Rows {
    let column = |column: &contract::Column| policy_kit::Column {
        name: column.name.clone(),
        dictionary: column.dictionary.clone(),
        ends: column.ends.clone(),
        items: column.items.clone(),
    };
    let number = |column: &contract::NumberColumn| policy_kit::NumberColumn {
        name: column.name.clone(),
        ends: column.ends.clone(),
        items: column.items.clone(),
    };
    policy_kit::Rows {
        kind: rows.kind.clone(),
        len: rows.len,
        columns: rows.columns.iter().map(column).collect(),
        numbers: rows.numbers.iter().map(number).collect(),
    }
}

/// The kit's own form of a context.
pub fn context(context: &contract::Context) -> policy_kit::Context {
    let facts = |facts: &[contract::Fact]| {
        let fact = |fact: &contract::Fact| policy_kit::Fact { name: fact.name.clone(), value: fact.value.clone() };
        facts.iter().map(fact).collect()
    };
    let subject = &context.subject;
    policy_kit::Context {
        action: context.action.clone(),
        now_ms: context.now_ms,
        settings: context.settings.clone(),
        subject: policy_kit::Subject {
            kind: subject.kind.clone(),
            groups: subject.groups.clone(),
            manages: subject.manages.clone(),
            grants: subject.grants.iter().map(|held| policy_kit::Held { role: held.role, within: held.within }).collect(),
            permissions: subject.permissions.clone(),
            facts: facts(&subject.facts),
        },
        groups: rows(&context.groups),
        roles: rows(&context.roles),
        facts: facts(&context.facts),
    }
}

fn facts(facts: Vec<policy_kit::Fact>) -> Vec<contract::Fact> {
    facts.into_iter().map(|fact| contract::Fact { name: fact.name, value: fact.value }).collect()
}

fn verdicts(verdicts: policy_kit::Verdicts) -> contract::Verdicts {
    let verdict = |verdict: policy_kit::Verdict| contract::Verdict {
        allow: verdict.allow,
        withheld: verdict.withheld,
        reason: verdict.reason,
        notes: facts(verdict.notes),
    };
    contract::Verdicts { table: verdicts.table.into_iter().map(verdict).collect(), rows: verdicts.rows }
}

fn filter(filter: policy_kit::RowFilter) -> contract::RowFilter {
    let term = |term: policy_kit::bindings::bailiwick::policy::types::Term| contract::Term {
        negate: term.negate,
        test: contract::Test { name: term.test.name, groups: term.test.groups, values: term.test.values },
    };
    contract::RowFilter {
        any_of: filter.any_of.into_iter().map(|clause| clause.into_iter().map(term).collect()).collect(),
        exact: filter.exact,
        searchable: filter.searchable,
        reason: filter.reason,
        notes: facts(filter.notes),
    }
}

fn manifest(manifest: policy_kit::Manifest) -> Manifest {
    Manifest {
        name: manifest.name,
        version: manifest.version,
        summary: manifest.summary,
        needs: manifest.needs,
        decides: manifest.decides,
        otherwise: manifest.otherwise,
        fields: manifest.fields,
        notes: facts(manifest.notes),
    }
}
