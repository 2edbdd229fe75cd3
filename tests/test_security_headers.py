"""What answers say to browsers, what requests may be, and which TLS is spoken."""

import json
import socket
import ssl

import pytest
import requests

from conftest import Product


@pytest.fixture(scope="module")
def headers_of(product: Product):
    def ask(path, method="GET", **more):
        return product.session.request(method, product.url + path, **more)
    return ask


EVERYWHERE = {"x-content-type-options": "nosniff", "referrer-policy": "no-referrer", "x-frame-options": "DENY"}


def test_every_answer_is_protected_whoever_made_it(product, headers_of):
    bearer = {"Authorization": f"Bearer {product.token()}"}
    answers = {
        "the console": headers_of("/"), "a page of it": headers_of("/logs"), "nothing": headers_of("/api/nothing"),
        "an API": headers_of("/api/agents", headers=bearer), "a refusal": headers_of("/api/agents"),
        "a query": headers_of(f"/v1/workspaces/{product.ready['workspace_id']}/query", "POST", headers=bearer, json={"query": "print 1"}),
        "the token endpoint": headers_of(f"/{product.ready['tenant_id']}/oauth2/v2.0/token", "POST", data={"grant_type": "none"}),
        "a broken body": headers_of("/api/principals", "POST", headers=bearer, data=b"{"),
    }
    for what, answer in answers.items():
        for name, value in EVERYWHERE.items():
            assert answer.headers.get(name) == value, (what, name, answer.headers)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe-eval" not in policy, what
        assert "strict-transport-security" not in answer.headers, "a browser would hold it against all of localhost"
        if "console" not in what and "page" not in what:
            assert answer.headers["cache-control"] == "no-store", what
    page = answers["the console"].headers["content-security-policy"]
    assert "script-src 'self';" in page and "http" not in page.replace("http-equiv", "")

    named = headers_of("/", headers={"Host": "watchkeeper.example:8443"})
    assert "max-age=63072000" in named.headers["strict-transport-security"]


def test_a_session_cookie_stays_with_the_server_and_out_of_scripts(product, headers_of):
    signed_in = headers_of("/api/session", "POST", json={"user": product.ready["admin_user"], "password": product.ready["admin_password"]})
    assert signed_in.status_code == 200, signed_in.text
    cookie = signed_in.headers["set-cookie"]
    assert all(part in cookie for part in ("HttpOnly", "Secure", "SameSite=Strict", "Path=/")), cookie
    assert signed_in.headers["cache-control"] == "no-store"
    # a change without the token of the page is refused although the cookie comes along
    name, value = cookie.split(";")[0].split("=", 1)
    forged = headers_of("/api/principals", "POST", headers={"Cookie": f"{name}={value}"}, json={"name": "x", "role": "Reader"})
    assert forged.status_code == 403, forged.text


def test_requests_have_limits(product, headers_of):
    bearer = {"Authorization": f"Bearer {product.token()}"}
    body = json.dumps({"name": "x" * (5 << 20), "role": "Reader"})
    try:
        large = headers_of("/api/principals", "POST", headers=bearer, data=body)
    except requests.ConnectionError:
        pass  # the answer came before all of it was sent, and the connection was closed
    else:
        assert large.status_code in (400, 413), large.status_code
        assert "length limit" in large.text or large.status_code == 413, large.text
    made = product.session.get(f"{product.url}/api/principals", headers=bearer).json()
    assert all(len(one["name"]) < 1000 for one in made), "it was refused"
    try:
        long = headers_of("/api/agents", headers={**bearer, "X-Long": "x" * (1 << 20)})
    except requests.ConnectionError:
        return  # the connection was closed before all of it was sent
    assert long.status_code == 431, long.status_code


def speaks(product, version=None, ciphers=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(product.ready["ca_file"])
    if version:
        # an old version is offered by a client alone that is told to
        context.minimum_version = context.maximum_version = version
    if ciphers:
        context.set_ciphers(ciphers)
    host, port = product.url.removeprefix("https://").rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=10) as plain, context.wrap_socket(plain, server_hostname=host) as tls:
        return tls.version(), tls.cipher()[0]


def test_tls_is_new_and_its_ciphers_are_strong(product):
    assert speaks(product)[0] == "TLSv1.3"
    version, cipher = speaks(product, ssl.TLSVersion.TLSv1_2)
    assert version == "TLSv1.2" and cipher.startswith("ECDHE-") and ("GCM" in cipher or "CHACHA20" in cipher)
    for weak in ("ECDHE-RSA-AES128-SHA:ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0", "AES128-GCM-SHA256:@SECLEVEL=0"):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            speaks(product, ssl.TLSVersion.TLSv1_2, weak)
    for old in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            speaks(product, old, "ALL:@SECLEVEL=0")
