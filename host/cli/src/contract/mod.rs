//! Whether a component fits a world: by the names of what it imports and exports, and by their types.
//!
//! The runtime compares names before it links, and wasmtime compares types when it instantiates, which is late: by then the
//! stage is signed and pinned. So the commands compare both first, and say which type differs and how.

mod comparison;
mod published_wit;
mod type_text;

pub use published_wit::{FILES as WIT_FILES, checksum as contract_checksum};
use stagehost_runtime::{CONTRACT_VERSION, Finding, Names, World, check, names_of};
use wit_parser::decoding::{DecodedWasm, decode};

/// Where a component fits.
#[derive(Debug, Default)]
pub struct Fit {
    /// Its imports and exports.
    pub names: Names,
    /// The world that it was compared with; `None` if none was named and it fits none.
    pub world: Option<World>,
    /// In that case the world that its author most likely means.
    pub nearest: Option<World>,
    /// Why it does not fit; empty if it does.
    pub findings: Vec<Finding>,
}

impl Fit {
    /// Returns the world that it fits, or a sentence about why not.
    ///
    /// # Errors
    /// If there are findings.
    pub fn world(&self) -> Result<World, String> {
        match (self.world, self.nearest) {
            (Some(world), _) if self.findings.is_empty() => Ok(world),
            (Some(world), _) => Err(format!("does not fit the world {world}: {}", self.reasons())),
            (None, Some(nearest)) => Err(format!("fits no world; for {nearest}: {}", self.reasons())),
            (None, None) => Err(format!("fits no world: {}", self.reasons())),
        }
    }

    fn reasons(&self) -> String {
        self.findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    }
}

/// Compares a component with a world, or with all if none is `wanted`.
///
/// # Errors
/// If the bytes are not a component. The text says what they are.
pub fn fit(component: &[u8], wanted: Option<World>) -> Result<Fit, String> {
    let names = names_of(component)?;
    let mut fit = match wanted.or_else(|| World::infer(&names)) {
        Some(world) => Fit { world: Some(world), findings: check(&names, world), ..Fit::default() },
        None => {
            let (nearest, findings) = World::nearest(&names);
            Fit { nearest: Some(nearest), findings, ..Fit::default() }
        }
    };
    fit.names = names;
    if fit.findings.is_empty() {
        fit.findings = type_findings(component);
    }
    Ok(fit)
}

/// Returns where the types of a component differ from those of the contract.
fn type_findings(component: &[u8]) -> Vec<Finding> {
    let broken = |problem: String| Finding { item: "the component".into(), problem, fix: "build it again".into() };
    let (resolve, world) = match decode(component) {
        Ok(DecodedWasm::Component(resolve, world)) => (resolve, world),
        Ok(DecodedWasm::WitPackage(..)) => {
            return vec![broken("a WIT package in binary form, which has no code".into())];
        }
        Err(error) => return vec![broken(format!("not valid WebAssembly: {error:#}"))],
    };
    match published_wit::contract() {
        Ok((contract, package)) => comparison::compare(&contract, package, &resolve, world),
        Err(error) => vec![Finding {
            item: format!("toq:media@{CONTRACT_VERSION}"),
            problem: format!("this command's own WIT cannot be read: {error:#}"),
            fix: "report it".into(),
        }],
    }
}

#[cfg(test)]
mod tests;
