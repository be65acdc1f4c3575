"""What a check is answered with, and what is told of each step while it runs."""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from smarthost.delivery.outcome import Step, StepState
from smarthost.relay_check.model import Checked, StepTold
from smarthost.web.failure_dto import FailureDto, failure_dto
from smarthost.web.openapi.headers import OAUTH2_ENDED

# Its own type: msgspec takes no bound for a field that may be unset.
Milliseconds = Annotated[float, Meta(ge=0)]


class CheckStepDto(msgspec.Struct, frozen=True, kw_only=True):
    """A step of a check, as it begins or as it ended."""

    step: Step
    state: Annotated[
        StepState,
        Meta(description="`begin` in events alone; `skipped`: not asked for, or not reached."),
    ]
    milliseconds: Annotated[
        Milliseconds | UnsetType,
        Meta(description="How long it took, to one decimal; absent where that is not known."),
    ] = UNSET
    seen: Annotated[
        Mapping[str, Any],
        Meta(
            description="What it saw. `resolve`: `addresses`; `connect`: `address`, `port`; "
            "`greeting`: `banner`; `ehlo`: `extensions`, `mechanisms`, `sizeLimit`; `tls`: "
            "`version`, `cipher`, `verified`, and the `certificate` with `subject`, `issuer`, "
            "`names`, `notBefore`, `notAfter`, `daysLeft`, also of one that was refused; "
            "`authenticate`: `mechanisms`, `mechanism`; and what was answered as `reply`, to "
            "`recipient` as `replies`. `warnings` are the codes that a step warns of."
        ),
    ]


class CheckDto(msgspec.Struct, frozen=True, kw_only=True):
    """What a check of SMTP settings came to."""

    ok: Annotated[bool, Meta(description="Whether mail would go out; warnings leave it true.")]
    steps: Annotated[
        tuple[CheckStepDto, ...],
        Meta(
            description="How each step ended, in the order in which they happened, `ehlo` twice "
            "with STARTTLS; then those that were not reached."
        ),
    ]
    failure: Annotated[
        FailureDto | UnsetType, Meta(description="What went wrong; absent if nothing did.")
    ] = UNSET
    warnings: Annotated[
        tuple[FailureDto, ...], Meta(description="What works, but not as it should.")
    ]
    saved: Annotated[
        bool, Meta(description="Whether the settings that were sent are in force now.")
    ]
    revision: Annotated[
        int | UnsetType,
        Meta(
            description="Of the settings that were saved, or of the stored ones that were "
            "checked; absent where those that were sent were not saved.",
            extra_json_schema={"format": "int32"},
        ),
    ] = UNSET
    notice: Annotated[
        str | UnsetType, Meta(description="What the save has ended besides; absent: nothing.")
    ] = UNSET


def check_dto(checked: Checked) -> CheckDto:
    """Return how a check is answered."""
    return CheckDto(
        ok=checked.ok,
        steps=tuple(map(step_dto, checked.steps)),
        failure=UNSET if checked.failure is None else failure_dto(checked.failure),
        warnings=tuple(map(failure_dto, checked.warnings)),
        saved=checked.saved,
        revision=UNSET if checked.revision is None else checked.revision,
        notice=OAUTH2_ENDED if checked.ends_oauth2 else UNSET,
    )


def step_dto(told: StepTold) -> CheckStepDto:
    """Return how a step is told."""
    return CheckStepDto(
        step=told.step,
        state=told.state,
        milliseconds=UNSET if told.milliseconds is None else told.milliseconds,
        seen=told.seen,
    )
