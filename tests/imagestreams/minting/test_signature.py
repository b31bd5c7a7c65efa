"""Signatures of requests to AWS, against those that AWS publishes and those of its own library."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from imagestreams.minting.signature import Keys, Scope, sign

NOW = datetime(2015, 8, 30, 12, 36, 0, tzinfo=UTC)
KEYS = Keys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
SCOPE = Scope("us-east-1", "service")


@pytest.mark.parametrize(
    ("method", "path", "signature"),
    [
        ("GET", "/", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("POST", "/", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        (
            "GET",
            "/?Param2=value2&Param1=value1",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
    ],
)
def test_a_request_is_signed_as_aws_publishes_it(method: str, path: str, signature: str) -> None:
    signed = sign(method, f"https://example.amazonaws.com{path}", {}, b"", keys=KEYS, scope=SCOPE, now=NOW)

    assert signed.authorization == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        f"SignedHeaders=host;x-amz-date, Signature={signature}"
    )


@pytest.mark.parametrize("token", ["", "a/session+token=="])
@pytest.mark.parametrize(
    ("url", "body"),
    [
        ("https://api.ecr.eu-west-1.amazonaws.com/", b"{}"),
        ("https://api.ecr.eu-west-1.amazonaws.com:443", b"{}"),
        ("http://127.0.0.1:4566/a/path%20of/services/", b"Action=AssumeRole&RoleArn=arn%3Aaws"),
        ("https://example.com/?b=2&a=%C3%A4%20+&a=1&empty=", b""),
    ],
)
def test_a_request_is_signed_as_by_the_library_of_aws(url: str, body: bytes, token: str) -> None:
    keys = Keys("AKID", "secret/key+", token)
    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "  A.  B "}

    signed = sign("POST", url, headers, body, keys=keys, scope=SCOPE, now=NOW)

    sent = AWSRequest("POST", url.replace("+&", "%20&"), {**headers, **signed.headers}, body)
    sent.context["timestamp"] = signed.headers["X-Amz-Date"]
    auth = SigV4Auth(Credentials("AKID", "secret/key+", token or None), "service", "us-east-1")
    expected = auth.signature(auth.string_to_sign(sent, auth.canonical_request(sent)), sent)
    assert signed.authorization.endswith(f"Signature={expected}")


def test_keys_and_signatures_show_no_secret() -> None:
    signed = sign("GET", "https://example.com/", {}, b"", keys=KEYS, scope=SCOPE, now=NOW)

    assert repr(KEYS) == "Keys()"
    assert "Signature" not in repr(signed)
