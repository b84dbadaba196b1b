from __future__ import annotations

import pytest

from pbf_ray.errors import StoreError
from pbf_ray.storage.mongodb.client import MongoAddress, MongoConnection

SECRET = "hunter2"  # noqa: S105 - it opens nothing


@pytest.mark.parametrize(
    ("address", "place"),
    [
        (MongoAddress("db", 1, "d", "me", SECRET), "db:1/d"),
        (MongoAddress(connection_string=f"mongodb+srv://me:{SECRET}@a.mongodb.net/x?w=1"),
         "a.mongodb.net/pbf_lbm"),
        (MongoAddress(connection_string=f"mongodb://me:{SECRET}@a:1,b:2/?tls=true"),
         "a:1,b:2/pbf_lbm"),
        (MongoAddress(connection_string="mongodb://a:1"), "a:1/pbf_lbm"),
        (MongoAddress(connection_string=f"mongodb://me:p@{SECRET}@a:1"), "a:1/pbf_lbm"),
    ],
)  # fmt: skip
def test_places_show_no_secret(address: MongoAddress, place: str) -> None:
    assert address.place == place
    assert SECRET not in repr(address) + repr(MongoConnection(address, name="n").__dict__)


def test_options_say_what_is_set_and_nothing_else() -> None:
    plain = MongoAddress("db", 1).options()
    assert (plain["host"], plain["port"]) == ("db", 1)
    assert not {"username", "password", "authSource", "tls", "tlsCAFile"} & plain.keys()
    whole = MongoAddress("db", 1, "d", "me", SECRET, "admin", tls=True, tls_ca_file="ca").options()
    assert whole["password"] == SECRET
    assert (whole["tls"], whole["tlsCAFile"], whole["authSource"]) == (True, "ca", "admin")
    atlas = MongoAddress(connection_string="mongodb://a", pool_max=7).options()
    assert (atlas["host"], atlas["maxPoolSize"]) == ("mongodb://a", 7)
    assert "port" not in atlas


def test_an_option_that_the_driver_would_leave_out_is_an_error() -> None:
    text = f"mongodb://me:{SECRET}@a/?tls=perhaps"
    connection = MongoConnection(MongoAddress(connection_string=text), name="n")
    with pytest.raises(StoreError, match="cannot be used") as caught, connection.database():
        pass
    assert SECRET not in str(caught.value)
