//! The fields of a JSONata state, and `Assign` in both languages.

use crate::expressions::jsonata::template::QueryTemplate;
use crate::expressions::template::Template;

/// `Assign`: an object whose fields are the variables' new values.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Assign {
    JsonPath(Template),
    Jsonata(QueryTemplate),
}

/// The fields of a JSONata state that hold expressions. The fields of `Choices` and `Catch` are in their entries.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct QueryFields {
    pub arguments: Option<QueryTemplate>,
    pub output: Option<QueryTemplate>,
    pub items: Option<QueryTemplate>,
    pub selector: Option<QueryTemplate>,
    pub concurrency: Option<QueryTemplate>,
    /// `ToleratedFailureCount`. An inline Map state computes it and tolerates nothing.
    pub tolerated_count: Option<QueryTemplate>,
    /// `ToleratedFailurePercentage`, likewise.
    pub tolerated_percentage: Option<QueryTemplate>,
    pub seconds: Option<QueryTemplate>,
    pub timestamp: Option<QueryTemplate>,
    pub timeout: Option<QueryTemplate>,
    pub heartbeat: Option<QueryTemplate>,
    pub credentials: Option<QueryTemplate>,
    pub error: Option<QueryTemplate>,
    pub cause: Option<QueryTemplate>,
}

impl QueryFields {
    /// Returns the fields that are given.
    pub fn all(&self) -> impl Iterator<Item = &QueryTemplate> {
        let fields = [
            &self.arguments,
            &self.output,
            &self.items,
            &self.selector,
            &self.concurrency,
            &self.tolerated_count,
            &self.tolerated_percentage,
            &self.seconds,
            &self.timestamp,
            &self.timeout,
            &self.heartbeat,
            &self.credentials,
            &self.error,
            &self.cause,
        ];
        fields.into_iter().flatten()
    }
}
