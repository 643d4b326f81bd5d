"""The page in a real browser, opened from disk. Skipped, with the reason, where no chromium is installed."""

import time
from contextlib import contextmanager

import pytest

WIDTHS = (390, 1280)
PATIENCE = 120_000  # ms: what a browser does at once takes longer where other tests run beside it


@contextmanager
def opened(browser, file, width=1280, fragment="", **options):
    """(page, complaints): the file in a window of this width; complaints of the console, errors, requests that left."""
    context = browser.new_context(viewport={"width": width, "height": 900}, **options)
    view = context.new_page()
    view.set_default_timeout(PATIENCE)
    complaints = []
    view.on("console", lambda message: complaints.append(message.text))
    view.on("pageerror", lambda error: complaints.append(str(error)))
    view.on("request", lambda r: None if r.url.startswith(("file:", "data:")) else complaints.append(r.url))
    view.goto(file.as_uri() + fragment)
    yield view, complaints
    context.close()


@pytest.mark.parametrize("width", WIDTHS)
def test_it_opens_from_disk_without_a_complaint_and_fits_the_width(browser, page, width):
    """No console message, no error, no request that leaves the page, nothing wider than the window."""
    with opened(browser, page, width) as (view, complaints):
        view.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
        view.wait_for_timeout(100)
        assert complaints == []
        assert view.evaluate("document.documentElement.scrollWidth") == width


def test_every_formula_is_drawn(browser, page):
    """Each <math> has a box of the height of a small letter (8 px: s, ε) at least, and shows no LaTeX."""
    with opened(browser, page) as (view, _):
        found = view.evaluate(
            """[...document.querySelectorAll('math')].map(m => { m.scrollIntoView();
               const b = m.getBoundingClientRect(); return [b.width, b.height, m.textContent] })"""
        )
        assert len(found) >= 6
        assert all(width > 4 and height > 7 for width, height, _ in found)
        assert not [text for _, _, text in found if "\\" in text]


def test_every_figure_is_visible(browser, page):
    """Pictures are decoded at their size; plots and graphs have boxes and bars."""
    with opened(browser, page) as (view, _):
        pictures = view.evaluate("[...document.images].map(i => [i.complete, i.naturalWidth, i.clientWidth, i.alt])")
        assert pictures
        assert all(done and natural > 300 and shown > 200 and alt for done, natural, shown, alt in pictures)
        plots = view.evaluate(
            """[...document.querySelectorAll('svg.forest, svg.graph')].map(s => { s.scrollIntoView();
               const b = s.getBoundingClientRect(); return [b.width, b.height, s.querySelectorAll('rect').length] })"""
        )
        assert len(plots) >= 7 and all(width > 150 and height > 25 and bars for width, height, bars in plots)


def until(view, condition: str) -> None:
    """Ask again until it holds: the page's own policy forbids what `wait_for_function` does."""
    end = time.monotonic() + PATIENCE / 1000
    while not view.evaluate(condition):
        assert time.monotonic() < end, f"still not: {condition}"
        view.wait_for_timeout(30)


def shown(view) -> list[str]:
    return view.evaluate("[...document.querySelectorAll('article.claim')].filter(c => !c.hidden).map(c => c.id)")


def test_filter_and_search(browser, page):
    """By word, by paper, by kind, by verdict, cleared again; the count is announced; other papers disappear."""
    with opened(browser, page) as (view, complaints):
        everything = shown(view)
        assert len(everything) == 6
        view.fill("#search", "kernel-limit")
        until(view, "document.getElementById('found').textContent === '1 of 6 claims'")
        assert shown(view) == ["claim-jacot2018.kernel-limit"]
        assert not view.is_visible("#paper-fu2023newton")
        view.click("button[type=reset]")
        until(view, "document.getElementById('found').textContent === '6 claims'")
        for choice, value, expected in (
            ("#by-paper", "fu2023newton", 3), ("#by-kind", "Rate", 2), ("#by-verdict", "CONFIRMED", 6),
            ("#by-verdict", "unexpected", 0), ("#by-family", "ntk", 3),
        ):  # fmt: skip
            view.select_option(choice, value)
            view.wait_for_timeout(120)  # for a choice that hides nothing: time enough to hide what it should not
            visible = "[...document.querySelectorAll('article.claim')].filter(c => !c.hidden)"
            until(view, f"{visible}.length === {expected}")
            view.click("button[type=reset]")
            until(view, "document.getElementById('found').textContent === '6 claims'")
        assert shown(view) == everything and complaints == []


