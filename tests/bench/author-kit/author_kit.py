#!/usr/bin/env python3
"""Measures a stage author's way: five commands from nothing to a run, and the time from a save to the result on one photo.

    tests/bench/author-kit/author_kit.py [--stagehost FILE] [--stages DIR] [--lang rust,python,javascript] [--rounds 3] [--saves 5]
                                        [--pause 15]

Each round makes a project with `stage new`, with an empty folder of compiled stages and an empty target directory, and runs
`build`, `check`, `test` and `run`, the last one on one photo through the whole pipeline. What cargo, pip and npm download is there
already. A command that does not succeed ends the benchmark.

Then `stage dev` watches the last project. A save changes the text that the stage writes beside the photo; its time ends when
`stage dev` has printed the result and waits again, and the file must have the new text. After each save, the language's own tool
builds the same change in a copy of the project, as `stage build` calls it: that is the tool's own time. The first save comes
`--pause` seconds after the first result, because nobody edits at once. What `stage dev` said of the last save goes to standard
error. componentize-py and componentize-js are those that `tests/run` has installed.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[3]
TOOLS = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "stagehost-tests"
NAME = "bench-notes"
STATE = "RunBenchNotes"
COMMANDS = ["new", "build", "check", "test", "run"]
# What a save changes: this text in the note, into another one of about the same length.
TEXT = "bytes are zero"


class Language:
    """What differs between languages: where the text is, the component, the tool's own command and where the tool is."""

    def __init__(self, source, component, tool, path=None):
        self.source, self.component, self.tool, self.path = source, component, tool, path


LANGUAGES = {
    "rust": Language(
        "src/note.rs",
        "target/wasm32-wasip2/release/bench_notes.wasm",
        ["cargo", "build", "--release", "--target", "wasm32-wasip2", "--quiet"],
    ),
    "python": Language(
        "src/note.py",
        f"build/{NAME}.wasm",
        ["componentize-py", "-d", "wit", "-w", "stage", "componentize", "-p", "src", "app", "-o", f"build/{NAME}.wasm"],
        TOOLS / "componentize-py/bin",
    ),
    "javascript": Language(
        "src/note.js",
        f"build/{NAME}.wasm",
        ["componentize-js", "src/app.js", "--wit", "wit", "--world-name", "stage", "--disable", "http", "fetch-event",
         "-o", f"build/{NAME}.wasm"],
        TOOLS / "node_modules/.bin",
    ),
}


def environment_of(language, folder):
    """An author's environment, with a folder of compiled stages of its own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("CARGO_TARGET", "RUSTFLAGS"))}
    environment.update(XDG_CACHE_HOME=str(folder / "cache"), CARGO_NET_OFFLINE="true")
    if language.path:
        environment["PATH"] = f"{language.path}:{environment['PATH']}"
    return environment


def timed(command, cwd, environment, allowed=(0,)):
    """Runs a command to its end. Returns its seconds."""
    began = time.perf_counter()
    ran = subprocess.run([str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True)
    took = time.perf_counter() - began
    if ran.returncode not in allowed:
        sys.exit(f"{command} ended with {ran.returncode}:\n{ran.stdout}\n{ran.stderr}")
    return took


def merged(old, new):
    """Merges objects, as jq's `*` does."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return new
    return {**old, **{name: merged(old.get(name), value) for name, value in new.items()}}


def five_commands(stagehost, stages, name, language, folder):
    """Makes a project in `folder` and takes it into the pipeline. Returns the seconds of each command."""
    environment, project = environment_of(language, folder), folder / "project"
    seconds = [timed([stagehost, "stage", "new", NAME, "--lang", name, "--path", project], folder, environment)]
    seconds.append(timed([stagehost, "stage", "build"], project, environment))
    seconds.append(timed([stagehost, "stage", "check", language.component], project, environment))
    seconds.append(timed([stagehost, "stage", "test"], project, environment))
    machine = json.loads((CHECKOUT / "statemachine/media-processing.asl.json").read_text())
    added = json.loads((project / "pipeline/state.json").read_text())
    (project / "pipeline/machine.asl.json").write_text(json.dumps(merged(machine, {"States": added})))
    photos = project / "photos"
    photos.mkdir()
    shutil.copy(CHECKOUT / "samples/listing/kitchen.jpg", photos)
    run = [stagehost, "run", "photos", "--state-machine", "pipeline/machine.asl.json", "--config", "pipeline/settings.json"]
    run += ["--stage", f"{STATE}={language.component}"]
    run += ["--stages", stages] if stages else []
    seconds.append(timed(run, project, environment))
    return seconds


