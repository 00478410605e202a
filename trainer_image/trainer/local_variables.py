"""The variables of a pod on a machine without one: by Kubernetes' rules, from the manifest and what it brings along."""

import re
from collections.abc import Mapping

from trainer.config import Mounts
from trainer.config_maps import ConfigMaps, texts_in
from trainer.errors import UserError
from trainingjob_api import contract
from trainingjob_api.resource import TrainingJob
from trainingjob_api.spec.pod import EnvironmentVariable, KeyReference

_REFERENCE = re.compile(r"\$(?:\$|\(([^)]*)\))")


def variables_of(
    job: TrainingJob, attempt: int, config_maps: ConfigMaps, mounts: Mounts, shell: Mapping[str, str]
) -> dict[str, str]:
    """What the manifest sets, references and paths resolved; what the shell has set already stands for a Secret."""
    name = f"{contract.attempt_name(job.metadata.name, attempt)}-0"
    found = {contract.POD_NAME_ENV: name, contract.POD_IP_ENV: "127.0.0.1", contract.NODE_RANK_ENV: "0"}
    for variable in job.spec.pod.env or []:
        value = _value(variable, found, config_maps, shell)
        if value is not None:
            found[variable.name] = mounts.in_text(value)
    return {name: value for name, value in found.items() if name not in (contract.POD_IP_ENV, contract.NODE_RANK_ENV)}


def _value(
    variable: EnvironmentVariable, found: Mapping[str, str], config_maps: ConfigMaps, shell: Mapping[str, str]
) -> str | None:
    if variable.value_from is None:
        return expanded(variable.value or "", found)
    if variable.name in shell:
        return None
    if (key := variable.value_from.config_map_key_ref) is not None:
        texts = texts_in(key.name, "data", config_maps.get(key.name, {}))
        return texts[key.key] if key.key in texts else _missing(variable.name, "ConfigMap", key)
    key = variable.value_from.secret_key_ref
    assert key is not None, "one of the two is given"
    return _missing(variable.name, "Secret", key)


def _missing(variable: str, kind: str, key: KeyReference) -> str | None:
    if key.optional:
        return None
    raise UserError(
        f"pod.env: {variable} comes from the key {key.key!r} of the {kind} {key.name}, which is not here: "
        f"set {variable} in the shell that starts this"
    )


def expanded(text: str, values: Mapping[str, str]) -> str:
    """$(NAME) is the value of a variable before, $$ is one $, and what is unknown stays as it is."""

    def replacement(reference: re.Match[str]) -> str:
        name = reference[1]
        return "$" if name is None else values.get(name, reference[0])

    return _REFERENCE.sub(replacement, text)
