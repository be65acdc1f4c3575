"""What a new user does first: the line that the program shows, and the official client."""

import json
import os
import pty
import select
import subprocess
import time
from typing import Any

import docspace_api_sdk
import pytest

from tests.cli.program import ADMIN, Program
from tests.contract.bodies import LOGIN, PASSWORD
from tests.journeys.served import PATIENCE, serving

# Every field of its models is optional to the type checker.
sdk: Any = docspace_api_sdk


@pytest.mark.needs("curl", "bash")
def test_the_lines_shown_at_a_terminal_save_and_test_settings_as_they_are(
    program: Program,
) -> None:
    ours, theirs = pty.openpty()
    environ = {"TERM": "dumb", "COLUMNS": "80", "SMARTHOST_ADMIN_EMAIL": ADMIN}
    with subprocess.Popen(
        program.command("serve"),
        env=program.environment(environ),
        cwd=program.folder,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        try:
            shown = _read_until(ours, "serving")
            curls = [one.strip() for one in shown.splitlines() if one.strip()[:5] == "curl "]
            answer, started, watched = map(_run, curls)
        finally:
            process.terminate()
            code = process.wait(PATIENCE)
            os.close(ours)
    assert watched["response"]["id"] == started["response"]["id"]
    assert (answer["statusCode"], answer["response"]["isDefaultSettings"]) == (200, False)
    assert program("settings", "show", "--json").json() == answer["response"]
    assert code == 0
    # The key was shown this once, and is kept nowhere.
    assert shown.count("sh_") == 1 + len(curls)
    assert shown.count("/sign-in/link?token=sl_") == 1
    assert not (program.data_dir / "first-key").exists()


def test_the_official_client_saves_reads_and_resets(program: Program) -> None:
    with serving(program, "--json", SMARTHOST_ADMIN_EMAIL=ADMIN) as service:
        made = json.loads(service.wait_printed("url")[0])
        settings = sdk.SMTPSettingsApi(
            sdk.ApiClient(sdk.Configuration(host=made["url"], access_token=made["key"]))
        )
        settings.save_smtp_settings(
            sdk.SmtpSettingsDto(
                host=LOGIN["host"],
                port=LOGIN["port"],
                sender_address=LOGIN["senderAddress"],
                credentials_user_name="postman",
                credentials_user_password=PASSWORD,
                enable_ssl=True,
                enable_auth=True,
            )
        )
        read = settings.get_smtp_settings().response
        assert (read.host, read.port, read.enable_ssl) == (LOGIN["host"], LOGIN["port"], True)
        assert (read.credentials_user_name, read.credentials_user_password) == ("postman", "")
        assert settings.reset_smtp_settings().response.is_default_settings is True
        settings.api_client.rest_client.pool_manager.clear()


def _read_until(terminal: int, words: str) -> str:
    told = ""
    until = time.monotonic() + PATIENCE
    while words not in told:
        assert select.select([terminal], [], [], max(0, until - time.monotonic()))[0], told
        told += os.read(terminal, 65_536).decode()
    return told


def _run(line: str) -> Any:
    ended = subprocess.run(["bash", "-c", line], capture_output=True, timeout=30, check=True)
    return json.loads(ended.stdout)
