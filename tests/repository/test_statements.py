"""Every SQL statement of every `store.py`: valid, portable, and of one portal alone.

A statement that forgets its portal works in every test with one portal and shows one tenant's
rows to another in the field. So all of them are read here, and SQLite is asked how it finds
each row.
"""

import ast
import importlib
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import apsw
import pytest

from smarthost.database.engine import Transaction
from smarthost.database.migrate import migrations
from smarthost.database.parameters import numbered
from tests.engines import migrated_database

SOURCE = Path(__file__).parents[2] / "src" / "smarthost"
STORES = sorted(SOURCE.rglob("store.py"))
# Where SQL stands besides the stores: the engine itself.
OF_THE_ENGINE = sorted((SOURCE / "database").rglob("*.py"))
OUTSIDE_THE_STORES = sorted({*SOURCE.rglob("*.py")} - {*STORES, *OF_THE_ENGINE})
SQL = re.compile(
    r"\s*(SELECT|INSERT INTO|UPDATE \w+\s+SET|DELETE FROM|WITH \w+|CREATE |DROP |ALTER |REPLACE |"
    r"PRAGMA |BEGIN|COMMIT|ROLLBACK|SAVEPOINT)\b"
)
PORTALS_KEY = "portal_id"
# What belongs to the installation as a whole, and portals themselves where they are looked up
# by name, listed and made.
OF_THE_INSTALLATION = {
    "sign_in_failures",
    "sealing_keys",
    "schema_migrations",
    "delivering_nodes",
}
PORTALS_AT_LARGE = re.compile(r"\s*(SELECT\b.* FROM portals\b|INSERT INTO portals\b)", re.DOTALL)
# What is asked of all portals at once: whose turn it is, who waits for the default relay, whose
# receiver is to be called, whose senders are to be told. The answer names portals, and tells
# nothing of them but since when; or it tells how many there are.
AT_LARGE = re.compile(
    r"\s*SELECT (portal_id(, due_at)?|count\(\*\))\s+"
    r"FROM (queue_turns|relay_holds|webhooks|failure_notices)\s+WHERE"
    r"(?!.*\b(SELECT|JOIN|OR)\b)",
    re.DOTALL,
)
# How many rows all portals have that wait, up to so many: for the metrics, which name nobody.
COUNTED_AT_LARGE = re.compile(
    r"\s*SELECT count\(\*\) FROM \(\s+SELECT 1 FROM recipients\s+"
    r"WHERE portal_id >= \$1 AND portal_id <= \$2 AND (?!.*\b(SELECT|JOIN|OR)\b)"
    r".* LIMIT \$3\s+\) counted",
    re.DOTALL,
)
# What the operator reads of all portals, and the tables that it is read from: for commands alone,
# as a test below proves.
OF_THE_OPERATOR = {
    "smarthost.audit.reading": {"audit_events", "portals"},
    "smarthost.mail_queue.overview": {"recipients", "messages", "queue_turns", "relay_holds"},
    "smarthost.smtp_settings.overview": {"portals", "smtp_settings_revisions"},
}
OVERVIEWS = ("smarthost.mail_queue.overview", "smarthost.smtp_settings.overview")
# What is asked of many portals at once before their turn comes, one after the other: which of them
# have something to be done. Each row says first whose it is, and whatever else is read is of that
# portal, which stands in the statement and in the way that SQLite goes.
OF_MANY = ("smarthost.mail_queue.rounds.store.", "smarthost.relay_health.store._TO_TELL")
# A page of them, from one message to another, each with its own recipients.
WALKED = re.compile(
    r"\s*SELECT b\.portal_id, b\.message_id, [^;]*?\s"
    r"FROM \(\s+SELECT [^;]*? WHERE (?:\(portal_id, message_id\)|\(m\.portal_id, m\.id\))"
    r" > \(\$1, \$2\) ORDER BY \S+ \S+ LIMIT \$3\s+\) b\s+"
    r"JOIN recipients r ON r\.portal_id = b\.portal_id AND r\.message_id = b\.message_id\s+"
    r"GROUP BY b\.portal_id, b\.message_id ORDER BY b\.portal_id, b\.message_id"
)
MANY_FROM = re.compile(r"\s*SELECT (\w\.)?(?:id|portal_id)\b.*?\bFROM \w+(?: (\w))?\s", re.DOTALL)
# Whose a key is that was shown by SMTP, where there is no host name to tell. It tells the portal
# alone; whether the key is valid is asked in that portal.
WHOSE_KEY = "SELECT portal_id FROM api_keys WHERE id = $1"


