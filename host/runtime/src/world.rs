//! Worlds: what a kind of stage must export and what it may import. Imports are checked by name before anything runs, so
//! that a component with an import it should not have is never instantiated.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The version of `toq:media` that this host offers. Components built for any 1.x are served if they use nothing that came
/// later; see `wit/README.md`.
pub const CONTRACT_VERSION: &str = "1.0.0";

const CONTRACT_PACKAGE: &str = "toq:media/";

/// WASI 0.2 packages that every world may import. Nothing is behind them: no preopened directory, no environment, no
/// reachable address.
const INERT_WASI: [&str; 6] =
    ["wasi:io/", "wasi:clocks/", "wasi:random/", "wasi:cli/", "wasi:filesystem/", "wasi:sockets/"];

/// One world of `wit/worlds.wit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum World {
    /// Checks an upload.
    Validate,
    /// Makes smaller pictures of a photo.
    Thumbnails,
    /// Submits videos for transcoding.
    Transcode,
    /// Writes archives.
    Zip,
    /// Delivers the result to the backend.
    Callback,
    /// A stage of another author for a state of its own, called per asset.
    Custom,
    /// A stage of another author for a state of its own, called once per batch.
    CustomBatch,
}

/// Which of the two interfaces a stage exports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Export {
    /// `toq:media/asset-stage`
    AssetStage,
    /// `toq:media/batch-stage`
    BatchStage,
}

impl Export {
    fn interface(self) -> &'static str {
        match self {
            Export::AssetStage => "asset-stage",
            Export::BatchStage => "batch-stage",
        }
    }
}

impl World {
    /// Every world, those with the fewest imports first.
    pub const ALL: [World; 7] = [
        World::Callback,
        World::Validate,
        World::Thumbnails,
        World::Zip,
        World::Transcode,
        World::Custom,
        World::CustomBatch,
    ];

    /// Returns the world's name in WIT.
    pub fn name(self) -> &'static str {
        match self {
            World::Validate => "validate",
            World::Thumbnails => "thumbnails",
            World::Transcode => "transcode",
            World::Zip => "zip",
            World::Callback => "callback",
            World::Custom => "custom",
            World::CustomBatch => "custom-batch",
        }
    }

    /// Returns how much memory the host sets aside for one call, in MiB, beside the guest's own.
    ///
    /// Some 12 MiB are for the guest's stack, and for the arguments of one host call or the result of a read. The rest is for
    /// buffers: read-ahead, and where objects are written, the parts of uploads.
    pub fn host_memory_mib(self) -> u32 {
        match self {
            World::Validate | World::Transcode | World::Callback => 16,
            // Pictures are written one after the other, rarely in more than one part.
            World::Thumbnails => 24,
            World::Zip | World::Custom | World::CustomBatch => 32,
        }
    }

    /// Returns the interface that its stages export.
    pub fn export(self) -> Export {
        match self {
            World::Validate | World::Thumbnails | World::Custom => Export::AssetStage,
            World::Transcode | World::Zip | World::Callback | World::CustomBatch => Export::BatchStage,
        }
    }

    /// Returns the interfaces of the contract that it grants, except `types`, which contains only types. Every world has the
    /// first four.
    pub fn imports(self) -> &'static [&'static str] {
        macro_rules! with {
            ($($more:literal),*) => { &["call", "log", "metrics", "progress", $($more),*] };
        }
        match self {
            World::Validate => with!["keys", "objects", "tags"],
            World::Thumbnails | World::Zip => with!["keys", "objects", "object-writer"],
            World::Transcode => with!["keys", "objects", "transcoder"],
            World::Callback => with!["webhook"],
            World::Custom | World::CustomBatch => {
                with!["keys", "objects", "object-writer", "own-objects", "tags", "http"]
            }
        }
    }

    /// Returns the first world that a component with these names fits, those with the fewest imports first.
    pub fn infer(names: &Names) -> Option<World> {
        World::ALL.into_iter().find(|world| check(names, *world).is_empty())
    }

    /// Returns, for a component that fits no world, the world that its author most likely means and why it does not fit.
    /// The exported interface decides first, then the number of findings.
    pub fn nearest(names: &Names) -> (World, Vec<Finding>) {
        // The first of equals wins, so a component that exports no stage is compared with `custom` first.
        let order = std::iter::once(World::Custom).chain(World::ALL).skip(usize::from(names.is_stage()));
        let findings = order.map(|world| (world, check(names, world)));
        let nearest = findings.min_by_key(|(world, findings)| (!names.export(world.export()), findings.len()));
        nearest.unwrap_or((World::Custom, Vec::new()))
    }
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for World {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        World::ALL.into_iter().find(|world| world.name() == text).ok_or_else(|| {
            let known: Vec<_> = World::ALL.iter().map(|w| w.name()).collect();
            format!("unknown world {text:?}; the worlds are {}", known.join(", "))
        })
    }
}

