//! The closed list of error codes. `docs/errors.md` has a row for each; a test compares.

/// An error code, as `extensions.code` of GraphQL errors and `error.code` of the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// The name on the wire. Never changes its meaning.
    pub name: &'static str,
    /// The HTTP status where the whole request failed with it.
    pub status: u16,
}

macro_rules! codes {
    ($($name:ident $status:literal)*) => {
        impl Code {
            $(pub(crate) const $name: Self = Self { name: stringify!($name), status: $status };)*

            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];
        }
    };
}

codes! {
    BAD_REQUEST 400
    BAD_USER_INPUT 400
    FIELD_NOT_SEARCHABLE 400
    GRAPHQL_PARSE_FAILED 400
    GRAPHQL_VALIDATION_FAILED 400
    OPERATION_RESOLUTION_FAILURE 400
    PERSISTED_QUERY_HASH_MISMATCH 400
    PERSISTED_QUERY_NOT_FOUND 400
    UNAUTHENTICATED 401
    FORBIDDEN 403
    NOT_FOUND 404
    METHOD_NOT_ALLOWED 405
    NOT_ACCEPTABLE 406
    REQUEST_TIMEOUT 408
    CONFLICT 409
    STALE 412
    LIMIT_EXCEEDED 413
    UNSUPPORTED_MEDIA_TYPE 415
    ACTIVATION_REFUSED 422
    INTERNAL 500
    COUNT_UNAVAILABLE 503
    DEADLINE_EXCEEDED 503
    POLICY_UNAVAILABLE 503
}

impl Code {
    /// The code of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.name == name)
    }

    /// Whether it says something about the document rather than about the request or the server.
    pub(crate) const fn is_of_document(self) -> bool {
        self.status < 500 && !matches!(self.status, 401 | 403 | 405)
    }
}

#[cfg(test)]
mod tests {
    use directory::{Error, contract::Failure};

    use super::*;
    use crate::error;

    #[test]
    fn failures_of_the_directory_have_listed_codes() {
        let text = String::new;
        for failure in [
            Error::Invalid(text()),
            Error::NotSearchable { kind: "user", field: text() },
            Error::Forbidden { action: text(), reason: text() },
            Error::NotFound(text()),
            Error::Taken(text()),
            Error::Stale(text()),
            Error::TooLarge(text()),
            Error::Refused(text()),
            Error::Gates(Vec::new()),
            Error::Policy(Failure::Unloadable(text())),
            Error::Store(text()),
            Error::Deadline,
        ] {
            let (status, name) = error::wire(&failure);
            assert_eq!(Code::named(name), Some(Code { name, status }), "{failure}");
        }
    }
}
