"""The page as text: every link resolves, hostile text stays text, and it stands alone."""

import html.parser
import json
import re
from pathlib import Path

import pytest

from corollary.claims import Derived
from corollary.report import Results, load, render, write
from corollary.report.forest import forest
from corollary.report.load import _DEFAULTS, take
from corollary.report.pictures import COLOURED, data_address, highlighted
from corollary.run.catalogue import derivations, papers
from corollary.run.record import claim_record, derivation_record, paper_record
from corollary.verdicts import Outcome, Verdict


class Parsed(html.parser.HTMLParser):
    """Ids, links to them, sources of anything a browser would fetch, tags, and text."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.inner, self.outer, self.fetched, self.tags, self.handlers = [], [], [], [], [], []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for name, text in attrs:
            value = text or ""
            self.handlers += [name] if name.startswith("on") else []
            if name == "id":
                self.ids.append(value)
            elif name in ("href", "xlink:href"):
                (self.inner if value.startswith("#") else self.outer).append(value)
            elif name in ("src", "srcset", "data", "action", "background"):
                self.fetched.append(value)

    def handle_data(self, data):
        self.words += data


@pytest.fixture(scope="module")
def parsed(page):
    return Parsed(page.read_text())


def test_every_link_resolves(parsed):
    """Each #… has exactly one target; what leads out of the page is an arXiv address."""
    assert len(parsed.inner) > 40
    assert len(set(parsed.ids)) == len(parsed.ids)
    assert {link[1:] for link in parsed.inner} <= set(parsed.ids)
    assert all(re.fullmatch(r"https://arxiv\.org/abs/[\w.]+", link) for link in parsed.outer)


def test_uses_and_checked_by_of_the_catalogue_resolve():
    """As leanblueprint's checkdecls: what a claim rests on, and what an erratum and a number cite, is there."""
    every, derived = papers(), derivations()
    claims = {c.name for p in every.values() for c in p.claims}
    for p in every.values():
        for c in p.claims:
            assert {u.name for u in c.uses} <= claims, c.name
            assert set(c.checked_by) <= set(derived), c.name
        for e in p.errata:
            assert e.evidence and set(e.evidence) <= claims, e.where
        for n in p.numbers:
            assert n.claim.name in claims, n.what


def test_a_number_of_a_paper_names_a_functional_that_its_claim_has():
    """Such as "n=15, T=5, d=15" or "[1]": a misspelt one would show the first functional's interval."""
    numbers = [n for p in papers().values() for n in p.numbers]
    assert {n.claim.name.split(".")[0] for n in numbers} >= {"giapitzakis2025", "tarzanagh2023"}
    for n in numbers:
        points, kind = n.claim.split("laptop")[0], n.claim.kind
        names = kind.names(points, kind.declared_shapes(n.claim.plain_rivals(), points))
        assert (n.functional in names) if n.functional else len(names) == 1, (n.what, names)


def test_the_papers_numbers_stand_beside_ours(record, tmp_path):
    """Theirs, the middle of our interval ± half its length, and the ratio ours/theirs, of the functional that is named;
    none for a claim that is not there or has an open interval."""
    claim = {
        **record, "paper": "p", "id": "p.c", "functionals": ["a", "b"], "interval": [[0.0, 9.0], [1.9, 2.1]],
        "theory": [1.0, 2.0], "margin": [0.0, 0.0], "resolution": [0.1, 0.1], "rival_values": {}, "uses": [],
    }  # fmt: skip
    number = {"what": "a <b> constant", "where": "Table 1", "value": 2.5, "claim": "p.c", "functional": "b"}
    others = [
        {**number, "what": "first", "functional": ""}, {**number, "what": "unknown claim", "claim": "p.d"},
        {**number, "what": "zero", "value": 0},
    ]  # fmt: skip
    paper = {"record": "paper", "key": "p", "title": "P", "numbers": [number, *others]}
    open_ended = {**claim, "id": "p.open", "interval": [[None, 9.0], [0.0, None]]}
    lost = {**number, "claim": "p.open", "what": "open"}
    (tmp_path / "results.jsonl").write_text(
        "\n".join(json.dumps(r) for r in ({**paper, "numbers": [*paper["numbers"], lost]}, claim, open_ended)) + "\n"
    )
    text = render(load([tmp_path]))
    rows = re.findall(r"<tr><th scope=\"row\"><a href=\"#claim-p.c\">(.*?)</tr>", text)
    cells = [re.sub(r"<[^>]*>", "|", row).split("|") for row in rows]
    shown = [[c for c in row if c] for row in cells]
    assert shown == [
        ["a &lt;b&gt; constant", "Table 1", "2.5", "2 ± 0.1", "0.8000"],
        ["first", "Table 1", "2.5", "4.5 ± 4.5", "1.8000"],
        ["zero", "Table 1", "0", "2 ± 0.1", "–"],
    ]


