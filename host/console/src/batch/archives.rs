//! The archives of a batch, each with what is in it.

use futures::{StreamExt as _, stream};
use maud::{Markup, html};
use stagehost_batch::Bundle;
use tokio::time::Instant;

use super::files;
use crate::app::App;
use crate::archive::listing;
use crate::html::parts::empty;
use crate::patience::in_time_since;

/// How many archives are read; a batch has three.
const READ: usize = 12;

/// How many are read at once. The directory of one can take some tens of megabytes of memory.
const AT_ONCE: usize = 3;

/// Shows the archives. Their directories are read from the bucket; one that cannot be read is said to be so.
pub(super) async fn archives(app: &App, bundles: &[Bundle]) -> Markup {
    let media = app.parts.media.as_ref();
    let began = Instant::now();
    let first = bundles.iter().take(READ);
    let readings: Vec<_> =
        first.map(|bundle| in_time_since(began, "its directory", listing(media, &bundle.key))).collect();
    let listings: Vec<_> = stream::iter(readings).buffered(AT_ONCE).collect().await;
    html! {
        @if bundles.is_empty() {
            (empty("The batch has no archive."))
        } @else {
            ul.bundles { @for (bundle, listing) in bundles.iter().zip(&listings) { li { (files::bundle(bundle, listing)) } } }
            @if bundles.len() > READ { p.note { "The first " (READ) " of " (bundles.len()) " archives are shown." } }
        }
    }
}
