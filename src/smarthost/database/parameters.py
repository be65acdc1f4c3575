"""The one spelling of parameters in our SQL, `$1`, made into SQLite's `?1`.

PostgreSQL reads `$1` as the first value wherever it stands. To SQLite it is a name, numbered by
first appearance: `select $2, $1` with (1, 2) gives (1, 2), silently.
"""

import re
from functools import lru_cache

# Quoted text, quoted names and comments are matched first, so that a `$1` inside them stays and
# an apostrophe in a comment opens nothing.
_PARAMETER = re.compile(r"""'[^']*'|"[^"]*"|--[^\n]*|\$([1-9][0-9]*)""")


@lru_cache(maxsize=1024)
def numbered(sql: str) -> str:
    """Return `sql` with every `$n` outside quoted text and comments as `?n`.

    Statements are constants, few and run again and again: each is rewritten once.
    """
    return _PARAMETER.sub(lambda hit: f"?{hit[1]}" if hit[1] else hit[0], sql)
