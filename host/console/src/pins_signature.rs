//! Whose signature is on the pins that a page shows, and whether it holds.

use maud::{Markup, html};

use crate::html::parts::signer;
use crate::source::error::SourceError;
use crate::source::pins::SignedPins;

/// Shows the signature of pins that were read, or why they are not to be trusted. The sentence of the error names the key that
/// signed them.
pub(crate) fn signature(read: Result<&SignedPins, &SourceError>) -> Markup {
    html! {
        section.signature {
            h2 { "Signature" }
            @match read {
                Ok(SignedPins { pins, signer: Some(key) }) => {
                    dl.facts {
                        div { dt { "Verified" } dd { span.badge.ok { "yes" } } }
                        div { dt { "Signed by" } dd { (signer(key)) } }
                        div { dt { "Trusted" } dd { (role(key.trusted_for.as_deref())) } }
                        div { dt { "Environment" } dd { (pins.environment.as_deref().unwrap_or("none")) } }
                        div { dt { "Revision" } dd { (pins.revision) } }
                    }
                    p.note { "The signature covers the whole document with its revision, its environment and its change. It was checked for this page, as hosts check it." }
                }
                Ok(SignedPins { signer: None, .. }) => p.note { "These pins were made on this machine and are not signed. Pins in a store are." },
                Err(error) => {
                    dl.facts { div { dt { "Verified" } dd { span.badge.bad { "no" } } } }
                    p.problem { (error.to_string()) }
                }
            }
        }
    }
}

/// Says what a key with these roles may do.
fn role(trusted_for: Option<&str>) -> &str {
    match trusted_for {
        Some("pins") => "to change pins",
        Some("both") => "to change pins and to publish stages",
        Some(other) => other,
        None => "–",
    }
}
