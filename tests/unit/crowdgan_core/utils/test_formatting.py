"""Numbers in messages."""

from __future__ import annotations

from crowdgan_core.utils.formatting import format_plain, merge_numbers


def test_plain_numbers_have_no_exponent() -> None:
    numbers = [format_plain(value) for value in (1812.3, 1.6851, 0.00012345, 0.0, 99.96)]
    assert numbers == ["1810", "1.69", "0.000123", "0.00", "100.0"]


def test_texts_of_the_same_words_have_the_range_of_their_numbers() -> None:
    texts = ["9 people (5%, frame_7)", "12 people (5%, frame_7)", "9 people (5%, frame_8)", "10.5 people (7%, frame_7)"]
    merged = merge_numbers(texts)
    assert merged[texts[0]] == merged[texts[1]] == merged[texts[3]] == "9 to 12 people (5 to 7%, frame_7)"
    assert merged[texts[2]] == texts[2]
    assert merge_numbers([]) == {}
