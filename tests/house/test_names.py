"""The names of the tests that run: each worker collects them for itself, and all must read the same list."""


def test_no_name_is_made_of_bytes(request):
    """Bytes in a parameter's place become its id; what is in them (a time, say) may differ from worker to worker."""
    binary = []
    for item in request.session.items:
        values = item.callspec.params.values() if hasattr(item, "callspec") else ()
        binary += [item.nodeid for v in values if isinstance(v, bytes) and v and repr(v)[2:-1] in item.nodeid]
    assert not binary, f"give these tests ids= (pytest.param(..., id=...)): {binary[:3]}"
