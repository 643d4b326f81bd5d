"""Formulas: every statement of the catalogue becomes MathML whole; what cannot is shown as written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corollary.report.mathml import formula, statement
from corollary.run.catalogue import papers


def test_every_statement_of_the_catalogue_is_rendered():
    """Theorems as printed and claims; none falls back to its LaTeX."""
    texts = {t for p in papers().values() for c in p.claims for t in (c.statement, c.theorem) if t}
    assert len(texts) > 50
    assert not {t for t in texts if 'class="latex"' in statement(t)}


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
