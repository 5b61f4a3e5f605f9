//! The one engine: compiler settings, and the clock that keeps guests from running forever.

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

/// Why an engine could not be made.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// wasmtime refused the configuration.
    #[error("wasmtime refused the engine's configuration: {0}")]
    Configuration(String),
    /// No thread for the epoch clock.
    #[error("could not start the epoch clock's thread: {0}")]
    Clock(#[from] std::io::Error),
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
        .generate_address_map(true);
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
