import pytest

from smarthost.web.emails.family import EMAILS
from smarthost.web.family import CONTRACT, Family, family_of


@pytest.mark.parametrize(
    ("path", "family"),
    [
        ("/emails", EMAILS),
        ("/emails/", EMAILS),
        ("/emails/batch", EMAILS),
        ("/emails/a/b/c", EMAILS),
        ("/emailsx", CONTRACT),
        ("/", CONTRACT),
        ("/api/2.0/emails", CONTRACT),
        ("*", CONTRACT),
    ],
)
def test_a_path_belongs_to_one_family(path: str, family: Family) -> None:
    assert family_of(path, (EMAILS,)) is family
