//! The frame around every page.

use maud::{DOCTYPE, Markup, html};

use crate::app::App;
use crate::guard::SessionToken;

/// The part of the console that a page belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tab {
    Batches,
    Upload,
    Pins,
    Letters,
    Playground,
}

/// A page without its frame.
pub(crate) struct Sheet<'a> {
    /// The part that it belongs to.
    pub(crate) tab: Tab,
    /// The title.
    pub(crate) title: &'a str,
    /// Where its news come from, if it changes by itself.
    pub(crate) live: Option<String>,
    /// The content.
    pub(crate) body: Markup,
}

/// Returns the whole page.
pub(crate) fn framed(app: &App, sheet: Sheet<'_>) -> Markup {
    let tabs = [
        (Tab::Batches, "/console", "Batches", true),
        (Tab::Upload, "/console/upload", "Upload", app.options.allow_changes && app.parts.intake.is_some()),
        (Tab::Pins, "/console/pins", "Stages and pins", app.parts.pins.is_some()),
        (Tab::Playground, "/console/playground", "Playground", app.options.allow_changes && app.parts.bench.is_some()),
        (Tab::Letters, "/console/dead-letters", "Dead letters", app.parts.dead_letters.is_some()),
    ];
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                @if app.options.allow_changes { meta name="token" content=(app.token.text()); }
                title { (sheet.title) " · stagehost" }
                link rel="icon" href="/console/static/icon.svg";
                link rel="stylesheet" href="/console/static/console.css";
                script src="/console/static/console.js" defer {}
            }
            body data-live=[sheet.live] {
                a.skip href="#main" { "To the content" }
                header.top {
                    a.brand href="/console" { "stagehost" }
                    nav aria-label="Console" {
                        @for (tab, url, name, there) in tabs {
                            @if there {
                                a href=(url) aria-current=[(tab == sheet.tab).then_some("page")] { (name) }
                            }
                        }
                    }
                    p.where {
                        span { (app.options.title) }
                        @if !app.options.allow_changes { span.badge.off { "read-only" } }
                    }
                }
                main id="main" { (sheet.body) }
                footer { p { "Times are in UTC." span hidden data-connection="" { " No connection: the page is as it was." } } }
            }
        }
    }
}

/// Returns the hidden field that every form needs.
pub(crate) fn token_field(app: &App) -> Markup {
    html! { input type="hidden" name=(SessionToken::FIELD) value=(app.token.text()); }
}
