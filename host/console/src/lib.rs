//! The console: every batch, picture, stage and pin in a browser.
//!
//! The pages know Step Functions, S3 and the pins, through traits (`source`) and their implementations over the AWS SDK
//! (`aws`). They do not know whether AWS or one machine answers: `stagehost serve` and `stagehost console` show the same.
//!
//! | module | content |
//! |---|---|
//! | `router` | The addresses of all pages |
//! | `batches`, `batch`, `pins_page`, `pins_signature`, `shadows`, `letters_page`, `upload`, `bench_page` | The pages |
//! | `media_route`, `live`, `statics` | Files of the bucket, news, style and script |
//! | `plan` | The state machine as a drawing |
//! | `archive` | What is in an archive of the bucket |
//! | `html` | What all pages share |
//! | `guard` | Who may use them |
//! | `patience` | How long a page waits for a source |
//! | `aws` | The sources over the AWS SDK |
//! | `source` | What the pages are made of |
//!
//! All text from outside is escaped by the template language ([`maud`]); the Content-Security-Policy allows no other script
//! than the page's own; files of the bucket are served as pictures and films only, or to be saved.

mod app;
mod archive;
mod aws;
mod batch;
mod batches;
mod bench_page;
mod fault;
mod guard;
mod html;
mod letters_page;
mod live;
mod media_route;
mod patience;
mod pins_page;
mod pins_signature;
mod plan;
mod router;
mod shadows;
mod source;
mod statics;
#[cfg(test)]
mod tests;
mod upload;
mod web_console;

pub use app::{ConsoleOptions, ConsoleParts};
pub use aws::{LoggedCalls, S3MediaFiles, SqsDeadLetters, StateMachineSource};
pub use guard::AcceptedHosts;
pub use source::bench::{StageBench, TriedAs};
pub use source::error::SourceError;
pub use source::executions::{
    ExecutionFacts, ExecutionPage, ExecutionSource, ExecutionStatus, ListedExecution, PastEvent, RedriveFacts,
    execution_arn,
};
pub use source::intake::BatchIntake;
pub use source::journal::{
    CallJournal, CallbackJournal, DeadLetter, DeadLetterQueue, KnownCalls, LoggedCall, SeenCallback, SeenLetters,
};
pub use source::media::{MediaFile, MediaFiles};
pub use source::pins::{
    CandidateNews, DifferingCall, PastRevision, PicturePair, PinsDesk, PinsOutlook, PinsSigner, PinsWish, SignedPins,
};
pub use web_console::WebConsole;
