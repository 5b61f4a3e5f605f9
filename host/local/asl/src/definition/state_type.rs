//! The types of states.

/// The types of states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum StateType {
    Task,
    Pass,
    Choice,
    Parallel,
    Map,
    Wait,
    Succeed,
    Fail,
}

impl StateType {
    /// Returns the name in a definition.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Task => "Task",
            Self::Pass => "Pass",
            Self::Choice => "Choice",
            Self::Parallel => "Parallel",
            Self::Map => "Map",
            Self::Wait => "Wait",
            Self::Succeed => "Succeed",
            Self::Fail => "Fail",
        }
    }
}
