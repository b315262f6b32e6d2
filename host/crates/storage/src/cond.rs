//! Conditions of a `where`, folded where they are already decided, so that what everybody may see costs no SQL.
//!
//! INVARIANT: every condition is true or false and never null, so that its negation is its opposite.

use crate::sql::Sql;

/// A condition.
#[derive(Clone, Debug)]
pub(crate) enum Cond {
    /// Holds for every row.
    True,
    /// Holds for no row.
    False,
    /// Has to be asked of the row.
    Ask(Sql),
}

impl Cond {
    /// True if all are.
    pub(crate) fn all(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut asked = Vec::new();
        for part in parts {
            match part {
                Self::True => {}
                Self::False => return Self::False,
                Self::Ask(sql) => asked.push(sql),
            }
        }
        if asked.is_empty() { Self::True } else { Self::Ask(bracketed(asked, "\n  and ")) }
    }

    /// True if any is.
    pub(crate) fn any(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut asked = Vec::new();
        for part in parts {
            match part {
                Self::True => return Self::True,
                Self::False => {}
                Self::Ask(sql) => asked.push(sql),
            }
        }
        if asked.is_empty() { Self::False } else { Self::Ask(bracketed(asked, "\n  or ")) }
    }

    /// True if this is not.
    pub(crate) fn not(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            Self::Ask(sql) => {
                let mut negated = Sql::new("not (", Vec::new());
                negated.push(sql);
                negated.push(")");
                Self::Ask(negated)
            }
        }
    }

    /// Already decided: holds for every row.
    pub(crate) const fn is_true(&self) -> bool {
        matches!(self, Self::True)
    }

    /// Already decided: holds for no row.
    pub(crate) const fn is_false(&self) -> bool {
        matches!(self, Self::False)
    }

    /// As it stands behind an `and`, if it has to be asked.
    pub(crate) fn and(self) -> Sql {
        let mut sql = Sql::default();
        match self {
            Self::True => {}
            Self::False => sql.push("\n  and false"),
            Self::Ask(asked) => {
                sql.push("\n  and ");
                sql.push(asked);
            }
        }
        sql
    }
}

impl From<Sql> for Cond {
    fn from(sql: Sql) -> Self {
        Self::Ask(sql)
    }
}

fn bracketed(mut parts: Vec<Sql>, between: &'static str) -> Sql {
    if parts.len() == 1
        && let Some(only) = parts.pop()
    {
        return only;
    }
    let mut sql = Sql::new("(", Vec::new());
    sql.push(Sql::join(parts, between));
    sql.push(")");
    sql
}
