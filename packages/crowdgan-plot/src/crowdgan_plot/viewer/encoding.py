"""Images as PNG and JPEG files for the browser."""

from __future__ import annotations

import io
from typing import Literal

import numpy as np
from PIL import Image
from starlette.responses import Response

from crowdgan_core.utils.arrays import ImageArray

ImageFormat = Literal["png", "jpeg"]

IMAGE_FORMATS: tuple[ImageFormat, ...] = ("png", "jpeg")

PNG_COMPRESS_LEVEL = 1
"""The lowest zlib level: fast, and large enough differences in size do not matter on the loopback interface."""

JPEG_QUALITY = 92
"""Of images while a slider is dragged; images at rest are PNG."""


def encode_image(pixels: ImageArray, image_format: ImageFormat = "png") -> bytes:
    """The file of an image `[height, width, 3]`."""
    file = io.BytesIO()
    image = Image.fromarray(np.ascontiguousarray(pixels))
    if image_format == "png":
        image.save(file, "PNG", compress_level=PNG_COMPRESS_LEVEL)
    else:
        image.save(file, "JPEG", quality=JPEG_QUALITY)
    return file.getvalue()


def image_response(data: bytes, image_format: ImageFormat = "png") -> Response:
    """The response with an image file."""
    return Response(data, media_type=f"image/{image_format}")
