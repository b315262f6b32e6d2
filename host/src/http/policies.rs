//! `/v1/policies`: modules come in, are activated and rolled back. Every step is the gate's decision.

mod body;
pub(crate) mod view;

use std::{sync::Arc, time::Duration};

use directory::{
    access::{Caller, Subject, UploadLeave},
    ids::PolicyId,
    limits::{HISTORY_PAGE, MODULE_BYTES, PAGE_ROWS_DEFAULT, TESTS_BYTES},
    model::{PolicyStatus, StepNumber, Version},
    store::IdSource,
};
use poem::{Request, Response, http::StatusCode};
use serde_json::json;
use uuid::Uuid;

use super::{
    Edge, Failure, auth,
    code::Code,
    failure::json_response,
    graphql::operation::check_content,
    limits::{JSON_BYTES, POLICY_MS},
};
use crate::{
    ids::Ids,
    policy_change::{self, Change, Expected, What},
    policy_history, wiring,
};

/// The id under which the embedded policy is activated.
const STANDARD: &str = "standard";

/// `GET /v1/policies`: the active version, the activations and the modules, newest first.
pub(super) async fn list(edge: Arc<Edge>, request: Request) -> Result<Response, Failure> {
    let work = async {
        let subject = subject(&edge, &request).await?;
        let directory = edge.app.gate.open(subject, edge.app.clock.now()).await?;
        let active = directory.active_policy().await?;
        let versions = directory.policy_versions().await?;
        let modules = directory.policy_modules().await?;
        let mut list = view::listed(versions.iter().map(|version| &**version), modules.iter().map(|module| &**module));
        list.insert("active".to_owned(), view::active(&active));
        Ok(json_response(StatusCode::OK, &list.into()))
    };
    within(edge.app.config.limits.request_ms, work).await
}

/// `GET /v1/policies/history`: what was done, the latest first; `?after=` a number, and at most `?first=` steps.
pub(super) async fn history(edge: Arc<Edge>, request: Request) -> Result<Response, Failure> {
    let window = HistoryWindow::of(&request)?;
    let work = async {
        let subject = subject(&edge, &request).await?;
        let directory = edge.app.gate.open(subject, edge.app.clock.now()).await?;
        let page = directory.policy_history(window.after, window.first).await?;
        let steps: Vec<_> = page.steps.iter().map(|step| policy_history::step(step)).collect();
        Ok(json_response(StatusCode::OK, &json!({ "steps": steps, "more": page.more })))
    };
    within(edge.app.config.limits.request_ms, work).await
}

/// Which steps are asked for.
struct HistoryWindow {
    after: Option<StepNumber>,
    first: usize,
}

impl HistoryWindow {
    fn of(request: &Request) -> Result<Self, Failure> {
        let refused =
            |why: String| Failure::new(Code::BAD_REQUEST, format!("{why}; the parameters are `after` and `first`, each given once"));
        let parameters = request.params::<Vec<(String, String)>>();
        let parameters = parameters.map_err(|error| refused(format!("the query string can not be read: {error}")))?;
        let (mut after, mut first) = (None, None);
        for (name, value) in parameters {
            let place = match name.as_str() {
                "after" => &mut after,
                "first" => &mut first,
                _ => return Err(refused(format!("parameter `{}` is not expected", shown(&name)))),
            };
            if place.replace(value).is_some() {
                return Err(refused(format!("parameter `{name}` is given twice")));
            }
        }
        let bad = |name: &str, value: &str, rule: &str| Failure::new(Code::BAD_USER_INPUT, format!("`{name}={}`: {rule}", shown(value)));
        let after = after.map(|value| {
            let number = value.parse().ok().filter(|number: &i64| *number > 0);
            number.map(StepNumber).ok_or_else(|| bad("after", &value, "give the `number` of the last step that you have"))
        });
        let first = first.map(|value| {
            let rows = value.parse().ok().filter(|rows| (1..=HISTORY_PAGE).contains(rows));
            rows.ok_or_else(|| bad("first", &value, &format!("give a number from 1 to {HISTORY_PAGE}")))
        });
        Ok(Self { after: after.transpose()?, first: first.transpose()?.unwrap_or(PAGE_ROWS_DEFAULT) })
    }
}

/// What a stranger sent, cut for a message.
fn shown(text: &str) -> String {
    text.chars().take(64).collect()
}

