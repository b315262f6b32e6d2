//! `bailiwick demo`.

use std::net::SocketAddr;

use super::{open, print, progress::Progress, serve};
use crate::{
    clock::Clock,
    config::{Config, Layers},
    demo::{self, Place},
    http, wiring,
};

/// Try it: sample workspaces, GraphiQL, and tokens to paste
#[derive(Debug, clap::Args)]
#[command(
    long_about = "\
Creates sample workspaces (once: a second start finds them, and prints the same tokens) and serves them in development mode, with \
GraphiQL at /.

  acme      40 people, 15 groups five deep; the policy `standard`: members see their own subtree, without their peers' e-mail \
addresses and telephone numbers
  globex    the policy `need-to-know`: people see each other where they share a project
  initech   with --people: as many people as wanted

Prints who is who, with lines to paste. With --json prints exactly one line on standard output when the server is ready: \
{\"url\", \"graphql\", \"operatorToken\", \"workspaces\": [{\"id\", \"key\", \"policy\": {\"name\", \"version\", \"digest\"}, \
\"people\": [{\"id\", \"name\", \"email\", \"roles\", \"groups\", \"token\"}]}]}. Logs and progress go to standard error.",
    after_long_help = "\
Examples:
  bailiwick demo                                   On 127.0.0.1:8080, kept in ./bailiwick-demo
  bailiwick demo --listen 127.0.0.1:0 --json       Any free port, tokens for a program
  bailiwick demo --people 1000000                  A million people more"
)]
pub(super) struct Arguments {
    /// Listen here [default: 127.0.0.1:8080]; port 0 takes any free one
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Add the generated workspace `initech` of so many people, and a hundredth of them groups; it only ever grows
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(demo::PEOPLE_LEAST..=demo::PEOPLE_MOST))]
    people: Option<u64>,
    /// Print one line of JSON instead of a table
    #[arg(long)]
    json: bool,
}

/// Settings of which the demo has weaker defaults of its own.
pub(super) fn defaults(layers: &mut Layers) {
    for (key, value) in [("data", "./bailiwick-demo"), ("log.format", "text"), ("log.filter", "warn,sqlx=error")] {
        layers.fixed("demo", key, value);
    }
}

/// What the arguments set, and what a demo always is.
pub(super) fn options(arguments: &Arguments, layers: &mut Layers) {
    layers.fixed("demo", "mode", "development");
    if let Some(listen) = arguments.listen {
        layers.option("--listen", "listen", &listen.to_string());
    }
}

pub(super) async fn run(arguments: Arguments, config: Config) -> anyhow::Result<()> {
    let secret = open::secret(&config)?;
    let database = open::unchecked(&config).await?;
    database.migrate().await?;
    let place = Place { gate: wiring::gate(&config, &database, Some(&secret))?, secret };
    let listener = serve::listen(&config).await?;
    let progress = Progress::new();
    let demo = demo::prepare(&place, arguments.people, &|workspace, at| progress.tell(workspace, at)).await;
    progress.finish();
    let demo = demo?;
    let url = format!("http://{}", listener.local_addr()?);
    let mut app = wiring::app(config, place.gate, &place.secret, Clock::system());
    app.demo = Some(http::DemoPeople::new(demo.people()));
    let stopped = serve::stopped()?;
    print(if arguments.json { demo.json(&url) } else { demo.table(&url) }.as_str());
    serve::serve(app, listener, stopped).await?;
    database.close().await;
    Ok(())
}