def test_the_page_fetches_nothing(parsed, page):
    """Pictures are inside, styles and script are inline, and the page forbids the browser everything else."""
    assert parsed.fetched and all(address.startswith("data:image/png;base64,") for address in parsed.fetched)
    assert not {"link", "iframe", "object", "embed"} & set(parsed.tags)
    assert "default-src 'none'" in page.read_text()
    assert page.stat().st_size < 2e6


def test_the_page_says_what_the_records_say(parsed, real):
    """Each claim with its verdict, its sources, its rivals; each derivation with its steps; each erratum."""
    results = load([real])
    assert len(results.claims) == 6 and len(results.papers) == 2 and results.derivations
    for name, claim in results.claims.items():
        assert name in parsed.words
        for rival in claim["rivals_rejected"]:
            assert rival in parsed.words
        for source in claim["formula"]:
            assert f"{source['file']}:{source['line']}" in parsed.words
    for derivation in results.derivations.values():
        assert all(step["text"] in parsed.words for step in derivation["steps"])
    assert "its error is squared to 1 in the first step and stays there" in parsed.words  # what is wrong in an erratum
    assert "made by" in parsed.words.lower() and "corollary reproduce jacot2018 --figure" in parsed.words


def test_every_claims_sources_are_found_and_name_no_folder_of_this_machine(real):
    """Formula or derivation, and experiment, with a path inside the repository."""
    for claim in load([real]).claims.values():
        assert claim["measurement"], claim["id"]
        assert claim["formula"] or claim["checked_by"] or claim["kind"] == "Rate", claim["id"]
        for source in [*claim["formula"], *claim["theory_code"], *claim["measurement"]]:
            assert not source["file"].startswith("/") and source["text"] and source["line"] > 0
        assert claim["file"].startswith("paper_repro/") and claim["line"] > 0


def test_the_same_results_give_the_same_page(real):
    """Byte for byte: nothing of the moment enters."""
    assert render(load([real])) == render(load([real]))


HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\"'&{{7*7}}{% raw %}"


def test_hostile_text_stays_text(record, tmp_path):
    """In every text of a claim, of its sources and of its functionals; in formulas too."""
    spoilt = {k: HOSTILE if isinstance(v, str) and k not in ("record", "outcome", "expected") else v
              for k, v in record.items()}  # fmt: skip
    spoilt |= {
        "statement": r"\text{" + HOSTILE.replace("{", "").replace("}", "") + r"} \frac{1}{<b onclick=x>}",
        "functionals": [HOSTILE + str(i) for i in range(3)], "rivals_rejected": [HOSTILE], "notes": [HOSTILE],
        "rival_values": {HOSTILE: [1.0, 2.0, 3.0]}, "killed_at": {HOSTILE: HOSTILE}, "uses": [HOSTILE],
        "formula": [{"name": HOSTILE, "file": HOSTILE, "line": 1, "text": HOSTILE}], "theorem": f"${HOSTILE}$",
        "points": [{HOSTILE: HOSTILE}],
    }  # fmt: skip
    (tmp_path / "results.jsonl").write_text(json.dumps(spoilt) + "\n")
    text = write(load([tmp_path]), tmp_path / "r.html").read_text()
    found = Parsed(text)
    assert found.tags.count("script") == 1 and "img" not in found.tags and "b" in found.tags
    assert not found.handlers
    assert "{{7*7}}" in found.words and "49" not in found.words.split()
    assert {link[1:] for link in found.inner} <= set(found.ids)


def test_a_thousand_claims_make_a_page_of_a_few_megabytes(many):
    text = many.read_text()
    assert text.count('<article class="claim"') == 1000
    assert many.stat().st_size < 10e6


GALLERY = sorted((Path(__file__).resolve().parents[2] / "docs" / "gallery").glob("*.png"))


