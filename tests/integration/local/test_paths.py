"""What a container says of its files, seen from outside."""

from collections.abc import Callable

from support.pods import Object, shell


def test_a_termination_message_names_the_mount_path(run: Callable[..., Object]) -> None:
    mounts = [{"name": "data", "mountPath": "/data"}]
    script = 'for each in /data/a /data; do printf "no $each " >> /dev/termination-log; done; ls -d /data'
    end = run(shell(script, volumeMounts=mounts), volumes=[{"name": "data", "emptyDir": {}}])
    assert end["message"] == "no /data/a no /data "
    assert end["log"] != "/data\n", "the real directory: the log is as the program wrote it"