def test_links_open_what_they_lead_to(browser, page):
    """A source and a derivation are folded until a link leads there; a claim that was filtered away comes back."""
    with opened(browser, page) as (view, _):
        for kind in ("source", "derivation"):
            link = view.evaluate(f"document.querySelector('a[href^=\"#{kind}-\"]').getAttribute('href')")
            view.evaluate(f"location.hash = {link!r}")
            until(view, f"document.getElementById({link[1:]!r}).open")
        view.fill("#search", "nothing has this name")
        until(view, "document.getElementById('found').textContent === '0 of 6 claims'")
        view.evaluate("location.hash = 'claim-jacot2018.kernel-limit'")
        until(view, "!document.getElementById('claim-jacot2018.kernel-limit').hidden")


def test_it_works_by_keyboard_and_says_its_names(browser, page):
    """The first Tab offers to skip to the content; every field and picture has a name; headings leave out no level."""
    with opened(browser, page) as (view, _):
        view.keyboard.press("Tab")
        assert view.evaluate("document.activeElement.className") == "skip"
        unnamed = view.evaluate(
            "[...document.querySelectorAll('input, select')].filter(f => !f.labels[0]?.textContent.trim()).length"
        )
        assert unnamed == 0
        assert view.evaluate("[...document.querySelectorAll('svg')].every(s => s.getAttribute('aria-label'))")
        levels = view.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(h => +h.tagName[1])")
        assert levels[0] == 1 and all(b - a <= 1 for a, b in zip(levels, levels[1:], strict=False))
        assert view.evaluate("document.documentElement.lang") == "en"


CONTRAST = """() => {
  const lum = (c) => { const [r, g, b] = c.match(/[\\d.]+/g).map(Number).map(v => v / 255)
    .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const behind = (e) => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
    if (!/, 0\\)$/.test(c)) return c; } return 'rgb(255, 255, 255)'; };
  return [...document.querySelectorAll('p, li, dd, dt, td, th, a, summary, span, label')]
    .filter(e => e.offsetParent && e.textContent.trim())
    .map(e => { const a = lum(getComputedStyle(e).color), b = lum(behind(e));
      return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), e.className, e.textContent.trim().slice(0, 30)]; });
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_legible_in_both_schemes(browser, page, scheme):
    """Contrast of at least 4.5, what WCAG asks of text (level AA); the scheme is followed."""
    with opened(browser, page, color_scheme=scheme) as (view, _):
        background = view.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (background == "rgb(255, 255, 255)") == (scheme == "light")
        weak = [row for row in view.evaluate(CONTRAST) if row[0] < 4.5]
        assert not weak, weak[:5]


def test_it_prints(browser, page):
    """On paper: no form; while it prints everything that was folded is open, but for the sources, which are left out;
    afterwards it is folded again."""
    with opened(browser, page) as (view, _):
        view.evaluate(
            """() => { window.seen = []; addEventListener('beforeprint', () => {
               window.seen = [...document.querySelectorAll('main details')].map(d => [d.className, d.open]); }) }"""
        )
        folded = view.evaluate("document.querySelectorAll('main details:not([open])').length")
        view.emulate_media(media="print")
        assert not view.is_visible("#filter") and not view.is_visible("#sources")
        assert len(view.pdf()) > 50_000  # chromium's own print
        seen = view.evaluate("window.seen")
        assert all(is_open for kind, is_open in seen if kind != "source")
        assert {"derivation", "graph-holder", ""} <= {kind for kind, _ in seen}  # "": captions, evidence in detail
        assert view.evaluate("document.querySelectorAll('main details:not([open])').length") == folded


def test_the_text_of_pictures_has_one_size(browser, page):
    """A figure of one column is drawn at 3.4 inches, one of two at 7: neither is blown up to the width of the other."""
    with opened(browser, page) as (view, _):
        found = view.evaluate("[...document.images].map(i => i.clientWidth / i.naturalWidth)")
        assert found and all(abs(share - 0.52) < 0.01 for share in found)


@pytest.mark.parametrize("width, beside", [(390, False), (1280, True)])
def test_what_a_figure_shows_stands_beside_it_where_there_is_room(browser, page, width, beside):
    with opened(browser, page, width) as (view, _):
        image, stated = (
            view.evaluate(f"document.querySelector('{what}').getBoundingClientRect().toJSON()")
            for what in ("figure img", "figure .stated")
        )
        assert (stated["left"] >= image["right"]) == beside and (stated["top"] >= image["bottom"]) != beside


def test_a_thousand_claims_can_be_searched(browser, many):
    """1 000 claims: a word and a verdict narrow them, without a complaint."""
    with opened(browser, many) as (view, complaints):
        assert view.evaluate("document.querySelectorAll('article.claim').length") == 1000
        view.fill("#search", "claim_77")
        until(view, "document.getElementById('found').textContent.startsWith('11 of 1000')")
        view.select_option("#by-verdict", "unexpected")
        until(view, "document.getElementById('found').textContent.startsWith('2 of 1000')")
        assert complaints == []