def is_sql(text: str) -> bool:
    return SQL.match(text) is not None


def statements() -> dict[str, str]:
    """Every statement by the place where it stands."""
    found = {}
    for file in STORES:
        module = ".".join(file.relative_to(SOURCE.parent).with_suffix("").parts)
        for name, value in vars(importlib.import_module(module)).items():
            if isinstance(value, str) and is_sql(value):
                found[f"{module}.{name}"] = value
    return found


STATEMENTS = statements()
every_statement = pytest.mark.parametrize("name", STATEMENTS)


@pytest.fixture(scope="module")
def connection() -> Iterator[apsw.Connection]:
    connection = apsw.Connection(":memory:")
    for migration in migrations("sqlite"):
        connection.execute(migration.script)
    yield connection
    connection.close()


@pytest.fixture(scope="module")
def portal_tables(connection: apsw.Connection) -> frozenset[str]:
    """The tables whose rows belong to one portal each."""
    rows = connection.execute(
        "SELECT t.name FROM sqlite_schema t JOIN pragma_table_info(t.name) c "
        "WHERE t.type = 'table' AND c.name = ?",
        (PORTALS_KEY,),
    ).fetchall()
    return frozenset(str(row[0]) for row in rows)


def parameters(sql: str) -> set[int]:
    return {int(number) for number in re.findall(r"\?(\d+)", numbered(sql))}


def tables(sql: str) -> set[str]:
    return set(re.findall(r"\b(?:FROM|JOIN|INTO|UPDATE)\s+([a-z0-9_]+)", sql))


def insert_names_the_portal(sql: str) -> bool:
    """Whether `INSERT INTO t (portal_id, …)` takes its first value from `$1`."""
    return bool(
        re.match(r"\s*INSERT INTO \w+\s*\(portal_id,[^)]*\)\s*(VALUES \(|SELECT )\$1,", sql)
    )


def inside_functions(tree: ast.AST) -> Iterator[ast.Constant]:
    """Every text in a function that is no docstring."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from texts(node)


def texts(tree: ast.AST) -> Iterator[ast.Constant]:
    docstrings = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in docstrings:
            yield node


def of_the_operator(name: str) -> set[str] | None:
    """The tables that a statement of the operator's may read, None if it is none of those."""
    return next((may for room, may in OF_THE_OPERATOR.items() if name.startswith(room)), None)


def is_of_many(sql: str) -> bool:
    """Whether each row names its portal first, and whatever else is read is of that one."""
    found = MANY_FROM.match(sql)
    if found is None or found[1] != (found[2] and f"{found[2]}.") or " OR " in sql:
        return False
    more = re.findall(r"\b(?:FROM|JOIN) (\w+)(?: (\w))?\s", sql)[1:]
    whose = rf"(?:{found[2]}\.(?:id|portal_id))"
    return all(
        re.search(rf"\b{alias}\.(?:id|portal_id) = {whose}", sql) is not None for _, alias in more
    )


def assert_searched(steps: list[str]) -> None:
    """Every table is searched by its portals, a stretch of an index, and none is read through."""
    made = {f"SCAN {step.split()[1]}" for step in steps if step.startswith("CO-ROUTINE ")}
    for step in steps:
        if step.startswith(("SCAN", "SEARCH")) and step not in made:
            assert re.search(r"\(\(?(portal_)?id[,=>]", step), step


