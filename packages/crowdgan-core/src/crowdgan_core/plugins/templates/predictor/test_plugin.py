from crowdgan_core.testing import check_density_predictor

from example_plugin import BrightnessRegression


def test_the_predictor_fulfils_the_contract():
    check_density_predictor(BrightnessRegression)
