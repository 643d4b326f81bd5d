"""Pages that are made when the documentation is built: conventions and API from docstrings, papers from the catalogue.

Called by mkdocs (hooks in mkdocs.yml). Nothing is fetched.
"""

import ast
from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parents[1]
ENGINE = {
    "claims": ["Claim", "Experiment", "Regime", "Figure", "Paper", "Number", "Erratum", "derivation", "step", "agree"],
    "verdicts": [
        "Value", "Rate", "Bound", "Tight", "Law", "Threshold", "Order", "Identity", "Verdict", "Outcome", "judge",
        "rel", "next_order", "log_bias", "Fixed", "quantile",
    ],
}  # fmt: skip


def families() -> list[str]:
    return sorted(p.parent.name for p in (ROOT / "theory").glob("*/__init__.py"))


def docstring(family: str) -> str:
    return ast.get_docstring(ast.parse((ROOT / "theory" / family / "__init__.py").read_text())) or ""


def exported(family: str) -> list[str]:
    """The public names of a family: its `__all__`."""
    for node in ast.parse((ROOT / "theory" / family / "__init__.py").read_text()).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            return sorted(ast.literal_eval(node.value))
    return []


def indented(text: str) -> str:
    """Docstrings indent code by four spaces after a line of prose: Markdown needs an empty line there."""
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith("    ") and lines and lines[-1] and not lines[-1].startswith("    "):
            lines.append("")
        lines.append(line)
    return "\n".join(lines)


def conventions() -> str:
    parts = [
        "# Conventions",
        "What each family normalises how, beside the papers. Taken from the head of each family's code.",
    ]
    for family in families():
        parts += [f"## {family}", indented(docstring(family))]
    return "\n\n".join(parts) + "\n"


def papers() -> str:
    from corollary.run.catalogue import papers as every

    rows = [
        "# Papers",
        "`corollary reproduce KEY` draws a paper's figures and judges its claims; the page it ends with shows "
        "theorems, figures, numbers, verdicts and errata.",
        "",
        "| key | paper | arXiv | claims | figures | errata |",
        "|---|---|---|---|---|---|",
    ]
    for key, e in every().items():
        p = e.paper
        counts = f"{len(e.claims)} | {len(e.figures)} | {len(e.errata) or ''}"
        rows.append(f"| `{key}` | {p.authors} ({p.year}): {p.title} | {p.arxiv} | {counts} |")
    return "\n".join(rows) + "\n"


def api() -> dict[str, str]:
    pages = {
        name: f"# corollary.{name}\n\n" + "\n".join(f"::: corollary.{name}.{n}\n" for n in names)
        for name, names in ENGINE.items()
    }
    pages["testing"] = (
        "# For pytest\n\n::: corollary.testing.plugin\n    options:\n      members: [Verdicts, verdicts, backend]\n\n"
        "::: corollary.testing.guarding.guards\n"
    )
    for family in families():
        names = "\n".join(f"::: corollary.theory.{family}.{n}\n" for n in exported(family))
        pages[family] = f"# corollary.theory.{family}\n\n{indented(docstring(family))}\n\n{names}"
    return pages


def on_config(config):
    """A page of the API for each family, also for one that was added today."""
    config.nav[-1]["API"] += [{f"theory.{family}": f"api/{family}.md"} for family in families()]
    return config


def on_files(files, config):
    made = {"conventions.md": conventions(), "papers.md": papers()}
    made |= {f"api/{name}.md": text for name, text in api().items()}
    for name, text in made.items():
        files.append(File.generated(config, name, content=text))
    return files
