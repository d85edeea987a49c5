"""Figures of training runs, density estimates, datasets and power spectra: a plugin of crowdgan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crowdgan_core.utils.lazy import attach

if TYPE_CHECKING:
    from crowdgan_plot.density.batch import plot_scenes
    from crowdgan_plot.density.estimate_figure import plot_estimate
    from crowdgan_plot.density.series_figure import plot_series
    from crowdgan_plot.fidelity.fidelity_figure import plot_fidelity
    from crowdgan_plot.labels.labels_figure import plot_labels
    from crowdgan_plot.report.page import write_run_report
    from crowdgan_plot.spectra.spectra_figure import plot_spectra
    from crowdgan_plot.style import plot_style, save_figure
    from crowdgan_plot.sweep_figure import plot_sweep
    from crowdgan_plot.training.loss_curves import plot_losses
    from crowdgan_plot.training.stats import read_stats

    __version__: str

__all__ = [
    "plot_estimate",
    "plot_fidelity",
    "plot_labels",
    "plot_losses",
    "plot_scenes",
    "plot_series",
    "plot_spectra",
    "plot_style",
    "plot_sweep",
    "read_stats",
    "save_figure",
    "write_run_report",
]

__getattr__, __dir__ = attach(
    __name__,
    {
        "plot_estimate": "density.estimate_figure",
        "plot_fidelity": "fidelity.fidelity_figure",
        "plot_labels": "labels.labels_figure",
        "plot_losses": "training.loss_curves",
        "plot_scenes": "density.batch",
        "plot_series": "density.series_figure",
        "plot_spectra": "spectra.spectra_figure",
        "plot_style": "style",
        "plot_sweep": "sweep_figure",
        "read_stats": "training.stats",
        "save_figure": "style",
        "write_run_report": "report.page",
    },
)
