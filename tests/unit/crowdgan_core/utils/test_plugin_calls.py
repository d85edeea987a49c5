"""Names of plugins in messages, and errors of their code."""

from __future__ import annotations

import pytest

from crowdgan_core.datasets.zip_folder import ZipFormat
from crowdgan_core.errors import DatasetError, PluginError
from crowdgan_core.utils.plugin_calls import plugin_call, plugin_name, require_result


class Unregistered:
    """An object of a module that belongs to no plugin, without a name."""


def test_a_plugin_is_named_with_its_distribution_if_it_is_known() -> None:
    assert plugin_name("dataset format", ZipFormat()) == "dataset format zip of crowdgan-core"
    assert plugin_name("dataset format", ZipFormat) == "dataset format zip of crowdgan-core"
    assert plugin_name("scene source", Unregistered()) == "scene source Unregistered"


def test_an_exception_is_converted_and_kept_as_the_cause() -> None:
    with pytest.raises(PluginError) as caught, plugin_call("scene source", Unregistered(), "image a"):
        raise AssertionError
    assert str(caught.value) == "scene source Unregistered failed: image a: AssertionError"
    assert isinstance(caught.value.__cause__, AssertionError)


@pytest.mark.parametrize("error", [DatasetError("a: damaged"), KeyboardInterrupt()])
def test_errors_for_the_user_and_interrupts_are_not_converted(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught, plugin_call("scene source", Unregistered(), "image a"):
        raise error
    assert caught.value is error


def test_an_invalid_result_is_described() -> None:
    require_result(True, "scene source", Unregistered(), "image a", "never")
    with pytest.raises(PluginError, match=r"^scene source Unregistered: image a: value is 3$"):
        require_result(False, "scene source", Unregistered(), "image a", "value is 3")
