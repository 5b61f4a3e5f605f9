"""Runs a script's sections one after the other and prints the result of each."""

import inspect
import time
import traceback


def run(sections, subject):
    """Runs all sections even if some fail. Returns the names of those that failed.

    A section that yields takes long: it is continued after all others.
    """
    failed, waiting = [], []

    def step(section, call):
        begun = time.monotonic()
        try:
            result = call()
        except Exception:
            failed.append(section.__name__)
            print(f"FAILED {section.__name__}\n{traceback.format_exc()}", flush=True)
            return None
        if not inspect.isgenerator(result):
            print(f"ok {section.__name__} ({time.monotonic() - begun:.1f} s)", flush=True)
        return result

    for section in sections:
        generator = step(section, lambda: section(subject))
        if generator is not None:
            waiting.append((section, generator))
            step(section, lambda: next(generator) or generator)
    for section, generator in waiting:
        if section.__name__ not in failed:
            step(section, lambda: next(generator, None))
    return failed
