"""Crowd-counting datasets with head points in MATLAB files: ShanghaiTech, UCF-CC-50 and UCF-QNRF.

Points are x, y. Their origin is not documented, so it is inferred from the data. The 16,626 points of 60 ShanghaiTech
images range from 0.09 px to 0.17 px before the far edge, with 16 coordinates below 1: they are distances from the
corner of the image, as the literature uses them, and are not changed. The 11,619 points of 8 UCF-CC-50 images range
from 1.20 px to 0.33 px *beyond* the far edge: they are MATLAB coordinates, in which the centre of the first pixel is 1
and the corner is 0.5. For these 0.5 px is subtracted; otherwise heads at the far edge would be outside the image. The
same is assumed of UCF-QNRF, which has the same authors and file format.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from crowdgan_core.errors import DatasetError
from crowdgan_core.io.storage import Store
from crowdgan_core.utils.arrays import Boxes, Points
from crowdgan_density.sources.head_points import HeadPointSource, head_boxes_of_points, number_array
from crowdgan_density.sources.matlab import read_variable


class MatlabHeadPoints(HeadPointSource):
    """A dataset format with one MATLAB file of head points per image."""

    variable: str
    """Name of the MATLAB variable with the points."""

    origin_px: float
    """Coordinate of the image's left and upper edge."""

    def extract_points(self, variable: Any) -> Any:
        """The points in the value of the MATLAB variable."""
        return variable

    def read_heads(self, store: Store, name: str) -> Boxes:
        """Head boxes of width and height 0."""
        return head_boxes_of_points(self.read_points(store, name))

    def read_points(self, store: Store, name: str) -> Points:
        """Head points of one annotation file, `[num_heads, 2]` x, y in pixels from the image's upper left corner.

        Raises:
            DatasetError: the file cannot be read, is damaged or too large, or contains no points; the message names it.
        """
        where = store.where(name)
        with store.open(name) as file:
            variable = read_variable(file, where, self.variable)
        try:
            values = np.asarray(self.extract_points(variable))
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise DatasetError(
                f"{where}: {self.variable} has another structure than in {self.name} ({error})"
            ) from error
        return number_array(values, 2, where, self.variable) - self.origin_px


class ShanghaiTech(MatlabHeadPoints):
    """ShanghaiTech: `images/IMG_n.jpg` with `ground-truth/GT_IMG_n.mat`.

    Source: Zhang et al., "Single-Image Crowd Counting via Multi-Column Convolutional Neural Network", CVPR 2016.
    """

    name = "shanghaitech"
    description = "ShanghaiTech parts A and B: the root, a part, a split, or a folder with images and ground-truth"
    layout = "images/IMG_n.jpg with ground-truth/GT_IMG_n.mat, in the folder or in a part such as part_A/train"
    kind_folders = frozenset(
        {"images", "image", "imgs", "img", "ground-truth", "ground_truth", "groundtruth", "ground truth", "gt"}
    )
    image_pattern = re.compile(r"IMG_(\d+)\.\w+", re.IGNORECASE)
    annotation_pattern = re.compile(r"GT_IMG_(\d+)\.mat", re.IGNORECASE)
    variable = "image_info"
    origin_px = 0.0

    def extract_points(self, variable: Any) -> Any:
        """The points: the first field (`location`) of a structure in a cell."""
        return variable[0, 0][0, 0][0]


class UcfCc50(MatlabHeadPoints):
    """UCF-CC-50: `n.jpg` with `n_ann.mat` in the same folder.

    Source: Idrees et al., "Multi-Source Multi-Scale Counting in Extremely Dense Crowd Images", CVPR 2013.
    """

    name = "ucf-cc-50"
    description = "UCF-CC-50: a folder with n.jpg and n_ann.mat"
    layout = "n.jpg with n_ann.mat in the same folder"
    image_pattern = re.compile(r"(\d+)\.\w+", re.IGNORECASE)
    annotation_pattern = re.compile(r"(\d+)_ann\.mat", re.IGNORECASE)
    variable = "annPoints"
    origin_px = 0.5


class UcfQnrf(MatlabHeadPoints):
    """UCF-QNRF: `img_n.jpg` with `img_n_ann.mat` in the same folder, `Train` or `Test`.

    Source: Idrees et al., "Composition Loss for Counting, Density Map Estimation and Localization in Dense Crowds",
    ECCV 2018.
    """

    name = "ucf-qnrf"
    description = "UCF-QNRF: the root, Train or Test, with img_n.jpg and img_n_ann.mat"
    layout = "img_n.jpg with img_n_ann.mat in the same folder"
    image_pattern = re.compile(r"img_(\d+)\.\w+", re.IGNORECASE)
    annotation_pattern = re.compile(r"img_(\d+)_ann\.mat", re.IGNORECASE)
    variable = "annPoints"
    origin_px = 0.5
