//! How much work a call may do. Fuel is deterministic: the same call of the same module always costs the same.

use directory::contract::{Column, Context, Fact, NumberColumn, Rows};

use crate::limits;

/// The budget of calls, in units of fuel; one unit is about one WebAssembly instruction.
#[derive(Clone, Copy, Debug)]
pub struct FuelBudget {
    /// What every call gets.
    pub call: u64,
    /// What it gets further for each row.
    pub row: u64,
    /// What it gets further for each KiB of context.
    pub context_kib: u64,
    /// What it gets at most.
    pub call_max: u64,
    /// What all calls of one session get together.
    pub session: u64,
    /// What all calls get together which an upload is tried with.
    pub upload: u64,
}

impl Default for FuelBudget {
    fn default() -> Self {
        Self {
            call: limits::CALL_FUEL,
            row: limits::ROW_FUEL,
            context_kib: limits::CONTEXT_KIB_FUEL,
            call_max: limits::CALL_FUEL_MAX,
            session: limits::SESSION_FUEL,
            upload: limits::UPLOAD_FUEL,
        }
    }
}

impl FuelBudget {
    /// The fuel of one call about `rows` rows under a context of `context_bytes`.
    #[must_use]
    pub fn of_call(&self, rows: usize, context_bytes: usize) -> u64 {
        let rows = self.row.saturating_mul(rows as u64);
        let context = self.context_kib.saturating_mul(context_bytes as u64 / 1024);
        self.call.saturating_add(rows).saturating_add(context).min(self.call_max)
    }
}

/// About how many bytes a context takes inside a guest.
pub(crate) fn context_bytes(context: &Context) -> usize {
    let subject = &context.subject;
    let integers = subject.groups.len() + subject.manages.len() + 2 * subject.grants.len();
    context.settings.len()
        + 4 * integers
        + texts(&subject.permissions)
        + facts(&subject.facts)
        + facts(&context.facts)
        + rows(&context.groups)
        + rows(&context.roles)
}

fn rows(rows: &Rows) -> usize {
    rows.columns.iter().map(column).sum::<usize>() + rows.numbers.iter().map(number_column).sum::<usize>()
}

fn column(column: &Column) -> usize {
    texts(&column.dictionary) + 4 * (column.ends.len() + column.items.len())
}

fn number_column(column: &NumberColumn) -> usize {
    4 * column.ends.len() + 8 * column.items.len()
}

fn facts(facts: &[Fact]) -> usize {
    facts.iter().map(|fact| fact.name.len() + fact.value.len() + 16).sum()
}

fn texts(texts: &[String]) -> usize {
    texts.iter().map(|text| text.len() + 8).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_gets_more_for_rows_and_context_up_to_the_maximum() {
        let check = |rows, bytes, expected| assert_eq!(FuelBudget::default().of_call(rows, bytes), expected);
        check(0, 0, 100_000_000);
        check(1, 1023, 100_200_000);
        check(4_096, 64 * 1024, 100_000_000 + 4_096 * 200_000 + 64 * 20_000);
        check(usize::MAX, usize::MAX, 4_000_000_000);
    }

    #[test]
    fn a_context_weighs_what_it_carries() {
        let mut context = Context::default();
        assert_eq!(context_bytes(&context), 0);
        context.subject.groups = vec![0; 2_000];
        context.groups.columns = vec![Column { dictionary: vec!["engineering".into(); 2_000], items: vec![0; 2_000], ..Column::default() }];
        assert_eq!(context_bytes(&context), 4 * 2_000 + 2_000 * 19 + 4 * 2_000);
    }
}
