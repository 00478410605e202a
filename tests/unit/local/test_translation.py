"""Paths and names of a pod become those of this machine: all of them, and nothing else."""

import pytest

from local_cluster.node.addresses import Addresses, PodName
from local_cluster.node.translation import Translation, as_in_container

POD = PodName("team", "digits-1", "digits-1-1")
PATHS = {"/data": "/real/d", "/data/models": "/real/m", "/dev/termination-log": "/real/log", "/tmp": "/real/t/data"}


@pytest.fixture
def addresses() -> Addresses:
    return Addresses("/some/cluster")


@pytest.fixture
def translate(addresses: Addresses) -> Translation:
    return Translation(PATHS, POD, addresses)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("/data", "/real/d", id="the path itself"),
        pytest.param("/data/", "/real/d/", id="with a slash at its end"),
        pytest.param("/data/iris.csv", "/real/d/iris.csv", id="something below it"),
        pytest.param("/data/models/x", "/real/m/x", id="a mount inside another mount wins"),
        pytest.param("--in=/data/a --out=/data/models/b", "--in=/real/d/a --out=/real/m/b", id="two in one text"),
        pytest.param('{"path":"/data/a","n":1}', '{"path":"/real/d/a","n":1}', id="inside JSON"),
        pytest.param("['/data','/tmp']", "['/real/d','/real/t/data']", id="inside a list of Python"),
        pytest.param("/usr/lib:/data/lib", "/usr/lib:/real/d/lib", id="in a search path"),
        pytest.param("file:///data/a.csv", "file:///real/d/a.csv", id="in a file URL"),
        pytest.param("/tmp/x", "/real/t/data/x", id="what was put in is not translated again"),
        pytest.param("cat /data/*.csv", "cat /real/d/*.csv", id="before a glob"),
        pytest.param("/dev/termination-log", "/real/log", id="the termination message"),
        pytest.param("/database", "/database", id="another path that begins alike"),
        pytest.param("/data.csv", "/data.csv", id="a file that begins alike"),
        pytest.param("/data-2/x", "/data-2/x", id="a folder that begins alike"),
        pytest.param("/srv/data/x", "/srv/data/x", id="the middle of another path"),
        pytest.param("s3://bucket/data/x", "s3://bucket/data/x", id="the path of an object store"),
        pytest.param("http://host:80/data", "http://host:80/data", id="the path of a URL"),
        pytest.param("$HOME/data ${HOME}/data", "$HOME/data ${HOME}/data", id="after a variable of the shell"),
        pytest.param("../data ./data ~/data", "../data ./data ~/data", id="a relative path"),
        pytest.param("data", "data", id="a word"),
    ],
)
def test_mount_paths_become_real_paths(translate: Translation, text: str, expected: str) -> None:
    assert translate(text) == expected


@pytest.mark.parametrize(
    "name",
    [
        "digits-1-0.digits-1",
        "digits-1-0.digits-1.team",
        "digits-1-0.digits-1.team.svc",
        "digits-1-0.digits-1.team.svc.cluster.local",
    ],
)
@pytest.mark.parametrize("around", ["{}", "tcp://{}:29500", '{{"host":"{}"}}', "{},{}", "--host={}"])
def test_the_name_of_a_sibling_becomes_its_address_before_it_is_there(
    translate: Translation, addresses: Addresses, name: str, around: str
) -> None:
    address = addresses.of(PodName("team", "digits-1", "digits-1-0"))
    assert translate(around.format(name, name)) == around.format(address, address)


def test_the_name_of_a_pod_of_another_service_is_known_once_it_was_seen(
    translate: Translation, addresses: Addresses
) -> None:
    assert translate("store-0.store") == "store-0.store"
    address = addresses.take("uid", PodName("team", "store", "store-0"))
    assert translate("store-0.store:80") == f"{address}:80"


@pytest.mark.parametrize(
    "text",
    ["digits-1-0", "other-1-0.digits-1", "digits-1-0.digits-2", "x.digits-1-0.digits-1", "train.py", "1.5", "a.b.c"],
)
def test_other_names_stay_as_they_are(translate: Translation, text: str) -> None:
    assert translate(text) == text


def test_without_mounts_no_path_is_touched(addresses: Addresses) -> None:
    assert Translation({}, POD, addresses)("/data //x") == "/data //x"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("/real/a/train.csv: no such file", "/data/train.csv: no such file"),
        ('{"message": "/real/a and /real/a/b/c"}', '{"message": "/data and /data/inner/c"}'),
        ("/real/ab stays", "/real/ab stays"),
        ("nothing of it", "nothing of it"),
    ],
)
def test_what_a_container_says_has_the_paths_of_its_manifest(said: str, shown: str) -> None:
    assert as_in_container(said, {"/data": "/real/a", "/data/inner": "/real/a/b"}) == shown
    assert as_in_container(said, {}) == said
