//! What a shadow does otherwise than the pinned stage, with both pictures side by side.

use maud::{Markup, html};
use stagehost_batch::ExecutionArn;

use crate::html::format::{batch_url, bytes, file_name, media_url};
use crate::media_route::{Shown, shown_as};
use crate::source::pins::{DifferingCall, PicturePair};

/// Shows calls that differ.
pub(crate) fn differing_calls(calls: &[DifferingCall]) -> Markup {
    html! {
        details.differing {
            summary { "What the shadow did otherwise, in its last " (calls.len()) " calls that differ" }
            @for call in calls {
                section {
                    h3 title=(call.subject) { (file_name(&call.subject)) }
                    p.note {
                        "In " @match ExecutionArn::parse(&call.execution).map(ExecutionArn::name) {
                            Some(name) => a href=(batch_url(name)) { (name) },
                            None => (call.execution),
                        }
                    }
                    @for pair in &call.pictures { (side_by_side(pair)) }
                    ul.differences { @for difference in &call.differences { li { pre tabindex="0" { (difference) } } } }
                }
            }
        }
    }
}

/// Shows the pinned stage's picture as it is in the bucket now, and the shadow's, at the same scale.
fn side_by_side(pair: &PicturePair) -> Markup {
    let name = file_name(&pair.key);
    let figure = |key: &str, whose: &str| {
        let url = media_url(key);
        html! {
            @match shown_as(key, None) {
                Shown::Picture => a href=(url) { img src=(url) alt={ (name) " by the " (whose) } loading="lazy" decoding="async"; },
                Shown::Film | Shown::Saved => a.save href=(url) download { "Save " (file_name(key)) },
            }
        }
    };
    html! {
        div.pair role="group" aria-label={ (name) " by both stages" } {
            figure { (figure(&pair.key, "pinned stage")) figcaption { strong { "pinned" } " as it is in the bucket now" } }
            figure { (figure(&pair.shadow, "shadow")) figcaption { strong { "shadow" } " · " (bytes(pair.bytes)) } }
        }
        p.note { (name) }
    }
}
