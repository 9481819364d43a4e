"""The registry of models that describe pictures: where their weights come from, which licence.

Nothing here imports a model's library or touches the network; :mod:`vde_nb.segment.weights` finds
and fetches the files as it does for the models that draw outlines.
"""

from __future__ import annotations

import re
from pathlib import Path

from vde_nb.errors import SettingError
from vde_nb.segment.models import Model

__all__ = [
    "FEATURE_MODELS",
    "OURS",
    "TIMM",
    "is_feature_model",
    "model_called",
    "own_model",
    "remove_model",
    "timm_model",
]

#: How the name of a model of the timm package begins: ``"timm:vit_small_patch14_dinov2.lvd142m"``.
TIMM = "timm:"

_TIMM_NAME = re.compile(r"[a-z0-9][a-z0-9_]{2,60}(\.[a-z0-9_]{1,60})?")


def _dino(name: str, title: str, repo: str, **facts: object) -> Model:
    family = title.partition(" ")[0]
    sha256 = facts.pop("sha256", "")
    if family == "DINOv3":
        facts["licence"] = "DINOv3 License"
        facts["access"] = (
            f"accept its licence at https://huggingface.co/{repo} with an account of that site, "
            "then run `hf auth login` here"
        )
    return Model(
        name,
        title,
        family,
        "transformers",
        repo=repo,
        address=f"https://huggingface.co/{repo}",
        file="model.safetensors",
        digest=f"sha256:{sha256}" if sha256 else "",
        **{"licence": "Apache-2.0", **facts},  # type: ignore[arg-type]
    )


# Where the facts are from, all looked up in November 2026:
# - Commits, sizes and SHA-256 on the hub: what several public projects that pin these models name
#   (the hub itself could not be asked); each is named by two of them or more. Where only the hub
#   knows the checksum, it is taken from the hub's answer to the download; there the size is that
#   of 4 bytes a parameter.
# - Parameters: counted in the architectures as transformers 5.23 builds them.
_TABLE = (
    _dino(
        "dinov2_small",
        "DINOv2 small",
        "facebook/dinov2-small",
        architecture="Dinov2Model",
        parameters=22.1,
        megabytes=88,
        sha256="ae1e99fcefd534ed978cdeb8326f08030c96e28b7a81ffcbc98a857c84d14be1",
        revision="ed25f3a31f01632728cabb09d1542f84ab7b0056",
    ),
    _dino(
        "dinov2_base",
        "DINOv2 base",
        "facebook/dinov2-base",
        architecture="Dinov2Model",
        parameters=86.6,
        megabytes=346,
        sha256="d73036b56966966d07975d696bde331762f37297e2f095de8cea0040c3aa0841",
        revision="f9e44c814b77203eaa57a6bdbbd535f21ede1415",
    ),
    _dino(
        "dinov2_large",
        "DINOv2 large",
        "facebook/dinov2-large",
        architecture="Dinov2Model",
        parameters=304.4,
        megabytes=1218,
        sha256="399fba97a95f22c36834418bc69373364a99af3a1153da1c0fb31db567c92e23",
        revision="47b73eefe95e8d44ec3623f8890bd894b6ea2d6c",
    ),
    _dino(
        "dinov2_small_reg",
        "DINOv2 small with registers",
        "facebook/dinov2-with-registers-small",
        architecture="Dinov2WithRegistersModel",
        parameters=22.1,
        megabytes=88,
        revision="0d9846e56b43a21fa46d7f3f5070f0506a5795a9",
    ),
    _dino(
        "dinov2_base_reg",
        "DINOv2 base with registers",
        "facebook/dinov2-with-registers-base",
        architecture="Dinov2WithRegistersModel",
        parameters=86.6,
        megabytes=346,
        sha256="7a6f7b3b9fa4b8732e707476a03cd6cdce210048582f21aafb7991c17d98e362",
        revision="a1d738ccfa7ae170945f210395d99dde8adb1805",
    ),
    _dino(
        "dinov2_large_reg",
        "DINOv2 large with registers",
        "facebook/dinov2-with-registers-large",
        architecture="Dinov2WithRegistersModel",
        parameters=304.4,
        megabytes=1218,
        revision="e4c89a4e05589de9b3e188688a303d0f3c04d0f3",
    ),
    _dino(
        "dinov3_small",
        "DINOv3 small",
        "facebook/dinov3-vits16-pretrain-lvd1689m",
        architecture="DINOv3ViTModel",
        parameters=21.6,
        megabytes=86,
        sha256="4610ad75edef83e75afdebf162d148dc628045ea6cbb83d67d4708c709c4f91d",
        revision="114c1379950215c8b35dfcd4e90a5c251dde0d32",
    ),
    _dino(
        "dinov3_base",
        "DINOv3 base",
        "facebook/dinov3-vitb16-pretrain-lvd1689m",
        architecture="DINOv3ViTModel",
        parameters=85.7,
        megabytes=343,
        sha256="9a21ac3df0c63839d62612dda6f454d816c25611cc7a52966ed5a5a94921dc8b",
        revision="5931719e67bbdb9737e363e781fb0c67687896bc",
    ),
    _dino(
        "dinov3_large",
        "DINOv3 large",
        "facebook/dinov3-vitl16-pretrain-lvd1689m",
        architecture="DINOv3ViTModel",
        parameters=303.1,
        megabytes=1213,
        sha256="dcb2e45127cccbf1601e5f42fef165eea275c8e5213197e8dcf3f48822718179",
        revision="ea8dc2863c51be0a264bab82070e3e8836b02d51",
    ),
)

