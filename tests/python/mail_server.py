"""A mail server for the tests: prints its port, then each mail it takes as one line of JSON."""

import email
import email.policy
import json
import sys

from aiosmtpd.controller import Controller


class Handler:
    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        mail = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "id": message["message-id"],
            "subject": message["subject"],
            "text": message.get_content(),
        }
        print(json.dumps(mail), flush=True)
        return "250 taken"


class AnyPort(Controller):
    """Port 0 lets the system choose; the controller then needs telling which it was."""

    def _trigger_server(self):
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


controller = AnyPort(Handler(), hostname="127.0.0.1", port=0)
controller.start()
print(controller.port, flush=True)
sys.stdin.read()
controller.stop()
