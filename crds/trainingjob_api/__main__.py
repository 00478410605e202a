"""`python -m trainingjob_api`: print the CRD as YAML."""

import sys

import yaml

from trainingjob_api.schema import custom_resource_definition

if __name__ == "__main__":
    sys.stdout.write("# Generated from crds/trainingjob_api by `make crd`; do not edit.\n")
    yaml.safe_dump(custom_resource_definition(), sys.stdout, sort_keys=False, width=100, allow_unicode=True)
