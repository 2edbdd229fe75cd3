"""Pins of the map on the server: each person's own, until they are shared."""

from test_management_group import call


def test_pins_are_kept_for_each_person_and_seen_by_all_once_they_are_shared(product):
    workspace = product.ready["workspace_id"]
    path, view = f"/api/workspaces/{workspace}/map-pins", {"view": "test of pins"}
    made = call(product, "POST", "/api/principals", json={"name": "pins reader", "role": "Reader"}).json()
    token = product.session.post(
        f"{product.url}/{product.ready['tenant_id']}/oauth2/v2.0/token",
        data={"grant_type": "client_credentials", "client_id": made["clientId"], "client_secret": made["clientSecret"],
              "scope": "https://api.loganalytics.io/.default"}).json()["access_token"]

    def reader(method, at=path, status=200, **more):
        answer = product.session.request(
            method, f"{product.url}{at}", params=view, headers={"Authorization": f"Bearer {token}"}, **more)
        assert answer.status_code == status, answer.text
        return answer.json()

    def owner(method, at=path, status=200, params=None, **more):
        answer = call(product, method, at, params=params or view, **more)
        assert answer.status_code == status, answer.text
        return answer.json()

    nothing = {"own": False, "shared": False, "pins": {}}
    assert owner("GET") == {**nothing, "mayShare": True}
    assert reader("GET") == {**nothing, "mayShare": False}
    assert "pin a box first" in owner("POST", f"{path}/share", 400)["error"]["message"]
    pinned = owner("PATCH", json={"pins": {"m-web": {"x": 10.4, "y": -3}, "m-db": {"x": 1, "y": 2}}})
    assert pinned == {"own": True, "shared": False, "mayShare": True, "pins": {"m-web": {"x": 10, "y": -3}, "m-db": {"x": 1, "y": 2}}}
    assert owner("PATCH", json={"pins": {"m-db": None}})["pins"] == {"m-web": {"x": 10, "y": -3}}
    assert owner("GET", params={"view": "another"})["pins"] == {}
    assert reader("GET")["pins"] == {}

    assert owner("POST", f"{path}/share")["own"] is False
    assert reader("GET") == {"own": False, "shared": True, "mayShare": False, "pins": {"m-web": {"x": 10, "y": -3}}}
    # what a reader moves is the reader's alone; what everybody sees is not theirs to change
    assert reader("PATCH", json={"pins": {"m-web": {"x": 0, "y": 0}}})["own"] is True
    assert owner("GET")["pins"] == {"m-web": {"x": 10, "y": -3}}
    for method in ("POST", "DELETE"):
        assert "sharedPins/write" in reader(method, f"{path}/share", 403)["error"]["message"]
    assert reader("DELETE")["pins"] == {"m-web": {"x": 10, "y": -3}}
    assert owner("DELETE", f"{path}/share") == {**nothing, "mayShare": True}
    assert reader("GET")["pins"] == {}

    for body in ({"pins": {"": {"x": 1, "y": 1}}}, {"pins": {"m": {"x": 1e300, "y": 1}}}, {"pins": {"m": {"x": 1}}}, {}):
        assert owner("PATCH", status=400, json=body)["error"]["message"]
    assert owner("GET", params={"view": ""}, status=400)["error"]["message"]
    assert owner("GET", at="/api/workspaces/none/map-pins", status=404)["error"]["message"]
    assert call(product, "DELETE", f"/api/principals/{made['clientId']}").ok