def unjudged(claim) -> dict:
    """The claim's own record, with numbers of usual length for one functional a point instead of a verdict."""
    J = min(len(claim.points_at("laptop")), 24)
    one = [1.23456789012345] * J
    verdict = Verdict(
        claim.name, claim.statement, type(claim.kind).__name__, Outcome.CONFIRMED, Outcome.CONFIRMED,
        [f"value at n = {j}" for j in range(J)], [(1.23456789012345, 2.3456789012345)] * J, one, one, one, 1e-3, 1024,
        list(claim.rivals), killed_at=dict.fromkeys(claim.rivals, "value at n = 0"), because="measured " * 12,
        rival_values=dict.fromkeys(claim.rivals, one), looks=[64, 1024],
    )  # fmt: skip
    return claim_record(claim, verdict, scale="laptop", device="cpu", run="", paper=claim.name.split(".")[0])


def test_the_whole_catalogue_stays_below_ten_megabytes(tmp_path):
    """A page of every claim with its sources and of every derivation with as much text as the source that makes it;
    for each figure a picture as heavy as the heaviest of the gallery. A tenth to spare."""
    every = papers()
    found = Results()
    for key, entry in every.items():
        assert take(paper_record(entry), found, key) == []
        for claim in entry.claims:
            assert take(json.loads(json.dumps(unjudged(claim))), found, claim.name) == []
    for name, known in derivations().items():
        record = derivation_record(known, Derived(name, known.method, (), (), None, ""))
        steps = [{"text": "a step", "expression": record["source"]["text"][:600], "holds": True}] * 3
        assert take({**record, "steps": steps}, found, name) == []
    text = render(found)
    claims, figures = (sum(len(getattr(p, name)) for p in every.values()) for name in ("claims", "figures"))
    assert text.count('<article class="claim"') == claims > 100
    heaviest = max(len(data_address(p)[0]) for p in GALLERY)
    assert len(text.encode()) + figures * heaviest < 9e6


def test_a_source_is_coloured_and_stands_whole():
    """Marks only where the page has a colour; the text is what was given, whatever is in it."""
    text = 'def f(x):  # "<b>" & c\n    return x + 1 if x else "</pre>"\n'
    made = highlighted(text)
    found = Parsed(str(made))
    assert found.words == text and set(found.tags) == {"span"}
    assert '<span class="nf">f</span>' in made and made.count("<span") <= 8
    style = (Path(write.__code__.co_filename).parent / "templates" / "page.css").read_text()
    assert all(f".code .{name}" in style for name in COLOURED)


def bands(claim) -> list[tuple[float, float]]:
    """(left, right) of the light band of each row of a plot."""
    found = re.findall(r'<rect class="zone" x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', forest(claim))
    return [(float(x), float(x) + float(width)) for x, width in found]


def test_the_plot_puts_things_where_the_numbers_say(record):
    """theory 1 ± 0.5 on an axis from 0 (a rival) to 2 (a rival): positions are proportional; one-sided bands reach the
    end; a rival far away is an arrow and squeezes nothing."""
    plain = {
        **_DEFAULTS, "id": "a", "functionals": ["f"], "theory": [1.0], "margin": [0.0], "resolution": [0.5],
        "interval": [[0.75, 1.25]], "rival_values": {"zero": [0.0], "two": [2.0]}, "rivals_rejected": ["zero"],
    }  # fmt: skip
    (left, right), text = bands(plain)[0], str(forest(plain))
    ((start, width),) = re.findall(r'class="interval" x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', text)
    start, width = float(start), float(width)
    middle = float(re.findall(r'class="theory" x1="([\d.]+)"', text)[0])
    assert (
        abs((left + right) / 2 - middle) < 0.2 and abs(start + width / 2 - middle) < 0.2
    )  # tenths of a unit are written
    assert abs(width - (right - left) / 2) < 0.2
    assert text.count("rival dead") == 1 and text.count("rival alive") == 1
    (most,) = bands({**plain, "side": "at most"})
    (least,) = bands({**plain, "side": "at least"})
    assert most[0] < left and abs(most[1] - right) < 0.2 and least[1] > right and abs(least[0] - left) < 0.2
    far = {**plain, "rival_values": {"far": [1e9]}, "rivals_rejected": ["far"]}
    ((a, b),) = bands(far)
    assert b - a > right - left and "rival dead" in forest(far)
    assert "no number here" in forest({**plain, "theory": [None]})
