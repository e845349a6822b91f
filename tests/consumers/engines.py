"""How each engine reads `entries/`: the code to copy from. docs/operations.md has the table.

All of them name the columns. An engine that guesses them from the first lines may leave out a field that comes
later, or take a message for a date; and one that guesses partitions' types takes agent=007 for a number.
"""

from collections import namedtuple

from archive import FIELDS, PARTITIONS, row

# One way to read with an engine: what `read` gives must be exact, save on archives that it `cannot` read.
Way = namedtuple("Way", ["name", "read", "cannot"])


# ---------------------------------------------------------------- DuckDB

def duckdb_read_json(entries):
    import duckdb

    types = {int: "BIGINT", str: "VARCHAR", list: "VARCHAR[]"}
    columns = ", ".join(f"'{name}': '{types[kind]}'" for name, kind in FIELDS.items())
    partitions = ", ".join(f"'{name}': 'VARCHAR'" for name in PARTITIONS)
    names = ", ".join(f'"{name}"' for name in ["filename", *PARTITIONS, *FIELDS])
    found = duckdb.sql(
        f"select {names} from read_json('{entries}/**/*.ndjson.*', format = 'newline_delimited', filename = true, "
        f"columns = {{{columns}}}, hive_partitioning = true, hive_types = {{{partitions}}})")
    return [row(file, rest[:3], rest[3:]) for file, *rest in found.fetchall()]


# ---------------------------------------------------------------- pyarrow

LONGEST_LINE = 16 << 20     # pyarrow's block_size: a line is at most about 6 MiB of JSON; its default of 1 MiB fails


def arrow_schema():
    import pyarrow

    types = {int: pyarrow.int64(), str: pyarrow.string(), list: pyarrow.list_(pyarrow.string())}
    return pyarrow.schema([(name, types[kind]) for name, kind in FIELDS.items()])


def arrow_partitioning():
    import pyarrow
    import pyarrow.dataset

    return pyarrow.dataset.partitioning(
        pyarrow.schema([(name, pyarrow.string()) for name in PARTITIONS]), flavor="hive")


def arrow_rows(file, partition, table):
    import pyarrow.dataset

    keys = pyarrow.dataset.get_partition_keys(partition)
    return [row(file, [keys[name] for name in PARTITIONS], [entry[name] for name in FIELDS])
            for entry in table.to_pylist()]


def pyarrow_read_json(entries):
    import pyarrow.json

    rows = []
    for file in sorted(entries.glob("**/*.ndjson.*")):
        table = pyarrow.json.read_json(
            file, read_options=pyarrow.json.ReadOptions(block_size=LONGEST_LINE),
            parse_options=pyarrow.json.ParseOptions(explicit_schema=arrow_schema()))
        rows += arrow_rows(file, arrow_partitioning().parse(f"{file.parent.relative_to(entries)}/"), table)
    return rows


def pyarrow_dataset(entries):
    import pyarrow.dataset
    import pyarrow.json

    lines = pyarrow.dataset.JsonFileFormat(
        read_options=pyarrow.json.ReadOptions(block_size=LONGEST_LINE),
        parse_options=pyarrow.json.ParseOptions(explicit_schema=arrow_schema()))
    dataset = pyarrow.dataset.dataset(entries, schema=arrow_schema(), partitioning=arrow_partitioning(), format=lines)
    # One table of them all would need the column `__filename`, with which pyarrow 26.0.1 crashes mostly.
    return [line for part in dataset.get_fragments()
            for line in arrow_rows(part.path, part.partition_expression, part.to_table(schema=arrow_schema()))]


# ---------------------------------------------------------------- polars

def polars_scan_ndjson(entries):
    import polars

    types = {int: polars.Int64, str: polars.String, list: polars.List(polars.String)}
    lines = polars.scan_ndjson(
        f"{entries}/**/*.ndjson.*", schema={name: types[kind] for name, kind in FIELDS.items()},
        include_file_paths="file")
    # scan_ndjson knows no Hive partitions: they are taken from the path.
    for name in PARTITIONS:
        lines = lines.with_columns(polars.col("file").str.extract(f"/{name}=([^/]*)/").alias(name))
    found = lines.select("file", *PARTITIONS, *FIELDS).collect()
    return [row(file, rest[:3], rest[3:]) for file, *rest in found.rows()]


# ---------------------------------------------------------------- Spark

def spark_read_json(entries):
    from pyspark.sql import SparkSession
    from pyspark.sql import functions as f
    from pyspark.sql import types as t

    kinds = {int: t.LongType(), str: t.StringType(), list: t.ArrayType(t.StringType())}
    schema = t.StructType([t.StructField(name, kinds[kind]) for name, kind in FIELDS.items()])
    spark = (SparkSession.builder.master("local[2]")
             .config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1")
             .config("spark.ui.enabled", "false").config("spark.ui.showConsoleProgress", "false")
            .config("spark.log.level", "ERROR")
             .config("spark.sql.sources.partitionColumnTypeInference.enabled", "false").getOrCreate())
    try:
        # Spark's default mode makes a line that it cannot read a row of nulls.
        lines = spark.read.schema(schema).json(str(entries), mode="FAILFAST").withColumn("file", f.input_file_name())
        names = [f.col(f"`{name}`") for name in ["file", *PARTITIONS, *FIELDS]]
        return [row(file, rest[:3], rest[3:]) for file, *rest in lines.select(names).collect()]
    finally:
        spark.stop()


ENGINES = {
    "duckdb": [Way("read_json", duckdb_read_json, ())],
    "pyarrow": [Way("json.read_json", pyarrow_read_json, ()),
                Way("dataset", pyarrow_dataset, ("zstd", "gzip and zstd"))],
    "polars": [Way("scan_ndjson", polars_scan_ndjson, ())],
    "pyspark": [Way("read.json", spark_read_json, ())],
}
