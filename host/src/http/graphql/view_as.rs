//! The headers with which somebody looks at the directory as somebody else.

use directory::{
    access::{Candidate, CandidateModule},
    ids::{PolicyId, UserId},
};
use poem::http::HeaderMap;

use super::super::{Failure, code::Code};

/// As whom.
const USER: &str = "bailiwick-view-as";
/// Under which module, or `standard`; by default under the active one.
const POLICY: &str = "bailiwick-view-as-policy";
/// Under which settings of that module.
const SETTINGS: &str = "bailiwick-view-as-settings";
/// Under which settings of `standard`.
const STANDARD_SETTINGS: &str = "bailiwick-view-as-standard-settings";

/// Whose eyes a query is answered for, and by which policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ViewAs {
    pub(super) user: UserId,
    pub(super) candidate: Candidate,
}

impl ViewAs {
    /// What the headers ask for; `None` where they ask for nothing.
    pub(super) fn read(headers: &HeaderMap) -> Result<Option<Self>, Failure> {
        let known = [USER, POLICY, SETTINGS, STANDARD_SETTINGS];
        if let Some(unknown) =
            headers.keys().map(poem::http::HeaderName::as_str).find(|name| name.starts_with(USER) && !known.contains(name))
        {
            return Err(refused(&format!("header `{unknown}` is not expected; the headers are `{}`", known.join("`, `"))));
        }
        let user = one(headers, USER)?.map(|id| parse::<UserId>(USER, id)).transpose()?;
        let module = match one(headers, POLICY)? {
            None => CandidateModule::Active,
            Some("standard") => CandidateModule::Standard,
            Some(id) => CandidateModule::Named(parse::<PolicyId>(POLICY, id)?),
        };
        let text = |name| one(headers, name).map(|text| text.map(str::to_owned));
        let candidate = Candidate { module, settings: text(SETTINGS)?, standard_settings: text(STANDARD_SETTINGS)? };
        match user {
            Some(user) => Ok(Some(Self { user, candidate })),
            None if candidate.is_active() => Ok(None),
            None => Err(refused(&format!("header `{USER}` is missing, without which the others mean nothing; name a user's id"))),
        }
    }

    /// What an answer says of it.
    pub(super) fn told(&self) -> serde_json::Value {
        let Candidate { module, settings, standard_settings } = &self.candidate;
        let policy = match module {
            CandidateModule::Active => None,
            CandidateModule::Standard => Some("standard".to_owned()),
            CandidateModule::Named(id) => Some(id.to_string()),
        };
        let mut told = serde_json::Map::from_iter([("userId".to_owned(), self.user.to_string().into())]);
        for (name, value) in
            [("policy", policy.as_ref()), ("settings", settings.as_ref()), ("standardSettings", standard_settings.as_ref())]
        {
            told.extend(value.map(|value| (name.to_owned(), value.as_str().into())));
        }
        told.into()
    }
}

/// A header that is sent once.
fn one<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Failure> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => {
            value.to_str().map(Some).map_err(|_| refused(&format!("header `{name}` has other than visible ASCII characters; remove them")))
        }
        (Some(_), Some(_)) => Err(refused(&format!("header `{name}` is sent twice; send it once"))),
    }
}

fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(name: &str, text: &str) -> Result<T, Failure> {
    text.parse().map_err(|error| Failure::new(Code::BAD_USER_INPUT, format!("header `{name}`: {error}")))
}

fn refused(why: &str) -> Failure {
    Failure::new(Code::BAD_REQUEST, why.to_owned())
}
