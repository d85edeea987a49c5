from crowdgan_core.testing import check_feature_extractor

from example_plugin import MeanColours


def test_the_extractor_fulfils_the_contract():
    check_feature_extractor(MeanColours.load())