def save(project, language, number):
    """Changes the text that the stage writes."""
    file = project / language.source
    text = file.read_text()
    before = TEXT if number == 0 else f"bytes are 0 ({number - 1})"
    if before not in text:
        sys.exit(f"{file} has no {before!r}")
    file.write_text(text.replace(before, f"bytes are 0 ({number})"))


class Dev:
    """`stage dev`, watching a project with one photo."""

    def __init__(self, stagehost, project, environment):
        # Without --fresh the stage finds its fingerprint unchanged and makes nothing again.
        command = [stagehost, "stage", "dev", "cases/a-photo/photo.jpg", "--fresh"]
        self.project = project
        self.process = subprocess.Popen(
            command, cwd=project, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def wait(self):
        """Waits until the stage has run. Returns what was said."""
        said = []
        for line in self.process.stdout:
            said.append(line)
            if "waiting for changes" in line:
                return "".join(said)
        sys.exit(f"stage dev ended:\n{''.join(said)}")

    def note(self):
        """The text that the stage has written."""
        [note] = (self.project / "out/dev").rglob("*_note.txt")
        return note.read_text()

    def end(self):
        self.process.terminate()
        self.process.wait()


def saves(stagehost, language, folder, rounds, pause):
    """Returns the seconds from a save to the result, and of the tool alone, for each save in alternation."""
    environment, project, copy = environment_of(language, folder), folder / "project", folder / "copy"
    shutil.copytree(project, copy, symlinks=True)
    timed(language.tool, copy, environment)
    dev = Dev(stagehost, project, environment)
    seen, own = [], []
    try:
        dev.wait()
        time.sleep(pause)
        for number in range(rounds):
            began = time.perf_counter()
            save(project, language, number)
            said = dev.wait()
            seen.append(time.perf_counter() - began)
            if f"bytes are 0 ({number})" not in dev.note():
                sys.exit(f"the result is not that of the save:\n{said}")
            save(copy, language, number)
            own.append(timed(language.tool, copy, environment))
    finally:
        dev.end()
    print(said, file=sys.stderr)
    return seen, own


def row(name, seconds):
    """A line of the table: the median and, of several, the range."""
    middle = statistics.median(seconds)
    spread = f" ({min(seconds):.2f}–{max(seconds):.2f})" if len(seconds) > 1 else ""
    print(f"  {name:34}{middle:8.2f}{spread}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stagehost", default=str(CHECKOUT / "target/release/stagehost"))
    parser.add_argument("--stages", help="a folder of built stages, instead of those that run builds")
    parser.add_argument("--lang", default=",".join(LANGUAGES), help="languages with commas between them")
    parser.add_argument("--rounds", type=int, default=3, help="projects of each language")
    parser.add_argument("--saves", type=int, default=5, help="saves in each language")
    parser.add_argument("--pause", type=float, default=15, help="seconds before the first save")
    arguments = parser.parse_args()
    print(f"seconds, median (range); {arguments.rounds} projects and {arguments.saves} saves of each language")
    for name in arguments.lang.split(","):
        language = LANGUAGES[name]
        taken = []
        for number in range(arguments.rounds):
            with tempfile.TemporaryDirectory() as temporary:
                folder = Path(temporary)
                taken.append(five_commands(arguments.stagehost, arguments.stages, name, language, folder))
                if number == arguments.rounds - 1:
                    seen, own = saves(arguments.stagehost, language, folder, arguments.saves, arguments.pause)
        print(name)
        for command, seconds in zip(COMMANDS, zip(*taken)):
            row(f"stagehost {'' if command == 'run' else 'stage '}{command}", seconds)
        row("from a save to the result", seen)
        row("the tool alone", own)
        row("what stage dev adds", [all_of - tool for all_of, tool in zip(seen, own)])


if __name__ == "__main__":
    main()
