"""What an application does with Django's mail: a program, since its settings are a process's own.

Settings and one message come as JSON on standard input; what became of it is one line of JSON:
the octets, and the error if there was one.
"""

import base64
import json
import random
import smtplib
import sys

from django.conf import settings
from django.core.mail import EmailMessage


def main() -> None:
    asked = json.load(sys.stdin)
    settings.configure(**asked["settings"])
    letter = asked["letter"]
    message = EmailMessage(
        letter["subject"],
        letter["text"],
        letter["sender"],
        letter["to"],
        bcc=letter["bcc"],
        cc=letter["cc"],
        headers={"Date": letter["date"], "Message-ID": letter["message_id"]},
        attachments=[
            (name, base64.b64decode(content), "application/octet-stream")
            for name, content in letter["files"].items()
        ],
    )
    random.seed(1)  # both times the same boundary
    content = message.message().as_bytes()
    random.seed(1)
    fault = ""
    try:
        message.send()
    except (smtplib.SMTPException, OSError) as error:
        fault = repr(error)
    told = {"content": base64.b64encode(content).decode(), "fault": fault}
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main()
