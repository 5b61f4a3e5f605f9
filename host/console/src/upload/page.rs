//! The page onto which a folder is dragged.

use axum::extract::State;
use maud::{Markup, html};

use crate::app::Shared;
use crate::fault::Fault;
use crate::html::frame::{Sheet, Tab, framed};

pub(crate) async fn show(State(app): State<Shared>) -> Result<Markup, Fault> {
    if !app.options.allow_changes || app.parts.intake.is_none() {
        return Err(Fault::missing("batches cannot be uploaded here"));
    }
    let body = html! {
        h1 { "Upload a batch" }
        p { "Photos, films and documents of one listing. Each file is stored in the bucket and never replaces another; then a batch is started." }
        noscript { p.problem { "Uploading needs JavaScript. The AWS CLI does the same: aws s3 cp --recursive, then a message to the queue." } }
        form.stack id="upload" action="/console/upload/batch" method="post" {
            label for="listing" { "Listing" }
            input id="listing" name="listing" value="51" required pattern="[A-Za-z0-9_][A-Za-z0-9_.\\-]{0,63}" autocomplete="off";
            div.drop id="drop" {
                p { "Drag a folder or files here" }
                p.or { "or" }
                div.actions {
                    label.button for="folder" { "Choose a folder" }
                    input.away id="folder" type="file" webkitdirectory multiple;
                    label.button for="files" { "Choose files" }
                    input.away id="files" type="file" multiple;
                }
            }
            ul.chosen id="chosen" aria-live="polite" {}
            p.problem id="upload-problem" role="alert" hidden {}
            p.done id="upload-note" role="status" hidden { span {} " " a href="/console" { "Open the batch" } }
            button.primary id="start" type="submit" disabled { "Start" }
        }
    };
    Ok(framed(&app, Sheet { tab: Tab::Upload, title: "Upload", live: None, body }))
}
