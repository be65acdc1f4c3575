"""The page on OAuth2 lists the end points that the table of providers has."""

from pathlib import Path

from smarthost.providers import Providers

PAGE = (Path(__file__).parents[2] / "docs" / "oauth2.md").read_text(encoding="utf-8")


def test_each_provider_with_oauth2_is_listed_and_no_other() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| `") and "https://" in line]
    expected = []
    for one in Providers.load().all:
        if one.oauth2 is not None:
            own = one.oauth2.client_credentials_scope
            expected.append(
                f"| `{one.id}` | {one.name} | `{one.hosts[0]}` | `{one.oauth2.token_url}` | "
                f"`{one.oauth2.scope}` | {f'`{own}`' if own else ''} |"
            )
    assert rows == expected
