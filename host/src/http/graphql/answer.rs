//! What one operation is answered with: data, errors with codes of the closed list, and what it cost.

use async_graphql::{PathSegment, ServerError, Value};
use poem::http::StatusCode;
use serde::Serialize;
use serde_json::json;

use super::{
    super::{
        Failure,
        code::Code,
        failure::status,
        limits::{ERRORS, FIELD_ERRORS, MESSAGE_CHARS},
        metrics,
        request_id::RequestId,
    },
    media::Media,
};
use crate::graphql::limits::{MAX_COST, Refusal};

/// The answer to one operation.
#[derive(Debug, Default, Serialize)]
pub(super) struct Answer {
    /// Absent where nothing was executed.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<WireError>,
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    extensions: serde_json::Map<String, serde_json::Value>,
}

/// An error on the wire.
#[derive(Debug, Serialize)]
struct WireError {
    message: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    locations: Vec<async_graphql::Pos>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    path: Vec<PathSegment>,
    extensions: serde_json::Map<String, serde_json::Value>,
    #[serde(skip)]
    code: Code,
}

/// How much a caller is told beside the rule that it broke.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Suggestions {
    Shown,
    Stripped,
}

impl Answer {
    /// What the schema answered.
    pub(super) fn executed(response: async_graphql::Response, suggestions: Suggestions) -> Self {
        // Errors of fields have a path; without one, the document was refused before any field was looked at.
        let refused =
            response.data == Value::Null && response.errors.iter().all(|error| error.path.is_empty()) && !response.errors.is_empty();
        let shown = if refused { ERRORS } else { FIELD_ERRORS };
        let left_out = response.errors.len().saturating_sub(shown);
        let errors = response.errors.into_iter().take(shown).map(|error| WireError::of_schema(error, refused, suggestions)).collect();
        let mut answer = Self { data: (!refused).then_some(response.data), errors, ..Self::default() };
        if left_out > 0 {
            answer.extend("errorsLeftOut", left_out.into());
        }
        answer
    }

    pub(super) fn extend(&mut self, name: &str, value: serde_json::Value) {
        self.extensions.insert(name.to_owned(), value);
    }

    /// What the operation may cost.
    pub(super) fn cost(&mut self, requested: u64) {
        self.extend("cost", json!({ "requested": requested, "limit": MAX_COST }));
    }

    /// Names the request in every error, and counts them.
    pub(super) fn sign(&mut self, id: &RequestId) {
        for error in &mut self.errors {
            metrics::graphql_error(error.code.name);
            error.extensions.insert("code".to_owned(), error.code.name.into());
            error.extensions.insert("requestId".to_owned(), id.as_str().into());
        }
    }

    /// The HTTP status of this answer alone (GraphQL over HTTP, section 6.4).
    pub(super) fn status(&self, media: Media) -> StatusCode {
        match (&self.data, self.errors.first()) {
            (None, Some(error)) if !error.code.is_of_document() => status(error.code.status),
            (None, Some(_)) if media == Media::GraphqlResponse => StatusCode::BAD_REQUEST,
            _ => StatusCode::OK,
        }
    }
}

impl From<&Failure> for Answer {
    fn from(failure: &Failure) -> Self {
        Self { errors: vec![WireError::new(failure.code, failure.message.clone())], ..Self::default() }
    }
}

impl From<&Refusal> for Answer {
    fn from(refusal: &Refusal) -> Self {
        let message = refusal.to_string();
        let error = match refusal {
            Refusal::Syntax { at, .. } => WireError { locations: at.clone(), ..WireError::new(Code::GRAPHQL_PARSE_FAILED, message) },
            Refusal::Variable { at, .. } => WireError { locations: vec![*at], ..WireError::new(Code::BAD_USER_INPUT, message) },
            Refusal::Twice { at, .. } => WireError { locations: vec![*at], ..WireError::new(Code::GRAPHQL_VALIDATION_FAILED, message) },
            Refusal::Operation(_) => WireError::new(Code::OPERATION_RESOLUTION_FAILURE, message),
            Refusal::Cycle(_) => WireError::new(Code::GRAPHQL_VALIDATION_FAILED, message),
            Refusal::Limit { limit, actual } => {
                let mut error = WireError::new(Code::LIMIT_EXCEEDED, message);
                let limit = json!({ "name": limit.name, "maximum": limit.max, "requested": actual });
                error.extensions.insert("limit".to_owned(), limit);
                error
            }
        };
        Self { errors: vec![error], ..Self::default() }
    }
}

