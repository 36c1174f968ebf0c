"""Asks a real JSON Schema validator about each committed inventory, and about damaged ones.

usage: schema_check.py REPOSITORY; 3 is the status when a package is missing
"""

import copy
import json
import pathlib
import sys

try:
    import jsonschema
    import yaml
except ImportError as error:
    print(f"{error.name} is not installed")
    sys.exit(3)


class Loader(yaml.SafeLoader):
    """YAML as editors read it (1.2): a date is a text."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def problems(schema: dict, document: object) -> list[str]:
    validator = jsonschema.Draft7Validator(schema)
    return [f"{list(error.path)}: {error.message}" for error in validator.iter_errors(document)]


def main() -> int:
    root = pathlib.Path(sys.argv[1])
    failed = 0
    for kind, pattern in [("federation", "federation.yaml"), ("site", "sites/*.yaml")]:
        schema = json.loads((root / f"inventories/schema/{kind}.json").read_text())
        jsonschema.Draft7Validator.check_schema(schema)
        files = [
            file
            for folder in ("inventories", "tests/fixtures/inventories")
            for file in sorted((root / folder).glob(f"*/{pattern}"))
        ]
        for file in files:
            document = yaml.load(file.read_text(), Loader)
            found = problems(schema, document)
            print(file.relative_to(root), *found, sep="\n  ")
            failed += len(found)
            damaged = copy.deepcopy(document)
            damaged["no_such_key"] = "x"
            without = {key: value for key, value in document.items() if key != "vos"}
            for wrong in (damaged, without, {**document, "vos": "none"}):
                if not problems(schema, wrong):
                    print("  damage is not found")
                    failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
