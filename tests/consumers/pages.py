"""What README and docs/operations.md say of readers, where this is tried word for word."""

import re
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
PAGE = TOP / "docs" / "operations.md"
README_STORE = "s3://audit-logs/prod"


def query_of_readme(entries):
    """What README's `duckdb -c` line counts, with this folder in the place of its store."""
    import duckdb

    query, = re.findall(r'^ *duckdb -c "(.*)"$', (TOP / "README.md").read_text(), re.MULTILINE)
    assert README_STORE in query, query
    return duckdb.sql(query.replace(README_STORE, str(entries.parent))).fetchall()[0][0]
