"""A client in Python, made by openapi-python-client: t/e2e/53-clients.t makes it and runs this.

use.py URL EMAIL PASSWORD, with the client importable as `roster`. Prints what it has called.
"""

import importlib
import pkgutil
import sys

import roster
import roster.api
from roster import AuthenticatedClient, Client
from roster.api.auths import admin_config_get, admin_config_set, sign_in
from roster.api.users import info_update, settings_get, user_get, user_picture, users_list
from roster.models import AdminConfigBody, Error, InfoBody, Role, Session, SignInBody, UserPage, ValidationError

url, email, password = sys.argv[1:]

# Every module can be loaded: one that holds an error in its types could not.
modules = [module.name for module in pkgutil.walk_packages(roster.__path__, "roster.")]
for name in modules:
    importlib.import_module(name)
print("modules", len([name for name in modules if name.startswith("roster.api.") and name.count(".") == 3]))

with Client(base_url=url) as client:
    session = sign_in.sync(client=client, body=SignInBody(email=email, password=password))
    assert isinstance(session, Session), session
    refused = sign_in.sync(client=client, body=SignInBody(email=email, password="wrong password"))
    assert isinstance(refused, Error) and refused.code == "INVALID_CRED", refused
    print("sign_in")

with AuthenticatedClient(base_url=url, token=session.token) as client:
    page = users_list.sync(client=client, query="", order_by="name", page=1)
    assert isinstance(page, UserPage) and page.total >= 1 and page.users[0].id, page
    assert page.users[0].role in list(Role), page.users[0].role
    invalid = users_list.sync_detailed(client=client, page="x")
    assert invalid.status_code == 422 and isinstance(invalid.parsed, ValidationError), invalid
    assert invalid.parsed.detail[0].loc == ["query", "page"], invalid.parsed
    print("users_list")

    body = InfoBody.from_dict({"a": {"b": [1]}, "c": "d"})
    info = info_update.sync(client=client, body=body)
    assert info["c"] == "d" and info["a"] == {"b": [1]}, info
    print("info_update")
    assert settings_get.sync_detailed(client=client).status_code == 200
    print("settings_get")

    user = user_get.sync(session.id, client=client)
    assert user.email == email and user.info["c"] == "d", user
    print("user_get")
    picture = user_picture.sync(session.id, client=client, initials=True)
    assert picture.payload.read().startswith(b"<svg"), picture
    print("user_picture")

    config = admin_config_get.sync(client=client)
    again = admin_config_set.sync(client=client, body=AdminConfigBody.from_dict(config.to_dict()))
    assert again.to_dict() == config.to_dict(), again
    print("admin_config_set")
