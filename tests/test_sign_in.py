"""Signing in: people, groups, service principals, and the real client libraries at the endpoints for them."""

import base64
import hashlib
import json
import os
import re
import secrets
import socket
import subprocess
import sys
import threading
import time
import webbrowser
from urllib.parse import parse_qs, urljoin, urlparse

import jwt
import msal
import pytest
import requests
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import AuthorizationCodeCredential, CertificateCredential, DeviceCodeCredential, InteractiveBrowserCredential

from conftest import BINARIES, ROOT, Product, product_environment
from test_group_directories import directory  # noqa: F401 (a fixture)

PASSWORD = "a correct horse"
SCOPE = "https://api.loganalytics.io/.default"
AZURE_CLI = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"


@pytest.fixture(scope="module")
def product(tmp_path_factory):
    """One product for this file: users and principals of a test have names of their own."""
    running = Product(tmp_path_factory.mktemp("sign-in") / "data").start()
    yield running
    code = running.stop()
    assert code == 0, f"watchkeeper ended with {code}:\n{running.log_tail()}"


def api(product, method, path, body=None, status=200, token=None):
    answer = product.session.request(method, f"{product.url}{path}", json=body,
                                     headers={"Authorization": f"Bearer {token or product.token()}"})
    assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
    return answer.json() if answer.content else None


def command(product, *arguments, text=None, code=0):
    done = subprocess.run([BINARIES / "watchkeeper", *arguments], input=text, capture_output=True, text=True, timeout=60,
                          env={**product_environment(), "WATCHKEEPER_CONNECTION": str(product.data / "connection.json")})
    assert done.returncode == code, f"{arguments}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


class Browser:
    """A person's browser: keeps the cookie, repeats the CSRF token."""

    def __init__(self, product, user=None, password=PASSWORD):
        self.product, self.session = product, requests.Session()
        self.session.trust_env, self.session.verify = False, product.ready["ca_file"]
        if user:
            answer = self.sign_in(user, password)
            assert answer.status_code == 200, answer.text

    def sign_in(self, user, password):
        answer = self.session.post(f"{self.product.url}/api/session", json={"user": user, "password": password},
                                   headers={"User-Agent": "a browser of the tests"})
        if answer.ok:
            self.session.headers["X-CSRF-Token"] = answer.json()["csrf"]
        return answer

    def __call__(self, method, path, status=200, **more):
        answer = self.session.request(method, f"{self.product.url}{path}", **more)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None


def new_user(product, name, **more):
    return api(product, "POST", "/api/users", {"name": name, "password": PASSWORD, **more}, status=201)


def test_a_user_signs_in_until_an_administrator_says_otherwise(product):
    command(product, "users", "add", "ada", "--display-name", "Ada Lovelace", text=PASSWORD)
    assert "12" in command(product, "users", "add", "short", text="short", code=1)
    assert "exists already" in command(product, "users", "add", "ada", text=PASSWORD, code=1)
    one, two = Browser(product, "ada"), Browser(product, "ada")
    listed = one("GET", "/api/sessions")
    assert len(listed) == 2 and [entry["client"] for entry in listed] == ["a browser of the tests"] * 2
    assert sum(entry["isThisOne"] for entry in listed) == 1
    one("GET", "/api/users", status=403)
    one("GET", "/api/sessions/all", status=403)
    everybody = [entry for entry in api(product, "GET", "/api/sessions/all") if entry["user"] == "ada"]
    assert {entry["id"] for entry in everybody} == {entry["id"] for entry in listed}
    one("DELETE", "/api/sessions", status=204)
    two("GET", "/api/session", status=401)
    session = one("GET", "/api/sessions")[0]["id"]
    Browser(product, "ada")("DELETE", f"/api/sessions/{session}", status=204)
    one("GET", "/api/session", status=401)
    # without the session's CSRF token nothing is changed
    three = Browser(product, "ada")
    del three.session.headers["X-CSRF-Token"]
    three("DELETE", "/api/sessions", status=403)
    command(product, "users", "disable", "ada")
    three("GET", "/api/session", status=401)
    assert Browser(product).sign_in("ada", PASSWORD).status_code == 401
    command(product, "users", "enable", "ada")
    four = Browser(product, "ada")
    command(product, "users", "password", "ada", text="another good horse")
    four("GET", "/api/session", status=401)
    five = Browser(product, "ada", "another good horse")
    five("PUT", "/api/users/me/password", json={"password": PASSWORD, "currentPassword": "wrong"}, status=403)
    five("PUT", "/api/users/admin/password", json={"password": PASSWORD, "currentPassword": "wrong"}, status=403)
    five("PUT", "/api/users/me/password", json={"password": PASSWORD, "currentPassword": "another good horse"}, status=204)
    five("GET", "/api/session", status=401)
    six = Browser(product, "ada")
    command(product, "users", "sign-out", "ada")
    six("GET", "/api/session", status=401)
    command(product, "users", "remove", "ada")
    assert "no user" in command(product, "users", "disable", "ada", code=1)


