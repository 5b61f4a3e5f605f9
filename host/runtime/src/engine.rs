//! The wasmtime engine: its settings, and the clock that ends guests at their deadline.
//!
//! The machine that compiles a component and the machine that maps the result must use the same settings, which are
//! [`engine_config`]. A [`Target`] names the processor, because wasmtime by default compiles for the publisher's machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use wasmtime::{Config, Engine, WasmBacktraceDetails};

/// How often a running guest yields to others and has its deadline checked.
const TICK: Duration = Duration::from_millis(5);

/// Stack for guest code, in bytes. Recursion that goes deeper ends in a trap.
const WASM_STACK: usize = 1 << 20;
/// Stack for guest and host code together, in bytes.
const CALL_STACK: usize = 2 << 20;

/// The label of compiled artifacts: an artifact is for hosts with exactly this label. A host without a compiler cannot
/// ask wasmtime whether an artifact fits, but it can compare labels before it downloads megabytes.
///
/// The first number is wasmtime's major version, the second one is this project's. Raise the second one with every change
/// that makes wasmtime refuse older artifacts (a test below fails then) and with every security fix of the compiler (no
/// test can notice that).
pub const ENGINE: &str = "wasmtime-48.1";

/// Why an engine could not be created or could not compile.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// wasmtime refused the configuration.
    #[error("wasmtime refused the engine's configuration: {0}")]
    Configuration(String),
    /// The component does not compile for this machine.
    #[error("the component does not compile: {0}")]
    Component(String),
    /// The component does not compile for another target.
    #[error("the component does not compile for {target}: {reason}")]
    Compile {
        /// The processor to compile for.
        target: Target,
        /// wasmtime's message.
        reason: String,
    },
    /// The thread of the epoch clock could not be started.
    #[error("could not start the epoch clock's thread: {0}")]
    Clock(#[from] std::io::Error),
}

/// A processor that artifacts are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Target {
    /// Intel and AMD with AVX2, Lambda's `x86_64` (AWS Lambda Developer Guide, "Using Advanced Vector Extensions 2").
    #[serde(rename = "x86_64")]
    X86_64,
    /// Arm with large system extensions, Lambda's `arm64` (Graviton2 and later).
    #[serde(rename = "arm64")]
    Arm64,
}

impl Target {
    /// Both targets.
    pub const ALL: [Self; 2] = [Self::X86_64, Self::Arm64];

    /// Returns this machine's target; `None` if Lambda has no such processor.
    pub fn of_this_machine() -> Option<Self> {
        match std::env::consts::ARCH {
            "x86_64" => Some(Self::X86_64),
            "aarch64" => Some(Self::Arm64),
            _ => None,
        }
    }

    /// Returns Lambda's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "arm64",
        }
    }

    /// Returns the target triple.
    pub fn triple(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64-unknown-linux-gnu",
            Self::Arm64 => "aarch64-unknown-linux-gnu",
        }
    }

    /// Returns the instruction set extensions that compiled code uses, by Cranelift's names. A machine without one of
    /// them refuses the artifact.
    #[cfg(feature = "compiler")]
    fn features(self) -> &'static [&'static str] {
        match self {
            Self::X86_64 => &[
                "has_sse3",
                "has_ssse3",
                "has_sse41",
                "has_sse42",
                "has_popcnt",
                "has_avx",
                "has_avx2",
                "has_fma",
                "has_bmi1",
                "has_bmi2",
                "has_lzcnt",
            ],
            Self::Arm64 => &["has_lse"],
        }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "x86_64" | "x86-64" | "amd64" => Ok(Self::X86_64),
            "arm64" | "aarch64" => Ok(Self::Arm64),
            _ => Err(format!("unknown target {text:?}; the targets are x86_64 and arm64")),
        }
    }
}

