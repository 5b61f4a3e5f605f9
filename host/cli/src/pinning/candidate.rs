//! Versions that are about to be pinned: found in the registry and checked before any host loads them.

use anyhow::{Context as _, Result, anyhow, bail};
use stagehost_pins::Pin;
use stagehost_registry::{Registry, StageId, Wanted};
use stagehost_runtime::{ENGINE, Grants, Limits, Target};

use crate::contract::fit;
use crate::exit::usage;

/// Returns the pin for `[NAME@]VERSION`, with the settings of the pin that is in force `now`.
///
/// # Errors
/// If it is not published, or no trusted key has signed it.
pub async fn published(registry: Option<&Registry>, state: &str, version: &str, now: Option<&Pin>) -> Result<Pin> {
    let (name, version) = match (version.rsplit_once('@'), now) {
        (Some((name, version)), _) => (name, version),
        (None, Some(now)) => (now.stage.as_str(), version),
        (None, None) => {
            return Err(usage!(
                "nothing is pinned to {state:?} yet; for a new state, name the stage, too: NAME@{version}"
            ));
        }
    };
    let id = StageId::new(name, version).map_err(|error| usage!("{error}"))?;
    let registry =
        registry.ok_or_else(|| usage!("name the registry that has {id} with --registry, or set STAGEHOST_REGISTRY"))?;
    let manifest = registry.manifest(&id).await?;
    Ok(Pin {
        stage: manifest.name,
        version: manifest.version,
        world: manifest.world,
        digest: manifest.component.digest,
        config: now.map(|now| now.config.clone()).unwrap_or_default(),
        limits: now.map_or_else(Limits::default, |now| now.limits),
        grants: now.map_or_else(Grants::default, |now| now.grants.clone()),
    })
}

/// What a yanked version leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Yanks {
    /// It is refused.
    Refused,
    /// It is refused, and the message names the option that allows it.
    Avoidable,
    /// It is noted.
    Allowed,
}

/// A version that hosts would run.
pub struct Checked {
    /// A sentence about it.
    pub says: String,
    /// Whether it is yanked.
    pub yanked: bool,
}

/// Checks everything that a host with one of these processors checks before it runs this pin, and whether it is yanked.
/// Returns `None` if the registry does not have the version.
///
/// # Errors
/// If a host would refuse the pin, or the version is yanked.
pub async fn checked(
    registry: &Registry,
    targets: &[Target],
    yanks: Yanks,
    state: &str,
    pin: &Pin,
) -> Result<Option<Checked>> {
    let id = StageId::new(&pin.stage, &pin.version)?;
    if !registry.versions(Some(id.name())).await?.contains(&id) {
        return Ok(None);
    }
    let yanked = registry.yanked(&id).await?;
    match (&yanked, yanks) {
        (Some(yanked), Yanks::Refused) => bail!("{yanked}; pin another version"),
        (Some(yanked), Yanks::Avoidable) => bail!(
            "{yanked}; go back to another revision, or put this version in force all the same with --allow-yanked REASON"
        ),
        (Some(_), Yanks::Allowed) | (None, _) => {}
    }
    let component = registry.component(&registry.manifest(&id).await?).await?;
    fit(&component, Some(pin.world)).and_then(|fit| fit.world()).map_err(|reason| anyhow!("{id} {reason}"))?;
    let wanted = Wanted { id: id.clone(), digest: pin.digest.clone(), world: pin.world };
    let named: Vec<_> = targets.iter().map(|target| target.name()).collect();
    for target in targets {
        // A host without code for it would refuse the whole revision, or fail at its next start.
        let resolved = registry.resolve(&wanted, *target).await.with_context(|| {
            format!("{id} has to run on {}; --target names other processors of the hosts", named.join(" and "))
        })?;
        registry.artifact(&resolved.artifact).await.with_context(|| format!("{id} for {target}"))?;
    }
    let mut says = format!(
        "{state}: {id} is signed, fits the world {}, compiled for {} for this stagehost's engine ({ENGINE})",
        pin.world,
        named.join(" and ")
    );
    if let Some(yanked) = &yanked {
        says = format!("{says}; allowed although {yanked}");
    }
    Ok(Some(Checked { says, yanked: yanked.is_some() }))
}
