//! A request that failed as a whole, and how it is answered outside GraphQL.

use directory::{Error, model::ToldReason};
use poem::{Response, http::StatusCode};
use serde_json::{Map, Value, json};

use super::{code::Code, request_id::RequestId};
use crate::{error, policy_history::reason};

/// Why a whole request failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) code: Code,
    /// For people: the input, the rule, the remedy.
    pub(super) message: String,
    /// A header that HTTP wants beside the status.
    pub(super) header: Option<(&'static str, String)>,
    /// What the gates of an activation have against it.
    pub(super) reasons: Vec<ToldReason>,
}

impl Failure {
    pub(super) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), header: None, reasons: Vec::new() }
    }

    pub(super) fn with_header(self, name: &'static str, value: impl Into<String>) -> Self {
        Self { header: Some((name, value.into())), ..self }
    }

    pub(super) fn internal() -> Self {
        Self::new(Code::INTERNAL, "the server failed; quote the request id to its operator")
    }

    pub(super) fn deadline() -> Self {
        Self::from(&Error::Deadline)
    }

    /// `{"error": {"code", "message", "requestId"}}`, and `reasons` where gates refused.
    pub(super) fn into_response(self, id: &RequestId) -> Response {
        let mut error = Map::new();
        error.insert("code".to_owned(), self.code.name.into());
        error.insert("message".to_owned(), self.message.as_str().into());
        error.insert("requestId".to_owned(), id.as_str().into());
        if !self.reasons.is_empty() {
            error.insert("reasons".to_owned(), self.reasons.iter().map(reason).collect());
        }
        self.head(json_response(status(self.code.status), &json!({ "error": error })))
    }

    /// Adds the header to an answer.
    pub(super) fn head(&self, mut response: Response) -> Response {
        if let Some((name, value)) = &self.header
            && let Ok(value) = value.parse()
        {
            response.headers_mut().insert(*name, value);
        }
        response
    }
}

impl From<&Error> for Failure {
    /// Internals are masked here, and logged: this is where the failure is answered.
    fn from(failure: &Error) -> Self {
        error::log(failure);
        let (_, name) = error::wire(failure);
        let reasons = if let Error::Gates(reasons) = failure { reasons.clone() } else { Vec::new() };
        let told = |code| Self { reasons, ..Self::new(code, error::message(failure)) };
        Code::named(name).map_or_else(Self::internal, told)
    }
}

impl From<Error> for Failure {
    fn from(failure: Error) -> Self {
        Self::from(&failure)
    }
}

pub(super) fn json_response(status: StatusCode, body: &Value) -> Response {
    Response::builder().status(status).content_type("application/json; charset=utf-8").body(body.to_string())
}

pub(super) fn status(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