def test_wrong_passwords_close_a_name_for_a_while(product):
    new_user(product, "bob")
    answers = []
    while not any(answer.status_code == 429 for answer in answers) and len(answers) < 15:
        answers.append(Browser(product).sign_in("bob", "wrong"))
    # five wrong ones cost nothing; from then on each pause is twice as long, so that it is met however slow this machine is
    assert len(answers) > 5 and all(answer.status_code == 401 for answer in answers[:-1])
    assert answers[-1].status_code == 429 and int(answers[-1].headers["Retry-After"]) >= 1
    assert answers[-1].json()["error"]["code"] == "TooManySignIns"


def test_members_of_a_group_have_its_roles(product):
    user = new_user(product, "carol")
    principal = api(product, "POST", "/api/principals", {"name": "pipeline", "role": "Reader"}, status=201)
    command(product, "directory-groups", "add", "operators", "--description", "On call")
    command(product, "directory-groups", "add-member", "operators", "carol", "pipeline")
    group = api(product, "GET", "/api/directory/groups/operators")
    assert [(one["name"], one["type"]) for one in group["members"]] == [("carol", "User"), ("pipeline", "ServicePrincipal")]
    assert api(product, "GET", f"/api/users/{user['id']}")["groups"] == ["operators"]
    assert "neither a user" in command(product, "directory-groups", "add-member", "operators", "nobody", code=1)
    workspace = f"/workspaces/{product.ready['workspace_id']}"
    given = {"principalId": group["id"], "role": "Log Analytics Reader", "scope": workspace}
    assignment = api(product, "POST", "/api/role-assignments", given, status=201)["id"]
    access = api(product, "GET", "/api/permissions/carol")
    assert access["complete"] and access["groups"] == ["operators"]
    assert access["assignments"] == [{"id": assignment, "role": "Log Analytics Reader", "scope": workspace, "through": "operators"}]
    queries = next(one for one in access["actions"] if one["name"].endswith("/query/read"))
    assert queries["at"] == [{"scope": workspace, "roles": ["Log Analytics Reader"]}]
    command(product, "directory-groups", "rename", "operators", "on call")
    command(product, "directory-groups", "remove-member", "on call", "carol")
    assert api(product, "GET", f"/api/principals")
    members = api(product, "GET", "/api/directory/groups/on call")["members"]
    assert [one["id"] for one in members] == [principal["clientId"]]
    command(product, "directory-groups", "remove", "on call")
    api(product, "GET", "/api/directory/groups/operators", status=404)


def test_a_principal_has_several_secrets_and_certificates(product, tmp_path):
    principal = api(product, "POST", "/api/principals", {"name": "secrets", "role": "Reader"}, status=201)
    client, first = principal["clientId"], principal["clientSecret"]
    bare = api(product, "POST", "/api/principals", {"name": "no role yet", "secretName": "the first"}, status=201)
    assert bare["roles"] == [] and [one["name"] for one in bare["secrets"]] == ["the first"]

    def token(secret):
        return product.session.post(f"{product.url}/{product.ready['tenant_id']}/oauth2/v2.0/token", data={
            "grant_type": "client_credentials", "client_id": client, "client_secret": secret,
            "scope": "https://api.loganalytics.io/.default"})
    second = api(product, "POST", f"/api/principals/{client}/secrets", {"name": "next"}, status=201)["clientSecret"]
    assert token(first).ok and token(second).ok
    listed = {entry["name"]: entry for entry in api(product, "GET", f"/api/principals/{client}/secrets")}
    command(product, "workspace", "principals", "remove-secret", client, listed[""]["id"])
    assert token(first).json()["error_codes"] == [7000215] and token(second).ok
    key, certificate = tmp_path / "key.pem", tmp_path / "app.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=app", "-keyout", key,
                    "-out", certificate], check=True, capture_output=True)
    command(product, "workspace", "principals", "add-certificate", client, certificate, "--name", "build")
    shown = api(product, "GET", f"/api/principals/{client}/certificates")[0]
    assert (shown["name"], shown["subject"], len(shown["thumbprint"])) == ("build", "CN=app", 40)
    both = tmp_path / "both.pem"
    both.write_text(certificate.read_text() + key.read_text())
    assert "private key" in command(product, "workspace", "principals", "add-certificate", client, both, code=1)
    assert "exists already" in command(product, "workspace", "principals", "add-certificate", client, certificate, code=1)
    command(product, "workspace", "principals", "remove-certificate", client, shown["thumbprint"])
    assert api(product, "GET", f"/api/principals/{client}/certificates") == []


def authority(product, path="oauth2/v2.0/token"):
    return f"{product.url}/{product.ready['tenant_id']}/{path}"


def options(product):
    """What every credential of azure-identity takes here."""
    return {"authority": product.url, "disable_instance_discovery": True, "connection_verify": product.ready["ca_file"]}


def refused(product, number, **form):
    answer = product.session.post(authority(product), data=form)
    assert answer.json()["error_codes"] == [number], answer.text
    return answer


