"""What a run that is new begins with, where its config says `load_from`: a checkpoint of another run, or files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from toolbox.io.errors import ConfigError, UserError
from toolbox.training.starting import begin_with, beginning, is_of_this_toolbox, source_of
from toolbox.weights.file import read_weights


def begin(runner: Any, given: str | Mapping[str, Any]) -> None:
    """Fill the algorithm of a `ToolboxRunner`.

    A mapping names the slot of each file: `{generator_ab: a.pth, generator_ba: b.pth}`. Networks that no file holds
    keep their initial weights. A file's averages are its networks', and go on as averages; `FILE:raw` begins with the
    weights as they were trained.

    Raises:
        UserError: a file is missing or holds another network; of a training, a ConfigError at `load_from`.
    """
    try:
        _begin(runner, given)
    except ConfigError:
        raise
    except UserError as error:
        if runner._train_loop is None:  # a measurement: the command line named the file
            raise
        raise ConfigError(str(error), key="load_from") from error


def _begin(runner: Any, given: str | Mapping[str, Any]) -> None:
    algorithm = runner.algorithm
    if isinstance(given, str):
        source = source_of(given)
        if source.file.suffix == ".pth" and source.file.is_file() and not source.network:
            checkpoint = read_weights(source.file)
            if is_of_this_toolbox(checkpoint):
                checkpoint["state_dict"] = beginning(algorithm, checkpoint["state_dict"], raw=source.raw)
                runner.take(checkpoint, given, partly=True)
                return
        if len(algorithm.generators) != 1:
            first, *others = algorithm.generators
            raise UserError(
                f"{given}: is no checkpoint of this toolbox, and holds one network of {', '.join([first, *others])}: "
                f"which? Write load_from: {{{first}: {given}}}"
            )
        given = dict.fromkeys(algorithm.generators, given)
    for note in begin_with(algorithm, given, whole=runner._train_loop is None):
        runner.logger.warning("%s", note)
    for slot, filename in given.items():
        runner.logger.info("%s began with %s", slot, filename)
