"""The contract's main end points: the portal's SMTP settings, read, saved and reset.

The names and rules of the fields are those of the DocSpace API; the rules themselves are in
`smtp_settings/rules.py`, so that the command line has the same.
"""

from smarthost.portals.access import Action
from smarthost.portals.model import Caller
from smarthost.smtp_settings.model import (
    Draft,
    InvalidSettingsError,
    Revision,
    SmtpSettings,
)
from smarthost.smtp_settings.rules import check
from smarthost.smtp_settings.store import SettingsStore
from smarthost.web.api.smtp_settings_body import SettingsBody, refused_body, unread_fields
from smarthost.web.api.smtp_settings_dto import (
    BODY_EXAMPLES,
    DEFAULT_EXAMPLES,
    OWN_EXAMPLES,
    SmtpSettingsDto,
    SmtpSettingsRequestDto,
    settings_dto,
)
from smarthost.web.openapi.headers import NOTICE, OAUTH2_ENDED
from smarthost.web.operations import Answer, Call, Operation
from smarthost.web.preconditions import entity_tag

PATH = "/api/2.0/smtpsettings/smtp"
TAG = "SMTP settings"


class SmtpSettingsApi:
    """The end points."""

    def __init__(self, store: SettingsStore, shown_default: SmtpSettings | None) -> None:
        """Take what a portal may see of the installation's default relay, None for nothing."""
        self._store = store
        self._default = shown_default

    async def read(self, call: Call[Caller]) -> Answer:
        """Answer the settings in force."""
        return settings_answer(await self._store.current(call.portal.id), self._default)

    async def save(self, call: Call[Caller]) -> Answer:
        """Save the settings and answer what was stored."""
        body: SettingsBody = call.body
        try:
            draft = await self._checked(body, call.portal.id)
            body.checked()
            change = await self._store.put(call.portal.id, draft, call.actor, call.if_match)
        except InvalidSettingsError as error:
            raise refused_body(body, error) from None
        answer = settings_answer(change.after, self._default)
        if change.ends_oauth2:
            answer.headers[NOTICE] = OAUTH2_ENDED
        return answer

    async def reset(self, call: Call[Caller]) -> Answer:
        """Put the installation's default in force and answer what that is."""
        revision = await self._store.reset(call.portal.id, call.actor, call.if_match)
        return settings_answer(revision, self._default)

    async def _checked(self, body: SettingsBody, portal_id: str) -> Draft:
        typed = body.value.typed()
        stored = None
        if typed.enable_auth and not typed.password:
            stored = (await self._store.current(portal_id)).settings
        return check(typed, stored, unread_fields(body))

    def operations(self) -> list[Operation]:
        """Return the rows of the table of operations."""
        return [
            Operation(
                operation_id="getSmtpSettings",
                method="GET",
                path=PATH,
                tag=TAG,
                summary="Get the SMTP settings",
                description="The settings in force for the current portal. The password is "
                "always empty; an absent field has no value.",
                handler=self.read,
                action=Action.READ_SETTINGS,
                answer=SmtpSettingsDto,
                entity_tagged=True,
                answer_examples=OWN_EXAMPLES | DEFAULT_EXAMPLES,
            ),
            Operation(
                operation_id="saveSmtpSettings",
                method="POST",
                path=PATH,
                tag=TAG,
                summary="Save the SMTP settings",
                description="Saves the settings for the current portal; the next message uses "
                "them. No connection is made. With an empty password the stored one stays if "
                "host, port, enableSSL, useNtlm and the user name are unchanged.",
                handler=self.save,
                action=Action.CHANGE_SETTINGS,
                body=SmtpSettingsRequestDto,
                answer=SmtpSettingsDto,
                entity_tagged=True,
                conditional=True,
                may_end_oauth2=True,
                body_examples=BODY_EXAMPLES,
                answer_examples=OWN_EXAMPLES,
            ),
            Operation(
                operation_id="resetSmtpSettings",
                method="DELETE",
                path=PATH,
                tag=TAG,
                summary="Reset the SMTP settings",
                description="Goes back to the installation's default and answers what is in "
                "force now.",
                handler=self.reset,
                action=Action.CHANGE_SETTINGS,
                answer=SmtpSettingsDto,
                entity_tagged=True,
                conditional=True,
                answer_examples=DEFAULT_EXAMPLES,
            ),
        ]


def settings_answer(revision: Revision, default: SmtpSettings | None) -> Answer:
    """Answer a revision; `default` is what is shown of the default relay."""
    return Answer(
        value=settings_dto(revision, default), headers={"ETag": entity_tag(revision.number)}
    )
