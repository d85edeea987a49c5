"""Versions, devices and the implementation of each op, as `crowdgan stylegan3 doctor` shows them."""

from __future__ import annotations

import importlib.util
import platform
import shlex
import sys
import warnings
from dataclasses import dataclass
from importlib.metadata import version

import torch

from crowdgan_core.errors import BuildError
from crowdgan_stylegan3.ops.dispatch import OpImplementation, implementation_for, ops_preference
from crowdgan_stylegan3.ops.native.build import plan_build

OPS = ("upfirdn2d", "bias_act", "filtered_lrelu")

NVIDIA_DRIVER_FILE = "/proc/driver/nvidia/version"
"""Device file of NVIDIA's kernel module; it exists where the driver is loaded."""


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """Versions of the relevant software, and the implementation of each op on each device."""

    versions: dict[str, str]
    """Python, torch, compiler, ninja, triton, GPU, CUDA and driver; a short text if one is missing."""
    devices: dict[str, dict[str, OpImplementation]]
    """Implementation by device and op."""


def diagnose() -> Diagnosis:
    """Collect versions and op implementations; builds the native ops if necessary."""
    devices = ["cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the result contains the reasons
        return Diagnosis(versions=_versions(), devices={device: _implementations(device) for device in devices})


def _implementations(device: str) -> dict[str, OpImplementation]:
    device_type = device.split(":")[0]
    try:
        implementation = implementation_for(device_type, ops_preference())
    except BuildError as error:
        implementation = OpImplementation(name="plain PyTorch", reason=f"the op will raise an error: {error}")
    convolution = (
        implementation
        if device_type == "cpu"
        else OpImplementation(name="plain PyTorch", reason="cuDNN computes convolutions")
    )
    return {**dict.fromkeys(OPS, implementation), "conv2d": convolution}


def _versions() -> dict[str, str]:
    has_triton = importlib.util.find_spec("triton") is not None
    return {
        "python": f"{platform.python_version()} on {sys.platform} {platform.machine()}",
        "torch": f"{torch.__version__}, {torch.get_num_threads()} threads",
        "compiler": _compiler(),
        "ninja": version("ninja"),
        "triton": version("triton") if has_triton else "not installed",
        "GPU": _gpus(),
        "CUDA": torch.version.cuda or "none: this is a build of torch without CUDA",
        "driver": _driver(),
    }


def _compiler() -> str:
    try:
        build = plan_build()
    except BuildError as error:
        return str(error)
    return f"{build.version} ({shlex.join(build.compiler)})"


def _gpus() -> str:
    names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return ", ".join(names) or "none"


def _driver() -> str:
    """Version of the NVIDIA driver, as the kernel module reports it."""
    try:
        with open(NVIDIA_DRIVER_FILE) as file:  # noqa: PTH123  a device file that may not exist
            return file.readline().strip()
    except OSError:
        return "not installed" if not torch.cuda.is_available() else "unknown"
