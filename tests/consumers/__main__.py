"""Reads archives with one engine and compares every row with what is in them: `python3 tests/consumers ENGINE`.

./test consumers calls it, once for each engine, with PYTHONPATH set to where the engine is installed. Each way to
read is tried on an archive in gzip, one in zstd and one in both. Before any engine is judged, readers that are
wrong on purpose must be told from right ones. Exit codes: 0 all rows agree, 1 some do not, 3 an unknown engine.
"""

import importlib, sys, tempfile, time
from pathlib import Path

import archive
from compare import differences
from doubles import DOUBLES
from engines import ENGINES
from pages import PAGE, query_of_readme

CODECS = {"gzip": ["gzip"], "zstd": ["zstd"], "gzip and zstd": ["gzip", "zstd"]}


def try_doubles():
    """The wrong readers that would pass."""
    bodies = archive.bodies_in(["gzip", "zstd"])
    expected = archive.rows_of(bodies)
    passed = [f"a reader that {name} would pass" for name, read in DOUBLES.items()
              if not differences(expected, read(bodies))]
    print(f"{len(DOUBLES) - len(passed)} of {len(DOUBLES)} readers that are wrong on purpose are found out")
    return passed


def try_way(way, codecs, entries, expected):
    """What is wrong with what this way reads, as lines of text."""
    try:
        found = differences(expected, way.read(entries))
    except Exception as error:      # whatever an engine raises is its answer
        found = [f"{type(error).__name__}: {error}"]
    if codecs not in way.cannot:
        return found
    return [] if found else [f"it can read this now: say so in {PAGE.name} and engines.py"]


def try_archive(engine, version, codecs, folder):
    """Writes one archive and reads it in every way of the engine; the faults."""
    bodies = archive.bodies_in(CODECS[codecs])
    entries = archive.write(bodies, folder / codecs.replace(" ", "-"))
    expected, faults = archive.rows_of(bodies), []
    for way in ENGINES[engine]:
        began = time.monotonic()
        found = try_way(way, codecs, entries, expected)
        says = "WRONG" if found else "cannot, as documented" if codecs in way.cannot else "equal"
        print(f"{engine} {version} {way.name}, {codecs}: {len(expected)} rows in {len(bodies)} bodies: {says}, "
              f"{time.monotonic() - began:.1f} s", flush=True)
        faults += [f"{way.name}, {codecs}: {line}" for line in found]
    if engine == "duckdb" and (counted := query_of_readme(entries)) != len(expected):
        faults.append(f"README's query, {codecs}: {counted} rows instead of {len(expected)}")
    return faults


def judge(engine):
    """All that is wrong, one line each."""
    faults = try_doubles()
    version = importlib.import_module(engine).__version__
    with tempfile.TemporaryDirectory(prefix="consumers-") as folder:
        for codecs in CODECS:
            faults += try_archive(engine, version, codecs, Path(folder))
    if f"{engine} {version}" not in PAGE.read_text():
        faults.append(f"{PAGE.name} does not name {engine} {version}: try all that its table of readers says, mend it")
    return faults


def main():
    if sys.argv[1:] not in [[engine] for engine in ENGINES]:
        print(f"consumers: expected one of {', '.join(ENGINES)}", file=sys.stderr)
        return 3
    faults = judge(sys.argv[1])
    for fault in faults:
        print(f"consumers: {sys.argv[1]}: {fault}"[:1000], file=sys.stderr)
    return 1 if faults else 0


sys.exit(main())