/// Compiles a component ahead of time for a target, which need not be this machine's.
///
/// # Errors
/// If the bytes are not a component that the engine accepts.
#[cfg(feature = "compiler")]
pub fn precompile_for(target: Target, component: &[u8]) -> Result<Vec<u8>, EngineError> {
    let refused = |e: wasmtime::Error| EngineError::Configuration(format!("{e:#}"));
    let mut config = engine_config();
    config.target(target.triple()).map_err(refused)?;
    for feature in target.features() {
        // SAFETY: all processors of the target have the extension, and wasmtime checks for it before it maps the code.
        unsafe { config.cranelift_flag_enable(feature) };
    }
    let engine = Engine::new(&config).map_err(refused)?;
    engine.precompile_component(component).map_err(|e| EngineError::Compile { target, reason: format!("{e:#}") })
}

/// Returns the configuration of every engine of this project, for compiling and for mapping.
///
/// Memory is allocated on demand. The 4 GiB of address space that wasmtime reserves per memory cost nothing and save
/// bounds checks. How much a guest may use is limited per call (see [`Limits`](crate::Limits)).
pub fn engine_config() -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        // Guests use WASI 0.2 only. Without the async ABI calls are cheaper and the attack surface is smaller.
        .concurrency_support(false)
        .wasm_simd(true)
        .wasm_relaxed_simd(false)
        .wasm_memory64(false)
        .epoch_interruption(true)
        .max_wasm_stack(WASM_STACK)
        .async_stack_size(CALL_STACK)
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .memory_init_cow(true)
        // Traps name functions without it. It would add offsets into the WebAssembly and 10 % to every artifact.
        .generate_address_map(false);
    #[cfg(feature = "compiler")]
    config.cranelift_opt_level(wasmtime::OptLevel::Speed);
    config
}

/// An engine with its clock. Cheap to clone; the clock stops with the last clone.
#[derive(Clone)]
pub struct StageEngine {
    engine: Engine,
    _clock: Arc<EpochClock>,
}

impl StageEngine {
    /// Returns an engine for this machine.
    ///
    /// # Errors
    /// If wasmtime refuses the configuration, or the clock's thread cannot be started.
    pub fn new() -> Result<Self, EngineError> {
        Self::with(&engine_config())
    }

    /// Returns an engine for this machine that keeps the code of the functions that it compiles, in memory. For programs that
    /// compile versions of the same component one after the other.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    #[cfg(feature = "compiler")]
    pub fn remembering() -> Result<Self, EngineError> {
        let mut config = engine_config();
        let functions = Arc::new(crate::function_cache::FunctionCache::default());
        config.enable_incremental_compilation(functions).map_err(|e| EngineError::Configuration(format!("{e:#}")))?;
        Self::with(&config)
    }

    fn with(config: &Config) -> Result<Self, EngineError> {
        let engine = Engine::new(config).map_err(|e| EngineError::Configuration(format!("{e:#}")))?;
        let clock = Arc::new(EpochClock::start(engine.clone())?);
        Ok(Self { engine, _clock: clock })
    }

    /// Returns the wasmtime engine.
    pub fn wasmtime(&self) -> &Engine {
        &self.engine
    }

    /// Compiles a component ahead of time, for [`Stage::load_precompiled`](crate::Stage::load_precompiled).
    ///
    /// # Errors
    /// If the bytes are not a component that this engine accepts.
    #[cfg(feature = "compiler")]
    pub fn precompile(&self, component: &[u8]) -> Result<Vec<u8>, EngineError> {
        self.engine.precompile_component(component).map_err(|e| EngineError::Component(format!("{e:#}")))
    }

    /// Returns a text that is equal for two engines exactly if one can load what the other compiled. It is part of a
    /// cached artifact's name.
    #[cfg(feature = "compiler")]
    pub fn compatibility(&self) -> String {
        use std::hash::{Hash, Hasher};
        let mut hasher = std::hash::DefaultHasher::new();
        self.engine.precompile_compatibility_hash().hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    }
}

/// Advances the engine's epoch until it is dropped.
struct EpochClock {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl EpochClock {
    fn start(engine: Engine) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let thread = std::thread::Builder::new().name("epoch-clock".into()).spawn({
            let stop = stop.clone();
            move || {
                while !stop.load(Ordering::Relaxed) {
                    std::thread::sleep(TICK);
                    engine.increment_epoch();
                }
            }
        })?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for EpochClock {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // The thread cannot panic and ends within one tick.
            let _ = thread.join();
        }
    }
}

