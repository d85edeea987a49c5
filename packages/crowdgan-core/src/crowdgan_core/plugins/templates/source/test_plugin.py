from PIL import Image

from crowdgan_core.testing import check_scene_source

from example_plugin import BoxSource


def test_the_source_fulfils_the_contract(tmp_path):
    for name in ("a.png", "b.png"):
        Image.new("RGB", (64, 48)).save(tmp_path / name)
    (tmp_path / "boxes.csv").write_text("a.png,4,8,10,30\na.png,20,9,11,32\nb.png,7,7,12,31\n")
    check_scene_source(BoxSource(), [tmp_path])
