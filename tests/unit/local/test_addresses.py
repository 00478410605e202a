"""Addresses: loopback, one for each pod, the same for a name whoever asks first."""

import ipaddress

from local_cluster.node.addresses import Addresses, PodName

FIRST, SECOND = PodName("team", "job", "job-0"), PodName("team", "job", "job-1")


def test_addresses_are_loopback_addresses_that_the_system_does_not_use_itself() -> None:
    for cluster in map(str, range(300)):
        address = ipaddress.IPv4Address(Addresses(cluster).of(FIRST))
        assert address in ipaddress.IPv4Network("127.0.0.0/8")
        assert address not in ipaddress.IPv4Network("127.0.0.0/16")


def test_a_name_has_its_address_before_its_pod_is_there() -> None:
    addresses = Addresses("cluster")
    expected = addresses.of(FIRST)
    assert addresses.take("uid", FIRST) == expected


def test_a_name_has_the_same_address_after_a_restart_of_the_node() -> None:
    assert Addresses("cluster").of(FIRST) == Addresses("cluster").of(FIRST)


def test_many_pods_have_different_addresses() -> None:
    addresses = Addresses("cluster")
    taken = [addresses.take(f"uid-{n}", PodName("team", "job", f"job-{n}")) for n in range(3000)]
    assert len(set(taken)) == 3000


def test_the_replacement_of_a_pod_has_its_address_once_that_is_free() -> None:
    addresses = Addresses("cluster")
    first = addresses.take("old", FIRST)
    addresses.release("old")
    assert addresses.take("new", FIRST) == first


def test_a_replacement_beside_the_old_pod_has_another_address_and_takes_over_the_name() -> None:
    addresses = Addresses("cluster")
    old = addresses.take("old", FIRST)
    new = addresses.take("new", FIRST)
    assert new != old
    assert addresses.of(FIRST) == new


def test_what_a_pod_was_given_before_a_restart_is_given_to_nobody_else() -> None:
    addresses = Addresses("cluster")
    addresses.restore("old", FIRST, Addresses("cluster").of(SECOND))
    assert addresses.take("new", SECOND) != addresses.of(FIRST)


def test_names_are_forgotten_with_the_last_pod_of_their_service() -> None:
    addresses = Addresses("cluster")
    addresses.take("one", FIRST)
    addresses.take("two", SECOND)
    addresses.release("one")
    addresses.forget("team", "job")
    assert addresses.knows(FIRST)
    addresses.release("two")
    addresses.forget("team", "job")
    assert not addresses.knows(FIRST)