def make_certificate(folder, name, kind="rsa:2048", *more):
    key, certificate = folder / f"{name}.key.pem", folder / f"{name}.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", kind, *more, "-nodes", "-days", "30", "-subj", f"/CN={name}",
                    "-keyout", key, "-out", certificate], check=True, capture_output=True)
    both = folder / f"{name}.both.pem"
    both.write_text(key.read_text() + certificate.read_text())
    return key, certificate, both


def thumbprint(certificate, algorithm):
    return hashlib.new(algorithm, base64.b64decode("".join(certificate.read_text().splitlines()[1:-1]))).digest()


def test_an_application_signs_in_with_a_certificate(product, tmp_path):
    """CertificateCredential (PS256, x5t#S256), msal with a thumbprint (RS256, x5t), and what is refused with which number."""
    key, certificate, both = make_certificate(tmp_path, "app")
    client = api(product, "POST", "/api/principals", {"name": "certified", "role": "Reader"}, status=201)["clientId"]
    tenant = product.ready["tenant_id"]
    credential = CertificateCredential(tenant, client, str(both), **options(product))
    with pytest.raises(ClientAuthenticationError, match="AADSTS700027"):
        credential.get_token(SCOPE)
    command(product, "workspace", "principals", "add-certificate", client, certificate)
    token = CertificateCredential(tenant, client, str(both), **options(product)).get_token(SCOPE).token
    assert api(product, "GET", f"/v1/workspaces/{product.ready['workspace_id']}/metadata", token=token)["tables"]
    app = msal.ConfidentialClientApplication(
        client, authority=authority(product, "").rstrip("/"), instance_discovery=False, http_client=product.session,
        client_credential={"private_key": key.read_text(), "thumbprint": thumbprint(certificate, "sha1").hex()})
    assert app.acquire_token_for_client([SCOPE])["access_token"]

    def assertion(signed_with=key, named=certificate, audience=None, lasts=600, **claims):
        now = int(time.time())
        body = {"aud": audience or authority(product), "iss": client, "sub": client, "jti": secrets.token_hex(8), "nbf": now, "exp": now + lasts}
        print256 = base64.urlsafe_b64encode(thumbprint(named, "sha256")).rstrip(b"=").decode()
        return jwt.encode({**body, **claims}, signed_with.read_text(), algorithm="RS256", headers={"x5t#S256": print256})

    def form(**claims):
        return {"grant_type": "client_credentials", "client_id": client, "scope": SCOPE, "client_assertion": assertion(**claims),
                "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}
    good = form()
    assert product.session.post(authority(product), data=good).ok
    refused(product, 50013, **good)
    refused(product, 700023, **form(audience="https://login.microsoftonline.com/common/oauth2/v2.0/token"))
    refused(product, 700021, **form(sub="somebody else"))
    refused(product, 700024, **form(lasts=-600))
    # a principal of its own: five refusals close the first one for a while
    client = api(product, "POST", "/api/principals", {"name": "certified too", "role": "Reader"}, status=201)["clientId"]
    other_key, other, _ = make_certificate(tmp_path, "other")
    command(product, "workspace", "principals", "add-certificate", client, certificate)
    refused(product, 700027, **form(signed_with=other_key))
    refused(product, 700027, **form(signed_with=other_key, named=other))
    refused(product, 50027, **{**form(), "client_assertion": "no token"})
    assert product.session.post(authority(product), data=form()).ok


def test_keys_follow_one_another_and_old_tokens_count_until_they_are_forgotten(product):
    before = product.token()
    keys = api(product, "GET", "/api/signing-keys")
    after = api(product, "POST", "/api/signing-keys", {})
    assert len(after) == len(keys) + 1 and {key["id"] for key in keys} < {key["id"] for key in after}
    published = product.session.get(authority(product, "discovery/v2.0/keys")).json()
    assert {key["kid"] for key in published["keys"]} == {key["id"] for key in after}
    token = product.token()
    key = next(key for key in published["keys"] if key["kid"] == jwt.get_unverified_header(token)["kid"])
    claims = jwt.decode(token, jwt.PyJWK(key).key, algorithms=["ES256"], audience="https://api.loganalytics.io")
    assert claims["tid"] == product.ready["tenant_id"] and claims["idtyp"] == "app"
    assert api(product, "GET", "/api/signing-keys", token=before)
    assert len(api(product, "POST", "/api/signing-keys", {"forget": True})) == 1
    api(product, "GET", "/api/signing-keys", token=before, status=401)
    api(product, "GET", "/api/signing-keys", token=product.token())


class Person(Browser):
    """A person in front of the browser, on the authority's pages."""

    def answers(self, address, allow=True):
        """Opens an address that an application made, and gives it the person's answer; returns the browser's way back."""
        page = self.session.get(address)
        assert page.status_code == 200 and "default-src 'none'" in page.headers["Content-Security-Policy"], page.text
        query = urlparse(address).query
        asked = self("POST", "/api/sign-in/application", json={"query": query})
        back = asked["back"] or self("POST", "/api/sign-in/authorize", json={"query": query, "allow": allow})
        return page, asked, back

    def follows(self, address):
        """The same, and goes where the answer leads."""
        page, _, back = self.answers(address)
        if "form" in back:
            assert f"form-action 'self' {back['form']}" in page.headers["Content-Security-Policy"]
            requests.post(back["form"], data={field["name"]: field["value"] for field in back["fields"]}, timeout=10)
        else:
            requests.get(back["location"], timeout=10)


def test_a_person_signs_in_to_a_program_in_the_browser(product, monkeypatch):
    """InteractiveBrowserCredential: PKCE, answer by form to a loopback address, id_token, silent renewal."""
    user = new_user(product, "dora", displayName="Dora", mail="dora@example.com")
    person = Person(product, "dora")
    opened = []

    def open_browser(address, *_):
        opened.append(threading.Thread(target=person.follows, args=[address]))
        opened[-1].start()
        return True
    monkeypatch.setattr(webbrowser, "open", open_browser)
    credential = InteractiveBrowserCredential(tenant_id=product.ready["tenant_id"], timeout=60, **options(product))
    record = credential.authenticate(scopes=[SCOPE])
    opened[0].join()
    assert (record.username, record.tenant_id, record.home_account_id) == (
        "dora", product.ready["tenant_id"], f"{user['id']}.{product.ready['tenant_id']}")
    token = credential.get_token(SCOPE).token
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["oid"], claims["idtyp"], claims["name"], claims["appid"]) == (user["id"], "user", "Dora", AZURE_CLI)
    shown = product.session.get(f"{product.url}/oidc/userinfo", headers={"Authorization": f"Bearer {token}"}).json()
    assert (shown["sub"], shown["email"]) == (user["id"], "dora@example.com")
    # another resource is had silently, by the refresh token
    assert jwt.decode(credential.get_token("https://management.azure.com/.default").token,
                      options={"verify_signature": False})["aud"] == "https://management.azure.com"
    assert len(opened) == 1
    api(product, "GET", "/api/users", token=token, status=403)
    command(product, "users", "sign-out", "dora")
    api(product, "GET", "/api/sessions", token=token, status=401)