/// `PUT /v1/policies`: a module as WebAssembly, optionally `?note=`.
pub(super) async fn upload(edge: Arc<Edge>, mut request: Request) -> Result<Response, Failure> {
    check_content(request.headers(), "application/wasm")?;
    let note = parameter(&request, "note")?;
    let leave = leave_to_upload(&edge, &request).await?;
    let bytes = super::body::read(request.take_body(), MODULE_BYTES, edge.app.config.limits.read_ms).await.map_err(too_large)?;
    let is_core_module = wiring::is_core_module(&bytes);
    let work = async {
        let mut ids = Noted { ids: Ids::random(edge.app.clock.clone()), made: Vec::new() };
        let upload = leave.upload(bytes.into(), note, &mut ids).await?;
        let status = match upload.status {
            PolicyStatus::Rejected => StatusCode::UNPROCESSABLE_ENTITY,
            PolicyStatus::Validated if ids.made.contains(&upload.id.0) => StatusCode::CREATED,
            PolicyStatus::Validated => StatusCode::OK,
        };
        Ok(json_response(status, &view::upload(&upload, is_core_module)))
    };
    within(POLICY_MS, work).await
}

/// Nobody's large body is read before this.
async fn leave_to_upload(edge: &Edge, request: &Request) -> Result<UploadLeave, Failure> {
    let subject = subject(edge, request).await?;
    within(edge.app.config.limits.request_ms, async { Ok(edge.app.gate.leave_to_upload(subject, edge.app.clock.now()).await?) }).await
}

/// A module is not sent in smaller pieces.
fn too_large(failure: Failure) -> Failure {
    if failure.code != Code::LIMIT_EXCEEDED {
        return failure;
    }
    let message = format!("a module has at most {MODULE_BYTES} bytes; strip debug information, or build for size");
    Failure { message, ..failure }
}

/// `GET /v1/policies/tests`: the policy tests with their version.
pub(super) async fn tests(edge: Arc<Edge>, request: Request) -> Result<Response, Failure> {
    let work = async {
        let subject = subject(&edge, &request).await?;
        let directory = edge.app.gate.open(subject, edge.app.clock.now()).await?;
        Ok(json_response(StatusCode::OK, &view::tests(&*directory.policy_tests().await?)))
    };
    within(edge.app.config.limits.request_ms, work).await
}

/// `PUT /v1/policies/tests?expected=VERSION`: the policy tests as TOML; an empty body removes them.
pub(super) async fn set_tests(edge: Arc<Edge>, mut request: Request) -> Result<Response, Failure> {
    check_content(request.headers(), "application/toml")?;
    let subject = subject(&edge, &request).await?;
    let expected = seen(&request)?;
    let bytes = super::body::read(request.take_body(), TESTS_BYTES, edge.app.config.limits.read_ms).await?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Failure::new(Code::BAD_USER_INPUT, format!("the tests are not UTF-8 from byte {at} on; send them as UTF-8"))
    })?;
    let work = async {
        let checked = policy_change::set_tests(&edge.app.gate, &edge.app.clock, &subject, expected, &text).await?;
        Ok(json_response(StatusCode::OK, &view::checked(checked)))
    };
    within(edge.app.config.limits.request_ms, work).await
}

/// The version of the tests that the caller has seen.
fn seen(request: &Request) -> Result<Version, Failure> {
    let given = parameter(request, "expected")?;
    let version = given.as_deref().and_then(|given| given.parse().ok()).filter(|version| *version >= 0);
    version.map(Version).ok_or_else(|| {
        let message =
            "`expected` is missing, or no version; send `?expected=` with the `version` that GET answers, 0 where there are no tests";
        Failure::new(Code::BAD_USER_INPUT, message)
    })
}

/// `POST /v1/policies/{id}/activate`.
pub(super) async fn activate(edge: Arc<Edge>, mut request: Request) -> Result<Response, Failure> {
    let subject = subject(&edge, &request).await?;
    no_parameters(&request)?;
    let id = request.raw_path_param("id").unwrap_or_default();
    let module = if id == STANDARD { None } else { Some(parse::<PolicyId>("the policy in the address", id)?) };
    let sent: body::Activate = json_body(&edge, &mut request).await?;
    let (settings, standard_settings) = (sent.settings.map(|settings| settings.0), sent.standard_settings.map(|settings| settings.0));
    let (settings, standard_settings) = match (module, settings, standard_settings) {
        (Some(_), settings, standard) => (settings, standard),
        (None, Some(_), Some(_)) => {
            let message = "`settings` and `standardSettings` are both those of `standard` where it decides alone; send one of them";
            return Err(Failure::new(Code::BAD_USER_INPUT, message));
        }
        (None, settings, standard) => (None, settings.or(standard)),
    };
    let change =
        Change { expected: expected(&sent.expected)?, what: What::Activate { module, settings, standard_settings, note: sent.note } };
    respond(&edge, subject, change).await
}