#: Every model by its name, in the order of lists; :func:`vde_nb.add_features` adds to it.
FEATURE_MODELS: dict[str, Model] = {model.name: model for model in _TABLE}

#: Names of those that come with vde-nb.
OURS = frozenset(FEATURE_MODELS)


def is_feature_model(model: Model) -> bool:
    """Whether it describes pictures, instead of drawing outlines."""
    return model.family in ("DINOv2", "DINOv3", "timm")


def model_called(name: str) -> Model | None:
    """The model of that name, also one of timm; None when there is none."""
    if isinstance(name, str) and name.startswith(TIMM):
        return timm_model(name)
    return FEATURE_MODELS.get(name)


def timm_model(name: str) -> Model:
    """A model of the timm package, whose weights lie on the hub as ``timm/<name>``.

    Parameters
    ----------
    name
        Such as ``"timm:vit_small_patch14_dinov2.lvd142m"``: the architecture, and after the dot
        which weights.

    Raises
    ------
    SettingError
        It cannot be a name of timm, or does not say which weights.

    Examples
    --------
    >>> timm_model("timm:vit_small_patch14_dinov2.lvd142m").repo
    'timm/vit_small_patch14_dinov2.lvd142m'
    """
    inner = name.removeprefix(TIMM)
    if not _TIMM_NAME.fullmatch(inner):
        raise SettingError(
            f"features={name!r}: after {TIMM} goes the name of a model as timm lists it, such as "
            "timm:vit_small_patch14_dinov2.lvd142m."
        )
    if "." not in inner:
        raise SettingError(
            f"features={name!r} does not say which weights: name them after a dot, as timm lists "
            "them (timm.list_pretrained())."
        )
    return Model(
        name,
        f"timm {inner}",
        "timm",
        "timm",
        inner.partition(".")[0],
        parameters=0.0,
        megabytes=0,
        licence="see its page",
        repo=f"timm/{inner}",
        address=f"https://huggingface.co/timm/{inner}",
        file="model.safetensors",
    )


def own_model(name: str, path: Path, title: str | None, architecture: str) -> Model:
    """Add weights of the user's own; :func:`vde_nb.add_features` does it for people.

    Parameters
    ----------
    name, path
        What to choose it by, checked already, and the file or folder.
    title
        What people see; None: `name`.
    architecture
        Name of the model in timm, for a file; a folder says it itself.

    Returns
    -------
    Model
        As it stands in the table now.

    Raises
    ------
    WeightsError
        The file is missing or damaged, or of another kind.
    """
    from vde_nb.features._identify import identify_features

    found = identify_features(path, architecture)
    model = Model(
        name,
        str(title or name),
        found.family,
        found.backend,
        found.architecture,
        found.parameters,
        found.megabytes,
        licence="your own",
        file=found.file,
        path=found.path,
    )
    FEATURE_MODELS[name] = model
    return model


def remove_model(name: str) -> bool:
    """Take away a model that :func:`own_model` added; whether there was one."""
    return name not in OURS and FEATURE_MODELS.pop(name, None) is not None
