"""Readers that are wrong on purpose, as real ones have been. Each must be found out, else the comparison is worth
nothing."""

import zlib

from archive import pack, rows_of


def first_block_only(bodies):
    """zlib as it is: it stops after the first member of a file, and says nothing."""
    packed = (b"".join(pack("gzip", block) for block in body.blocks) for body in bodies)
    return rows_of(body._replace(blocks=[zlib.decompress(stored, wbits=31)]) for body, stored in zip(bodies, packed))


def not_the_last_block(bodies):
    """One body cut after two blocks, all the others whole."""
    cut = next(body for body in bodies if len(body.blocks) > 2)
    return changed([body._replace(blocks=body.blocks[:2]) if body is cut else body for body in bodies])


def changed(bodies, **change):
    """Every row, but for what `change` makes of a field."""
    return [row._replace(**{name: make(getattr(row, name)) for name, make in change.items()})
            for row in rows_of(bodies)]


DOUBLES = {
    "stops after a file's first block": first_block_only,
    "stops before the last block of one file": not_the_last_block,
    "leaves out the last line": lambda bodies: changed(bodies)[:-1],
    "gives a line twice": lambda bodies: [*(rows := changed(bodies)), rows[-1]],
    "takes an empty message for none": lambda bodies: changed(bodies, message=lambda text: text or None),
    "trims messages": lambda bodies: changed(bodies, message=lambda text: text and text.strip()),
    "ends a message at NUL": lambda bodies: changed(bodies, message=lambda text: text and text.split("\0")[0]),
    "never saw message_base64": lambda bodies: changed(bodies, message_base64=lambda text: None),
    "takes agents for numbers": lambda bodies: changed(bodies, agent=lambda text: text.lstrip("0")),
    "has numbers of 32 bits": lambda bodies: changed(bodies, event_sequence=lambda number: number & 0xffffffff),
    "knows no partitions": lambda bodies: changed(bodies, date=lambda text: None),
}
