//! Custom attributes as a workspace declares them, and the rules for user codes.

use super::Version;

/// What the values of a custom attribute are (D7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AttributeType {
    /// Any single-line text.
    Text,
    /// A whole number of 64 bits, in decimal.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// A calendar date (RFC 3339 `full-date`), such as `2026-11-25`.
    Date,
}

impl AttributeType {
    /// Every type.
    pub const ALL: [Self; 4] = [Self::Text, Self::Integer, Self::Boolean, Self::Date];

    /// The name as stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Integer => "integer",
            Self::Boolean => "boolean",
            Self::Date => "date",
        }
    }

    /// The type of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|type_| type_.name() == name)
    }

    /// What is wrong with a value, as the end of a sentence; `None` for a good one.
    #[must_use]
    pub fn refuses(self, value: &str) -> Option<&'static str> {
        let good = match self {
            Self::Text => true,
            Self::Integer => value.parse::<i64>().is_ok_and(|number| number.to_string() == value),
            Self::Boolean => matches!(value, "true" | "false"),
            Self::Date => is_date(value),
        };
        if good {
            return None;
        }
        Some(match self {
            Self::Text => "is no text",
            Self::Integer => "is no whole number; write for example `-12`",
            Self::Boolean => "is neither `true` nor `false`",
            Self::Date => "is no date; write for example `2026-11-25`",
        })
    }
}

/// A date of the proleptic Gregorian calendar, `YYYY-MM-DD`.
fn is_date(text: &str) -> bool {
    let [year, month, day] = match text.split('-').collect::<Vec<_>>().as_slice() {
        [year, month, day] if (year.len(), month.len(), day.len()) == (4, 2, 2) => [*year, *month, *day],
        _ => return false,
    };
    let number = |digits: &str| if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse::<u32>().ok() } else { None };
    let (Some(year), Some(month), Some(day)) = (number(year), number(month), number(day)) else { return false };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return false,
    };
    (1..=days).contains(&day)
}

/// The declaration of a custom attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Unique in the workspace.
    pub name: String,
    /// What its values are.
    pub type_: AttributeType,
    /// Whether users must have a value.
    pub required: bool,
    /// Whether no two users may have the same value.
    pub unique: bool,
    /// Whether somebody may have several values.
    pub multivalued: bool,
    /// Whether it may be filtered by where the policy agrees.
    pub searchable: bool,
    /// How often it changed.
    pub version: Version,
}

/// Which characters a user code must have (D6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CodeRule {
    /// Any.
    Any,
    /// Letters and digits only.
    LettersAndDigits,
    /// At least one that is neither letter nor digit.
    Special,
}

impl CodeRule {
    /// Every rule.
    pub const ALL: [Self; 3] = [Self::Any, Self::LettersAndDigits, Self::Special];

    /// The name as stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::LettersAndDigits => "letters-and-digits",
            Self::Special => "special",
        }
    }

    /// The rule of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_fit_their_type_or_do_not() {
        for (type_, good, bad) in [
            (AttributeType::Integer, vec!["0", "-12", "9223372036854775807"], vec!["", "1.0", "+1", "01", "9223372036854775808"]),
            (AttributeType::Boolean, vec!["true", "false"], vec!["True", "1", ""]),
            (
                AttributeType::Date,
                vec!["2026-11-25", "2024-02-29"],
                vec!["2026-02-29", "2026-13-01", "26-1-1", "2026-11-25Z", "+026-11-25"],
            ),
        ] {
            assert!(good.iter().all(|value| type_.refuses(value).is_none()), "{type_:?} {good:?}");
            assert!(bad.iter().all(|value| type_.refuses(value).is_some()), "{type_:?} {bad:?}");
        }
    }
}