impl WireError {
    fn new(code: Code, mut message: String) -> Self {
        // What a message quotes may be as long as the request.
        if let Some((end, _)) = message.char_indices().nth(MESSAGE_CHARS) {
            message.truncate(end);
            message.push('…');
        }
        Self { message, locations: Vec::new(), path: Vec::new(), extensions: serde_json::Map::new(), code }
    }

    fn of_schema(error: ServerError, refused: bool, suggestions: Suggestions) -> Self {
        let listed = error.extensions.as_ref().and_then(|extensions| extensions.get("code")).map(|code| match code {
            Value::String(name) => Code::named(name).unwrap_or(Code::INTERNAL),
            _ => Code::INTERNAL,
        });
        let code = match listed {
            Some(code) => code,
            None if refused => Code::GRAPHQL_VALIDATION_FAILED,
            // Only arguments fail without a code of ours and without a cause: whatever has a cause is not meant for callers.
            None if error.source.is_none() => Code::BAD_USER_INPUT,
            None => Code::INTERNAL,
        };
        let mut message = error.message;
        if code == Code::INTERNAL {
            // The gate's own failures are masked and logged already, under the same words.
            if message != Failure::internal().message {
                tracing::error!(cause = message, path = ?error.path, "a field failed without a code of the list");
            }
            message = Failure::internal().message;
        }
        if suggestions == Suggestions::Stripped
            && refused
            && let Some(end) = message.find(" Did you mean ")
        {
            message.truncate(end);
        }
        Self { locations: error.locations, path: error.path, ..Self::new(code, message) }
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::{Error, ErrorExtensions as _, Object, Response};

    use super::*;

    struct Query;

    #[Object]
    impl Query {
        async fn coded(&self) -> Option<async_graphql::Result<i32>> {
            let error = Error::new("one role too many");
            Some(Err(error.extend_with(|_, extensions| extensions.set("code", "CONFLICT"))))
        }

        async fn unlisted(&self) -> Option<async_graphql::Result<i32>> {
            let error = Error::new("as it is");
            Some(Err(error.extend_with(|_, extensions| extensions.set("code", "ELSE"))))
        }

        async fn foreign(&self) -> Option<async_graphql::Result<i32>> {
            Some("secret".parse::<i32>().map_err(Error::new_with_source))
        }

        async fn narrow(&self, value: i8) -> i8 {
            value
        }
    }

    async fn executed(query: &str, suggestions: Suggestions) -> Answer {
        let schema = async_graphql::Schema::new(Query, async_graphql::EmptyMutation, async_graphql::EmptySubscription);
        Answer::executed(schema.execute(query).await, suggestions)
    }

    async fn check(query: &str, code: Code, message: &str, status: u16) {
        let answer = executed(query, Suggestions::Stripped).await;
        assert_eq!((answer.errors[0].code, answer.errors[0].message.as_str()), (code, message), "{query}");
        assert_eq!(answer.status(Media::GraphqlResponse).as_u16(), status, "{query}");
        assert_eq!(answer.status(Media::Json), StatusCode::OK, "{query}");
    }

    #[tokio::test]
    async fn errors_have_codes_of_the_list_and_tell_nothing_else() {
        check("{ coded }", Code::CONFLICT, "one role too many", 200).await;
        check("{ foreign }", Code::INTERNAL, &Failure::internal().message, 200).await;
        check("{ unlisted }", Code::INTERNAL, &Failure::internal().message, 200).await;
        check("{ narrov(value: 1) }", Code::GRAPHQL_VALIDATION_FAILED, "Unknown field \"narrov\" on type \"Query\".", 400).await;
        assert!(executed("{ narrov(value: 1) }", Suggestions::Shown).await.errors[0].message.ends_with("Did you mean \"narrow\"?"));
    }

    #[test]
    fn failures_of_the_server_keep_their_status() {
        let status = |code: Code| {
            let answer = Answer::from(&Failure::new(code, ""));
            (answer.status(Media::Json).as_u16(), answer.status(Media::GraphqlResponse).as_u16())
        };
        assert_eq!(status(Code::POLICY_UNAVAILABLE), (503, 503));
        assert_eq!(status(Code::UNAUTHENTICATED), (401, 401));
        assert_eq!(status(Code::LIMIT_EXCEEDED), (200, 400));
        assert_eq!(Answer::executed(Response::new(Value::Null), Suggestions::Shown).status(Media::GraphqlResponse), StatusCode::OK);
    }
}
