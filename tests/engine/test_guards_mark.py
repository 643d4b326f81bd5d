"""The mark `guards` itself."""

from corollary.testing import guards


def test_guarding_one_function_marks_the_test_and_not_that_function():
    """pytest.mark.x(f) with a single callable decorates f; `guards(f)` must be a decorator for the test."""

    def formula():
        return 1.0

    @guards(formula)
    def some_test():
        return "ran"

    assert some_test() == "ran"
    marks = getattr(some_test, "pytestmark")  # noqa: B009
    assert [m.args for m in marks] == [(formula,)] and not hasattr(formula, "pytestmark")
