from crowdgan_core.testing import check_metric

from example_plugin import BrightnessDifference


def test_the_metric_fulfils_the_contract():
    check_metric(BrightnessDifference())
