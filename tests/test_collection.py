"""Garbage collection is put off, and never for good."""

import gc

import pytest

from trialwatt.collection import without_collection


@pytest.fixture
def collecting():
    """Whatever a test does, garbage is collected after it."""
    yield
    gc.enable()


@pytest.mark.parametrize("collects", [True, False])
def test_garbage_is_collected_again_as_before_even_where_the_import_fails(collecting, collects):
    (gc.enable if collects else gc.disable)()
    with pytest.raises(ImportError), without_collection():
        assert not gc.isenabled()
        raise ImportError("no torch")
    assert gc.isenabled() is collects
