"""What `doctor` says of the version of the tables, the same on both engines."""

from smarthost.app.finding import Finding, bad, good
from smarthost.database.engine import Database
from smarthost.database.migrate import migrations, schema_version


async def check_schema(database: Database, name: str, state: str) -> Finding:
    """Look whether this program goes with the tables. Raises `StoreUnavailableError`.

    `name` is what the operator knows the database by, `state` what is well with it besides.
    """
    version = await schema_version(database)
    if version is None:
        return bad("database", f"{name} has no tables. `smarthost init` makes them.")
    known = migrations(database.dialect)[-1].version
    if version > known:
        words = f"{name} has schema version {version}; this program knows up to {known}."
        return bad("database", f"{words} Start the newer Smarthost that made it.")
    if version < known:
        words = f"{name} has schema version {version}; this program needs {known}."
        return bad("database", f"{words} `smarthost serve` brings it there.")
    return good("database", f"{name} is {state}, with schema version {version}.")
