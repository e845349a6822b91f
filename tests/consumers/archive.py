"""Archives to be read: the test vectors as they are and larger made bodies, in one codec or in both, and their rows.

The rows come from the blocks, each unpacked alone by its place in the manifest, so a reader that stops after the
first block of a file cannot agree with them.
"""

import base64, gzip, json, random, re, subprocess
from collections import namedtuple
from pathlib import Path

VECTORS = Path(__file__).resolve().parents[1] / "vectors" / "1" / "archive"
SUFFIX = {"gzip": ".ndjson.gz", "zstd": ".ndjson.zst"}

# What an entry is (docs/format.md), with the folders that its body lies in and the body's file name.
FIELDS = {
    "event.sequence": int,
    "event.created": str,
    "log.file.path": str,
    "log.file.path_base64": str,
    "log.file.id": int,
    "log.offset": int,
    "log.flags": list,
    "message": str,
    "message_base64": str,
}
PARTITIONS = ("agent", "stream", "date")
Row = namedtuple("Row", ["file", *PARTITIONS, *(name.replace(".", "_") for name in FIELDS)])

# A body: its key in parts, each block's NDJSON, and its stored bytes.
Body = namedtuple("Body", ["folder", "stem", "blocks", "codec", "stored"])


def row(file, partitions, fields):
    """One row out of what any reader gives: `fields` in the order of FIELDS, None where a field is not there."""
    values = [tuple(value) if isinstance(value, (list, tuple)) else value for value in fields]
    return Row(Path(file).name, *partitions, *values)


# ---------------------------------------------------------------- codecs

def pack(codec, raw):
    """One block as docs/format.md has it: a gzip member without name and time; a zstd frame with its content's size
    and a checksum."""
    if codec == "gzip":
        return gzip.compress(raw, 1, mtime=0)
    command = ["zstd", "-q", "-1", "--check", f"--stream-size={len(raw)}", "-c"]
    return subprocess.run(command, input=raw, stdout=subprocess.PIPE, check=True).stdout


def unpack(codec, stored):
    if codec == "gzip":
        return gzip.decompress(stored)
    return subprocess.run(["zstd", "-q", "-d", "-c"], input=stored, stdout=subprocess.PIPE, check=True).stdout


# ---------------------------------------------------------------- bodies

def vectors():
    """The bodies of the test vectors as agents store them, cut into blocks as their manifests say."""
    bodies = []
    for path in sorted(VECTORS.glob("manifests/**/*.manifest")):
        manifest = json.loads(path.read_bytes().split(b"\n")[0])
        if manifest["kind"] != "batch":
            continue
        codec, place = manifest["stored"]["codec"], {**manifest, "date": manifest["body"]["date"]}
        folder = "/".join(f"{name}={place[name]}" for name in PARTITIONS)
        stem = f"{manifest['epoch']}-{manifest['seq']:020}-{manifest['stored']['sha256'][:16]}"
        stored = (VECTORS / "entries" / folder / (stem + SUFFIX[codec])).read_bytes()
        blocks = []
        for block in manifest["blocks"]:
            raw = unpack(codec, stored[block["offset"]:block["offset"] + block["size"]])
            assert len(raw) == block["raw"] and raw.count(b"\n") == block["count"], path
            blocks.append(raw)
        bodies.append(Body(folder, stem, blocks, codec, stored))
    several = {body.codec for body in bodies if len(body.blocks) > 1}
    assert several == set(SUFFIX), f"vectors with bodies of several blocks: {several}"
    return bodies


# Messages that readers get wrong, or that look like something else than text.
AWKWARD = [
    b"", b"", b" ", b'say "no"', rb'back\slash \"both\" \n', b"tab\tand carriage return\r", b"NUL \0 inside",
    "\ufeffbyte order mark, café".encode(), "line\u2028separator, paragraph\u2029, NEL\u0085".encode(),
    "🦀 日本語 עברית e\u0301 \U0010ffff".encode(), b'{"event.sequence":1,"message":"JSON inside"}', b"[1,2]", b"null",
    b"true", b"2026-11-22", b"2026-11-22T10:00:00Z", b"12345678901234567890", b"1e400", b"\x7f\x1b[31m", b"a,b;c|d",
    b"not UTF-8: \xff\xfe", b"\xc3", b"\xed\xa0\x80 half a surrogate pair",
]
BLOCK_TARGET = 1 << 20      # docs/format.md: writers end a block at about 1 MiB
LONGEST_ENTRY = 1 << 20     # and an entry is at most 1 MiB of the log


