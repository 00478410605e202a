"""`python -m trainingjob_api crd | history-crd | reference`: print what is generated from the models."""

import sys

import yaml

from trainingjob_api.reference import markdown
from trainingjob_api.schema import custom_resource_definition, history_definition

_DEFINITIONS = {"crd": custom_resource_definition, "history-crd": history_definition}

if __name__ == "__main__":
    if sys.argv[1:] == ["reference"]:
        sys.stdout.write(markdown())
    elif len(sys.argv) <= 2 and (definition := _DEFINITIONS.get("".join(sys.argv[1:]) or "crd")):
        sys.stdout.write("# Generated from crds/trainingjob_api by `make crd`; do not edit.\n")
        yaml.safe_dump(definition(), sys.stdout, sort_keys=False, width=100, allow_unicode=True)
    else:
        sys.exit("usage: python -m trainingjob_api [crd | history-crd | reference]")
