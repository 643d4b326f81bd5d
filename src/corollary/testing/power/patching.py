"""Changing a function where it stands, so that everyone who holds it sees the change.

The code object is exchanged, not a name in a module: names imported earlier, partials and tables of functions call the
changed function too.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import inspect
import types
from collections.abc import Callable, Collection, Iterator
from typing import Any

Handler = Callable[[Callable[..., Any], tuple, dict], Any]

_handlers: dict[int, Callable[..., Any]] = {}


@contextlib.contextmanager
def patched(function: types.FunctionType, handler: Handler) -> Iterator[None]:
    """Within the block, a call of `function` is `handler(original, args, kwargs)`."""
    kept = function.__code__, function.__defaults__, function.__kwdefaults__
    signature = inspect.signature(function)
    original = types.FunctionType(kept[0], function.__globals__, function.__name__, kept[1], function.__closure__)
    original.__kwdefaults__ = kept[2]
    _handlers[id(function)] = lambda *args, **kwargs: handler(original, args, kwargs)
    namespace: dict[str, Any] = {}
    exec(  # the stub reaches its handler without a name in the patched module
        "def stub(*args, **kwargs):\n"
        f"    from {__name__} import _handlers\n"
        f"    return _handlers[{id(function)}](*args, **kwargs)\n",
        namespace,
    )
    stub = namespace["stub"].__code__.replace(co_freevars=kept[0].co_freevars)  # a closure asks for its own number
    had = "__signature__" in vars(function)
    try:
        function.__defaults__ = function.__kwdefaults__ = None
        function.__code__ = stub
        if not had:
            vars(function)["__signature__"] = signature
        yield
    finally:
        function.__code__, function.__defaults__, function.__kwdefaults__ = kept
        if not had:
            del vars(function)["__signature__"]
        del _handlers[id(function)]


def caches(roots: Collection[str]) -> list[Any]:
    """The functools caches of functions in the top-level packages `roots`.

    What they kept from before a change would hide it; what they keep from a changed run would lie to the next.
    """
    wrappers = [x for x in gc.get_objects() if isinstance(x, functools._lru_cache_wrapper)]
    return [w for w in wrappers if str(getattr(w, "__module__", "")).partition(".")[0] in roots]
