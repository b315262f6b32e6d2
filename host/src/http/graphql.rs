//! `/graphql`, to the draft of GraphQL over HTTP: queries by GET or POST, mutations by POST, JSON only.

mod answer;
mod media;
pub(super) mod operation;
mod persisted;
mod view_as;

use std::{pin::Pin, sync::Arc, time::Duration};

use async_graphql::parser::types::OperationType;
use directory::access::{Caller, Directory, Subject};
use poem::{Request, Response};
use serde_json::json;
use tokio::time::{Instant, Sleep, sleep};

use super::{Edge, Failure, auth, body, code::Code, id, limits::GRAPHQL_BYTES, request_id::RequestId};
use crate::{
    config::Mode,
    graphql::{RequestContext, ScanCapped, Writer, limits, order::DocumentOrder},
};
use answer::{Answer, Suggestions};
use media::Media;
use operation::{Operation, Operations};
pub(super) use persisted::Persisted;
use view_as::ViewAs;

/// The header with which a caller asks what its operation cost the policy.
const EXPLAIN: &str = "bailiwick-explain";

/// `GET /graphql`.
pub(super) async fn get(edge: Arc<Edge>, request: Request) -> Result<Response, Failure> {
    let parameters = request.params::<Vec<(String, String)>>();
    let operations = match parameters {
        Ok(parameters) => operation::of_parameters(parameters).map(Operations::One),
        Err(error) => Err(Failure::new(Code::BAD_REQUEST, format!("the query string can not be read: {error}; percent-encode it"))),
    };
    Ok(respond(&edge, &request, operations).await)
}

/// `POST /graphql`.
pub(super) async fn post(edge: Arc<Edge>, mut request: Request) -> Result<Response, Failure> {
    let sent = body::read(request.take_body(), GRAPHQL_BYTES, edge.app.config.limits.read_ms).await;
    let operations = sent.and_then(|body| operation::of_body(request.headers(), &body));
    Ok(respond(&edge, &request, operations).await)
}

/// Who sends the operations of one request, and how.
struct Sender<'a> {
    edge: &'a Edge,
    subject: Option<Subject>,
    explain: bool,
    view_as: Option<ViewAs>,
    get: bool,
    /// The deadline if there is a mutation in the request.
    mutations_until: Instant,
}

async fn respond(edge: &Edge, request: &Request, operations: Result<Operations, Failure>) -> Response {
    let id = id(edge, request);
    let (media, unacceptable) = match Media::negotiate(request.headers()) {
        Ok(media) => (media, None),
        Err(failure) => (Media::Json, Some(failure)),
    };
    let answered = match (unacceptable, operations) {
        (Some(failure), _) | (None, Err(failure)) => Err(failure),
        (None, Ok(operations)) => {
            let get = *request.method() != poem::http::Method::POST;
            let mut deadline = Box::pin(sleep(Duration::from_millis(edge.app.config.limits.request_ms)));
            answers(edge, request, get, operations, deadline.as_mut()).await
        }
    };
    match answered {
        Ok(Answers::One(mut answer)) => {
            answer.sign(&id);
            let status = answer.status(media);
            render(media, status, &answer, &id)
        }
        Ok(Answers::Batch(mut answers)) => {
            answers.iter_mut().for_each(|answer| answer.sign(&id));
            render(media, poem::http::StatusCode::OK, &answers, &id)
        }
        Err(failure) => {
            let mut answer = Answer::from(&failure);
            answer.sign(&id);
            failure.head(render(media, super::failure::status(failure.code.status), &answer, &id))
        }
    }
}

enum Answers {
    One(Answer),
    Batch(Vec<Answer>),
}

/// Answers all operations of a request within one deadline, one after the other.
async fn answers(
    edge: &Edge,
    request: &Request,
    get: bool,
    operations: Operations,
    mut deadline: Pin<&mut Sleep>,
) -> Result<Answers, Failure> {
    let limits = &edge.app.config.limits;
    let mutations_until = deadline.deadline() - Duration::from_millis(limits.request_ms) + Duration::from_millis(limits.mutation_ms);
    let caller = tokio::select! {
        caller = auth::caller(edge, request, "graphql") => caller?,
        () = deadline.as_mut() => return Err(Failure::deadline()),
    };
    let subject = match caller {
        None => None,
        Some(Caller::Subject(subject)) => Some(subject),
        Some(Caller::Operator(_)) => {
            let message = "operator tokens do not read workspaces; use a user's or service's token";
            return Err(Failure::new(Code::FORBIDDEN, message));
        }
    };
    let explain = request.headers().get(EXPLAIN).is_some_and(|value| value == "1");
    let view_as = ViewAs::read(request.headers())?;
    if view_as.is_some() && subject.is_none() {
        return Err(auth::missing());
    }
    let sender = Sender { edge, subject, explain, view_as, get, mutations_until };
    Ok(match operations {
        Operations::One(operation) => Answers::One(sender.answer(operation, deadline).await?),
        Operations::Batch(operations) => {
            let mut answers = Vec::with_capacity(operations.len());
            for operation in operations {
                let answer = sender.answer(operation, deadline.as_mut()).await;
                answers.push(answer.unwrap_or_else(|failure| Answer::from(&failure)));
            }
            Answers::Batch(answers)
        }
    })
}

