import numpy as np

from crowdgan_core.testing import check_image_generator

from example_plugin import ColourBackend, write_model


def test_the_generator_fulfils_the_contract(tmp_path):
    write_model(tmp_path / "model.safetensors", np.array([[40, 80, 120], [200, 160, 90]], np.float32))
    check_image_generator(ColourBackend().load_generator(tmp_path / "model.safetensors", "cpu"))
