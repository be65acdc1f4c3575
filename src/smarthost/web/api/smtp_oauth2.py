"""OAuth2 in place of a password: how it stands, set up and ended.

It is a part of the settings: what is set up here is a new revision of those in force, with their
`ETag` and `If-Match`.
"""

from smarthost.portals.access import Action
from smarthost.portals.model import Caller
from smarthost.smtp_settings.binding.model import BINDING_NAMES
from smarthost.smtp_settings.binding.store import BindingStore
from smarthost.smtp_settings.model import CONTRACT_NAMES, InvalidSettingsError
from smarthost.web.api.smtp_oauth2_dto import (
    BODY_EXAMPLES,
    ENDED_EXAMPLE,
    NEW_EXAMPLES,
    NONE_EXAMPLE,
    READY_EXAMPLE,
    SmtpOAuth2Dto,
    SmtpOAuth2RequestDto,
    oauth2_dto,
)
from smarthost.web.api.smtp_settings import PATH as SETTINGS_PATH
from smarthost.web.api.smtp_settings import TAG
from smarthost.web.decoding import Decoded
from smarthost.web.operations import Answer, Call, Operation
from smarthost.web.preconditions import entity_tag

PATH = f"{SETTINGS_PATH}/oauth2"
# A fault may be one of the settings in force, which are not in this body.
_NAMES = {**CONTRACT_NAMES, **BINDING_NAMES}


class SmtpOAuth2Api:
    """The end points."""

    def __init__(self, store: BindingStore) -> None:
        self._store = store

    async def read(self, call: Call[Caller]) -> Answer:
        """Answer how OAuth2 stands."""
        return await self._answer(call)

    async def put(self, call: Call[Caller]) -> Answer:
        """Set OAuth2 up for the relay in force."""
        body: Decoded[SmtpOAuth2RequestDto] = call.body
        lacking = frozenset(ours for ours, name in BINDING_NAMES.items() if body.lacks(name))
        # A name that there is not is no field, and has to keep everything from being written too.
        unread = lacking or frozenset(body.faults)
        try:
            await self._store.bind(
                call.portal.id, body.value.typed(), call.actor, call.if_match, unread=unread
            )
        except InvalidSettingsError as error:
            faults = {_NAMES[name]: told for name, told in error.faults.items()}
            raise body.with_faults(faults) from None
        return await self._answer(call)

    async def remove(self, call: Call[Caller]) -> Answer:
        """End OAuth2, if there is one; the relay stays, without a login."""
        await self._store.end(call.portal.id, call.actor, call.if_match)
        return await self._answer(call)

    async def _answer(self, call: Call[Caller]) -> Answer:
        status = await self._store.status(call.portal.id)
        return Answer(
            value=oauth2_dto(status), headers={"ETag": entity_tag(status.in_force.number)}
        )

    def operations(self) -> list[Operation]:
        """Return the rows of the table of operations."""
        return [
            Operation(
                operation_id="getSmtpOAuth2",
                method="GET",
                path=PATH,
                tag=TAG,
                summary="Get the state of OAuth2",
                description="Whether the relay is logged in to by OAuth2, and whether there are "
                "tokens for it. No secret is ever answered.",
                handler=self.read,
                action=Action.READ_SETTINGS,
                answer=SmtpOAuth2Dto,
                entity_tagged=True,
                answer_examples={
                    "ready": READY_EXAMPLE,
                    "none": NONE_EXAMPLE,
                    "ended": ENDED_EXAMPLE,
                },
            ),
            Operation(
                operation_id="setSmtpOAuth2",
                method="PUT",
                path=PATH,
                tag=TAG,
                summary="Set OAuth2 up",
                description="From now on the relay of the portal's own settings is shown a token "
                "in place of a password. They need TLS and may not ask for NTLM. URLs and scope "
                "of known providers need not be sent. No connection is made. Saving settings "
                "with a password, without a login or for another destination ends it.",
                handler=self.put,
                action=Action.CHANGE_SETTINGS,
                body=SmtpOAuth2RequestDto,
                answer=SmtpOAuth2Dto,
                entity_tagged=True,
                conditional=True,
                may_conflict=True,
                body_examples=BODY_EXAMPLES,
                answer_examples=NEW_EXAMPLES,
            ),
            Operation(
                operation_id="endSmtpOAuth2",
                method="DELETE",
                path=PATH,
                tag=TAG,
                summary="End OAuth2",
                description="The relay stays, and is not logged in to any more. Settings that "
                "log in with a password, and those without a login, are left as they are.",
                handler=self.remove,
                action=Action.CHANGE_SETTINGS,
                answer=SmtpOAuth2Dto,
                entity_tagged=True,
                conditional=True,
                answer_examples={"ended": ENDED_EXAMPLE, "none": NONE_EXAMPLE},
            ),
        ]
