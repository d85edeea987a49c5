from crowdgan_core.testing import check_dataset_format

from example_plugin import TarFormat


def test_the_format_fulfils_the_contract(tmp_path):
    check_dataset_format(TarFormat(), tmp_path / "x.tar")
