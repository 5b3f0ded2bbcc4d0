"""Reads tables of the lake with programs that share no code with the writer, and gives plain Python values."""

import functools
import time

import pyarrow as pa

STORAGE_KEYS = ("endpoint", "region", "access_key", "secret_key")


def storage_options(storage):
    """deltalake's options for an S3 server that is not Amazon's."""
    if not storage:
        return None
    return {
        "aws_endpoint": storage["endpoint"],
        "aws_region": storage.get("region", "us-east-1"),
        "aws_access_key_id": storage["access_key"],
        "aws_secret_access_key": storage["secret_key"],
        "aws_allow_http": "true",
        "aws_virtual_hosted_style_request": "false",
    }


def wait_for_rows(url, count, storage, deadline):
    """Looks at the table's newest version until it holds at least `count` rows or `deadline` (time.monotonic) is
    over. Answers the number of rows last seen, 0 where there is no table."""
    from deltalake import DeltaTable

    seen, table = 0, None
    while True:
        try:
            if table is None:
                table = DeltaTable(url, storage_options=storage_options(storage))
            else:
                table.update_incremental()
            files = pa.table(table.get_add_actions(flatten=True))
            seen = sum(files["num_records"].to_pylist())
        except Exception:  # the table may not be there yet; what is wrong for good, the verdict will say
            table = None
        if seen >= count or time.monotonic() >= deadline:
            return seen
        time.sleep(0.15)


@functools.cache
def duckdb_connection():
    """DuckDB with the extensions that pip has brought: loading them takes longer than most reads."""
    import duckdb
    import duckdb_extensions

    for extension in ("httpfs", "delta"):
        duckdb_extensions.import_extension(extension)
    connection = duckdb.connect()
    connection.execute("load httpfs; load delta; set TimeZone = 'UTC'")
    return connection


def wait_for_transaction(url, txid, storage, deadline):
    """Looks at the table until it holds a change of this transaction or `deadline` (time.monotonic) is over."""
    while txid is not None and time.monotonic() < deadline:
        try:
            if duckdb_query(url, storage, "count(*) as n", f"where _tx_id = {txid}")["n"][0].as_py():
                return
        except Exception:  # as above; what is wrong for good, the verdict will say
            pass
        time.sleep(0.25)


def duckdb_query(url, storage, columns, rest):
    connection = duckdb_connection()
    if storage:
        scheme, _, endpoint = storage["endpoint"].partition("://")
        text = {key: str(value).replace("'", "''") for key, value in storage.items()}
        connection.execute(
            f"create or replace secret lake (type s3, provider config, key_id '{text['access_key']}', "
            f"secret '{text['secret_key']}', region '{text.get('region', 'us-east-1')}', endpoint '{endpoint}', "
            f"url_style 'path', use_ssl {str(scheme == 'https').lower()})"
        )
    quoted = url.replace("'", "''")
    return connection.execute(f"select {columns} from delta_scan('{quoted}') {rest}").to_arrow_table()


def read_duckdb(url, storage):
    """All rows of a Delta table, by DuckDB."""
    return duckdb_query(url, storage, "*", "")


def read_deltalake(url, storage):
    """All rows of a Delta table, by the deltalake package."""
    from deltalake import DeltaTable, QueryBuilder

    table = DeltaTable(url, storage_options=storage_options(storage))
    return pa.table(QueryBuilder().register("changes", table).execute("select * from changes"))


def read_parquet(path, _storage):
    """All rows of a Parquet file: what `tributary sql --format parquet` wrote."""
    import pyarrow.parquet

    return pyarrow.parquet.read_table(path)


def read_polars(url, storage):
    """All rows of a Delta table, by Polars."""
    import polars

    rows = polars.scan_delta(url, storage_options=storage_options(storage)).collect().to_arrow()
    # Polars has no maps: it shows one as a list of pairs
    for index, field in enumerate(rows.schema):
        if is_list_of_pairs(field.type):
            pairs = [
                None if value is None else [(pair["key"], pair["value"]) for pair in value]
                for value in rows.column(index).to_pylist()
            ]
            rows = rows.set_column(index, field.name, pa.array(pairs, pa.map_(pa.string(), pa.string())))
    return rows


def is_list_of_pairs(data_type):
    if family(data_type) != "list" or not pa.types.is_struct(data_type.value_type):
        return False
    return [field.name for field in data_type.value_type] == ["key", "value"]


def without_position(table):
    """`current` without what it says of each row's last change."""
    return table.drop_columns(["_incarnation", "_lsn", "_seq", "_ts"])


READERS = {
    "duckdb": read_duckdb,
    "deltalake": read_deltalake,
    "polars": read_polars,
    "parquet": read_parquet,
}


def family(data_type):
    """A name for what a column's type can hold."""
    if pa.types.is_boolean(data_type):
        return "bool"
    if pa.types.is_integer(data_type):
        return "int"
    if pa.types.is_floating(data_type):
        return "float"
    if pa.types.is_decimal(data_type):
        return "decimal"
    if pa.types.is_timestamp(data_type):
        return "timestamp_utc" if data_type.tz else "timestamp"
    if pa.types.is_date(data_type):
        return "date"
    if pa.types.is_map(data_type):
        return "map"
    if pa.types.is_struct(data_type):
        return "struct"
    if pa.types.is_list(data_type) or pa.types.is_large_list(data_type) or pa.types.is_list_view(data_type):
        return "list"
    if pa.types.is_binary(data_type) or pa.types.is_large_binary(data_type) or pa.types.is_binary_view(data_type):
        return "binary"
    if pa.types.is_string(data_type) or pa.types.is_large_string(data_type) or pa.types.is_string_view(data_type):
        return "text"
    return str(data_type)


def values(array):
    """A column as Python values: timestamps in microseconds, dates in days, maps as dictionaries."""
    if isinstance(array, pa.ChunkedArray):
        return [value for chunk in array.chunks for value in values(chunk)]
    match family(array.type):
        case "timestamp" | "timestamp_utc":
            return array.cast(pa.timestamp("us", array.type.tz)).cast(pa.int64()).to_pylist()
        case "date":
            return array.cast(pa.date32()).cast(pa.int32()).to_pylist()
        case "map":
            return [None if pairs is None else dict(pairs) for pairs in array.to_pylist()]
        case "list":
            if pa.types.is_list_view(array.type):
                array = array.cast(pa.list_(array.type.value_type))
            items, offsets = values(array.values), array.offsets.to_pylist()
            present = array.is_valid().to_pylist()
            return [items[offsets[i] : offsets[i + 1]] if present[i] else None for i in range(len(array))]
        case _:
            return array.to_pylist()


class Table:
    """A table as rows of plain values, with the family of each column."""

    def __init__(self, arrow):
        self.families = {field.name: family(field.type) for field in arrow.schema}
        columns = [values(column) for column in arrow.columns]
        self.rows = [dict(zip(arrow.column_names, row)) for row in zip(*columns)]
