"""How a failure is shown: one shape wherever one is explained."""

from typing import Annotated

import msgspec
from msgspec import Meta

from smarthost.delivery.outcome import Code, Step
from smarthost.explanations.failure import Failure, Who


class FailureDto(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong, why, and who can mend it how."""

    step: Annotated[Step, Meta(description="Where the attempt was.")]
    code: Annotated[Code, Meta(description="What went wrong, in a fixed vocabulary.")]
    title: str
    why: str
    fix: str
    who: Annotated[Who, Meta(description="Who can mend it.")]
    fields: Annotated[
        tuple[str, ...], Meta(description="Names of the body that saves settings: look there.")
    ]
    link: Annotated[str | msgspec.UnsetType, Meta(description="A page that says more, https.")] = (
        msgspec.UNSET
    )
    reply: Annotated[
        str | msgspec.UnsetType, Meta(description="What the relay said, cleaned.")
    ] = msgspec.UNSET
    permanent: Annotated[bool, Meta(description="Waiting alone does not help.")]


def failure_dto(failure: Failure) -> FailureDto:
    """Return how a failure is shown."""
    return FailureDto(
        step=failure.step,
        code=failure.code,
        title=failure.title,
        why=failure.why,
        fix=failure.fix,
        who=failure.who,
        fields=failure.fields,
        link=failure.link or msgspec.UNSET,
        reply=failure.reply or msgspec.UNSET,
        permanent=failure.permanent,
    )
