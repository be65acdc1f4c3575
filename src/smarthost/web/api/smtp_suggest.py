"""Settings that could be right for an e-mail address, the likeliest first.

They are suggestions: nothing is saved, and nobody has logged in anywhere. What is found is the
same for all addresses of a domain, and only the domain is told to others.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from smarthost.clock import Clock
from smarthost.mail.address import Address, AddressError, parse_address
from smarthost.mail.host import parse_host
from smarthost.portals.access import Action
from smarthost.portals.model import Caller
from smarthost.relay_check.suggest import Suggest
from smarthost.relay_check.suggestions.model import Confidence, Source, Suggestion
from smarthost.tally import Tally
from smarthost.web.api.smtp_settings import PATH, TAG
from smarthost.web.api.smtp_settings_dto import Port, Text
from smarthost.web.errors import invalid_fields
from smarthost.web.operations import NEEDED, Answer, Call, Example, Operation
from smarthost.web.rate_limit import RateLimit

REQUESTS_A_MINUTE = 30
"""For each user: most of them ask others."""

_MISSING = "The e-mail address is needed, such as ?email=anna@example.com."
_EMAIL = Annotated[
    str,
    Meta(
        description="Needed. The address that mail is to be sent from.",
        examples=["anna@gmail.com"],
        extra=NEEDED,
    ),
]

_HOST = Annotated[
    str,
    Meta(
        description="A relay's name, to be told how mail is handed to it. None is suggested if no "
        "known provider has it.",
        examples=["smtp.gmail.com"],
    ),
]


class SmtpSuggestionDto(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Settings to try. Fields without a value are left out."""

    host: Annotated[Text, Meta(description="The relay's name or IP address.")]
    port: Annotated[Port, Meta(description="The relay's port.")]
    enable_ssl: Annotated[bool, Meta(description="Whether to require TLS.")] = msgspec.field(
        name="enableSSL"
    )
    enable_auth: Annotated[bool, Meta(description="Whether to log in.")]
    use_ntlm: Annotated[bool, Meta(description="Whether to log in with NTLM.")]
    credentials_user_name: Annotated[
        Text | msgspec.UnsetType,
        Meta(description="Who logs in; absent also where the address does not tell."),
    ] = msgspec.UNSET
    source: Annotated[
        Source,
        Meta(description="Who says so; with several the most reliable."),
    ]
    provider: Annotated[
        str | msgspec.UnsetType, Meta(description="The provider, where it is one that is known.")
    ] = msgspec.UNSET
    confidence: Annotated[Confidence, Meta(description="How far it can be relied on.")]
    first: Annotated[
        str | msgspec.UnsetType,
        Meta(description="What to do before these settings work, in sentences."),
    ] = msgspec.UNSET
    oauth2: Annotated[bool, Meta(description="Whether the relay takes tokens of OAuth2.")]


class SmtpSuggestApi:
    """The end point."""

    def __init__(self, suggest: Suggest, clock: Clock, tally: Tally, *, limited: bool) -> None:
        """With `limited` false, users may ask as often as they like."""
        self._suggest = suggest
        self._clock = clock
        self._limit = RateLimit(clock, tally, enforced=limited, limit=REQUESTS_A_MINUTE)

    async def suggest(self, call: Call[Caller]) -> Answer:
        """Answer what could be right for the address, best first."""
        self._limit.take(call.caller.user.id).check(self._clock.now())
        address, host = _asked(call.query)
        if host is None:
            found = await self._suggest.of(address.domain, address.local_part)
        else:
            found = self._suggest.of_host(host, address.domain, address.local_part)
        return Answer(value=[suggestion_dto(one) for one in found])

    def operations(self) -> list[Operation]:
        """Return the rows of the table of operations."""
        return [
            Operation(
                operation_id="suggestSmtpSettings",
                method="GET",
                path=f"{PATH}/suggest",
                tag=TAG,
                summary="Suggest settings for an e-mail address",
                description="Settings that could be right for the address, best first; none where "
                "nothing is known. Providers that are known are told at once. Otherwise the "
                "domain's SRV records, its autoconfig and its mail exchangers are asked, which "
                "takes 8 seconds at most; nobody is told more of the address than its domain. At "
                f"most {REQUESTS_A_MINUTE} a minute for each user. With `host` only what is known "
                "of that relay is told, and nobody is asked.",
                handler=self.suggest,
                action=Action.READ_SETTINGS,
                answer=list[SmtpSuggestionDto],
                answer_examples={"known": _KNOWN, "found": _FOUND, "none": _NONE},
                query_parameters={"email": _EMAIL, "host": _HOST},
                waits_for_others=True,
            )
        ]


def suggestion_dto(found: Suggestion) -> SmtpSuggestionDto:
    """Return how a suggestion is answered."""
    return SmtpSuggestionDto(
        host=found.host,
        port=found.port,
        enable_ssl=found.enable_ssl,
        enable_auth=found.enable_auth,
        use_ntlm=found.use_ntlm,
        credentials_user_name=_shown(found.user_name),
        source=found.source,
        provider=_shown(found.provider),
        confidence=found.confidence,
        first=_shown(found.first),
        oauth2=found.oauth2,
    )


def _shown(text: str | None) -> str | msgspec.UnsetType:
    return msgspec.UNSET if text is None else text


def _asked(query: dict[str, str]) -> tuple[Address, str | None]:
    """Return what is asked about. Raises `RequestError` (400) with all that is wrong."""
    faults = {}
    try:
        address = parse_address(query["email"])
    except KeyError:
        faults["email"] = [_MISSING]
    except AddressError as error:
        faults["email"] = [str(error)]
    host = None
    try:
        host = parse_host(query["host"]) if "host" in query else None
    except ValueError as error:
        faults["host"] = [str(error)]
    if faults:
        raise invalid_fields(faults)
    return address, host


_KNOWN = Example(
    summary="A provider that is known",
    value=[
        {
            "host": "smtp.gmail.com",
            "port": 465,
            "enableSSL": True,
            "enableAuth": True,
            "useNtlm": False,
            "credentialsUserName": "anna@gmail.com",
            "source": "provider table",
            "provider": "Gmail and Google Workspace",
            "confidence": "high",
            "first": "Turn on 2-Step Verification, create an app password at "
            "https://myaccount.google.com/apppasswords and use it; the account's own password is "
            "refused. In Google Workspace the administrator must allow both.",
            "oauth2": True,
        }
    ],
)
_FOUND = Example(
    summary="What the domain's records say",
    value=[
        {
            "host": "mail.example.com",
            "port": 587,
            "enableSSL": True,
            "enableAuth": True,
            "useNtlm": False,
            "credentialsUserName": "anna@example.com",
            "source": "dns srv",
            "confidence": "high",
            "oauth2": False,
        }
    ],
)
_NONE = Example(summary="Nothing is known", value=[])
