"""What runs beside the program: its value, and its error, where they are asked for."""

import threading

import pytest

from trapeze.background import Background


def test_value_comes_from_another_thread():
    value, thread = Background(lambda number: (number + 1, threading.current_thread()), 2).result()
    assert value == 3 and thread is not threading.main_thread() and thread.daemon


def test_error_is_raised_where_the_value_is_asked_for():
    beside = Background(lambda: {}["no such key"])
    with pytest.raises(KeyError, match="no such key"):
        beside.result()