class Flow:
    """An application that does authorization code with PKCE by hand."""

    def __init__(self, product, client_id, redirect, **more):
        self.product, self.client_id, self.redirect = product, client_id, redirect
        self.verifier = secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()
        self.asked = {"client_id": client_id, "response_type": "code", "redirect_uri": redirect, "state": "s&t", "nonce": "once",
                      "scope": f"openid offline_access {SCOPE}", "code_challenge": challenge, "code_challenge_method": "S256", **more}

    def address(self, **more):
        asked = {name: value for name, value in {**self.asked, **more}.items() if value is not None}
        return requests.Request("GET", authority(self.product, "oauth2/v2.0/authorize"), params=asked).prepare().url

    def form(self, code, **more):
        return {"grant_type": "authorization_code", "client_id": self.client_id, "code": code, "redirect_uri": self.redirect,
                "code_verifier": self.verifier, **more}

    def code(self, person, **more):
        location = person.answers(self.address(**more))[2]["location"]
        given = parse_qs(urlparse(location).query)
        assert given["state"] == ["s&t"], location
        return given["code"][0]

    def redeem(self, **form):
        return self.product.session.post(authority(self.product), data=form)


def test_a_code_counts_once_for_its_client_redirect_and_verifier(product):
    new_user(product, "erik")
    person = Person(product, "erik")
    flow = Flow(product, AZURE_CLI, "http://localhost:8400")
    for more, number in [({"redirect_uri": "https://evil.example"}, 50011), ({"redirect_uri": "http://localhost.evil:8400"}, 50011),
                         ({"client_id": "no such"}, 700016)]:
        page = person.session.get(flow.address(**more))
        assert page.status_code == 400 and f"AADSTS{number}" in page.text
    for more, error in [({"code_challenge": None}, "AADSTS9002325"), ({"response_type": "token"}, "AADSTS700054"), ({"scope": "x"}, "AADSTS70011"),
                        ({"prompt": "none"}, "AADSTS50058")]:
        back = parse_qs(urlparse(person.answers(flow.address(**more))[2]["location"]).query)
        assert back["state"] == ["s&t"] and back["error_description"][0].startswith(error), back
    declined = person.answers(flow.address(), allow=False)[2]["location"]
    assert "error=access_denied" in declined and "code=" not in declined
    person("POST", "/api/sign-in/authorize", json={"query": "", "allow": True}, status=400)
    Browser(product)("POST", "/api/sign-in/authorize", json={"query": "", "allow": True}, status=401)
    refused(product, 501481, **flow.form(flow.code(person), code_verifier="x" * 43))
    refused(product, 70000, **flow.form(flow.code(person), redirect_uri="http://localhost:8401"))
    refused(product, 70000, **flow.form(flow.code(person), client_id="1950a258-227b-4e31-a9cf-717495945fc2"))
    refused(product, 700025, **flow.form(flow.code(person), client_secret="x"))
    code = flow.code(person)
    tokens = flow.redeem(**flow.form(code)).json()
    claims = jwt.decode(tokens["id_token"], options={"verify_signature": False})
    assert (claims["nonce"], claims["aud"], claims["preferred_username"]) == ("once", AZURE_CLI, "erik")
    # an id_token opens nothing
    api(product, "GET", "/api/sessions", token=tokens["id_token"], status=401)
    api(product, "GET", "/api/sessions", token=tokens["access_token"])
    refused(product, 54005, **flow.form(code))
    refused(product, 70000, grant_type="refresh_token", client_id=AZURE_CLI, refresh_token=tokens["refresh_token"])


