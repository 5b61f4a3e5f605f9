//! News for open pages, as server-sent events. An event says only that something has changed; the page then asks for itself
//! again, so that there is one way to make a page.

use std::convert::Infallible;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::{Stream, stream};

use crate::app::Shared;
use crate::fault::Fault;
use crate::patience::in_time;
use crate::source::error::SourceError;
use crate::source::executions::execution_arn;

/// How often a comment is sent, so that connections in which nothing happens stay open.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How many executions of a list are watched.
const WATCHED: u16 = 50;

/// What is watched.
enum Watched {
    List,
    Execution(String),
}

pub(crate) async fn batches(State(app): State<Shared>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    news(app, Watched::List)
}

pub(crate) async fn batch(
    State(app): State<Shared>,
    Path(name): Path<String>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Fault> {
    let arn = execution_arn(app.parts.executions.machine(), &name);
    let arn = arn.ok_or_else(|| Fault::missing(format!("no batch is called {name:?}")))?;
    Ok(news(app, Watched::Execution(arn)))
}

fn news(app: Shared, watched: Watched) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let closing = app.closing.subscribe();
    let stream = stream::unfold((app, watched, closing, None::<u64>), |(app, watched, mut closing, last)| async move {
        loop {
            if *closing.borrow() {
                return None;
            }
            // A service that does not answer now is asked again.
            if let Ok(now) = in_time("the news", fingerprint(&app, &watched)).await
                && last != Some(now)
            {
                let name = if last.is_none() { "ready" } else { "change" };
                let event = Event::default().event(name).data(format!("{now:016x}"));
                return Some((Ok(event), (app, watched, closing, Some(now))));
            }
            tokio::select! {
                () = tokio::time::sleep(app.options.poll) => {}
                _ = closing.changed() => return None,
            }
        }
    });
    Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
}

/// Returns a number that changes with what the page shows.
async fn fingerprint(app: &Shared, watched: &Watched) -> Result<u64, SourceError> {
    let mut hasher = DefaultHasher::new();
    match watched {
        Watched::List => {
            let page = app.parts.executions.list(None, None, WATCHED).await?;
            for execution in page.executions {
                (execution.arn, execution.status).hash(&mut hasher);
            }
        }
        Watched::Execution(arn) => app.parts.executions.newest_event(arn).await?.hash(&mut hasher),
    }
    Ok(hasher.finish())
}
