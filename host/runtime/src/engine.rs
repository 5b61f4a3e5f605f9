//! The one engine: compiler settings, and the clock that keeps guests from running forever.
//!
//! What is compiled on one machine and mapped on another must agree in everything: [`engine_config`] is what both use,
//! and a [`Target`] names the processor outright. By itself wasmtime would compile for whatever the publisher's machine
//! happens to have.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use wasmtime::{Config, Engine, WasmBacktraceDetails};

/// How often a running guest is asked whether its time is up, and lets others run.
const TICK: Duration = Duration::from_millis(5);

/// Stack for guest code. Deep recursion in a decoder ends here, as a trap.
const WASM_STACK: usize = 1 << 20;
/// Stack for guest and host code together.
const CALL_STACK: usize = 2 << 20;

/// What compiled artifacts are labelled with: an artifact is for a host with exactly this label. A host without a compiler
/// cannot ask wasmtime what its artifacts would look like; it can compare labels before it downloads megabytes.
///
/// The first number is wasmtime's, the second one ours. It goes up with everything that makes wasmtime refuse older
/// artifacts, which a test below notices, and with every mended defect of the compiler, which no test can.
pub const ENGINE: &str = "wasmtime-48.1";

/// Why an engine could not be made.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// wasmtime refused the configuration.
    #[error("wasmtime refused the engine's configuration: {0}")]
    Configuration(String),
    /// The component does not compile.
    #[error("the component does not compile for {target}: {reason}")]
    Compile {
        /// For what it was to be compiled.
        target: Target,
        /// What wasmtime says.
        reason: String,
    },
    /// No thread for the epoch clock.
    #[error("could not start the epoch clock's thread: {0}")]
    Clock(#[from] std::io::Error),
}

/// A processor that artifacts are made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Target {
    /// Intel and AMD with AVX2, as Lambda's `x86_64` has it (AWS Lambda Developer Guide, "Using Advanced Vector
    /// Extensions 2").
    #[serde(rename = "x86_64")]
    X86_64,
    /// Arm with large system extensions, as Lambda's `arm64` (Graviton2 and later) has it.
    #[serde(rename = "arm64")]
    Arm64,
}

impl Target {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::X86_64, Self::Arm64];

    /// What this code runs on; `None` on a machine that Lambda has none of.
    pub fn of_this_machine() -> Option<Self> {
        match std::env::consts::ARCH {
            "x86_64" => Some(Self::X86_64),
            "aarch64" => Some(Self::Arm64),
            _ => None,
        }
    }

    /// As Lambda calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "arm64",
        }
    }

    /// As compilers call it.
    pub fn triple(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64-unknown-linux-gnu",
            Self::Arm64 => "aarch64-unknown-linux-gnu",
        }
    }

    /// The instruction set extensions that code for it uses, as Cranelift calls them. An artifact is refused by a
    /// machine without one of them.
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
            _ => Err(format!("{text:?} is no target; there are x86_64 and arm64")),
        }
    }
}

/// Compiles a component ahead of time for a target, which need not be this machine. Only the machine that maps the result
/// has to be one.
///
/// # Errors
/// If the bytes are not a component that the engine accepts.
#[cfg(feature = "compiler")]
pub fn precompile_for(target: Target, component: &[u8]) -> Result<Vec<u8>, EngineError> {
    let refused = |e: wasmtime::Error| EngineError::Configuration(format!("{e:#}"));
    let mut config = engine_config();
    config.target(target.triple()).map_err(refused)?;
    for feature in target.features() {
        // SAFETY: the flag says what the target's processors can do, and wasmtime checks it again before it maps the code.
        unsafe { config.cranelift_flag_enable(feature) };
    }
    let engine = Engine::new(&config).map_err(refused)?;
    engine.precompile_component(component).map_err(|e| EngineError::Compile { target, reason: format!("{e:#}") })
}

/// The configuration that every engine of this project uses: whoever compiles a component and whoever maps the result
/// must agree on all of it.
///
/// Memory is allocated on demand; the 4 GiB of address space which wasmtime reserves per memory cost nothing but let it
/// leave out bounds checks. What a guest really may use is limited per call (see `Limits`).
pub fn engine_config() -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        // Guests use WASI 0.2 only; without the async ABI a call is cheaper and there is less to attack.
        .concurrency_support(false)
        .wasm_simd(true)
        .wasm_relaxed_simd(false)
        .wasm_memory64(false)
        .epoch_interruption(true)
        .max_wasm_stack(WASM_STACK)
        .async_stack_size(CALL_STACK)
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .memory_init_cow(true)
        // Traps name functions without it; it would only add places in the WebAssembly, and a tenth to every artifact.
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
    /// An engine for this machine.
    ///
    /// # Errors
    /// If wasmtime refuses the configuration or no thread can be started.
    pub fn new() -> Result<Self, EngineError> {
        let engine = Engine::new(&engine_config()).map_err(|e| EngineError::Configuration(format!("{e:#}")))?;
        let clock = Arc::new(EpochClock::start(engine.clone())?);
        Ok(Self { engine, _clock: clock })
    }

    /// The wasmtime engine.
    pub fn wasmtime(&self) -> &Engine {
        &self.engine
    }

    /// Compiles a component ahead of time; [`Stage::load_precompiled`](crate::Stage::load_precompiled) takes the result.
    ///
    /// # Errors
    /// If the bytes are not a component that this engine accepts.
    #[cfg(feature = "compiler")]
    pub fn precompile(&self, component: &[u8]) -> Result<Vec<u8>, EngineError> {
        self.engine.precompile_component(component).map_err(|e| EngineError::Configuration(format!("{e:#}")))
    }

    /// A text that is equal for two engines exactly when one can load what the other precompiled: part of a cached
    /// artifact's name.
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
            // The thread holds nothing that could panic; it ends within one tick.
            let _ = thread.join();
        }
    }
}

#[cfg(all(test, feature = "compiler"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use sha2::{Digest, Sha256};

    use super::*;

    /// What the label stands for: the SHA-256 of what wasmtime writes into an artifact's engine section (its version,
    /// compiler flags, tunables, features), per target.
    const LABELLED: (&str, [(Target, &str); 2]) = (
        "wasmtime-48.1",
        [
            (Target::X86_64, "07a3500fd0a8135e83613709130a560d6ac828e5a56cf0d23169507d87a58ca2"),
            (Target::Arm64, "6fdcc7e79a7eababf95e3051867984975c3028c670d800f631de64a7c4411fb3"),
        ],
    );

    /// The section of that name in a 64-bit little-endian ELF file, which artifacts are.
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
    fn artifacts_that_wasmtime_would_tell_apart_have_different_labels() {
        let written = Target::ALL.map(|target| {
            let artifact = precompile_for(target, b"\0asm\x0d\0\x01\0").unwrap();
            (target, hex::encode(Sha256::digest(section(&artifact, ".wasmtime.engine"))))
        });
        let (label, digests) = LABELLED;
        assert_eq!(
            written.each_ref().map(|(target, digest)| (*target, digest.as_str())),
            digests,
            "wasmtime now writes something else into artifacts: raise the number in ENGINE, then note label and digests here"
        );
        assert_eq!(label, ENGINE, "note what wasmtime writes under this label");
    }

    #[test]
    fn a_component_compiled_twice_gives_the_same_artifact() {
        let component = b"\0asm\x0d\0\x01\0";
        for target in Target::ALL {
            assert!(precompile_for(target, component).unwrap() == precompile_for(target, component).unwrap());
        }
    }
}
