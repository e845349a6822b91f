"""What an archive holds against what was written: lines lost, lines twice, and what the manifests state of either.

It reads a copy of an archive by docs/format.md and shares no code with the programs under test. Signatures and locks
are not its subject: `holdfast verify` judges them.

A source must give back one life: all bytes that were written to one log file from its making to its end. Sources and
lives are compared whole, by length and SHA-256; only those that differ are compared line by line, so memory follows
what differs, not the archive.
"""

import argparse, base64, gzip, hashlib, json, re, subprocess, sys, tempfile
from collections import Counter, defaultdict
from pathlib import Path

EPILOG = """
WRITTEN has one file for each life, named as you like, with its exact bytes.

The result is one JSON object:
  written, archived   lines in all lives; lines that all sources give back
  lost                lines that no source gives back and no gap accounts for
  gapped              lines that a gap event accounts for
  twice               lines that are archived more often than written, and not stated so
  repeated            the same, stated: restated by an epoch with state_lost or rollback, or in an ambiguous source
  foreign             lines that nobody wrote
  gaps, ambiguous     events of these kinds, by reason and in all
  gap_events          where and when: log, from, to, reason, when its batch was sealed; at most 100
  epochs, manifests, sources, lives
  faults              what contradicts docs/format.md: hashes, numbers, bytes missing or doubled; at most 100

Exit code: 0 nothing is lost, twice or foreign, and no fault; 1 otherwise; 2 the copy cannot be read.

Examples:
  oracle.py copy/ written/
  oracle.py copy/ written/ --no-gaps     also 1 if there is any gap or ambiguous event
"""

FAULTS_MAX = 100
PART = 1 << 20


def main():
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n", 1)[0], epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("copy", type=Path, help="a copy of an archive: manifests/ and entries/ are below it")
    parser.add_argument("written", type=Path, help="a folder with what was written")
    parser.add_argument("--no-gaps", action="store_true", help="a gap and an ambiguous event are failures too")
    words = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="oracle-") as scratch:
        try:
            archive = Archive(words.copy, Path(scratch))
            result = archive.compare(sorted(path for path in words.written.iterdir() if path.is_file()))
        except (OSError, ValueError, LookupError, subprocess.CalledProcessError) as error:
            print(f"oracle.py: {words.copy} cannot be read: {error!r}", file=sys.stderr)
            return 2
    print(json.dumps(result))
    bad = result["lost"] or result["twice"] or result["foreign"] or result["faults"]
    stated = sum(result["gaps"].values()) or result["ambiguous"]
    return 1 if bad or (words.no_gaps and stated) else 0


class Source:
    """A log file as the archive gives it back: its bytes in a file on disk, and where they are known."""

    def __init__(self, path):
        self.path = path
        self.end = 0
        self.known = []
        self.ambiguous = False
        self.gapped = False
        self.doubled = []
        path.touch()

    def put(self, offset, data, restating):
        """Puts bytes at their offset. Gives what is wrong with that, if anything is."""
        fault = None
        if offset > self.end:
            fault = f"bytes {self.end} to {offset} are missing"
        elif offset < self.end:
            fault = self.put_again(offset, data, restating)
            data = data[self.end - offset :]
            offset = self.end
        if data:
            with self.path.open("r+b") as file:
                file.seek(offset)
                file.write(data)
            self.knows(offset, offset + len(data))
            self.end = offset + len(data)
        return fault

    def put_again(self, offset, data, restating):
        length = min(len(data), self.end - offset)
        with self.path.open("rb") as file:
            file.seek(offset)
            if self.is_known(offset, offset + length) and file.read(length) != data[:length]:
                return f"bytes {offset} to {offset + length} are stated otherwise the second time"
        self.doubled.append((data[:length], restating))
        return None if restating else f"bytes {offset} to {offset + length} are there twice"

    def skip(self, start, end):
        """A gap. Without `end` nobody knows how much was lost."""
        self.gapped = True
        self.end = max(self.end, start if end is None else end)

    def knows(self, start, end):
        if self.known and self.known[-1][1] == start:
            self.known[-1] = (self.known[-1][0], end)
        else:
            self.known.append((start, end))

    def is_known(self, start, end):
        return any(first <= start and end <= last for first, last in self.known)

    def segments(self):
        """What is known, one stretch of bytes at a time."""
        with self.path.open("rb") as file:
            for start, end in self.known:
                file.seek(start)
                yield start, file.read(end - start)


def split(data):
    """Lines with their LF; the last may have none."""
    return re.findall(rb"[^\n]*\n|[^\n]+\Z", data)


def digest(path):
    sha256 = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(PART):
            sha256.update(part)
    return path.stat().st_size, sha256.digest()


def read_body(path):
    if path.name.endswith(".gz"):
        return gzip.decompress(path.read_bytes())
    return subprocess.run(["zstd", "-q", "-d", "-c", path], stdout=subprocess.PIPE, check=True).stdout


