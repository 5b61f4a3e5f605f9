//! Components compiled for the processors of hosts.

use anyhow::Result;
use bytes::Bytes;
use stagehost_runtime::{Target, precompile_for};

use crate::output::printer::Printer;

/// Compiles a component for each target.
///
/// # Errors
/// If it does not compile.
pub async fn compile(
    name: &str,
    component: &Bytes,
    targets: &[Target],
    printer: &Printer,
) -> Result<Vec<(Target, Bytes)>> {
    let mut artifacts = Vec::new();
    for target in targets {
        let work = printer.begin(format!("compiling {name} for {target}"));
        let (target, component) = (*target, component.clone());
        let code = tokio::task::spawn_blocking(move || precompile_for(target, &component)).await??;
        work.done();
        artifacts.push((target, code.into()));
    }
    Ok(artifacts)
}

/// Returns the named targets, each once, or all if none is named.
pub fn targets(named: &[Target]) -> Vec<Target> {
    Target::ALL.into_iter().filter(|target| named.is_empty() || named.contains(target)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_target_it_is_all_of_them() {
        assert_eq!(targets(&[]), Target::ALL);
        assert_eq!(targets(&[Target::Arm64, Target::Arm64]), [Target::Arm64]);
    }
}
