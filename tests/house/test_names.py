"""The names of the tests: each worker collects them for itself, and all must read the same list."""


def test_no_name_is_made_of_binary_data(request):
    """Bytes in a parameter's place become its id; what is in them (a time, an address) may differ between workers."""
    binary = [item.nodeid for item in request.session.items if "\\x" in item.nodeid]
    assert not binary, f"give these tests ids= (pytest.param(..., id=...)): {binary[:3]}"
