//! The guests as stages. The process of the test compiles them once; its children map the result.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use stagehost_runtime::{Stage, StageEngine, StageIdentity, World};
use stagehost_tests::guest;

/// A guest of `tests/guests`, by the name of its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guest {
    pub name: &'static str,
    pub world: World,
    /// How many tables of 200,000 elements are added to it.
    pub tables: usize,
}

/// The elements of an added table. Larger ones are refused by themselves.
const ELEMENTS: u64 = 200_000;

impl Guest {
    pub const fn new(name: &'static str, world: World) -> Self {
        Self { name, world, tables: 0 }
    }

    pub const fn with_tables(self, tables: usize) -> Self {
        Self { tables, ..self }
    }

    fn component(self) -> Vec<u8> {
        let bytes = std::fs::read(guest(self.name).unwrap()).unwrap();
        if self.tables == 0 { bytes } else { add_tables(&bytes, self.tables) }
    }

    /// Compiles it, unless an earlier test has. Returns the artifact's path.
    pub fn compile(self) -> PathBuf {
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _one = ONE_AT_A_TIME.lock();
        let component = self.component();
        let engine = StageEngine::new().unwrap();
        let digest = StageIdentity::digest_of(&component).replace(':', "-");
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{digest}-{}.cwasm", engine.compatibility()));
        if !path.exists() {
            let unfinished = path.with_extension(std::process::id().to_string());
            std::fs::write(&unfinished, engine.precompile(&component).unwrap()).unwrap();
            std::fs::rename(unfinished, &path).unwrap();
        }
        path
    }

    /// Maps what [`compile`](Self::compile) made.
    pub fn load(self, engine: &StageEngine, artifact: &Path) -> Arc<Stage> {
        let digest = artifact.file_name().unwrap().to_string_lossy()[..71].replacen('-', ":", 1);
        let identity = StageIdentity { name: self.name.into(), version: "1.0.0".into(), digest };
        // SAFETY: the file was made by `compile`, in a folder of this build.
        Arc::new(unsafe { Stage::load_precompiled(engine, identity, self.world, artifact) }.unwrap())
    }
}

/// The identifier of a core module among the sections of a component, and of the tables among those of a module.
const CORE_MODULE: u8 = 1;
const TABLES: u8 = 4;

/// Adds tables of functions to the largest module of a component. Nothing refers to them.
fn add_tables(component: &[u8], count: usize) -> Vec<u8> {
    let mut parts = sections(component);
    let modules = parts.iter_mut().filter(|(id, _)| *id == CORE_MODULE);
    let (_, module) = modules.max_by_key(|(_, content)| content.len()).unwrap();
    let mut inner = sections(module);
    let (_, tables) = inner.iter_mut().find(|(id, _)| *id == TABLES).unwrap();
    let mut at = 0;
    let known = number(tables, &mut at);
    let mut changed = Vec::new();
    write_number(&mut changed, known + count as u64);
    changed.extend_from_slice(&tables[at..]);
    for _ in 0..count {
        // funcref, no maximum.
        changed.extend_from_slice(&[0x70, 0x00]);
        write_number(&mut changed, ELEMENTS);
    }
    *tables = changed;
    *module = joined(&module[..8], &inner);
    joined(&component[..8], &parts)
}

/// Returns the sections of a module or component, which follow a header of 8 bytes.
fn sections(binary: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let (mut at, mut all) = (8, Vec::new());
    while at < binary.len() {
        let id = binary[at];
        at += 1;
        let length = number(binary, &mut at) as usize;
        all.push((id, binary[at..at + length].to_vec()));
        at += length;
    }
    all
}

fn joined(header: &[u8], sections: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut binary = header.to_vec();
    for (id, content) in sections {
        binary.push(*id);
        write_number(&mut binary, content.len() as u64);
        binary.extend_from_slice(content);
    }
    binary
}

/// Reads a number in LEB128.
fn number(binary: &[u8], at: &mut usize) -> u64 {
    let (mut value, mut shift) = (0, 0);
    loop {
        let byte = binary[*at];
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            return value;
        }
    }
}

fn write_number(binary: &mut Vec<u8>, mut value: u64) {
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        binary.push(if value == 0 { low } else { low | 0x80 });
        if value == 0 {
            return;
        }
    }
}
