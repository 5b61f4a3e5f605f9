//! The fields of a Map state that runs its items as child executions.

use crate::expressions::jsonata::template::QueryTemplate;
use crate::expressions::path::Path;
use crate::expressions::template::Template;

/// What a distributed Map state has beside the fields of an inline one.
#[derive(Clone, Debug)]
pub(crate) struct Distributed {
    /// Part of the names of its runs and child executions.
    pub label: String,
    pub reader: Option<Reader>,
    pub batcher: Option<Batcher>,
    pub writer: Option<Writer>,
    /// Of a JSONPath state; a JSONata state computes both in its own fields.
    pub tolerated_count: Option<Amount>,
    /// As `tolerated_count`.
    pub tolerated_percentage: Option<Amount>,
}

/// `ItemReader`: where the items are.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    pub source: Source,
    /// The bucket and the key or prefix.
    pub parameters: Option<Computed>,
    pub most: Option<Amount>,
}

/// The form of the items.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Source {
    /// The objects of a bucket.
    Listing,
    /// An object that is an array.
    Json {
        /// A JSON pointer to the array.
        pointer: String,
    },
    /// An object with a document in each line.
    JsonLines,
    /// An object with a record in each line.
    Csv {
        /// `None` if the first line has them.
        headers: Option<Vec<String>>,
        delimiter: u8,
    },
}

/// `ItemBatcher`: how many items one child execution gets.
#[derive(Clone, Debug)]
pub(crate) struct Batcher {
    pub items: Option<Amount>,
    pub bytes: Option<Amount>,
    /// What every batch contains beside its items.
    pub input: Option<Computed>,
}

/// `ResultWriter`: where the results go and in which form.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    /// The bucket and the prefix; `None` if the results are the state's output.
    pub parameters: Option<Computed>,
    pub transformation: Transformation,
    /// One result in each line instead of an array.
    pub lines: bool,
}

/// What is written of each child execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transformation {
    /// Its description: name, times, input, output.
    None,
    /// Its output.
    Compact,
    /// The items of its output.
    Flatten,
}

/// A payload in one of the query languages.
#[derive(Clone, Debug)]
pub(crate) enum Computed {
    JsonPath(Template),
    Jsonata(QueryTemplate),
}

/// A number that the definition gives or a state computes.
#[derive(Clone, Debug)]
pub(crate) enum Amount {
    Value(f64),
    Path(Path),
    Query(QueryTemplate),
}
