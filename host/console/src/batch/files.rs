//! The files of a batch: each upload beside what was made of it.

use maud::{Markup, html};
use stagehost_batch::{Asset, Batch, Bundle, PixelSize, Rendition};

use crate::archive::ArchiveListing;
use crate::html::format::{bytes, clipped, duration, file_name, media_url};
use crate::html::parts::LONGEST_LINE;
use crate::media_route::{Shown, shown_as};
use crate::source::error::SourceError;

/// The longest sentence about a file that is shown, in bytes.
const LONGEST_MESSAGE: usize = 4 << 10;

/// How many files a page shows.
pub(super) const ON_A_PAGE: usize = 60;

/// Shows the files from `first` on.
pub(crate) fn grid(batch: &Batch, first: usize) -> Markup {
    html! {
        ul.files {
            @for asset in batch.assets.iter().skip(first).take(ON_A_PAGE) { li { (card(asset)) } }
        }
    }
}

fn card(asset: &Asset) -> Markup {
    let name = file_name(&asset.key);
    html! {
        article class=(if asset.problem.is_some() { "file bad" } else { "file" }) {
            header {
                h3 { (clipped(asset.title.as_deref().unwrap_or(name), LONGEST_LINE)) }
                p.key { (asset.key) }
            }
            @if let Some(problem) = &asset.problem {
                p.problem { strong { (problem.code) } " in " (problem.state) ": " (clipped(&problem.message, LONGEST_MESSAGE)) }
            }
            div.strip tabindex="0" role="group" aria-label={ "Upload and results of " (name) } {
                (figure(&asset.key, asset.content_type.as_deref(), asset.pixels, asset.bytes, "upload", poster(asset)))
                @for rendition in &asset.renditions { (made(asset, rendition)) }
            }
            p.facts {
                (kind(asset))
                @if let Some(millis) = asset.duration_ms { " · " (duration(millis as f64)) }
                @if asset.has_audio == Some(true) { " · with sound" }
                @if asset.renditions.iter().any(|rendition| rendition.reused) { " · up to date before" }
            }
        }
    }
}

fn kind(asset: &Asset) -> String {
    serde_json::to_value(asset.media_type)
        .ok()
        .and_then(|name| name.as_str().map(|name| name.to_lowercase().replace('_', " ")))
        .unwrap_or_default()
}

/// Returns a picture that was made of a film.
fn poster(asset: &Asset) -> Option<&str> {
    asset
        .renditions
        .iter()
        .find(|made| shown_as(&made.key, Some(&made.content_type)) == Shown::Picture)
        .map(|made| made.key.as_str())
}

fn made(asset: &Asset, made: &Rendition) -> Markup {
    figure(&made.key, Some(&made.content_type), made.pixels, Some(made.bytes), &made.name, poster(asset))
}

fn figure(
    key: &str,
    content_type: Option<&str>,
    pixels: Option<PixelSize>,
    length: Option<u64>,
    name: &str,
    poster: Option<&str>,
) -> Markup {
    let url = media_url(key);
    let (width, height) = pixels.map_or((None, None), |pixels| (Some(pixels.width), Some(pixels.height)));
    html! {
        figure {
            @match shown_as(key, content_type) {
                Shown::Picture => a href=(url) {
                    img src=(url) alt={ (name) " of " (file_name(key)) } loading="lazy" decoding="async" width=[width] height=[height];
                },
                Shown::Film => video src=(url) controls preload="none" poster=[poster.map(media_url)] width=[width] height=[height]
                    aria-label={ (name) " of " (file_name(key)) } {},
                Shown::Saved => a.save href=(url) download { "Save " (file_name(key)) },
            }
            figcaption {
                strong { (name) }
                @if let Some(pixels) = pixels { " " (pixels.width) " × " (pixels.height) }
                @if let Some(length) = length { " · " (bytes(length)) }
            }
        }
    }
}

/// Shows an archive with what is in it.
pub(super) fn bundle(bundle: &Bundle, listing: &Result<ArchiveListing, SourceError>) -> Markup {
    html! {
        a href=(media_url(&bundle.key)) download { (bundle.name) ".zip" }
        span { (bundle.entries) " files · " (bytes(bundle.bytes)) @if bundle.reused { " · up to date before" } }
        @match listing {
            Ok(listing) => details {
                summary { "What is in " (bundle.name) ".zip" }
                ul.entries {
                    @for entry in &listing.entries { li { span.entry { (entry.name) } " " span.size { (bytes(entry.bytes)) } } }
                }
                @if listing.all > listing.entries.len() { p.note { "The first " (listing.entries.len()) " of " (listing.all) " entries are shown." } }
            },
            Err(error) => p.note { "Its entries cannot be shown: " (error.to_string()) },
        }
    }
}
