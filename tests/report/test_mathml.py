"""Formulas: every statement of the catalogue becomes MathML whole; what cannot is shown as written."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corollary.report.mathml import formula, statement
from corollary.run.catalogue import papers

LETTERS = re.compile(r"(?:<mi[^>]*>[A-Za-z]</mi>){6,}")  # prose or a name that was set as a product of variables


def texts_of_the_catalogue() -> set[str]:
    """Claims, theorems as printed, errata."""
    every = papers().values()
    texts = {t for p in every for c in p.claims for t in (c.statement, c.theorem)}
    return texts | {t for p in every for e in p.errata for t in (e.printed, e.corrected, e.wrong)} - {""}


def test_every_statement_of_the_catalogue_is_rendered():
    """Theorems as printed, claims, errata; none falls back to its LaTeX, and no words are set as a formula."""
    texts = texts_of_the_catalogue()
    assert len(texts) > 50
    assert not {t for t in texts if 'class="latex"' in statement(t) or LETTERS.search(statement(t))}


def test_prose_set_as_a_formula_would_be_noticed():
    """Words around a superscript in braces, without dollars: what an erratum once looked like."""
    assert LETTERS.search(statement("true for M = 1, balanced classes and 2^{2/(M+1)} at most that"))
    assert not LETTERS.search(statement("true for balanced classes and $2^{2/(M+1)}$ at most that"))


@pytest.mark.parametrize("latex", [r"W_{\rm perturbed}", r"{\rm perturbed} + 1", r"W_{\mathrm{perturbed}}"])
def test_an_upright_word_is_one_word(latex):
    assert "<mtext>perturbed</mtext>" in formula(latex) and "mathvariant" not in formula(latex)


@pytest.mark.parametrize(
    "text, parts",
    [
        ("The kernel fluctuates.", ["The kernel fluctuates."]),
        (r"the rate $n^{-1/2}$ & more", ["the rate <math", "<msup>", "&amp; more"]),
        (r"\text{slope} \sim n^{-1}", ["slope <math"]),
        (r"\unknowncommand{x}", ['<code class="latex">\\unknowncommand{x}</code>']),
        (r"\frac{1}{", ['<code class="latex">']),
        (r"a < b \le c", ["&lt;", "<mo>&#x02264;</mo>"]),
        ("x_1 and y_2 are names", ["x_1 and y_2 are names"]),
        (r"\text{of \emph{x}} \alpha", ['<code class="latex">']),
        (r"\log(\text{steps}) \approx k", ["<math", "<mtext>steps</mtext>"]),
    ],
)
def test_what_becomes_of_a_text(text, parts):
    assert all(part in statement(text) for part in parts), statement(text)


@pytest.mark.parametrize("latex, formulas", [
    (r"a \to b:\quad c = 0", 2), (r"a,\ b \qquad c^2", 2), (r"\frac{a\quad b}{c}", 1), (r"(a \quad b)^2", 1),
    (r"a \quad ^2", 1), (r"\left( a \right.\quad b", 1), (r"\text{if } a^2,\quad b", 2),
])  # fmt: skip
def test_a_long_formula_may_break_where_it_has_room(latex, formulas):
    """At a quad outside braces and brackets: two formulas, and a blank between them."""
    made = str(statement(latex))
    assert made.count("<math ") == formulas or formulas == 1 and made.count("<math ") <= 1
    assert formulas == 1 or re.search(r"</math>\s+<math ", made)


def test_a_relation_keeps_its_side():
    """A formula's content, not only its tags: fraction 1 over n."""
    made = str(formula(r"\tfrac{1}{n}"))
    assert "<mfrac><mrow><mn>1</mn></mrow><mrow><mi>n</mi></mrow></mfrac>" in made


@given(st.text(alphabet="\\{}$_^<>&\"'abc(){} frtex", max_size=40))
def test_no_text_breaks_the_page(text):
    """Whatever it is: no error, and no tag that was not made here."""
    import re

    made = str(statement(text))
    assert all(re.match(r"m\w+|code|none", tag) for tag in re.findall(r"</?([^\s>/]*)", made))
    assert "onclick" not in made and "<script" not in made
