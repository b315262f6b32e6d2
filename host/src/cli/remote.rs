//! A server that runs somewhere, for commands that act as somebody of a workspace, with a token of theirs.

use std::{fmt::Write as _, time::Duration};

use anyhow::{Context as _, anyhow, bail};
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url, header, redirect};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::Usage;

/// How long a server may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// How long it may take to answer: longer than it gives itself for anything but uploads.
const ANSWER: Duration = Duration::from_secs(150);

/// Which server, and as whom.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Place {
    /// The server's address
    #[arg(long, value_name = "URL", env = "BAILIWICK_SERVER", default_value = "http://127.0.0.1:8080")]
    server: Url,
    /// The token of somebody of the workspace
    #[arg(long, value_name = "TOKEN", env = "BAILIWICK_TOKEN", hide_env_values = true)]
    token: String,
}

/// The same for commands that need no server where they go to the database.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct OptionalPlace {
    /// The server's address
    #[arg(long, value_name = "URL", env = "BAILIWICK_SERVER", default_value = "http://127.0.0.1:8080")]
    server: Url,
    /// The token of somebody of the workspace
    #[arg(long, value_name = "TOKEN", env = "BAILIWICK_TOKEN", hide_env_values = true)]
    token: Option<String>,
}

impl OptionalPlace {
    /// Which server, and as whom.
    ///
    /// # Errors
    /// Without a token nobody asks.
    pub(super) fn place(self) -> anyhow::Result<Place> {
        let whom = || Usage("as whom? Give --token, or set BAILIWICK_TOKEN; the operator of the server gives --workspace instead");
        let token = self.token.ok_or_else(whom)?;
        Ok(Place { server: self.server, token })
    }
}

/// What came back of a page.
pub(super) struct Page {
    pub(super) status: StatusCode,
    pub(super) body: String,
}

/// A server as somebody.
pub(super) struct Remote {
    client: Client,
    place: Place,
}

#[derive(Deserialize)]
struct Answer<T> {
    data: Option<T>,
    #[serde(default)]
    errors: Vec<Failure>,
}

#[derive(Deserialize)]
struct Failure {
    message: String,
    #[serde(default)]
    extensions: Extensions,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Extensions {
    code: Option<String>,
    request_id: Option<String>,
}

impl Remote {
    /// Connects to nothing yet.
    pub(super) fn new(place: Place) -> anyhow::Result<Self> {
        // Whoever is sent elsewhere with a token in hand does not go.
        let client = Client::builder().connect_timeout(CONNECT).timeout(ANSWER).redirect(redirect::Policy::none());
        let client = client.user_agent(concat!("bailiwick/", env!("CARGO_PKG_VERSION"))).build();
        Ok(Self { client: client.context("no HTTPS connections can be made")?, place })
    }

    /// Reads a page.
    ///
    /// # Errors
    /// The server's own, in its words.
    pub(super) async fn get(&self, path: &str) -> anyhow::Result<String> {
        let request = self.client.get(self.url(path)?).bearer_auth(&self.place.token);
        let page = self.send(request).await?;
        if page.status.is_success() { Ok(page.body) } else { Err(refused(&page)) }
    }

    /// Sends bytes to a page, and answers what it says, refusals included.
    ///
    /// # Errors
    /// Where nobody answers.
    pub(super) async fn put(&self, path: &str, media: &str, body: Vec<u8>) -> anyhow::Result<Page> {
        let request = self.client.put(self.url(path)?).bearer_auth(&self.place.token).header(header::CONTENT_TYPE, media).body(body);
        self.send(request).await
    }

    async fn send(&self, request: RequestBuilder) -> anyhow::Result<Page> {
        let response = request.send().await.with_context(|| format!("{} does not answer; check --server", self.place.server))?;
        let (status, body) = read(response).await?;
        Ok(Page { status, body })
    }

    fn url(&self, path: &str) -> anyhow::Result<Url> {
        self.place.server.join(path).context("the server's address has no path to go to; give one like http://HOST:PORT")
    }

    /// Asks one query.
    ///
    /// # Errors
    /// The server's own, in its words.
    pub(super) async fn graphql<T: DeserializeOwned>(&self, query: &str, variables: &Value) -> anyhow::Result<T> {
        let request =
            self.client.post(self.url("/graphql")?).bearer_auth(&self.place.token).json(&json!({ "query": query, "variables": variables }));
        let sent = request.header(header::ACCEPT, "application/graphql-response+json").send().await;
        let response = sent.with_context(|| format!("{} does not answer; check --server", self.place.server))?;
        let (status, body) = read(response).await?;
        let answer: Answer<T> = serde_json::from_str(&body)
            .with_context(|| format!("{} answers {status}, and not as Bailiwick does; check --server", self.place.server))?;
        if let Some(failure) = answer.errors.first() {
            bail!("{}", failure.text());
        }
        answer.data.with_context(|| format!("{} answers {status} without data", self.place.server))
    }
}

async fn read(response: Response) -> anyhow::Result<(StatusCode, String)> {
    let status = response.status();
    Ok((status, response.text().await.context("the answer breaks off; try again")?))
}

/// The server's own words about a page that it refused.
pub(super) fn refused(page: &Page) -> anyhow::Error {
    let error = serde_json::from_str::<Value>(&page.body).ok();
    let text = error.as_ref().and_then(|body| body.pointer("/error/message")).and_then(Value::as_str);
    let code = error.as_ref().and_then(|body| body.pointer("/error/code")).and_then(Value::as_str);
    match (text, code) {
        (Some(text), Some(code)) => anyhow!("{text} ({code})"),
        _ => anyhow!("the server answers {}, and not as Bailiwick does; check --server", page.status),
    }
}

impl Failure {
    fn text(&self) -> String {
        let mut text = self.message.clone();
        if let Some(code) = &self.extensions.code {
            let _infallible = write!(text, " ({code}");
            if let Some(request) = &self.extensions.request_id {
                let _infallible = write!(text, ", request {request}");
            }
            text.push(')');
        }
        text
    }
}