impl Sender<'_> {
    async fn answer(&self, operation: Operation, mut deadline: Pin<&mut Sleep>) -> Result<Answer, Failure> {
        let document = match self.document(&operation) {
            Ok(document) => document,
            Err(failure) if failure.code == Code::BAD_REQUEST => return Err(failure),
            Err(failure) => return Ok(Answer::from(&failure)),
        };
        let admitted = match limits::admit(&document, operation.name.as_deref(), &operation.variables) {
            Ok(admitted) => admitted,
            Err(refusal) => return Ok(Answer::from(&refusal)),
        };
        if self.get && admitted.operation != OperationType::Query {
            return Err(Failure::new(Code::METHOD_NOT_ALLOWED, "only queries are answered by GET; send this operation by POST")
                .with_header("allow", "POST"));
        }
        if self.view_as.is_some() && admitted.operation != OperationType::Query {
            return Err(Failure::new(Code::FORBIDDEN, "whoever looks as somebody else only reads; leave `bailiwick-view-as` out"));
        }
        if admitted.introspects && self.is_stranger() {
            return Err(Failure { message: "the schema is shown to callers with a token only; send one".to_owned(), ..auth::missing() });
        }
        self.register(&operation, &document);
        if admitted.operation == OperationType::Mutation {
            deadline.as_mut().reset(self.mutations_until);
        }
        let cost = admitted.cost;
        let mut answer = tokio::select! {
            answer = self.execute(operation, admitted) => answer?,
            () = deadline => return Err(Failure::deadline()),
        };
        answer.cost(cost);
        Ok(answer)
    }

    /// The document as sent, or the one whose hash was sent.
    fn document(&self, operation: &Operation) -> Result<Arc<str>, Failure> {
        let hash = persisted::hash(&operation.extensions)?;
        match (&operation.query, hash) {
            (Some(query), Some(hash)) if !persisted::matches(query, &hash) => Err(Failure::new(
                Code::PERSISTED_QUERY_HASH_MISMATCH,
                "the document does not have the SHA-256 that `extensions.persistedQuery` names; correct one of them",
            )),
            (Some(query), _) => Ok(query.as_str().into()),
            // The message is the one that clients of automatic persisted queries look for.
            (None, Some(hash)) => {
                self.edge.persisted.get(&hash).ok_or_else(|| Failure::new(Code::PERSISTED_QUERY_NOT_FOUND, "PersistedQueryNotFound"))
            }
            (None, None) => Err(Failure::new(Code::BAD_REQUEST, "`query` is missing; send a document as a string")),
        }
    }

    /// Keeps a document that came with its hash. Strangers must not push out those of others.
    fn register(&self, operation: &Operation, document: &str) {
        if self.subject.is_some()
            && operation.query.is_some()
            && let Ok(Some(hash)) = persisted::hash(&operation.extensions)
        {
            self.edge.persisted.put(hash, document);
        }
    }

    async fn execute(&self, operation: Operation, admitted: limits::Admitted) -> Result<Answer, Failure> {
        let app = &self.edge.app;
        // Each mutation opens directories of its own, and must not wait for a connection that this request holds.
        let directory = match (&self.subject, admitted.operation) {
            (Some(subject), OperationType::Query) => Some(app.gate.open(subject.clone(), app.clock.now()).await?),
            _ => None,
        };
        let directory = match (directory, &self.view_as) {
            (Some(own), Some(ViewAs { user, candidate })) => {
                let own = Arc::new(own.unshadowed());
                Some(Arc::new(own.view_as(*user, candidate).await?))
            }
            (directory, _) => directory.map(Arc::new),
        };
        let scan_capped = ScanCapped::default();
        let context = RequestContext {
            directory: directory.clone(),
            writer: Writer { gate: app.gate.clone(), clock: app.clock.clone(), subject: self.subject.clone() },
            cursors: app.cursors.clone(),
            scan_capped: scan_capped.clone(),
        };
        let mut request = async_graphql::Request::new("").variables(operation.variables).data(context);
        let order = DocumentOrder::of(&admitted.document, operation.name.as_deref());
        request.operation_name = operation.name;
        request.set_parsed_query(admitted.document);
        let (request, suggestions) =
            if self.is_stranger() { (request.disable_introspection(), Suggestions::Stripped) } else { (request, Suggestions::Shown) };
        let mut response = Box::pin(app.schema.execute(request)).await;
        response.data = order.apply(response.data);
        response.errors.sort_by_key(|error| error.locations.first().map(|at| (at.line, at.column)));
        let mut answer = Answer::executed(response, suggestions);
        if let Some(view_as) = &self.view_as {
            answer.extend("viewAs", view_as.told());
        }
        let capped = scan_capped.paths();
        if !capped.is_empty() {
            answer.extend("scanCapped", capped.into());
        }
        if let Some(directory) = directory.filter(|_| self.explain)
            && let Some(policy) = explain(&directory).await
        {
            answer.extend("policy", policy);
        }
        Ok(answer)
    }

    /// Whether the caller is one whom production mode tells nothing about the schema.
    fn is_stranger(&self) -> bool {
        self.subject.is_none() && self.edge.app.config.mode == Mode::Production
    }
}

/// What the operation cost the policy, for whoever may `policy.read`: fuel tells of hidden rows.
async fn explain(directory: &Directory) -> Option<serde_json::Value> {
    // Before asking, which has a cost of its own.
    let cost = directory.cost().await;
    let active = directory.active_policy().await.ok()?;
    let digest = || active.version.digest.unwrap_or(active.version.standard).to_string();
    let module = active.manifest.as_ref().map_or_else(digest, |manifest| format!("{} {}", manifest.name, manifest.version));
    Some(json!({ "module": module, "calls": cost.policy.calls, "fuel": cost.policy.fuel, "sqlStatements": cost.statements }))
}

fn render(media: Media, status: poem::http::StatusCode, answer: &impl serde::Serialize, id: &RequestId) -> Response {
    match serde_json::to_string(answer) {
        Ok(body) => Response::builder().status(status).content_type(media.content_type()).body(body),
        Err(error) => {
            tracing::error!(%error, "an answer can not be written as JSON");
            Failure::internal().into_response(id)
        }
    }
}
