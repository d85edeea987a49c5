"""Building blocks of commands, for crowdgan's own packages and for plugins.

Plugin packages may import these modules and names; they keep their signatures within a minor version:

- `dataclass_options`: `options_from`, `add_options`, `given_options`: click options made from a dataclass whose fields
  are declared with `crowdgan_core.utils.flags.flag`.
- `format_help`: `FormatsCommand`, a command whose description lists the suffixes of the installed dataset formats.
- `lazy_command`: `LazyCommand`, a command that is imported when it is used.
- `source_options`: `SourceOptions` (a source of images), `parse_settings` (`--set name=value`).
- `model_options`: `network_option`, `device_option`, `DEVICES`.
- `param_types`: `EstimatorName`, `Resolution`, `AutoNumber`, `NegatedBool`, `ParsedText`, `EXISTING`.
- `output`: `printable`, `print_table`, `print_skipped`, `print_summary`.
- `model_report`: `print_model`.
- `progress_bars`: `progress_bar`.
"""
