"""The way out for mail: one connection a message, with time-outs, and faults in words."""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Literal

TIMEOUT = 15.0


class NotMailed(Exception):
    """The mail server has not taken the message; the words say why, without addresses and secrets."""


@dataclass(frozen=True)
class Mailer:
    """A mail server to hand messages to.

    With "starttls" or "tls" the server must prove its name; a certificate of one's own is trusted where
    OpenSSL's SSL_CERT_FILE names it.
    """

    host: str
    port: int
    security: Literal["none", "starttls", "tls"]
    user: str
    password: str = field(repr=False)

    def send(self, message: EmailMessage) -> None:
        """Hand over one message. Raises `NotMailed`; where the line broke it may have been taken even so."""
        try:
            with self._connected() as server:
                if self.security == "starttls":
                    server.starttls(context=ssl.create_default_context())
                if self.user:
                    server.login(self.user, self.password)
                server.send_message(message)
        except (smtplib.SMTPException, OSError, ValueError) as error:
            raise NotMailed(_words(error)) from error

    def _connected(self) -> smtplib.SMTP:
        if self.security == "tls":
            context = ssl.create_default_context()
            return smtplib.SMTP_SSL(self.host, self.port, timeout=TIMEOUT, context=context)
        return smtplib.SMTP(self.host, self.port, timeout=TIMEOUT)


#: The first kind that fits; servers' own words are left out, since they repeat addresses.
_WORDS: tuple[tuple[type[Exception], str], ...] = (
    (smtplib.SMTPAuthenticationError, "The mail server refused the user and password of SMTP_URL."),
    (smtplib.SMTPRecipientsRefused, "The mail server refused the address."),
    (smtplib.SMTPSenderRefused, "The mail server refused the address of MAIL_FROM."),
    (
        smtplib.SMTPNotSupportedError,
        "The mail server does not offer what SMTP_URL asks for (TLS or a login).",
    ),
    (smtplib.SMTPException, "The mail server did not take the message."),
    (ssl.SSLCertVerificationError, "The mail server's certificate is not trusted, or is another host's."),
    (ssl.SSLError, "No secure connection to the mail server came about."),
    (OSError, "The mail server could not be reached."),
)


def _words(error: Exception) -> str:
    return next((words for kind, words in _WORDS if isinstance(error, kind)), "The message cannot be mailed.")