class Writer:
    """Entries of one made body, numbered as an agent does."""

    def __init__(self, first=0):
        self.sequence, self.offset = first, first

    def entry(self, message, path=b"/var/log/app.log", flags=()):
        text = {"event.sequence": self.sequence, "event.created": f"2026-11-22T10:00:{self.sequence % 60:02}.000001Z"}
        text |= bytes_field("log.file.path", path) | {"log.file.id": 1, "log.offset": self.offset}
        text |= ({"log.flags": list(flags)} if flags else {}) | bytes_field("message", message)
        self.sequence += 1
        self.offset += len(message) + 1
        return json.dumps(text, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def bytes_field(name, value):
    try:
        return {name: value.decode()}
    except UnicodeDecodeError:
        return {name + "_base64": base64.b64encode(value).decode()}


def full_blocks(dice):
    """Three blocks of the usual size: larger than any reader's buffer."""
    writer, blocks = Writer(), []
    for _ in range(3):
        lines, size = [], 0
        while size < BLOCK_TARGET:
            filler = dice.randbytes(dice.randrange(120)).hex().encode()
            path = b"/var/log/od\xff.log" if dice.random() < 0.05 else b"/var/log/app.log"
            flags = dice.choice([(), (), (), ("cont",), ("cont", "open")])
            lines.append(writer.entry(dice.choice([filler, filler, *AWKWARD]) + filler, path, flags))
            size += len(lines[-1])
        blocks.append(b"".join(lines))
    return blocks


def small_blocks():
    """A block for each awkward message: many units in one read of a file."""
    writer = Writer(first=2**53 - 1000)
    return [writer.entry(message) for message in AWKWARD]


def longest_entry():
    """A line of JSON six times as long as the longest entry, between two short ones."""
    writer = Writer()
    return [writer.entry(b"before"), writer.entry(b"\x01" * LONGEST_ENTRY), writer.entry(b"after")]


def late_fields():
    """Fields that come first where a reader that looks at the beginning alone no longer looks."""
    writer = Writer()
    plain = [b"".join(writer.entry(b"plain") for _ in range(400)) for _ in range(2)]
    return [*plain, writer.entry(b"\xff", b"/var/log/od\xff.log", ["cont", "open"])]


def made():
    """Blocks by folder, at least three each. An agent called 007 is no number."""
    dice = random.Random(8)
    return {
        "agent=007/stream=app/date=2026-11-22": full_blocks(dice),
        "agent=007/stream=app/date=2026-11-23": small_blocks(),
        "agent=007/stream=2026/date=2026-11-22": longest_entry(),
        "agent=db-01/stream=app/date=2026-11-22": late_fields(),
    }


# ---------------------------------------------------------------- archives

def bodies_in(codecs):
    """The vectors in these codecs, and made bodies that take turns with them, as after a change of `seal.codec`."""
    bodies = [body for body in vectors() if body.codec in codecs]
    for number, (folder, blocks) in enumerate(made().items()):
        assert len(blocks) >= 3, folder
        codec = codecs[number % len(codecs)]
        stem = f"01a202b2-c500-7101-8101-0000000000{number:02}-{1:020}-{number:016x}"
        bodies.append(Body(folder, stem, blocks, codec, b"".join(pack(codec, block) for block in blocks)))
    return bodies


def write(bodies, folder):
    """`entries/` with these bodies."""
    for body in bodies:
        path = folder / "entries" / body.folder / (body.stem + SUFFIX[body.codec])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body.stored)
    return folder / "entries"


def rows_of(bodies):
    return [line for body in bodies for line in body_rows(body)]


def body_rows(body):
    partitions = re.findall(r"=([^/]*)", body.folder)
    entries = (json.loads(line) for block in body.blocks for line in block.split(b"\n")[:-1])
    return [row(body.stem + SUFFIX[body.codec], partitions, (entry.get(name) for name in FIELDS)) for entry in entries]
