//! The options that name the states and the stages that they run.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::analysis::shipped::STATE_MACHINE;
use crate::build::host_states::host_states_in;
use crate::settings::stage_override::StageOverride;

#[derive(Args)]
pub struct StatesArgs {
    /// A state machine in the Amazon States Language, instead of the shipped one
    #[arg(long, value_name = "FILE")]
    state_machine: Option<PathBuf>,

    /// The component that runs for a state, as for `run`; may be given several times
    #[arg(long = "stage", value_name = "STATE=FILE")]
    pub stages_named: Vec<StageOverride>,
}

impl StatesArgs {
    /// Returns the states that call the host.
    ///
    /// # Errors
    /// If the state machine cannot be read.
    pub fn states(&self) -> Result<Vec<String>> {
        let machine = STATE_MACHINE.or(self.state_machine.as_deref())?;
        host_states_in(&machine.place, &machine.text)
    }
}
