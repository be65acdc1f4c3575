"""OAuth2 as it is put together: nothing of it where nobody has it, and where it may ask."""

from tests.processes import run_python

_OPENS = """
import asyncio, sys
from pathlib import Path
from smarthost.app.parts import open_parts
from smarthost.app.web import all_operations
from smarthost.config import load_config
import smarthost.app.serve

config = load_config(
    {"SMARTHOST_DATA_DIR": sys.argv[1]},
    working_directory=Path("/"),
    machine_name=lambda: "smarthost.test",
    stderr_is_terminal=False,
)

async def main():
    async with open_parts(config, create=True) as parts:
        all_operations(config, parts)

asyncio.run(main())
print(sorted({name.partition(".")[0] for name in sys.modules} & {"httpcore", "httpx", "jwt"}))
"""


def test_where_nobody_has_oauth2_none_of_its_libraries_are_loaded(tmp_path: object) -> None:
    ended = run_python(_OPENS, tmp_path)
    assert ended.lines == ["[]"], ended.errors
