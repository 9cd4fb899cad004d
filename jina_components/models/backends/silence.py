"""Loading with transformers without the progress bars, reports and advice that it writes to standard error unasked."""

from __future__ import annotations

import logging
import threading

from jina_components.errors import MissingDependencyError

try:
    from transformers.utils import logging as switches
except ImportError as error:
    raise MissingDependencyError("This model needs transformers: pip install 'jina-components[torch]'.") from error

_LIBRARY = logging.getLogger("transformers")


class _Silence:
    """Mutes with the first load that begins and restores with the last that ends: threads may load side by side."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loads = 0
        self._before = (True, logging.NOTSET)

    def __enter__(self) -> None:
        with self._lock:
            self._loads += 1
            if self._loads == 1:
                # Not by disable_progress_bar(), which switches the bars of huggingface_hub as well.
                self._before = (switches._tqdm_active, _LIBRARY.level)  # noqa: SLF001
                switches._tqdm_active = False  # noqa: SLF001
                _LIBRARY.setLevel(max(_LIBRARY.level, logging.ERROR))

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._loads -= 1
            if self._loads == 0:
                switches._tqdm_active, level = self._before  # noqa: SLF001
                _LIBRARY.setLevel(level)


SILENCE = _Silence()
"""To be entered around `from_pretrained`, whose errors are the caller's to tell."""
