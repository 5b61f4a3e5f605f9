"""The parts of tests/bench/thumbnails/heif that are in Python: write, host, pillow, row."""
import io
import json
import re
import resource
import shutil
import statistics
import sys
import time
from pathlib import Path

BOXES = [(1280, 960), (640, 480), (320, 240)]


def opener():
    import pillow_heif
    pillow_heif.register_heif_opener()


def write(photos, out):
    """Writes each large JPEG as HEIC and as AVIF, and copies HEICs: one folder each."""
    from PIL import Image, ImageOps
    opener()
    forms = {"heic": (".heic", {"quality": 60}), "avif": (".avif", {"quality": 65, "speed": 9})}
    for path in sorted(Path(photos).iterdir()):
        if path.suffix.lower() in (".heic", ".heif"):
            folder = Path(out) / "heic-as-given"
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, folder)
        if path.suffix.lower() not in (".jpg", ".jpeg"):
            continue
        image = Image.open(path)
        if image.width * image.height < 10_000_000:
            continue
        image = ImageOps.exif_transpose(image).convert("RGB")
        for form, (extension, options) in forms.items():
            folder = Path(out) / form
            folder.mkdir(parents=True, exist_ok=True)
            image.save(folder / (path.stem + extension), **options)


def host(report, log, folder):
    """Prints the milliseconds per photo of a local run, and the most memory of a call in MiB."""
    states = json.loads(Path(report).read_text())["timings"]
    took = next(state["durationMs"] for state in states if state["state"] == "GenerateThumbnails")
    peaks = [int(peak) for peak in re.findall(r"memory_peak=(\d+)", Path(log).read_text())]
    print(took / len(list(Path(folder).iterdir())), max(peaks) >> 20)


def pillow(folder):
    """Makes the renditions; prints the milliseconds per photo, and the most memory of the process in MiB."""
    from PIL import Image
    opener()
    photos = [path.read_bytes() for path in Path(folder).iterdir()]
    begun = time.perf_counter()
    for photo in photos:
        image = Image.open(io.BytesIO(photo)).convert("RGB")
        for box in BOXES:
            image.thumbnail(box, Image.Resampling.LANCZOS)
            image.save(io.BytesIO(), "JPEG", quality=85, progressive=True, optimize=True)
    took = (time.perf_counter() - begun) * 1000 / len(photos)
    print(took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10)


def row(results, folder):
    """Prints the row of a table: medians of all rounds, and of the ratios of pairs."""
    measured = {}
    for way in ("host", "pillow", "sharp"):
        path = Path(results) / way
        lines = path.read_text().split("\n") if path.exists() else []
        measured[way] = [[float(number) for number in line.split()] for line in lines if line]
    times = {way: [line[0] for line in lines] for way, lines in measured.items()}
    cell = lambda ms: f"{statistics.median(ms):.0f} ({min(ms):.0f}–{max(ms):.0f})" if ms else "–"
    ratio = lambda way: f"{statistics.median(h / o for h, o in zip(times['host'], times[way])):.2f}" if times[way] else "–"
    memory = lambda way: f"{max(line[1] for line in measured[way]):.0f}" if measured[way] else "–"
    cells = [Path(folder).name, len(list(Path(folder).iterdir())), *map(cell, times.values()), ratio("pillow"), ratio("sharp"),
             *map(memory, measured)]
    print("|", " | ".join(map(str, cells)), "|")


{"write": write, "host": host, "pillow": pillow, "row": row}[sys.argv[1]](*sys.argv[2:])
