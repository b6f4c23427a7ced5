"""The module for headless storefronts: its own tests, its documents, its types and its examples."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from graphql import GraphQLSchema, build_client_schema, build_schema, parse, validate

ROOT = Path(__file__).resolve().parents[1]
MODULE = ROOT / "storefront"
SHOPIFY = ROOT.parent / "shared" / "reference" / "shopify-schema" / "storefront-graphql_2026-10.json.gz"
SALEOR = ROOT.parent / "shared" / "reference" / "saleor-schema"
VERSIONS = ["3.20.119", "3.21.69", "3.22.67", "3.23.28"]

#: What the examples use of Next.js, React and Node, as far as they use it.
AROUND = """
declare module 'next/server' {
  export class NextResponse { static next(): NextResponse; headers: Headers; }
  export interface NextRequest { url: string; cookies: { get(name: string): { value: string } | undefined } }
}
declare module 'next/headers' {
  export function cookies(): Promise<{ get(name: string): { value: string } | undefined }>;
  export function headers(): Promise<Headers>;
}
declare module 'react' { export function useEffect(effect: () => void, on: unknown[]): void; }
declare const process: { env: Record<string, string | undefined> };
"""

Node = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def node() -> Node:
    """Runs Node in the repository's root."""
    found = shutil.which("node")
    if found is None:
        pytest.skip("Node is not there; `make test` brings it.")
    return lambda *words: subprocess.run(
        [found, *words], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.fixture(scope="module")
def documents(node: Node) -> dict[str, str]:
    told = node(
        "-e", "import('./storefront/index.js').then((all) => console.log(JSON.stringify({ ...all })))"
    )
    assert told.returncode == 0, told.stderr
    found: dict[str, str] = json.loads(told.stdout)
    return found


def test_its_own_tests_pass(node: Node) -> None:
    ran = node("--test", *(str(path) for path in sorted((MODULE / "test").glob("*.test.js"))))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert re.search(r"^\S pass 24$", ran.stdout, re.MULTILINE), ran.stdout


def saleor_schema(version: str) -> GraphQLSchema:
    path = SALEOR / f"schema-{version}.graphql"
    if not path.exists():
        pytest.skip(f"Saleor's schema of {version} is not beside the project, so nothing can be compared.")
    return build_schema(path.read_text(), assume_valid=True)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_saleor_documents_are_valid(version: str, documents: dict[str, str]) -> None:
    schema = saleor_schema(version)
    names = [name for name in documents if name.startswith("SALEOR_")]
    assert names == ["SALEOR_DELETE_METADATA", "SALEOR_UPDATE_METADATA"]
    for name in names:
        assert validate(schema, parse(documents[name])) == []


def test_the_shopify_documents_are_valid(documents: dict[str, str]) -> None:
    if not SHOPIFY.exists():
        pytest.skip("Shopify's Storefront schema is not beside the project, so nothing can be compared.")
    content = json.loads(gzip.decompress(SHOPIFY.read_bytes()))
    schema = build_client_schema(content["data"], assume_valid=True)
    names = [name for name in documents if name.startswith("SHOPIFY_")]
    assert names == ["SHOPIFY_CART_ATTRIBUTES", "SHOPIFY_CART_ATTRIBUTES_UPDATE"]
    for name in names:
        assert validate(schema, parse(documents[name])) == []
    [cart_create] = re.findall(r"'(mutation [^']*cartCreate[^']*)'", (MODULE / "README.md").read_text())
    assert validate(schema, parse(cart_create)) == []


def test_the_checkout_complete_of_the_example_is_valid() -> None:
    [document] = re.findall(r"`(mutation [^`]*checkoutComplete[^`]*)`", (MODULE / "README.md").read_text())
    assert validate(saleor_schema(VERSIONS[-1]), parse(document)) == []


def test_every_example_compiles_against_the_types(node: Node, tmp_path: Path) -> None:
    compiler = ROOT / "node_modules" / "typescript" / "bin" / "tsc"
    if not compiler.exists():
        pytest.skip("TypeScript is not there; `make test` brings it.")
    examples = re.findall(r"```(tsx?)\n(.*?)```", (MODULE / "README.md").read_text(), re.DOTALL)
    assert len(examples) == 7
    for number, (kind, text) in enumerate(examples):
        (tmp_path / f"example{number}.{kind}").write_text(text)
    (tmp_path / "around.d.ts").write_text(AROUND)
    options = {
        "strict": True,
        "noEmit": True,
        "target": "es2022",
        "module": "esnext",
        "moduleResolution": "bundler",
        "lib": ["es2022", "dom"],
        "types": [],
        "jsx": "preserve",
        "paths": {"impact-app-storefront": [str(MODULE / "index.d.ts")]},
    }
    settings = tmp_path / "tsconfig.json"
    settings.write_text(json.dumps({"compilerOptions": options, "include": ["*.ts", "*.tsx"]}))
    ran = node(str(compiler), "-p", str(settings))
    assert ran.returncode == 0, ran.stdout + ran.stderr

    (tmp_path / "wrong.ts").write_text("import { keepClick } from 'impact-app-storefront'; keepClick('abc');")
    assert "is not assignable to parameter" in node(str(compiler), "-p", str(settings)).stdout


def test_the_types_name_what_the_module_has(documents: dict[str, str], node: Node) -> None:
    told = node("-e", "import('./storefront/index.js').then((all) => console.log(Object.keys(all).join()))")
    typed = re.findall(r"^export (?:function|const) (\w+)", (MODULE / "index.d.ts").read_text(), re.MULTILINE)
    assert sorted(told.stdout.strip().split(",")) == sorted(typed)
