//! The world that a project's component has.

use std::path::Path;

use anyhow::Result;
use stagehost_runtime::World;

use super::project::{DESCRIPTION, Project};
use crate::contract::fit;
use crate::exit::usage;

/// Returns the world that the project's description names, or else the narrowest that the component fits.
///
/// # Errors
/// If the component does not fit it. The text names the first reasons.
pub fn world_of_project(project: &Project, component: &Path, bytes: &[u8]) -> Result<World> {
    let refused = |reason: String| {
        let named =
            project.world.map(|world| format!(", and {DESCRIPTION} names the world {world}")).unwrap_or_default();
        usage!("{} {reason}{named}; `stagehost stage check` says more", component.display())
    };
    let fit = fit(bytes, project.world).map_err(|reason| refused(format!("is {reason}")))?;
    fit.world().map_err(refused)
}
