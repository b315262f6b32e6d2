//! A server that runs somewhere, for commands that act as somebody of a workspace, with a token of theirs.

use std::{fmt::Write as _, time::Duration};

use anyhow::{Context as _, bail};
use reqwest::{Client, Response, StatusCode, Url, header, redirect};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

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

    /// Asks one query.
    ///
    /// # Errors
    /// The server's own, in its words.
    pub(super) async fn graphql<T: DeserializeOwned>(&self, query: &str, variables: &Value) -> anyhow::Result<T> {
        let url =
            self.place.server.join("/graphql").context("the server's address has no path to go to; give one like http://HOST:PORT")?;
        let request = self.client.post(url).bearer_auth(&self.place.token).json(&json!({ "query": query, "variables": variables }));
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
