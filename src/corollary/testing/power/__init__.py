"""Do the tests notice a formula that is off by 2 %? A pytest plugin that asks, for every public function of a package.

    pytest -p corollary.testing.power --power mypackage tests            # exit status 1 and a table if they do not

A test names what it guards with `@guards(function)`. Each number that a public function returns (each floating field
of a result) is multiplied by 1.02, where the function stands, and the tests that name it are run again, cheapest first,
until one turns red. Reported are functions that no test names, numbers whose change no test notices, marks on tests
that notice nothing of what they name, and public functions that no guard ever calls.

Red means that an assertion failed in the body of a test which passes before and after with the result taken apart and
put together again unchanged. A test that ends in another exception crashed; it may have met the error far from what it
checks, and counts for nothing.
"""

from corollary.testing.power.plugin import pytest_addoption, pytest_configure

__all__ = ["pytest_addoption", "pytest_configure"]