class Archive:
    def __init__(self, copy, scratch):
        self.faults = []
        self.gaps = Counter()
        self.gap_events = []
        self.ambiguous = 0
        self.manifests = 0
        self.scratch = scratch
        self.sources = {}
        self.made = 0
        bodies = {path.name.split(".")[0]: path for path in copy.glob("entries/*/*/*/*.ndjson.*")}
        for epoch in self.ordered(copy):
            self.read_epoch(epoch, bodies)

    def fault(self, where, what):
        if len(self.faults) < FAULTS_MAX:
            self.faults.append(f"{where}: {what}")

    def ordered(self, copy):
        """Each epoch's manifests in order of seq, without the void ones; successors after what they continue."""
        epochs = defaultdict(list)
        for path in sorted(copy.glob("manifests/*/*/*/*.manifest")):
            line = path.read_bytes().split(b"\n", 1)[0] + b"\n"
            epochs[path.parent.name].append((json.loads(line), hashlib.sha256(line).hexdigest()))
        cuts = {}
        before = {}
        for name, manifests in epochs.items():
            before[name] = manifests[0][0].get("prev_epoch", [])
            for head in before[name]:
                cuts[head["epoch"]] = head
        for name, head in cuts.items():
            kept = [pair for pair in epochs.get(name, []) if pair[0]["seq"] <= head["seq"]]
            if not kept or kept[-1][1] != head["sha256"]:
                self.fault(name, "its successor names another manifest as the last")
            if name in epochs:
                epochs[name] = kept
        done = set()
        while len(done) < len(epochs):
            ready = [name for name in epochs if name not in done and all(h["epoch"] in done for h in before[name])]
            if not ready:
                raise ValueError("the epochs do not form a line")
            done.add(ready[0])
            yield epochs[ready[0]]

    def read_epoch(self, manifests, bodies):
        genesis = manifests[0][0]
        restating = any(event["kind"] in ("state_lost", "rollback") for event in genesis["events"])
        seq, prev, entries = 0, None, 0
        for manifest, sha256 in manifests:
            where = f"{manifest['stream']}/{manifest['epoch']}/{manifest['seq']}"
            self.manifests += 1
            if manifest["seq"] != seq:
                self.fault(where, f"seq {seq} was expected")
            if prev is not None and manifest["prev"]["sha256"] != prev:
                self.fault(where, "prev is not the manifest before")
            if manifest["entries"]["first"] != entries:
                self.fault(where, f"entries begin at {manifest['entries']['first']}, not {entries}")
            named = self.name_sources(manifest)
            if manifest["entries"]["count"]:
                self.read_entries(where, manifest, bodies, named, restating)
            self.note_events(manifest, named)
            self.check_ends(where, manifest, named)
            seq, prev = manifest["seq"] + 1, sha256
            entries = manifest["entries"]["first"] + manifest["entries"]["count"]

    def name_sources(self, manifest):
        stream, epoch = manifest["stream"], manifest["epoch"]
        named = {}
        for item in manifest["sources"]:
            full = (stream, epoch, item["id"])
            if "was" in item:
                was = (item["was"]["stream"], item["was"]["epoch"], item["was"]["id"])
                self.sources[full] = self.sources.pop(was)
            if full not in self.sources:
                self.sources[full] = Source(self.scratch / str(self.made))
                self.made += 1
            named[item["id"]] = self.sources[full]
        return named

    def read_entries(self, where, manifest, bodies, named, restating):
        stored = manifest["stored"]["sha256"]
        path = bodies.get(f"{manifest['epoch']}-{manifest['seq']:020}-{stored[:16]}")
        if path is None:
            return self.fault(where, "its body is not there")
        if digest(path)[1].hex() != stored:
            self.fault(where, "its body has another hash")
        pieces = defaultdict(list)
        count = 0
        for line in read_body(path).split(b"\n")[:-1]:
            entry = json.loads(line)
            if entry["event.sequence"] != manifest["entries"]["first"] + count:
                self.fault(where, f"entry {count} has another number")
            count += 1
            message = entry.get("message")
            data = base64.b64decode(entry["message_base64"]) if message is None else message.encode()
            if "open" not in entry.get("log.flags", []):
                data += b"\n"
            pieces[entry["log.file.id"]].append((entry["log.offset"], data))
        if count != manifest["entries"]["count"]:
            self.fault(where, f"{count} entries, not {manifest['entries']['count']}")
        for number, found in pieces.items():
            self.put_all(where, number, named[number], found, manifest, restating)

    def put_all(self, where, number, source, found, manifest, restating):
        gaps = [
            (event["from"], event["to"])
            for event in manifest["events"]
            if event["kind"] == "gap" and event["source"] == number and "to" in event
        ]
        gaps.sort(reverse=True)
        # Entries that follow one another are put together: a source is opened once for all of them.
        run_at, run = None, []

        def flush():
            if run and (fault := source.put(run_at, b"".join(run), restating)):
                self.fault(where, f"source {number}: {fault}")

        expected = None
        for offset, data in found:
            if offset != expected:
                flush()
                while gaps and gaps[-1][0] < offset:
                    source.skip(*gaps.pop())
                run_at, run = offset, []
            run.append(data)
            expected = offset + len(data)
        flush()

    def note_events(self, manifest, named):
        for event in manifest["events"]:
            if event["kind"] == "gap":
                self.gaps[event["reason"]] += 1
                self.tell_gap(manifest, event)
                named[event["source"]].skip(event["from"], event.get("to"))
            if event["kind"] == "ambiguous":
                self.ambiguous += 1
                named[event["source"]].ambiguous = True

    def tell_gap(self, manifest, event):
        if len(self.gap_events) < FAULTS_MAX:
            paths = [item.get("path") for item in manifest["sources"] if item["id"] == event["source"]]
            told = {"log": (paths or [None])[0], "at": manifest["time"]["sealed"]}
            self.gap_events.append(told | {key: event.get(key) for key in ("source", "from", "to", "reason")})

    def check_ends(self, where, manifest, named):
        ends = {item["id"]: item["to"] for item in manifest["sources"]}
        for number, end in ends.items():
            if named[number].end < end:
                self.fault(where, f"source {number}: bytes {named[number].end} to {end} are missing")
                named[number].end = end

    def compare(self, lives):
        result = Counter(lost=0, gapped=0, twice=0, repeated=0, foreign=0, written=0, archived=0)
        sources = list(self.sources.values())
        for source in sources:
            result["archived"] += sum(len(split(data)) for _, data in source.segments())
        for life in lives:
            with life.open("rb") as file:
                result["written"] += sum(1 for _ in file)
        unmatched, others = pair_whole(sources, lives)
        unmatched, others = self.pair_gapped(unmatched, others, result)
        self.compare_lines(sources, lives, unmatched, others, result)
        for source in sources:
            for data, restating in source.doubled:
                result["repeated" if restating or source.ambiguous else "twice"] += len(split(data))
        return {
            **result,
            "gaps": dict(self.gaps),
            "gap_events": self.gap_events,
            "ambiguous": self.ambiguous,
            "manifests": self.manifests,
            "sources": len(sources),
            "lives": len(lives),
            "faults": self.faults,
        }

    def pair_gapped(self, sources, lives, result):
        """Sources with gaps, each with a life that agrees where anything is known; those that know most come first."""
        sources = sorted(sources, key=lambda source: -sum(end - start for start, end in source.known))
        left = []
        lives = list(lives)
        for source in sources:
            life = next((life for life in lives if source.gapped and agrees(source, life)), None)
            if life is None:
                left.append(source)
                continue
            lives.remove(life)
            at = 0
            for line in split(life.read_bytes()):
                result["gapped"] += not source.is_known(at, at + len(line))
                at += len(line)
        return left, lives

    def compare_lines(self, sources, lives, unmatched, others, result):
        wanted = set()
        for source in unmatched:
            wanted.update(line for _, data in source.segments() for line in split(data))
        for life in others:
            wanted.update(split(life.read_bytes()))
        if not wanted:
            return
        written, archived, stated = Counter(), Counter(), Counter()
        for life in lives:
            with life.open("rb") as file:
                written.update(line for line in file if line in wanted)
        for source in sources:
            for _, data in source.segments():
                lines = [line for line in split(data) if line in wanted]
                archived.update(lines)
                if source.ambiguous:
                    stated.update(lines)
        for line in wanted:
            surplus = archived[line] - written[line]
            if surplus < 0:
                result["lost"] -= surplus
            elif surplus and not written[line]:
                result["foreign"] += surplus
            elif surplus:
                result["repeated"] += min(surplus, stated[line])
                result["twice"] += max(0, surplus - stated[line])


def pair_whole(sources, lives):
    """What is left when each source is set against a life of the same bytes."""
    waiting = defaultdict(list)
    for life in lives:
        if life.stat().st_size:
            waiting[digest(life)].append(life)
    unmatched = []
    for source in sources:
        whole = not source.gapped and source.known in ([], [(0, source.end)])
        same = waiting.get(digest(source.path)) if whole else None
        if same:
            same.pop()
        elif source.known or source.gapped:
            unmatched.append(source)
    return unmatched, [life for same in waiting.values() for life in same]


def agrees(source, life):
    with life.open("rb") as file:
        for start, data in source.segments():
            file.seek(start)
            if file.read(len(data)) != data:
                return False
    return True


if __name__ == "__main__":
    sys.exit(main())
