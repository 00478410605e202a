"""`python -m trainingjob_api crd | reference`: print what is generated from the models."""

import sys

import yaml

from trainingjob_api.reference import markdown
from trainingjob_api.schema import custom_resource_definition

if __name__ == "__main__":
    if sys.argv[1:] == ["reference"]:
        sys.stdout.write(markdown())
    elif sys.argv[1:] in ([], ["crd"]):
        sys.stdout.write("# Generated from crds/trainingjob_api by `make crd`; do not edit.\n")
        yaml.safe_dump(custom_resource_definition(), sys.stdout, sort_keys=False, width=100, allow_unicode=True)
    else:
        sys.exit("usage: python -m trainingjob_api [crd | reference]")