/// The names of a component's imports and exports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// `toq:media/objects@1.0.0`, `wasi:io/streams@0.2.6`, …
    pub imports: Vec<String>,
    /// `toq:media/asset-stage@1.0.0`, …
    pub exports: Vec<String>,
}

impl Names {
    fn export(&self, kind: Export) -> bool {
        self.exports
            .iter()
            .filter_map(|name| contract_interface(name))
            .any(|(interface, _)| interface == kind.interface())
    }

    fn is_stage(&self) -> bool {
        self.export(Export::AssetStage) || self.export(Export::BatchStage)
    }
}

/// Why a component does not fit a world.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The import or export.
    pub item: String,
    /// What is wrong with it.
    pub problem: String,
    /// What the author can do about it.
    pub fix: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.item, self.problem, self.fix)
    }
}

/// Returns the names of a component's imports and exports without compiling it.
///
/// # Errors
/// If the bytes are not a component. The text says what they are.
pub fn names_of(component: &[u8]) -> Result<Names, String> {
    use wasmparser::{Encoding, Parser, Payload};
    // The parser's own text for this is a list of bytes.
    if !component.starts_with(b"\0asm") {
        let what = if component.is_empty() { "the file is empty" } else { "it does not begin as WebAssembly does" };
        return Err(format!("not a WebAssembly component: {what}"));
    }
    let mut names = Names::default();
    let mut depth = 0usize;
    for payload in Parser::new(0).parse_all(component) {
        match payload.map_err(|e| format!("not a WebAssembly component: {e}"))? {
            Payload::Version { encoding: Encoding::Module, .. } if depth == 0 => {
                return Err("a core WebAssembly module, not a component; build with --target wasm32-wasip2".into());
            }
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 1 => {
                for import in section {
                    let import = import.map_err(|e| format!("a broken import section: {e}"))?;
                    names.imports.push(import.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 1 => {
                for export in section {
                    let export = export.map_err(|e| format!("a broken export section: {e}"))?;
                    names.exports.push(export.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok(names)
}

/// Returns why a component with these names does not fit a world; nothing if it fits.
pub fn check(names: &Names, world: World) -> Vec<Finding> {
    if let Some(finding) = other_contract(names) {
        return vec![finding];
    }
    let mut findings: Vec<_> = names.imports.iter().filter_map(|import| check_import(import, world, names)).collect();
    let wanted = world.export().interface();
    if !names.export(world.export()) {
        findings.push(Finding {
            item: format!("export {CONTRACT_PACKAGE}{wanted}"),
            problem: format!("missing; the world {world} requires it"),
            fix: if names.is_stage() {
                let others = World::ALL.into_iter().filter(|other| names.export(other.export())).map(World::name);
                let others: Vec<_> = others.collect();
                format!("choose a world of what the component exports: {}", others.join(", "))
            } else {
                let program = names.exports.iter().any(|name| name.starts_with("wasi:cli/run@"));
                let library = if program { "it is a program; make it a library (crate-type cdylib), " } else { "" };
                format!("{library}generate the bindings for the world {world} and export your type with `export!`")
            },
        });
    }
    findings
}

fn check_import(import: &str, world: World, names: &Names) -> Option<Finding> {
    if INERT_WASI.iter().any(|package| import.starts_with(package)) {
        let version = import.rsplit_once('@').map_or("", |(_, version)| version);
        if version == "0.2" || version.starts_with("0.2.") {
            return None;
        }
        return Some(Finding {
            item: format!("import {import}"),
            problem: "this host offers WASI 0.2 only".into(),
            fix: "build with --target wasm32-wasip2".into(),
        });
    }
    let Some((interface, version)) = contract_interface(import) else {
        let fix = if import.starts_with("wasi:http/") {
            "call other services through toq:media/http in the world custom; for componentize-js pass -d http -d fetch-event"
        } else {
            "remove what needs it"
        };
        return Some(Finding {
            item: format!("import {import}"),
            problem: format!("the world {world} does not grant it"),
            fix: fix.into(),
        });
    };
    let is_known = interface == "types" || World::ALL.into_iter().any(|world| world.imports().contains(&interface));
    if !is_known && is_newer(version) {
        return Some(Finding {
            item: format!("import {import}"),
            problem: format!("new in a later version of the contract; this host serves {CONTRACT_VERSION}"),
            fix: "do without it, or use a newer host".into(),
        });
    }
    if interface != "types" && !world.imports().contains(&interface) {
        let others: Vec<_> = World::ALL
            .into_iter()
            .filter(|other| names.export(other.export()) && other.imports().contains(&interface))
            .map(World::name)
            .collect();
        return Some(Finding {
            item: format!("import {import}"),
            problem: format!("the world {world} does not grant it"),
            fix: if others.is_empty() {
                "remove what needs it".into()
            } else {
                format!("remove what needs it, or pin the stage under a world that grants it: {}", others.join(", "))
            },
        });
    }
    None
}

/// Returns the finding about a component that was built for a version of the contract which this host does not serve;
/// `None` if the host serves it. No other finding matters then.
fn other_contract(names: &Names) -> Option<Finding> {
    let all = names.imports.iter().chain(&names.exports).filter_map(|name| contract_interface(name));
    let version = all.map(|(_, version)| version).find(|version| !served(version))?;
    let built_for = if version.is_empty() { "no version".to_owned() } else { format!("version {version}") };
    let package = CONTRACT_PACKAGE.trim_end_matches('/');
    Some(Finding {
        item: "the component".into(),
        problem: format!("built for {built_for} of the contract {package}; this host serves {CONTRACT_VERSION}"),
        fix: "rebuild against the wit/ folder of this host, or use a newer host".into(),
    })
}

/// `toq:media/objects@1.0.0` → (`objects`, `1.0.0`)
fn contract_interface(name: &str) -> Option<(&str, &str)> {
    let rest = name.strip_prefix(CONTRACT_PACKAGE)?;
    Some(rest.split_once('@').unwrap_or((rest, "")))
}

/// Returns whether this host serves a version of the contract: any with the same major version.
fn served(version: &str) -> bool {
    major_and_minor(version).zip(major_and_minor(CONTRACT_VERSION)).is_some_and(|(theirs, ours)| theirs.0 == ours.0)
}

/// Returns whether a version has things that this host does not know.
fn is_newer(version: &str) -> bool {
    major_and_minor(version) > major_and_minor(CONTRACT_VERSION)
}

fn major_and_minor(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn names(imports: &[&str], export: &str) -> Names {
        Names { imports: imports.iter().map(|s| s.to_string()).collect(), exports: vec![export.to_owned()] }
    }

    #[test]
    fn imports_and_exports_are_those_of_the_wit() {
        let mut resolve = wit_parser::Resolve::default();
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
        let (package, _) = resolve.push_dir(&path).unwrap();
        let package = &resolve.packages[package];
        assert_eq!(package.name.version.as_ref().unwrap().to_string(), CONTRACT_VERSION);
        assert_eq!(package.worlds.len(), World::ALL.len());
        for world in World::ALL {
            let wit = &resolve.worlds[package.worlds[world.name()]];
            let interface = |key: &wit_parser::WorldKey| resolve.name_world_key(key);
            let mut expected: Vec<_> = world
                .imports()
                .iter()
                .chain(&["types"])
                .map(|name| format!("{CONTRACT_PACKAGE}{name}@{CONTRACT_VERSION}"))
                .collect();
            let mut imports: Vec<_> = wit.imports.keys().map(interface).collect();
            expected.sort();
            imports.sort();
            assert_eq!(imports, expected, "world {world}");
            let exports: Vec<_> = wit.exports.keys().map(interface).collect();
            assert_eq!(exports, [format!("{CONTRACT_PACKAGE}{}@{CONTRACT_VERSION}", world.export().interface())]);
        }
    }

    #[test]
    fn an_import_beyond_the_world_is_named() {
        let names = names(&["toq:media/objects@1.0.0", "toq:media/transcoder@1.0.0"], "toq:media/asset-stage@1.0.0");
        let findings = check(&names, World::Thumbnails);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].item, "import toq:media/transcoder@1.0.0");
    }

    #[test]
    fn every_world_has_wasi_0_2_and_no_world_has_wasi_http() {
        let inert = names(&["wasi:cli/environment@0.2.6", "wasi:io/streams@0.2.0"], "toq:media/asset-stage@1.0.0");
        assert!(check(&inert, World::Validate).is_empty());
        let http = names(&["wasi:http/outgoing-handler@0.2.6"], "toq:media/asset-stage@1.0.0");
        assert_eq!(check(&http, World::Custom).len(), 1);
        let newer = names(&["wasi:io/streams@0.3.0"], "toq:media/asset-stage@1.0.0");
        assert_eq!(check(&newer, World::Custom).len(), 1);
    }

    #[test]
    fn another_contract_is_the_only_finding() {
        for version in ["@2.0.0", "@0.9.0", ""] {
            let import = |name: &str| format!("toq:media/{name}{version}");
            let (objects, job) = (import("objects"), import("transcoder"));
            let names = names(&[&objects, &job], &import("asset-stage"));
            let (_, findings) = World::nearest(&names);
            assert_eq!(findings.len(), 1, "{findings:?}");
            assert!(findings[0].problem.starts_with("built for "), "{findings:?}");
        }
    }

    #[test]
    fn every_minor_version_is_served_and_no_other_major_one() {
        assert!(served("1.0.0") && served("1.0.7") && served("1.1.0"));
        assert!(!served("2.0.0") && !served("0.9.0") && !served("") && !served("1") && !served("1.x"));
    }

    #[test]
    fn an_interface_of_a_later_minor_version_is_said_to_be_new() {
        let newer = names(&["toq:media/objects@1.1.0", "toq:media/faces@1.1.0"], "toq:media/asset-stage@1.1.0");
        let findings = check(&newer, World::Custom);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].problem.starts_with("new in a later version"), "{findings:?}");
        let unknown = names(&["toq:media/faces@1.0.0"], "toq:media/asset-stage@1.0.0");
        assert!(check(&unknown, World::Custom)[0].problem.contains("does not grant it"));
    }

    #[test]
    fn the_narrowest_world_is_inferred() {
        let zip = names(&["toq:media/objects@1.0.0", "toq:media/object-writer@1.0.0"], "toq:media/batch-stage@1.0.0");
        assert_eq!(World::infer(&zip), Some(World::Zip));
        let custom = names(&["toq:media/http@1.0.0"], "toq:media/asset-stage@1.0.0");
        assert_eq!(World::infer(&custom), Some(World::Custom));
    }

    #[test]
    fn the_nearest_world_has_the_exported_interface_and_the_fewest_findings() {
        let nearest = |imports: &[&str], export: &str| World::nearest(&names(imports, export));
        // No world of asset stages grants the second import; the world that does requires another export.
        let (world, findings) =
            nearest(&["toq:media/object-writer@1.0.0", "toq:media/transcoder@1.0.0"], "toq:media/asset-stage@1.0.0");
        assert_eq!(world, World::Thumbnails);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!(findings[0].item, "import toq:media/transcoder@1.0.0");

        let (world, findings) = nearest(&["toq:media/objects@1.0.0"], "wasi:cli/run@0.2.6");
        assert_eq!(world, World::Custom);
        assert!(findings[0].fix.contains("a library") && findings[0].fix.contains("world custom"), "{findings:?}");
        assert_eq!(nearest(&["toq:media/transcoder@1.0.0"], "mine:own/thing").0, World::Transcode);
    }

    #[test]
    fn bytes_that_are_not_a_component_are_refused_with_what_they_are() {
        assert!(names_of(b"\0asm\x01\0\0\0").unwrap_err().contains("core WebAssembly module"));
        assert!(names_of(b"hello").is_err());
        assert!(names_of(b"").is_err());
    }
}
