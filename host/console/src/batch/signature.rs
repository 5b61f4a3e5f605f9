//! Whose signature is on the pins that a batch ran with.

use maud::{Markup, html};

use crate::app::App;
use crate::html::parts::signer;
use crate::patience::in_time;
use crate::source::error::SourceError;
use crate::source::pins::SignedPins;

/// What is known about the pins of a revision. Nothing, where no store of pins is known or the batch names no revision.
#[derive(Default)]
pub(super) struct Signature {
    /// The pins, with their signer.
    pub(super) pins: Option<SignedPins>,
    /// The revision that cannot be read or is not to be trusted, and why.
    refused: Option<(u64, SourceError)>,
}

impl Signature {
    /// Reads the pins of a revision. The page is complete without them, as when the store does not trust the key that signed
    /// them.
    pub(super) async fn of_revision(app: &App, revision: Option<u64>) -> Self {
        let (Some(desk), Some(revision)) = (&app.parts.pins, revision) else { return Self::default() };
        match in_time("the pins", desk.revision(revision)).await {
            Ok(signed) => Self { pins: Some(signed), refused: None },
            Err(error) => Self { pins: None, refused: Some((revision, error)) },
        }
    }

    /// Returns whether the pins are known and do not pin exactly these bytes for the state of this execution.
    pub(super) fn lacks(&self, state: &str, execution: &str, digest: &str) -> bool {
        let pinned = |signed: &SignedPins| {
            signed.pins.choose(state, execution).is_some_and(|choice| choice.pin.digest == digest)
        };
        self.pins.as_ref().is_some_and(|signed| !pinned(signed))
    }

    /// Says whose pins they are, or why that is not known.
    pub(super) fn sentence(&self) -> Markup {
        html! {
            @if let Some((revision, error)) = &self.refused {
                p.note { "Who signed revision " (revision) " of the pins is not known: " (error.to_string()) }
            }
            @if let Some(signed) = &self.pins {
                p.note {
                    @match &signed.signer {
                        Some(key) => {
                            "Pinned by revision " (signed.pins.revision) ", which is signed by " (signer(key))
                            @if let Some(change) = &signed.pins.change { ": " (change.by) ", " q { (change.why) } }
                        },
                        None => "The pins of this machine are not signed.",
                    }
                }
            }
        }
    }
}

/// Says who signed what ran: the signer of the pins, if they pin exactly these bytes for the state of this execution.
pub(super) fn signed_by(signature: &Signature, state: &str, execution: &str, digest: &str) -> Markup {
    let Some(signed) = &signature.pins else { return html! { "–" } };
    html! {
        @match (&signed.signer, signature.lacks(state, execution, digest)) {
            (Some(key), false) => (signer(key)),
            (None, false) => "not signed",
            (_, true) => span title={ "Revision " (signed.pins.revision) " has other bytes for this state" } { "not of this revision" },
        }
    }
}
