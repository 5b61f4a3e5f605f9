//! Renders files and says how long each took: `cargo run --release -p stage-thumbnails --example measure -- FILE...`.
//!
//! Builds for wasm32-wasip1 and -wasip2 too (`wasmtime run --dir=. measure.wasm FILE...`), so that both sides of the
//! sandbox are measured by the same program. With `--out DIR` the renditions are kept; `--config JSON` sets the stage's
//! settings; `--repeat N` takes the best of N.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use stage_thumbnails::colour::to_srgb;
use stage_thumbnails::config::Config;
use stage_thumbnails::decode::{Limits, decode};
use stage_thumbnails::encode::encode;
use stage_thumbnails::error::PictureError;
use stage_thumbnails::format::recognise;
use stage_thumbnails::geometry::Size;
use stage_thumbnails::render::render;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (mut files, mut out, mut config, mut repeat) = (Vec::new(), None, Config::default(), 3);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} needs a value"));
        match arg.as_str() {
            "--out" => out = Some(PathBuf::from(value()?)),
            "--config" => config = Config::parse(&value()?)?,
            "--repeat" => repeat = value()?.parse()?,
            _ => files.push(PathBuf::from(arg)),
        }
    }
    println!("{:>8} {:>8} {:>8} {:>8}  file", "all ms", "decode", "colour", "encode");
    for file in files {
        let source = std::fs::read(&file)?;
        match best(&source, &config, repeat) {
            Ok(best) => println!(
                "{:8.1} {:8.1} {:8.1} {:8.1}  {}",
                ms(best.all),
                ms(best.decode),
                ms(best.colour),
                ms(best.encode),
                file.display()
            ),
            Err(error) => println!("{:>35}  {}: {error}", "", file.display()),
        }
        if let Some(dir) = &out {
            keep(&source, &config, &file, dir);
        }
    }
    Ok(())
}

#[derive(Clone, Copy)]
struct Times {
    all: Duration,
    decode: Duration,
    colour: Duration,
    encode: Duration,
}

/// The whole, as the stage does it, and apart from that its steps one by one.
fn best(source: &[u8], config: &Config, repeat: usize) -> Result<Times, PictureError> {
    let mut best: Option<Times> = None;
    for _ in 0..repeat.max(1) {
        let start = Instant::now();
        render::<PictureError>(source.to_vec(), config, &config.renditions, |_| Ok(()))?;
        let all = start.elapsed();

        let limits = Limits { pixels: config.max_pixels, memory: config.max_memory };
        let largest = |upright: Size| {
            let sizes = config.renditions.iter().map(|bounds| bounds.fit(upright));
            sizes.max_by_key(|size| size.pixels()).unwrap_or(upright)
        };
        let start = Instant::now();
        let decoded = decode(recognise(source)?, source.to_vec(), limits, &largest)?;
        let decode = start.elapsed();
        let target = decoded.orientation.apply(largest(decoded.orientation.apply(decoded.full)));
        let small = decoded.raster.resized(target, decoded.extent, &mut fast_image_resize::Resizer::new())?;
        let start = Instant::now();
        let small = to_srgb(small, decoded.profile.as_deref())?;
        let colour = start.elapsed();
        let start = Instant::now();
        encode(small, config.format, config.quality)?;
        let encode = start.elapsed();

        let times = Times { all, decode, colour, encode };
        if best.is_none_or(|b| times.all < b.all) {
            best = Some(times);
        }
    }
    best.ok_or_else(|| PictureError::Internal("nothing was measured".to_owned()))
}

fn keep(source: &[u8], config: &Config, file: &Path, dir: &Path) {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let kept = render::<PictureError>(source.to_vec(), config, &config.renditions, |rendered| {
        let path = dir.join(format!("{stem}_{}.{}", rendered.bounds, config.format.extension()));
        std::fs::write(&path, rendered.bytes).map_err(|e| PictureError::Internal(format!("{}: {e}", path.display())))
    });
    if let Err(error) = kept {
        eprintln!("{}: {error}", file.display());
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
