//! Rule tables: one ordered list that answers both `scope` and `check`.

use crate::{Answer, Ask, Evaluator, Mask, RowFilter, Rows, Term, Verdict, Verdicts};

/// Who may read which rows of one kind. The first rule that a row passes decides its fields, so the most generous comes first.
#[derive(Clone, Debug)]
pub struct Table {
    kind: &'static str,
    fields: &'static [&'static str],
    rules: Vec<Rule>,
}

/// One line of a [`Table`].
#[derive(Clone, Debug)]
pub struct Rule {
    reason: &'static str,
    clause: Vec<Term>,
    withheld: Vec<String>,
}

/// The reason of a row that no rule admits.
const NO_RULE: &str = "no rule opens this to you";

impl Table {
    /// A table without rules: nothing of `kind` may be read. `fields` are the manifest's.
    #[must_use]
    pub fn new(kind: &'static str, fields: &'static [&'static str]) -> Self {
        Self { kind, fields, rules: Vec::new() }
    }

    /// Admits the rows that pass every term; all rows, if there is none.
    pub fn allow(&mut self, reason: &'static str, clause: impl IntoIterator<Item = Term>) -> &mut Rule {
        self.rules.push_mut(Rule { reason, clause: clause.into_iter().collect(), withheld: Vec::new() })
    }

    /// The answer to `scope`: exact, and searchable are the fields that no rule withholds.
    #[must_use]
    pub fn filter(&self) -> RowFilter {
        let rules = self.effective();
        if rules.is_empty() {
            return RowFilter::nothing(NO_RULE);
        }
        let filter = if rules.iter().any(|rule| rule.clause.is_empty()) {
            RowFilter::any().clause([])
        } else {
            rules.iter().fold(RowFilter::any(), |filter, rule| filter.clause(rule.clause.iter().cloned()))
        };
        let mut reasons: Vec<&str> = rules.iter().map(|rule| rule.reason).collect();
        reasons.dedup();
        filter.searchable(&self.searchable(&rules)).because(&reasons.join("; "))
    }

    /// The answer to `check`.
    #[must_use]
    pub fn verdicts(&self, ask: &Ask<'_>, rows: &Rows) -> Verdicts {
        let mut answer = Answer::new(rows.height(), Verdict::deny(NO_RULE));
        if rows.kind != self.kind {
            return answer.finish();
        }
        let evaluator = Evaluator::new(ask, rows);
        let mut open = Mask::all(rows.height());
        for rule in self.effective() {
            let admitted = evaluator.clause(&rule.clause).and(&open);
            answer.give(&admitted, Verdict::allow(rule.reason).without(&rule.withheld));
            open = open.minus(&admitted);
            if open.is_empty() {
                break;
            }
        }
        answer.finish()
    }

    /// The rules that can decide a row: none that nobody passes, none below one that everybody passes.
    fn effective(&self) -> Vec<&Rule> {
        let possible = self.rules.iter().filter(|rule| !rule.clause.iter().any(Term::is_impossible));
        let mut closed = false;
        possible.take_while(|rule| !std::mem::replace(&mut closed, rule.clause.is_empty())).collect()
    }

    fn searchable(&self, rules: &[&Rule]) -> Vec<String> {
        let withheld: Vec<&str> = rules.iter().flat_map(|rule| &rule.withheld).map(String::as_str).collect();
        if withheld.is_empty() {
            return vec!["*".to_owned()];
        }
        let known = self.fields.iter().filter_map(|field| field.strip_prefix(self.kind)?.strip_prefix('.'));
        // `attributes.*` is one name for all of them, so withholding any attribute takes it away.
        let hidden = |field: &str| {
            withheld.contains(&field) || (field == "attributes.*" && withheld.iter().any(|name| name.starts_with("attributes.")))
        };
        known.filter(|field| !hidden(field)).map(ToOwned::to_owned).collect()
    }
}

impl Rule {
    /// Withholds these fields, by their bare names: `email`, `attributes.*`.
    pub fn without(&mut self, fields: &[impl AsRef<str>]) -> &mut Self {
        self.withheld.extend(fields.iter().map(|field| field.as_ref().to_owned()));
        self
    }
}
