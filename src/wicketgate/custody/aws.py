"""Credentials out of AWS Secrets Manager, and data keys wrapped by AWS KMS, by botocore (extra `aws`).
It must never let botocore log what it sends and gets, nor put a word of an answer into an error."""

import asyncio
import base64
import binascii
import json
import logging
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from wicketgate.custody.settings import AwsSettings
from wicketgate.model.credential import LONGEST, Credential, CredentialMissing
from wicketgate.model.keyring import LENGTH
from wicketgate.model.secret import Secret

THREADS: Final = 4
_CODE: Final = re.compile(r"[A-Za-z]{1,64}")


class Aws:
    """One service's client, called on threads of its own: botocore blocks. Bound to no loop.

    url: of an endpoint of the operator's own; None: the region's.
    """

    def __init__(self, settings: AwsSettings, service: str, url: str | None) -> None:
        self.settings = settings
        self._service = service
        self._url = url
        self._client: Any = None
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix=f"aws-{service}")

    async def call(self, name: str, **arguments: Any) -> Mapping[str, Any]:
        """The answer of one operation. Bounded by timeout_seconds. Raises CredentialMissing."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self.settings.timeout_seconds):
                return await loop.run_in_executor(self._threads, self._called, name, arguments)
        except TimeoutError:
            raise self.failed(f"no answer in {self.settings.timeout_seconds:g} s") from None

    def failed(self, why: str) -> CredentialMissing:
        """The error to raise."""
        return CredentialMissing(f"aws {self._service}: {why}")

    async def close(self) -> None:
        """Wait for nobody: threads end by their own time-outs."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _called(self, name: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            from botocore import exceptions
        except ImportError:
            raise self.failed("botocore is missing: install wicketgate[aws]") from None
        try:
            if self._client is None:
                self._client = self._made()
            found: Mapping[str, Any] = getattr(self._client, name)(**arguments)
            return found
        except exceptions.ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            raise self.failed(f"it refuses: {code if _CODE.fullmatch(code) else 'no reason known'}") from None
        except (exceptions.NoCredentialsError, exceptions.PartialCredentialsError):
            raise self.failed("no credentials of ours (environment, profile, role)") from None
        except exceptions.BotoCoreError as error:
            raise self.failed(f"it does not answer as it should ({type(error).__name__})") from None

    def _made(self) -> Any:
        from botocore.config import Config
        from botocore.session import Session

        # at DEBUG they write bodies, secrets and all, whatever the level of those above
        logging.getLogger("botocore").setLevel(logging.WARNING)
        logging.getLogger("urllib3").setLevel(logging.WARNING)
        chosen = self.settings
        return Session(profile=chosen.profile).create_client(
            self._service,
            region_name=chosen.region,
            endpoint_url=self._url,
            verify=True if chosen.ca_file is None else str(chosen.ca_file),
            config=Config(
                connect_timeout=chosen.timeout_seconds,
                read_timeout=chosen.timeout_seconds,
                retries={"total_max_attempts": 1},
            ),
        )


class AwsSource:
    """The source `aws`: `NAME` (all of the secret) or `NAME#FIELD` (of a secret that is a JSON object)."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    async def fetch(self, locator: str) -> Credential:
        """Raises CredentialMissing."""
        name, _, field = locator.partition("#")
        answer = await self._aws.call("get_secret_value", SecretId=name)
        text = answer.get("SecretString")
        value: object = text if isinstance(text, str) else answer.get("SecretBinary")
        if field:
            value = self._field(name, field, text)
        try:
            secret = value.encode() if isinstance(value, str) else value if isinstance(value, bytes) else b""
        except UnicodeEncodeError:
            secret = b""
        if not secret or len(secret) > LONGEST:
            raise self._aws.failed(f"{locator} is no text, empty, or too large")
        return Credential(Secret(secret), keep=self._aws.settings.cache_seconds)

    async def close(self) -> None:
        await self._aws.close()

    def _field(self, name: str, field: str, text: object) -> object:
        try:
            fields = json.loads(text) if isinstance(text, str) else None
        except (ValueError, RecursionError):
            fields = None
        if not isinstance(fields, dict):
            raise self._aws.failed(f"{name} is no JSON object, so it has no field {field!r}")
        if field not in fields:
            raise self._aws.failed(f"{name} has no field {field!r}")
        return fields[field] if isinstance(fields[field], str) else None


class KmsKeys:
    """Data keys wrapped by a key of KMS, which it never leaves. Text: `kms:aws:` and base64."""

    def __init__(self, aws: Aws, key: str) -> None:
        self._aws = aws
        self._key = key
        self.keep = aws.settings.cache_seconds

    async def wrap(self, key: Secret, context: bytes) -> str:
        answer = await self._aws.call(
            "encrypt", KeyId=self._key, Plaintext=key.reveal(), EncryptionContext=_bound(context)
        )
        blob = answer.get("CiphertextBlob")
        if not isinstance(blob, bytes) or not blob:
            raise self._aws.failed("encrypt gave no ciphertext")
        return f"kms:aws:{base64.b64encode(blob).decode('ascii')}"

    async def unwrap(self, wrapped: str, context: bytes) -> Secret:
        if not wrapped.startswith("kms:aws:"):
            raise CredentialMissing("custody: a secret was closed by other means than gateway.custody names")
        try:
            blob = base64.b64decode(wrapped.removeprefix("kms:aws:").encode("ascii"), validate=True)
        except (ValueError, binascii.Error):
            raise self._aws.failed("what was wrapped is no ciphertext") from None
        answer = await self._aws.call(
            "decrypt", KeyId=self._key, CiphertextBlob=blob, EncryptionContext=_bound(context)
        )
        key = answer.get("Plaintext")
        if not isinstance(key, bytes) or len(key) != LENGTH:
            raise self._aws.failed("decrypt gave no key")
        return Secret(key)

    async def renew(self) -> bool:
        return False

    def version(self, wrapped: str) -> str:
        return ":".join(wrapped.split(":", 2)[:2])

    async def close(self) -> None:
        await self._aws.close()


def _bound(context: bytes) -> dict[str, str]:
    """KMS binds text, and writes it into its own log: name, id and version of a secret."""
    return {"wicketgate": context.decode().replace("\0", " ")}