def test_refresh_tokens_rotate_and_end_with_the_sign_in(product):
    new_user(product, "fay")
    person = Person(product, "fay")
    flow = Flow(product, AZURE_CLI, "http://localhost:8400")

    def refresh(token, client_id=AZURE_CLI, **more):
        return flow.redeem(grant_type="refresh_token", client_id=client_id, refresh_token=token, **more)
    first = flow.redeem(**flow.form(flow.code(person))).json()
    second = refresh(first["refresh_token"]).json()
    assert second["refresh_token"] != first["refresh_token"] and second["id_token"]
    assert refresh(second["refresh_token"], client_id="1950a258-227b-4e31-a9cf-717495945fc2").json()["error_codes"] == [70000]
    assert refresh(second["refresh_token"]).ok
    command(product, "users", "disable", "fay")
    assert refresh(second["refresh_token"]).json()["error"] == "invalid_grant"
    api(product, "GET", "/api/sessions", token=second["access_token"], status=401)


def test_a_registered_application_signs_people_in(product):
    """AuthorizationCodeCredential with a secret, at a redirect URI of its own."""
    user = new_user(product, "gus")
    made = api(product, "POST", "/api/principals", {"name": "portal", "role": "Reader"}, status=201)
    client, redirect = made["clientId"], "https://portal.example/back?from=wk"
    assert "not possible" in command(product, "workspace", "principals", "sign-in", client, "--redirect", "http://portal.example", code=1)
    command(product, "workspace", "principals", "sign-in", client, "--redirect", redirect)
    flow = Flow(product, client, redirect)
    person = Person(product, "gus")
    code = flow.code(person)
    refused(product, 7000218, **flow.form(code))
    credential = AuthorizationCodeCredential(product.ready["tenant_id"], client, code, redirect, client_secret=made["clientSecret"], **options(product))
    # azure-identity sends no verifier: PKCE is not optional here
    with pytest.raises(ClientAuthenticationError, match="AADSTS501481"):
        credential.get_token(SCOPE)
    tokens = flow.redeem(**flow.form(flow.code(person), client_secret=made["clientSecret"])).json()
    assert jwt.decode(tokens["access_token"], options={"verify_signature": False})["oid"] == user["id"]
    out = person("POST", "/api/sign-in/logout", json={"query": f"post_logout_redirect_uri={redirect.replace('?', '%3F').replace('=', '%3D')}"})
    assert out == {"location": redirect}
    assert person("POST", "/api/sign-in/logout", json={"query": "post_logout_redirect_uri=https://evil.example"}) == {"location": None}


