from crowdgan_core.testing import check_density_estimator

from example_plugin import Headcount


def test_the_estimator_fulfils_the_contract():
    check_density_estimator(Headcount)
