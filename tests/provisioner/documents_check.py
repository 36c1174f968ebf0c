"""Asks a real JSON Schema validator about documents, about damaged ones, and about damaged schemas.

usage: documents_check.py FILE; 3 is the status when a package is missing

FILE has `schemas` by kind, and `documents`, each with its kind and where it is from.
"""

import copy
import json
import pathlib
import sys
from collections.abc import Iterator

try:
    import jsonschema
except ImportError as error:
    print(f"{error.name} is not installed")
    sys.exit(3)

STRANGER = {"no_such_key": []}
# Longer documents repeat what the longest of them has.
SHORT = 4096


def valid(schema: dict, document: object) -> bool:
    return jsonschema.Draft202012Validator(schema).is_valid(document)


def places(value: object, path: tuple = ()) -> Iterator[tuple[tuple, object]]:
    """Each value within a value, and its path."""
    yield path, value
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    else:
        return
    for key, inner in items:
        yield from places(inner, (*path, key))


def at(value: object, path: tuple) -> object:
    for key in path:
        value = value[key]
    return value


def damaged(schema: dict, document: object) -> Iterator[tuple[str, object]]:
    """The document with another type in each place, and with a stranger in each object."""
    is_open = schema.get("additionalProperties") is True
    for path, value in places(document):
        if is_open and (not path or path[0] not in schema["properties"]):
            continue
        if path:
            other = copy.deepcopy(document)
            at(other, path[:-1])[path[-1]] = STRANGER
            yield f"{path} of another type", other
        if isinstance(value, dict):
            other = copy.deepcopy(document)
            at(other, path)["no_such_key"] = STRANGER
            yield f"a stranger in {path}", other


def narrowed(schema: dict) -> Iterator[tuple[str, dict]]:
    """The schema without one of the things that it lets pass."""

    def without(path: tuple, change) -> dict:
        other = copy.deepcopy(schema)
        change(at(other, path))
        return other

    for path, value in places(schema):
        if not isinstance(value, dict) or (path and path[-1] == "properties"):
            continue
        for name in value.get("properties", {}):
            at_name = (*path, "properties", name)
            yield f"{at_name}", without(path, lambda it: it["properties"].update({name: False}))
            if name not in value["required"]:
                yield f"{at_name} may be absent", without(
                    path, lambda it: it["required"].append(name)
                )
        for word in value.get("enum", []):
            yield f"{path} may be {word}", without(path, lambda it: it["enum"].remove(word))
        for forms in ("anyOf", "oneOf"):
            for form in range(len(value.get(forms, []))):
                yield f"form {form} of {path}", without(path, lambda it: it[forms].pop(form))
        if isinstance(value.get("type"), list):
            for kind in value["type"]:
                yield f"{path} may be {kind}", without(path, lambda it: it["type"].remove(kind))


def main() -> int:
    given = json.loads(pathlib.Path(sys.argv[1]).read_text())
    failures = []
    for kind, schema in given["schemas"].items():
        jsonschema.Draft202012Validator.check_schema(schema)
        documents = [it for it in given["documents"] if it["kind"] == kind]
        for it in documents:
            errors = jsonschema.Draft202012Validator(schema).iter_errors(it["document"])
            failures += [f"{it['from']}: {list(error.path)}: {error.message}" for error in errors]
        texts = {json.dumps(it["document"]) for it in documents}
        texts = sorted(texts, key=len, reverse=True)
        distinct = [json.loads(text) for text in texts]
        damages = [
            (what, other)
            for number, (text, document) in enumerate(zip(texts, distinct))
            if number == 0 or len(text) <= SHORT
            for what, other in damaged(schema, document)
        ]
        failures += [f"{kind}: {what} is taken" for what, other in damages if valid(schema, other)]
        parts = list(narrowed(schema))
        failures += [
            f"{kind}: no document needs {what}"
            for what, other in parts
            if all(valid(other, document) for document in distinct)
        ]
        print(f"{kind}: {len(documents)} documents, {len(damages)} damages, {len(parts)} parts")
    print(*failures, sep="\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