def assert_one_after_the_other(steps: list[str]) -> None:
    """From one portal on in the order of the index, and for each what is its own."""
    assert re.match(r"SEARCH \w+ USING .*\((portal_)?id>\?", steps[0]), steps
    assert not any("TEMP B-TREE" in step for step in steps), steps
    for step in steps[1:]:
        assert not step.startswith("S") or "id=?" in step, step


def sql_in(found: Iterator[ast.Constant]) -> list[str]:
    return [
        f"line {node.lineno}: {node.value[:60]}"
        for node in found
        if isinstance(node.value, str) and is_sql(node.value)
    ]


def test_the_stores_and_their_statements_are_found() -> None:
    assert len(STORES) >= 5
    for file in STORES:
        module = ".".join(file.relative_to(SOURCE.parent).with_suffix("").parts)
        assert any(name.startswith(f"{module}.") for name in STATEMENTS), f"no SQL in {file}"


@pytest.mark.parametrize("file", STORES, ids=str)
def test_no_function_of_a_store_makes_sql(file: Path) -> None:
    assert sql_in(inside_functions(ast.parse(file.read_text(encoding="utf-8")))) == []


@pytest.mark.parametrize("file", STORES, ids=str)
def test_a_store_runs_nothing_but_its_constants(file: Path) -> None:
    """What `fetch`, `fetch_each`, `execute` are given first is a constant, never put together."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if node.func.attr in ("fetch", "fetch_each", "execute"):
            first = node.args[0]
            assert isinstance(first, ast.Name), f"line {node.lineno}"
            assert re.fullmatch(r"_[A-Z_]+", first.id), f"line {node.lineno}: {first.id}"


@pytest.mark.parametrize("file", OUTSIDE_THE_STORES, ids=str)
def test_sql_stands_in_stores_and_in_the_engine_alone(file: Path) -> None:
    assert sql_in(texts(ast.parse(file.read_text(encoding="utf-8")))) == []


@pytest.mark.parametrize("file", OF_THE_ENGINE, ids=str)
def test_the_engine_knows_no_portals_rows(file: Path, portal_tables: frozenset[str]) -> None:
    for text in texts(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(text.value, str) and is_sql(text.value):
            assert not tables(text.value) & {*portal_tables, "portals"}, f"line {text.lineno}"


@every_statement
def test_it_is_valid(name: str, connection: apsw.Connection) -> None:
    sql = numbered(STATEMENTS[name])
    connection.execute(f"EXPLAIN {sql}", (None,) * len(parameters(sql))).fetchall()


@pytest.mark.needs("postgres")
async def test_postgresql_takes_every_statement_and_finds_its_rows_by_an_index(
    tmp_path: Path,
) -> None:
    """Each is planned as one that is run with all kinds of values, and with no table read through
    where there is another way."""
    faults = []
    async with migrated_database("postgresql", tmp_path) as database:

        async def plan(tx: Transaction, sql: str) -> list[str]:
            await tx.execute("SET LOCAL enable_seqscan = off")
            await tx.execute("SET LOCAL plan_cache_mode = force_generic_plan")
            await tx.execute(f"PREPARE planned AS {sql}")
            values = ", ".join(["NULL"] * len(parameters(sql)))
            rows = await tx.fetch(f"EXPLAIN EXECUTE planned{f'({values})' if values else ''}")
            await tx.execute("DEALLOCATE planned")
            return [str(row[0]) for row in rows]

        for name, sql in STATEMENTS.items():
            try:
                steps = await database.transact(partial(plan, sql=sql))
            except Exception as error:  # noqa: BLE001 - all of them are told together
                faults.append(f"{name}: {error}")
                continue
            if "WHERE" in sql:
                faults += [f"{name}: {step.strip()}" for step in steps if "Seq Scan" in step]
    assert faults == []


@every_statement
def test_its_values_are_numbered_without_a_gap(name: str) -> None:
    used = parameters(STATEMENTS[name])
    assert used == set(range(1, len(used) + 1))


@every_statement
def test_it_names_its_columns(name: str) -> None:
    """A column that a newer program has added changes neither what it gives nor what it takes."""
    text = STATEMENTS[name]
    assert not re.search(r"(SELECT|RETURNING|,)\s+(\w+\.)?\*", text)
    assert not re.search(r"INSERT INTO \w++\s*+(?!\()", text)


@every_statement
def test_it_is_portable(name: str) -> None:
    text = re.sub(r"'[^']*'", "''", STATEMENTS[name])
    for word in ("::", "?", "[", '"', ";", "`", "->"):
        assert word not in text
    dialect = (
        r"now\s*\(|any\s*\(|ifnull|rowid|or\s+(replace|ignore)|glob|ilike|datetime|true|false"
    )
    assert not re.search(rf"\b({dialect})", text, re.IGNORECASE)


@every_statement
def test_it_names_its_portal(name: str, portal_tables: frozenset[str]) -> None:
    sql = STATEMENTS[name]
    touched = tables(sql)
    assert touched, "a statement without a table that this test can see"
    unknown = touched - portal_tables - OF_THE_INSTALLATION - {"portals"}
    assert not unknown, f"the tables {unknown} have no portal_id: whose are they?"
    if (readable := of_the_operator(name)) is not None:
        assert touched <= readable
        return
    if name.startswith(OF_MANY):
        assert is_of_many(sql) or WALKED.fullmatch(sql), sql
        return
    if touched <= OF_THE_INSTALLATION or (touched == {"portals"} and PORTALS_AT_LARGE.match(sql)):
        return
    if AT_LARGE.match(sql) or COUNTED_AT_LARGE.fullmatch(sql) or sql == WHOSE_KEY:
        return
    if touched == {"portals"}:
        assert re.search(r"WHERE id = \$\d", sql), sql
        return
    assert re.search(r"portal_id = \$\d", sql) or insert_names_the_portal(sql), sql
    assert " OR " not in sql, "an OR beside the portal's condition opens it"


@every_statement
def test_every_row_of_a_portal_is_found_through_the_portal(
    name: str, connection: apsw.Connection, portal_tables: frozenset[str]
) -> None:
    """Ask SQLite: each table is searched by `portal_id = …`, and none is read through."""
    sql = numbered(STATEMENTS[name])
    plan = connection.execute(
        f"EXPLAIN QUERY PLAN {sql}", (None,) * len(parameters(sql))
    ).fetchall()
    aliases = dict(re.findall(r"\b(?:FROM|JOIN)\s+([a-z0-9_]+)\s+([a-z])\b", sql))
    theirs = portal_tables | {aliases[table] for table in portal_tables & aliases.keys()}
    steps = [str(row[-1]) for row in plan]
    if name.startswith((*OVERVIEWS, *OF_MANY)):
        by_pages = name.startswith(OVERVIEWS) or WALKED.fullmatch(STATEMENTS[name])
        (assert_searched if by_pages else assert_one_after_the_other)(steps)
        return
    if of_the_operator(name) is not None and "portal_id = $" not in STATEMENTS[name]:
        # By an event's number or id; of the whole table there is nothing but its last row.
        assert "SEARCH" in steps[0] or sql.endswith("ORDER BY number DESC LIMIT 1"), steps
        assert not any("TEMP B-TREE" in step for step in steps), steps
        return
    if STATEMENTS[name] == WHOSE_KEY:
        assert steps == ["SEARCH api_keys USING COVERING INDEX api_keys_by_id (id=?)"]
        return
    if COUNTED_AT_LARGE.fullmatch(STATEMENTS[name]):
        (step,) = (step for step in steps if "recipients" in step)
        assert re.match(r"SEARCH recipients USING COVERING INDEX \w+ \(portal_id>", step), step
        return
    if AT_LARGE.match(sql):
        (step,) = steps  # a range of an index in its order; nothing is read through or sorted
        assert re.match(r"SEARCH \w+ USING ((COVERING )?INDEX|PRIMARY KEY) ", step), step
        return
    for step in steps:
        access = re.match(r"(SCAN|SEARCH) (\w+)", step)
        if access and access[2] in theirs:
            assert "portal_id=?" in step, step
    read = tables(sql) & portal_tables
    if read and not sql.lstrip().startswith("INSERT INTO"):
        assert any("portal_id=?" in step for step in steps), steps


def test_what_is_read_of_all_portals_is_read_by_commands_alone() -> None:
    readers = {
        file.relative_to(SOURCE).as_posix()
        for file in SOURCE.rglob("*.py")
        if any(room in file.read_text(encoding="utf-8") for room in OF_THE_OPERATOR)
    }
    outside = {
        name
        for name in readers
        if not name.startswith(("cli/", "audit/reading/")) and name != "app/doctor.py"
    }
    assert readers
    assert outside == set()


def test_only_the_queue_goes_round_all_portals() -> None:
    readers = {
        file.relative_to(SOURCE).parts[0]
        for file in SOURCE.rglob("*.py")
        if "smarthost.mail_queue.rounds" in file.read_text(encoding="utf-8")
    }
    assert readers == {"mail_queue"}


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT r.address FROM portals p JOIN recipients r ON r.portal_id = p.id WHERE p.id > $1",
        "SELECT p.id FROM portals p JOIN users u ON u.role = 'user' WHERE p.id > $1",
        "SELECT p.id FROM portals p WHERE EXISTS (SELECT 1 FROM users WHERE id = $1)",
        "SELECT p.id FROM portals p JOIN users u ON u.portal_id = p.id OR u.id = $1",
        "SELECT u.portal_id FROM portals p JOIN users u ON u.portal_id = p.id WHERE p.id > $1",
    ],
)
def test_a_look_at_many_portals_that_mixes_them_would_be_seen(sql: str) -> None:
    assert not is_of_many(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id FROM users WHERE email = $1",
        "SELECT id FROM users WHERE portal_id = portal_id AND email = $1",
        "DELETE FROM api_keys WHERE id = $1",
        "SELECT portal_id, secret_hash FROM api_keys WHERE id = $1",
        "UPDATE users SET role = $1",
        "SELECT u.id FROM users u JOIN sessions s ON s.user_id = u.id WHERE u.portal_id = $1",
        "SELECT address FROM recipients WHERE kind = $1 AND due_at <= $2",
        "UPDATE queue_turns SET due_at = $1",
        "SELECT portal_id FROM webhooks WHERE url IN (SELECT address FROM recipients)",
        "SELECT portal_id FROM queue_turns WHERE kind IN (SELECT address FROM recipients)",
        "SELECT portal_id FROM relay_holds WHERE reply = $1",
        "SELECT portal_id, due_at FROM queue_turns WHERE due_at > $1 ORDER BY portal_id",
        "SELECT portal_id, reply FROM relay_holds WHERE portal_id > $1",
        "SELECT count(*) FROM (SELECT 1 FROM recipients WHERE state = $1 LIMIT $2) counted",
    ],
)
def test_a_statement_that_forgets_its_portal_would_be_seen(
    sql: str, connection: apsw.Connection, portal_tables: frozenset[str]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(STATEMENTS, "planted", sql)
        with pytest.raises(AssertionError):  # noqa: PT012 - one of the two sees it
            test_it_names_its_portal("planted", portal_tables)
            test_every_row_of_a_portal_is_found_through_the_portal(
                "planted", connection, portal_tables
            )
