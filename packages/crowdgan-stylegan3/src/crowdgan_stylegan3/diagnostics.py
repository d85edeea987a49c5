"""What `crowdgan stylegan3 doctor` tells: versions, devices, and the form of each op on each."""

from __future__ import annotations

import importlib.util
import platform
import sys
import warnings
from dataclasses import dataclass
from importlib.metadata import version

import torch

from crowdgan_core.errors import BuildError
from crowdgan_stylegan3.ops.dispatch import OpImplementation, choice, implementation_for
from crowdgan_stylegan3.ops.native.build import planned_build

OPS = ("upfirdn2d", "bias_act", "filtered_lrelu")


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """What was found."""

    versions: dict[str, str]
    """Of Python, torch, compiler, triton, GPU and its driver; in words where there is none."""
    devices: dict[str, dict[str, OpImplementation]]
    """Per device and op, the form that it takes and why."""


def diagnose() -> Diagnosis:
    """What the ops run as here; builds the native ones, if need be."""
    devices = ["cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the reasons are told
        return Diagnosis(versions=_versions(), devices={device: _forms(device) for device in devices})


def _forms(device: str) -> dict[str, OpImplementation]:
    kind = device.split(":")[0]
    try:
        path = implementation_for(kind, choice())
    except BuildError as error:
        path = OpImplementation(name="plain PyTorch", reason=f"it will fail: {error}")
    convolution = path if kind == "cpu" else OpImplementation(name="plain PyTorch", reason="cuDNN convolves")
    return {**dict.fromkeys(OPS, path), "conv2d": convolution}


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
        build = planned_build()
    except BuildError as error:
        return str(error)
    return f"{build.version} ({build.compiler})"


def _gpus() -> str:
    names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return ", ".join(names) or "none"


def _driver() -> str:
    """The version of the GPU's driver, as NVIDIA's kernel module tells it."""
    try:
        with open("/proc/driver/nvidia/version") as file:  # noqa: PTH123  a device file, there or not
            return file.readline().strip()
    except OSError:
        return "none found" if not torch.cuda.is_available() else "unknown"