def test_a_person_signs_in_on_another_device(product):
    """DeviceCodeCredential: the program waits until the person has typed the code and confirmed."""
    user = new_user(product, "hal")
    person, prompts = Person(product, "hal"), []
    asked = threading.Event()

    def prompt(address, code, _expires):
        prompts.append((address, code))
        asked.set()
    credential = DeviceCodeCredential(tenant_id=product.ready["tenant_id"], prompt_callback=prompt, timeout=60, **options(product))
    results = []
    waiting = threading.Thread(target=lambda: results.append(credential.get_token(SCOPE)))
    waiting.start()
    assert asked.wait(30)
    address, code = prompts[0]
    assert address == f"{product.url}/device" and re.fullmatch("[A-Z]{8}", code)
    Browser(product)("POST", "/api/sign-in/device", json={"code": code}, status=401)
    person("POST", "/api/sign-in/device", json={"code": "WRONG"}, status=404)
    shown = person("POST", "/api/sign-in/device", json={"code": f"{code[:4]}-{code[4:]}".lower()})
    assert shown == {"client": {"id": AZURE_CLI, "name": "Microsoft Azure CLI"}, "status": "waiting"}
    assert person("POST", "/api/sign-in/device", json={"code": code, "allow": True})["status"] == "granted"
    waiting.join(60)
    assert jwt.decode(results[0].token, options={"verify_signature": False})["oid"] == user["id"]
    person("POST", "/api/sign-in/device", json={"code": code, "allow": True}, status=404)
    # one that is declined, by hand
    form = {"client_id": AZURE_CLI, "scope": SCOPE}
    begun = product.session.post(authority(product, "oauth2/v2.0/devicecode"), data=form).json()
    poll = {"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "client_id": AZURE_CLI, "device_code": begun["device_code"]}
    refused(product, 70016, **poll)
    assert refused(product, 1000060, **poll).json()["error"] == "slow_down"
    person("POST", "/api/sign-in/device", json={"code": begun["user_code"], "allow": False})
    assert refused(product, 65004, **poll).json()["error"] == "authorization_declined"
    refused(product, 70018, **{**poll, "device_code": "x"})


def test_the_discovery_documents_name_what_there_is(product):
    document = product.session.get(authority(product, "v2.0/.well-known/openid-configuration")).json()
    assert document["issuer"] == authority(product, "v2.0") and document["userinfo_endpoint"] == f"{product.url}/oidc/userinfo"
    for name in ("authorization_endpoint", "token_endpoint", "device_authorization_endpoint", "end_session_endpoint"):
        assert document[name].startswith(authority(product, "oauth2/v2.0/")), name
    assert product.session.get(document["end_session_endpoint"]).status_code == 200
    version_1 = product.session.post(authority(product, "oauth2/token"), data={
        "grant_type": "client_credentials", "client_id": product.ready["client_id"], "client_secret": product.ready["client_secret"],
        "resource": "https://management.azure.com/"}).json()
    assert version_1["resource"] == "https://management.azure.com" and version_1["expires_in"] == "3600"


@pytest.fixture
def provider(tmp_path):
    """node-oidc-provider: a certified OpenID Connect provider, as a company's own."""
    clients = ROOT / "tests" / "clients"
    if not (clients / "node_modules" / "oidc-provider").is_dir():
        pytest.skip("the package oidc-provider is not installed: npm ci in tests/clients")
    running = []

    def start(port, redirect, secret, people):
        client = {"client_id": "watchkeeper", "client_secret": secret, "redirect_uris": [redirect], "grant_types": ["authorization_code"]}
        process = subprocess.Popen(["node", "oidc_provider.mjs", json.dumps({"port": port, "people": people, "client": client})], cwd=clients,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=(tmp_path / "provider.log").open("w"), text=True)
        running.append(process)
        assert process.stdout.readline().startswith("http://"), (tmp_path / "provider.log").read_text()
    yield start
    for process in running:
        process.terminate()
        process.wait(30)


class ProviderPages(requests.Session):
    """A person's browser at the provider: writes a name into its pages and goes where they lead."""

    def __init__(self, product):
        super().__init__()
        self.trust_env, self.verify = False, product.ready["ca_file"]

    def goes(self, address, name, until):
        """Follows every redirect and answers every page until an address begins with `until`; returns that address."""
        answer = self.get(address, allow_redirects=False)
        for _ in range(20):
            if answer.is_redirect or answer.status_code == 303:
                address = urljoin(answer.url, answer.headers["Location"])
                if address.startswith(until):
                    return address
                answer = self.get(address, allow_redirects=False)
                continue
            action = re.search(r'action="([^"]+)"', answer.text)
            assert answer.ok and action, f"{answer.url} {answer.status_code} {answer.text}"
            fields = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', answer.text))
            if 'name="login"' in answer.text:
                fields |= {"login": name, "password": "any"}
            answer = self.post(urljoin(answer.url, action[1]), data=fields, allow_redirects=False)
        raise AssertionError("the provider leads in a circle")


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_people_sign_in_through_a_companys_provider(own_product, provider):
    port, secret = free_port(), secrets.token_hex(16)
    people = {"grace": {"name": "Grace Hopper", "preferred_username": "grace@corp.example", "email": "grace@corp.example", "groups": ["staff", "ops"]},
              "admin": {"preferred_username": "admin"}}
    own_product.environment["WATCHKEEPER_IDENTITY__PROVIDERS"] = (
        f'[{{name="corp", label="Corp", issuer="http://127.0.0.1:{port}", client_id="watchkeeper",'
        f' scopes=["openid", "profile", "email", "groups"], groups={{ops="operators"}}}}]')
    own_product.start()
    callback = f"{own_product.url}/api/sign-in/providers/corp/callback"
    begin = f"{own_product.url}/api/sign-in/providers/corp/start"
    away = own_product.session.get(begin, allow_redirects=False)
    assert away.status_code == 400 and "cannot be reached" in away.text
    provider(port, callback, secret, people)
    command(own_product, "directory-groups", "add", "operators")
    start = f"{own_product.url}/api/sign-in/providers/corp/start?return=/logs"
    assert own_product.session.get(f"{own_product.url}/api/sign-in/providers").json() == [{"name": "corp", "label": "Corp"}]
    assert callback in command(own_product, "identity-providers", "list")
    tested = api(own_product, "POST", "/api/identity-providers/corp/test")
    assert tested["keys"] >= 1 and tested["lacksSecret"] and tested["tokenEndpoint"].startswith(f"http://127.0.0.1:{port}/")
    more = {"issuer": f"http://127.0.0.1:{port}", "clientId": "watchkeeper", "label": "More", "secret": secret}
    made = api(own_product, "PUT", "/api/identity-providers/more", more)
    assert made["hasSecret"] and secret not in json.dumps(made) and made["redirectUri"].endswith("/more/callback")
    assert [one["label"] for one in own_product.session.get(f"{own_product.url}/api/sign-in/providers").json()] == ["Corp", "More"]
    assert not api(own_product, "POST", "/api/identity-providers/more/test")["lacksSecret"]
    api(own_product, "PUT", "/api/identity-providers/more", {**more, "issuer": "https://nowhere.invalid"})
    assert "cannot be reached" in api(own_product, "POST", "/api/identity-providers/more/test", status=400)["error"]["message"]
    api(own_product, "DELETE", "/api/identity-providers/more", status=204)
    api(own_product, "DELETE", "/api/identity-providers/corp", status=409)

    pages = ProviderPages(own_product)
    back = pages.goes(start, "grace", callback)
    refused_page = pages.get(back, allow_redirects=False)
    assert refused_page.status_code == 400 and "identity-providers secret corp" in refused_page.text
    command(own_product, "identity-providers", "secret", "corp", text=secret)
    pages = ProviderPages(own_product)
    back = pages.goes(start, "grace", callback)
    # the way back belongs to the browser that went, and is gone once
    assert ProviderPages(own_product).get(back, allow_redirects=False).status_code == 400
    landed = pages.get(back, allow_redirects=False)
    assert landed.status_code == 303 and landed.headers["Location"] == "/logs?signed-in", landed.text
    assert pages.get(back, allow_redirects=False).status_code == 400
    session = pages.get(f"{own_product.url}/api/session").json()
    assert session["user"]["displayName"] == "Grace Hopper" and session["user"]["provider"] == "corp"
    user = api(own_product, "GET", "/api/users/grace@corp.example")
    assert (user["groups"], user["mail"], user["provider"]) == (["operators"], "grace@corp.example", "corp")
    # the same person is the same user; a provider cannot pass for a user of here, nor for one that was disabled
    again = ProviderPages(own_product)
    assert again.get(again.goes(start, "grace", callback), allow_redirects=False).status_code == 303
    assert len([one for one in api(own_product, "GET", "/api/users") if one["provider"] == "corp"]) == 1
    other = ProviderPages(own_product)
    taken = other.get(other.goes(start, "admin", callback), allow_redirects=False)
    assert taken.status_code == 400 and "already" in taken.text
    command(own_product, "users", "disable", "grace@corp.example")
    assert pages.get(f"{own_product.url}/api/session").status_code == 401
    last = ProviderPages(own_product)
    assert "disabled" in last.get(last.goes(start, "grace", callback), allow_redirects=False).text


def test_processes_of_this_machine_need_no_secret(own_product):
    """ManagedIdentityCredential in both forms, told by the user of the process; and who is turned away."""
    port = free_port()
    own_product.start()
    client = api(own_product, "POST", "/api/principals", {"name": "local", "role": "Reader"}, status=201)["clientId"]
    assert own_product.stop() == 0
    own_product.environment |= {"WATCHKEEPER_IDENTITY__MANAGED__ADDRESS": f"127.0.0.1:{port}",
                                "WATCHKEEPER_IDENTITY__MANAGED__IDENTITIES": f'["{os.getuid()}={client}"]'}
    own_product.start()
    values = dict(line.split("=", 1) for line in (own_product.data / "managed-identity.env").read_text().split())
    assert values["AZURE_POD_IDENTITY_AUTHORITY_HOST"] == f"http://127.0.0.1:{port}"
    for form in (["AZURE_POD_IDENTITY_AUTHORITY_HOST"], ["IDENTITY_ENDPOINT", "IDENTITY_HEADER"]):
        # in a process of its own: the library reads its environment
        done = subprocess.run([sys.executable, "-c", f"from azure.identity import ManagedIdentityCredential\n"
                               f"print(ManagedIdentityCredential().get_token('{SCOPE}').token)"], capture_output=True, text=True, timeout=120,
                              env={**product_environment(), **{name: values[name] for name in form}})
        assert done.returncode == 0, done.stderr
        token = done.stdout.strip()
        assert jwt.decode(token, options={"verify_signature": False})["appid"] == client
        assert api(own_product, "GET", f"/v1/workspaces/{own_product.ready['workspace_id']}/metadata", token=token)

    def ask(path="/metadata/identity/oauth2/token", headers=None, **more):
        return requests.get(f"http://127.0.0.1:{port}{path}", headers={"Metadata": "true"} if headers is None else headers,
                            params={"resource": "https://api.loganalytics.io", **more}, timeout=10)
    assert ask().ok and ask(client_id=client).json()["client_id"] == client
    assert ask(client_id="another").status_code == 400
    assert ask(headers={}).status_code == 400
    assert ask(headers={"Metadata": "true", "Host": f"rebound.example:{port}"}).status_code == 400
    assert ask(headers={"Metadata": "true", "X-Forwarded-For": "10.0.0.1"}).status_code == 400
    assert ask("/msi/token", headers={"X-IDENTITY-HEADER": "wrong"}).status_code == 401
    if os.getuid() == 0:
        # another user of this machine has no identity
        # what it needs is loaded first: the other user may not be allowed to read this Python's files
        script = (f"import os, socket\n'x'.encode('idna')\nos.setuid(65534)\nto = socket.create_connection(('127.0.0.1', {port}))\n"
                  f"to.sendall(b'GET /metadata/identity/oauth2/token?resource=https://api.loganalytics.io HTTP/1.1\\r\\n"
                  f"Host: 127.0.0.1:{port}\\r\\nMetadata: true\\r\\nConnection: close\\r\\n\\r\\n')\n"
                  "print(to.makefile().read())")
        said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
        assert said.stdout.startswith("HTTP/1.1 400") and "65534" in said.stdout, said
    command(own_product, "workspace", "principals", "remove", client)
    assert "no service principal" in ask().json()["error_description"]


def test_people_of_a_directory_sign_in(own_product, directory, tmp_path):
    """OpenLDAP's slapd over LDAPS: an account looks names up, people bind as themselves, groups within groups."""
    people = {"ada": "a directory password", "eve": "another password"}
    directory.start_people(people, {"Ops": ["uid=ada"], "Outer": ["cn=Ops"]})
    authority_file = tmp_path / "directory.pem"
    authority_file.write_text(directory.authority)
    url, base = f"ldaps://127.0.0.1:{directory.port}", directory.base
    own_product.environment["WATCHKEEPER_IDENTITY__DIRECTORIES"] = (
        f'[{{name="corp", url="{url}", base="{base}", bind_name="{directory.admin}", ca_file="{authority_file}", groups={{Outer="operators"}},'
        ' user_filter="(&(uid={name})(!(uid=eve)))"}]')
    own_product.start()
    command(own_product, "directory-groups", "add", "operators")
    browser = Browser(own_product)
    assert browser.sign_in("ada", people["ada"]).status_code == 401, "the account that looks up has no password yet"
    command(own_product, "identity-providers", "secret", "corp", text="geheim")
    browser = Browser(own_product, "ada", people["ada"])
    assert browser("GET", "/api/session")["user"]["provider"] == "corp"
    user = api(own_product, "GET", "/api/users/ada")
    assert (user["groups"], user["displayName"]) == (["operators"], "Ada of the directory")
    for name, password in [("ada", people["eve"]), ("ada", ""), ("*", people["ada"]), ("ada)(uid=*", people["ada"]), ("nobody", people["ada"])]:
        assert Browser(own_product).sign_in(name, password).status_code == 401, name
    assert Browser(own_product).sign_in("admin", people["ada"]).status_code == 401
    assert Browser(own_product).sign_in("admin", own_product.ready["admin_password"]).ok
    assert Browser(own_product).sign_in("eve", people["eve"]).status_code == 401, "the configured filter leaves eve out"
    sources_are_added_tested_changed_and_removed(own_product, directory, people)
    command(own_product, "users", "disable", "ada")
    assert "disabled" in Browser(own_product).sign_in("ADA", people["ada"]).text
    directory.stop()
    assert Browser(own_product).sign_in("eve", people["eve"]).status_code == 401
    assert Browser(own_product).sign_in("admin", own_product.ready["admin_password"]).ok


def sources_are_added_tested_changed_and_removed(product, directory, people):
    """Beside the configured directory corp: another one, through which eve signs in while it is there."""
    path = "/api/identity-directories"
    [corp] = api(product, "GET", path)
    assert (corp["name"], corp["inConfiguration"], corp["hasSecret"], corp["groups"]) == ("corp", True, True, {"Outer": "operators"})
    person = api(product, "POST", f"{path}/corp/test", {"user": "ada"})["person"]
    assert (person["displayName"], person["groupsHere"]) == ("Ada of the directory", ["operators"])
    assert api(product, "POST", f"{path}/corp/test", {"user": "nobody"})["person"] is None
    added = {"url": f"ldaps://127.0.0.1:{directory.port}", "base": directory.base, "bindName": directory.admin, "trusted": directory.authority}
    assert "configuration file" in api(product, "PUT", f"{path}/corp", added, 409)["error"]["message"]
    for wrong, said in [({"url": "http://x"}, "ldaps://"), ({"bindName": ""}, "user_dn"), ({"trusted": "x"}, "no certificate"),
                        ({"groups": {"Outer": "nowhere"}}, "no group")]:
        assert said in api(product, "PUT", f"{path}/later", {**added, **wrong}, 400)["error"]["message"]
    made = api(product, "PUT", f"{path}/later", added)
    assert (made["inConfiguration"], made["hasSecret"]) == (False, False)
    assert "no password" in api(product, "POST", f"{path}/later/test", {}, 400)["error"]["message"]
    assert api(product, "PUT", f"{path}/later", {**added, "password": "geheim"})["hasSecret"]
    assert "geheim" not in json.dumps(api(product, "GET", path))
    assert api(product, "POST", f"{path}/later/test", {}) == {"looksUp": True, "person": None}
    assert Browser(product, "eve", people["eve"])("GET", "/api/session")["user"]["provider"] == "later"
    elsewhere = {**added, "url": "ldaps://localhost:1"}
    assert "again" in api(product, "PUT", f"{path}/later", elsewhere, 400)["error"]["message"], "a secret goes nowhere else than it was given for"
    assert "already" in api(product, "PUT", "/api/identity-providers/later", {"issuer": "https://x.example", "clientId": "x"}, 409)["error"]["message"]
    api(product, "DELETE", f"{path}/later", status=204)
    assert [one["name"] for one in api(product, "GET", path)] == ["corp"]
    assert Browser(product).sign_in("eve", people["eve"]).status_code == 401