#[cfg(all(test, feature = "compiler"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use sha2::{Digest, Sha256};

    use super::*;

    /// The SHA-256 of the engine section that wasmtime writes into artifacts under this label (its version, compiler
    /// flags, tunables, features), per target.
    const LABELLED: (&str, [(Target, &str); 2]) = (
        "wasmtime-48.1",
        [
            (Target::X86_64, "07a3500fd0a8135e83613709130a560d6ac828e5a56cf0d23169507d87a58ca2"),
            (Target::Arm64, "6fdcc7e79a7eababf95e3051867984975c3028c670d800f631de64a7c4411fb3"),
        ],
    );

    /// Returns a section of an artifact, which is a 64-bit little-endian ELF file.
    fn section<'a>(elf: &'a [u8], name: &str) -> &'a [u8] {
        let number = |at: usize, bytes: usize| {
            let mut le = [0; 8];
            le[..bytes].copy_from_slice(&elf[at..at + bytes]);
            usize::try_from(u64::from_le_bytes(le)).unwrap()
        };
        let (table, size, count, names) = (number(0x28, 8), number(0x3a, 2), number(0x3c, 2), number(0x3e, 2));
        let header = |index: usize| table + index * size;
        let body = |index: usize| {
            let start = number(header(index) + 0x18, 8);
            &elf[start..start + number(header(index) + 0x20, 8)]
        };
        let called =
            |index: &usize| body(names)[number(header(*index), 4)..].starts_with(format!("{name}\0").as_bytes());
        body((0..count).find(called).unwrap())
    }

    #[test]
    fn the_label_changes_with_the_engine_section_of_artifacts() {
        let written = Target::ALL.map(|target| {
            let artifact = precompile_for(target, b"\0asm\x0d\0\x01\0").unwrap();
            (target, hex::encode(Sha256::digest(section(&artifact, ".wasmtime.engine"))))
        });
        let (label, digests) = LABELLED;
        assert_eq!(
            written.each_ref().map(|(target, digest)| (*target, digest.as_str())),
            digests,
            "wasmtime writes a different engine section: raise the second number in ENGINE, then update label and digests here"
        );
        assert_eq!(label, ENGINE, "update label and digests here");
    }

    #[test]
    fn an_engine_that_remembers_compiles_to_the_same_artifact_and_is_compatible() {
        // A component with a module with a function that adds.
        let component = wat_component();
        let (plain, remembering) = (StageEngine::new().unwrap(), StageEngine::remembering().unwrap());
        assert_eq!(plain.compatibility(), remembering.compatibility());
        let expected = plain.precompile(&component).unwrap();
        for _ in 0..2 {
            assert!(remembering.precompile(&component).unwrap() == expected);
        }
    }

    #[test]
    fn code_that_is_invalid_is_the_components_fault_and_not_the_engines() {
        let mut component = wat_component();
        // The second parameter becomes one that does not exist.
        let local = component.len() - 3;
        assert_eq!(component[local], 1);
        component[local] = 9;
        let refused = StageEngine::new().unwrap().precompile(&component).unwrap_err().to_string();
        assert!(refused.starts_with("the component does not compile: "), "{refused}");
    }

    /// `(component (core module (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add)))`
    fn wat_component() -> Vec<u8> {
        let module = b"\0asm\x01\0\0\0\x01\x07\x01\x60\x02\x7f\x7f\x01\x7f\x03\x02\x01\0\x07\x07\x01\x03add\0\0\x0a\x09\x01\x07\0\x20\0\x20\x01\x6a\x0b";
        let mut component = b"\0asm\x0d\0\x01\0\x01".to_vec();
        component.push(u8::try_from(module.len()).unwrap());
        component.extend_from_slice(module);
        component
    }

    #[test]
    fn a_component_compiled_twice_gives_the_same_artifact() {
        let component = b"\0asm\x0d\0\x01\0";
        for target in Target::ALL {
            assert!(precompile_for(target, component).unwrap() == precompile_for(target, component).unwrap());
        }
    }
}