/// `POST /v1/policies/rollback`.
pub(super) async fn roll_back(edge: Arc<Edge>, mut request: Request) -> Result<Response, Failure> {
    let subject = subject(&edge, &request).await?;
    no_parameters(&request)?;
    let sent: body::RollBack = json_body(&edge, &mut request).await?;
    let to = sent.to.map(|to| parse("`to`", &to)).transpose()?;
    let expected = sent.expected.as_deref().map_or(Ok(Expected::Any), expected)?;
    respond(&edge, subject, Change { expected, what: What::RollBack { to, note: sent.note } }).await
}

/// `PUT /v1/policies/settings`.
pub(super) async fn set(edge: Arc<Edge>, mut request: Request) -> Result<Response, Failure> {
    let subject = subject(&edge, &request).await?;
    no_parameters(&request)?;
    let sent: body::Set = json_body(&edge, &mut request).await?;
    let what = What::Set {
        settings: sent.settings.map(|settings| settings.0),
        standard_settings: sent.standard_settings.map(|settings| settings.0),
        note: sent.note,
    };
    respond(&edge, subject, Change { expected: expected(&sent.expected)?, what }).await
}

/// The id of a version, the id of a module, or `standard`.
fn expected(text: &str) -> Result<Expected, Failure> {
    if text == STANDARD {
        return Ok(Expected::Module(None));
    }
    if text.starts_with(PolicyId::PREFIX) {
        return Ok(Expected::Module(Some(parse("`expected`", text)?)));
    }
    Ok(Expected::Version(parse("`expected`", text)?))
}

async fn respond(edge: &Edge, subject: Subject, change: Change) -> Result<Response, Failure> {
    let version = within(POLICY_MS, async { Ok(change.apply(&edge.app.gate, &edge.app.clock, &subject).await?) }).await?;
    Ok(json_response(StatusCode::OK, &json!({ "version": version.to_string() })))
}

async fn within<T>(millis: u64, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::time::timeout(Duration::from_millis(millis), work).await.unwrap_or_else(|_| Err(Failure::deadline()))
}

async fn subject(edge: &Edge, request: &Request) -> Result<Subject, Failure> {
    let caller = within(edge.app.config.limits.request_ms, auth::caller(edge, request, "http")).await?;
    match caller {
        None => Err(auth::missing()),
        Some(Caller::Subject(subject)) => Ok(subject),
        Some(Caller::Operator(_)) => {
            let message = "operator tokens do not change policies here; use `bailiwick policy`, or the token of somebody of the workspace";
            Err(Failure::new(Code::FORBIDDEN, message))
        }
    }
}

async fn json_body<T: serde::de::DeserializeOwned>(edge: &Edge, request: &mut Request) -> Result<T, Failure> {
    check_content(request.headers(), "application/json")?;
    let body = super::body::read(request.take_body(), JSON_BYTES, edge.app.config.limits.read_ms).await?;
    // A list would do for an object, by the positions of its fields.
    if body.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Err(Failure::new(Code::BAD_REQUEST, "the body is no JSON object; send one with the fields that the docs name"));
    }
    serde_json::from_slice(&body).map_err(|error| Failure::new(Code::BAD_REQUEST, format!("the body can not be read: {error}; correct it")))
}

fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(what: &str, text: &str) -> Result<T, Failure> {
    text.parse().map_err(|error| Failure::new(Code::BAD_USER_INPUT, format!("{what}: {error}")))
}

/// What is to be done stands in the body: what stands elsewhere would be left undone without a word.
fn no_parameters(request: &Request) -> Result<(), Failure> {
    if request.uri().query().is_none_or(str::is_empty) {
        return Ok(());
    }
    Err(Failure::new(Code::BAD_REQUEST, "parameters are not expected in the address; send them as fields of the body"))
}

/// The one parameter of a page.
fn parameter(request: &Request, name: &str) -> Result<Option<String>, Failure> {
    let parameters = request.params::<Vec<(String, String)>>();
    let refused = |why: String| Failure::new(Code::BAD_REQUEST, format!("{why}; the only parameter is `{name}`, given once"));
    let mut parameters = parameters.map_err(|error| refused(format!("the query string can not be read: {error}")))?.into_iter();
    match (parameters.next(), parameters.next()) {
        (None, _) => Ok(None),
        (Some((given, value)), None) if given == name => Ok(Some(value)),
        (Some((given, _)), _) => Err(refused(format!("parameter `{}` is not expected", shown(&given)))),
    }
}

/// Ids that remember which ones were made: a module whose id is another was there before.
struct Noted {
    ids: Ids,
    made: Vec<Uuid>,
}

impl IdSource for Noted {
    fn next_id(&mut self) -> Uuid {
        let id = self.ids.next_id();
        self.made.push(id);
        id
    }
}
