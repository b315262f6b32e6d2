//! Scalars.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};
use directory::model::Timestamp;
use jiff::Timestamp as Instant;

/// An instant in UTC, to the microsecond, such as `2026-11-22T09:30:00.000001Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DateTime(pub(super) Timestamp);

/// An instant as RFC 3339 writes it, in UTC. Input may have any offset.
#[Scalar(specified_by_url = "https://scalars.graphql.org/andimarek/date-time.html")]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = &value else { return Err(InputValueError::expected_type(value)) };
        match text.parse::<Instant>() {
            Ok(instant) => Ok(Self(Timestamp(instant.as_microsecond()))),
            Err(_) => Err(InputValueError::custom(format!("`{text}` is no RFC 3339 instant; write for example `2026-11-22T09:30:00Z`"))),
        }
    }

    fn is_valid(value: &Value) -> bool {
        matches!(value, Value::String(text) if text.parse::<Instant>().is_ok())
    }

    fn to_value(&self) -> Value {
        // Timestamps are microseconds of this or the next thousands of years; the range of `Instant` is wider.
        let instant = Instant::from_microsecond(self.0.0).unwrap_or(Instant::UNIX_EPOCH);
        Value::String(format!("{instant:.6}"))
    }
}
