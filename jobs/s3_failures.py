"""What can go wrong between a host and S3, and what each of it means for a job. Needs boto3."""

from __future__ import annotations

import errno

from boto3.exceptions import S3UploadFailedError
from botocore.exceptions import ClientError, NoCredentialsError

_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired"}
_DENIED = {"AccessDenied", "AllAccessDisabled", "InvalidAccessKeyId", "InvalidToken", "SignatureDoesNotMatch", "RequestTimeTooSkewed", "403", "401"}
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
_MISSING = {"NoSuchKey", "NoSuchBucket", "NotFound", "404"}


class Missing(Exception):
    """There is no such object, or no such bucket. One sentence."""


class Denied(Exception):
    """S3 refuses the credentials. One sentence."""


class Trouble(Exception):
    """S3 did not do it within the time; later it may. One sentence."""


class Damaged(Trouble):
    """What came was not what was written, every time. One sentence."""


class WrongBytes(Exception):
    pass


def _code(error: BaseException) -> str:
    # upload_file wraps the answer of S3 into an error of its own.
    inner = error.__context__ if isinstance(error, S3UploadFailedError) else error
    return str(inner.response.get("Error", {}).get("Code", "")) if isinstance(inner, ClientError) else ""


def is_lasting(error: Exception) -> bool:
    """Waiting here does not end it, though another host or another day may."""
    return _code(error) in _EXPIRED or (isinstance(error, OSError) and error.errno in _NO_SPACE)


def problem_of(what: str, error: Exception) -> Exception:
    code = _code(error)
    if isinstance(error, FileNotFoundError):
        return error
    if isinstance(error, OSError) and error.errno in _NO_SPACE:
        return Trouble(f"could not {what}: there is no room on this host's disk ({error.strerror})")
    if isinstance(error, WrongBytes):
        return Damaged(f"could not {what}: {error}")
    if code in _EXPIRED:
        return Trouble(f"could not {what}: the credentials have expired ({code})")
    if code in _DENIED or isinstance(error, NoCredentialsError):
        return Denied(f"could not {what}: S3 refuses the credentials of this host ({code or 'there are none'})")
    if code in _MISSING:
        return Missing(f"could not {what}: it is not there ({code})")
    return Trouble(f"could not {what}: {error}")
