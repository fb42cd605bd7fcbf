"""Expands the loops of `template.yaml`, chains the parts of its APIs, and computes the digests in the ids of deployments.

    .venv/bin/python local/template.py expand [OUTPUT]    write the expanded template as JSON ("-": to standard output)
    .venv/bin/python local/template.py digest             check the digests
    .venv/bin/python local/template.py digest --write     update the digests in template.yaml

`sam build` and `sam validate` read the expanded template (samconfig.toml), so CloudFormation never sees a loop.
"""

import argparse
import hashlib
import json
import re
import sys
from pathlib import Path

import yaml
from ministack.services.cloudformation import language_extensions
from samcli.yamlhelper import intrinsics_multi_constructor

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "template.yaml"
EXPANDED = ROOT / ".aws-sam/template.json"

# The types of which an API Gateway deployment takes a snapshot.
SNAPSHOT_TYPES = {
    f"AWS::ApiGateway::{name}"
    for name in ("RestApi", "Resource", "Method", "Authorizer", "GatewayResponse", "Model", "RequestValidator")
}
DEPLOYMENT = "AWS::ApiGateway::Deployment"
DIGEST_LENGTH = 10
# CloudFormation creates resources that do not depend on each other at the same time. API Gateway accepts 10 calls a second
# for the whole account (https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html).
PARTS_AT_A_TIME = 5


class Loader(yaml.SafeLoader):
    """Reads the short forms of CloudFormation's functions, and refuses duplicate keys."""

    def construct_unique_mapping(self, node):
        pairs = self.construct_pairs(node, deep=True)
        keys = [key for key, _ in pairs]
        for key in keys:
            if keys.count(key) > 1:
                raise SystemExit(f"{SOURCE.name}, line {node.start_mark.line + 1}: duplicate key {key}")
        return dict(pairs)


Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, Loader.construct_unique_mapping)
Loader.add_multi_constructor("!", intrinsics_multi_constructor)


def nodes(node):
    """Yields a node and all nodes below it, the keys of mappings included."""
    yield node
    if isinstance(node, dict):
        for key, value in node.items():
            yield key
            yield from nodes(value)
    elif isinstance(node, list):
        for value in node:
            yield from nodes(value)


def expand(text):
    """Returns the template without loops and tables. Ends the program if anything of them remains."""
    source = yaml.load(text, Loader)
    loops = [node for node in nodes(source) if isinstance(node, dict)]
    loops = [value for node in loops for key, value in node.items() if str(key).startswith("Fn::ForEach::")]
    identifiers = "|".join(sorted({loop[0] for loop in loops}))
    try:
        expanded = language_extensions.apply(source, {})
    except language_extensions.LanguageExtensionsError as error:
        raise SystemExit(f"{SOURCE.name}: {error}") from None
    expanded.pop("Mappings", None)
    expanded["Transform"] = "AWS::Serverless-2016-10-31"
    for node in nodes(expanded):
        if isinstance(node, dict) and "Fn::FindInMap" in node:
            raise SystemExit(f"{SOURCE.name}: a table has no such value: {node['Fn::FindInMap']}")
        if isinstance(node, str) and identifiers and re.search(rf"\$\{{({identifiers})\}}", node):
            raise SystemExit(f"{SOURCE.name}: the variable of a loop needs !Sub or !Ref: {node}")
    return expanded


def dependencies(resource, resources):
    """Returns the resources that a resource names, by `DependsOn` or in its properties."""
    found = set(resource.get("DependsOn", []))
    for node in nodes(resource):
        if isinstance(node, dict):
            found.add(node["Ref"] if isinstance(node.get("Ref"), str) else None)
            attribute = node.get("Fn::GetAtt")
            found.add(attribute[0] if isinstance(attribute, list) else str(attribute).partition(".")[0])
            sub = node.get("Fn::Sub")
            sub = sub[0] if isinstance(sub, list) else sub
            found.update(re.findall(r"\$\{(\w+)", sub) if isinstance(sub, str) else [])
    return found & resources.keys()


def in_order_of_creation(resources):
    """Returns the resources so that each one follows those that it depends on."""
    order, visiting = {}, []

    def visit(logical_id):
        if logical_id in visiting:
            raise SystemExit(f"{SOURCE.name}: resources depend on each other: {' '.join(visiting)} {logical_id}")
        if logical_id not in order:
            visiting.append(logical_id)
            for other in sorted(dependencies(resources[logical_id], resources)):
                visit(other)
            visiting.pop()
            order[logical_id] = resources[logical_id]

    for logical_id in resources:
        visit(logical_id)
    return order


def chain(expanded):
    """Makes each part of an API depend on an earlier part, so that at most PARTS_AT_A_TIME are created or deleted at once.

    The new dependencies point backwards in one order of creation, so they form no cycle.
    """
    resources = expanded["Resources"]
    parts = [
        logical_id
        for logical_id, resource in in_order_of_creation(resources).items()
        if resource["Type"] in SNAPSHOT_TYPES and resource["Type"] != "AWS::ApiGateway::RestApi"
    ]
    for earlier, part in zip(parts, parts[PARTS_AT_A_TIME:]):
        if earlier not in dependencies(resources[part], resources):
            resources[part].setdefault("DependsOn", []).append(earlier)
    return expanded


def digests(expanded):
    """Returns the digest of the snapshot of each API that has deployments, and their logical ids."""
    resources = expanded["Resources"]
    found = {}
    for logical_id, resource in resources.items():
        if resource["Type"] == DEPLOYMENT:
            found.setdefault(resource["Properties"]["RestApiId"]["Ref"], []).append(logical_id)
    for api, deployments in found.items():
        snapshot = {
            logical_id: resource
            for logical_id, resource in resources.items()
            if resource["Type"] in SNAPSHOT_TYPES
            and (logical_id == api or resource["Properties"].get("RestApiId") == {"Ref": api})
        }
        text = json.dumps(snapshot, sort_keys=True, separators=(",", ":"))
        yield hashlib.sha256(text.encode()).hexdigest()[:DIGEST_LENGTH], deployments


def update_digests(text):
    """Returns the source with the right digests in the logical ids of the deployments."""
    for digest, deployments in digests(expand(text)):
        for logical_id in deployments:
            stem = re.fullmatch(rf".*(Deployment)[0-9a-f]{{{DIGEST_LENGTH}}}", logical_id)
            if stem is None:
                raise SystemExit(f"{logical_id}: the id of a deployment must end in Deployment and ten hexadecimal digits")
            text = text.replace(logical_id[stem.start(1):], f"Deployment{digest}")
    return text


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, default=SOURCE, help="another template, for tests")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("expand", help="write the expanded template as JSON")
    command.add_argument("output", nargs="?", default=str(EXPANDED), help="a file, or - for standard output")
    command = commands.add_parser("digest", help="check the digests in the logical ids of the deployments")
    command.add_argument("--write", action="store_true", help="update them in template.yaml")
    options = parser.parse_args()

    text = options.source.read_text()
    if options.command == "expand":
        expanded = json.dumps(chain(expand(text)), indent=2) + "\n"
        if options.output == "-":
            sys.stdout.write(expanded)
        else:
            Path(options.output).parent.mkdir(parents=True, exist_ok=True)
            Path(options.output).write_text(expanded)
        return
    updated = update_digests(text)
    if options.write:
        options.source.write_text(updated)
    elif updated != text:
        raise SystemExit(
            "The content of an API has changed, and its stage serves the change only with a deployment of a new id. Run\n"
            "    .venv/bin/python local/template.py digest --write"
        )


if __name__ == "__main__":
    main()
