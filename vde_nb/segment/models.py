"""The registry of trained models: what there is, where its weights come from, under which licence.

Nothing here imports a model's library or touches the network; :mod:`vde_nb.segment.weights` finds
and fetches the files.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from vde_nb.errors import SettingError
from vde_nb.settings import nearest

__all__ = ["MODELS", "Model", "add_model", "get_model", "remove_model"]


@dataclass(frozen=True)
class Model:
    """One trained model.

    Attributes
    ----------
    name
        What users choose it by: ``"sam_vit_b"``.
    title
        What people see.
    family
        ``"SAM"``, ``"SAM 2.1"``, ``"SlimSAM"``, ``"SAM-HQ"``, ``"EdgeTAM"``, ``"SAM 3"``.
    backend
        What runs it: ``"segment_anything"`` or ``"transformers"``.
    architecture
        ``"vit_b"``, ``"vit_l"``, ``"vit_h"``, ``"vit"`` (other sizes, read from the file), or the
        name of a class of transformers.
    parameters
        Millions.
    megabytes
        Of the download, in 10**6 bytes.
    licence
        Of the weights.
    repo
        Identifier on the Hugging Face hub; empty when the file has an address of its own.
    address
        The file itself, or its page on the hub.
    file
        Name of the file that holds the weights.
    digest
        ``"sha256:"`` or ``"md5:"`` and how the checksum of that file begins, usually all of it;
        empty when only the hub knows.
    revision
        Commit on the hub; empty for its main branch.
    path
        A file or folder of the user's own; None for the models that come with vde-nb.
    speed
        Rank on a CPU, 1 = fastest.
    quality
        Rank of the outlines, 1 = best.
    requires
        Modules it needs besides those of its backend.
    access
        What a person has to do before it can be downloaded, in words; usually nothing.
    """

    name: str
    title: str
    family: str
    backend: str
    architecture: str
    parameters: float
    megabytes: int
    licence: str
    repo: str = ""
    address: str = ""
    file: str = ""
    digest: str = ""
    revision: str = ""
    path: Path | None = None
    speed: int = 99
    quality: int = 99
    requires: tuple[str, ...] = ()
    access: str = ""


_PLACE = "https://dl.fbaipublicfiles.com/segment_anything/"


def _meta(size: str, file: str, sha256: str, **facts: object) -> Model:
    return Model(
        f"sam_vit_{size.lower()}",
        f"SAM ViT-{size}",
        "SAM",
        "segment_anything",
        f"vit_{size.lower()}",
        licence="Apache-2.0",
        address=_PLACE + file,
        file=file,
        digest=f"sha256:{sha256}",
        **facts,  # type: ignore[arg-type]
    )


def _hub(
    name: str, title: str, family: str, architecture: str, repo: str, **facts: object
) -> Model:
    sha256 = facts.pop("sha256", "")
    return Model(
        name,
        title,
        family,
        "transformers",
        architecture,
        repo=repo,
        address=f"https://huggingface.co/{repo}",
        file="model.safetensors",
        digest=f"sha256:{sha256}" if sha256 else "",
        **{"licence": "Apache-2.0", **facts},  # type: ignore[arg-type]
    )


# Where the facts are from, all looked up in November 2026:
# - Addresses of Meta's files: README of facebookresearch/segment-anything. Their SHA-256: micro-sam
#   (computational-cell-analytics) and an extension of 3D Slicer, independently of each other the
#   same. The file names carry the beginning of the MD5, as IOPaint (Sanster) and others confirm.
# - Commits, sizes and SHA-256 on the hub: what several public projects that pin these models name
#   (the hub itself could not be asked); each is named by two of them or more. Where only the hub
#   knows the checksum, it is taken from the hub's answer to the download.
# - Commits of SlimSAM: the hub's lists of files, which show the weights unchanged since then.
# - SAM-HQ: syscv-community is kept by the transformers team; the cards on the hub name no licence,
#   the models' own repository (SysCV/sam-hq) is under Apache-2.0. Large: 4 bytes a parameter.
# - EdgeTAM: the port that the documentation of transformers uses. It holds the video model, of
#   which the image model is a part; so does SAM 3, whose download is thus larger than its model.
# - Parameters: counted in the architectures as transformers 5.23 builds them; EdgeTAM: its page;
#   SlimSAM: from the size of its file.
# - `speed`: by the multiplications of the encoder for one picture, counted the same way, from 21e9
#   (SlimSAM-77, its card) over 146e9 (SAM 2.1 tiny) and 486e9 (ViT-B) to 2980e9 (ViT-H); EdgeTAM,
#   made for telephones, is put first. No times were measured.
#   `quality`: a judgement from the papers' tables, not measured here either.
_TABLE = (
    _meta(
        "B",
        "sam_vit_b_01ec64.pth",
        "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
        parameters=93.7,
        megabytes=375,
        speed=7,
        quality=11,
    ),
    _meta(
        "L",
        "sam_vit_l_0b3195.pth",
        "3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622",
        parameters=312.3,
        megabytes=1250,
        speed=11,
        quality=8,
    ),
    _meta(
        "H",
        "sam_vit_h_4b8939.pth",
        "a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e",
        parameters=641.1,
        megabytes=2565,
        speed=14,
        quality=7,
    ),
    _hub(
        "sam2.1_tiny",
        "SAM 2.1 tiny",
        "SAM 2.1",
        "Sam2Model",
        "facebook/sam2.1-hiera-tiny",
        parameters=31.4,
        megabytes=156,
        sha256="48c14467e5cf9e51870511feb72c89688e82dd74523142c0538b663e193ac2a7",
        revision="de431c4043854a71d8101e17995dfe596bf101a5",
        speed=4,
        quality=10,
    ),
    _hub(
        "sam2.1_small",
        "SAM 2.1 small",
        "SAM 2.1",
        "Sam2Model",
        "facebook/sam2.1-hiera-small",
        parameters=38.5,
        megabytes=184,
        sha256="0a4067b11ce1e23d5229203f11c718a823060d15a4b23fa2372a7d4b77cbbc60",
        revision="ee5bba1d82bb8749febdf90f45e84b687142ba03",
        speed=5,
        quality=6,
    ),
    _hub(
        "sam2.1_base_plus",
        "SAM 2.1 base+",
        "SAM 2.1",
        "Sam2Model",
        "facebook/sam2.1-hiera-base-plus",
        parameters=73.3,
        megabytes=323,
        sha256="2012733a0de5d03efd1bba550a2847c4551be9ef2e0d497c83074df66189f780",
        revision="b7320756a13354e7530a63935656d35b2f91a290",
        speed=6,
        quality=4,
    ),
    _hub(
        "sam2.1_large",
        "SAM 2.1 large",
        "SAM 2.1",
        "Sam2Model",
        "facebook/sam2.1-hiera-large",
        parameters=216.9,
        megabytes=898,
        sha256="dc407dce21301fd94abb395c5099b4f2c455fdc8a8f261ac3d0ea6d4cd197230",
        revision="665f8e2ad61cf5f53d65644ff27c8ee525124610",
        speed=10,
        quality=2,
    ),
    _hub(
        "sam_base_hub",
        "SAM ViT-B (hub)",
        "SAM",
        "SamModel",
        "facebook/sam-vit-base",
        parameters=93.7,
        megabytes=375,
        revision="70c1a07f894ebb5b307fd9eaaee97b9dfc16068f",
        speed=8,
        quality=12,
    ),
    _hub(
        "slimsam_50",
        "SlimSAM-50",
        "SlimSAM",
        "SamModel",
        "Zigeng/SlimSAM-uniform-50",
        parameters=28.0,
        megabytes=112,
        revision="590f68b2abe3d19764812e7d662feb6b45ce4d58",
        speed=3,
        quality=13,
    ),
    _hub(
        "slimsam_77",
        "SlimSAM-77",
        "SlimSAM",
        "SamModel",
        "Zigeng/SlimSAM-uniform-77",
        parameters=9.7,
        megabytes=39,
        revision="9e72a1bc79fa17f1f4e239003f0d84170c96464d",
        speed=2,
        quality=15,
    ),
    _hub(
        "sam_hq_vit_b",
        "SAM-HQ ViT-B",
        "SAM-HQ",
        "SamHQModel",
        "syscv-community/sam-hq-vit-base",
        parameters=94.8,
        megabytes=379,
        speed=9,
        quality=9,
    ),
    _hub(
        "sam_hq_vit_l",
        "SAM-HQ ViT-L",
        "SAM-HQ",
        "SamHQModel",
        "syscv-community/sam-hq-vit-large",
        parameters=313.7,
        megabytes=1255,
        speed=12,
        quality=5,
    ),
    _hub(
        "sam_hq_vit_h",
        "SAM-HQ ViT-H",
        "SAM-HQ",
        "SamHQModel",
        "syscv-community/sam-hq-vit-huge",
        parameters=642.7,
        megabytes=2571,
        speed=15,
        quality=3,
    ),
    _hub(
        "edgetam",
        "EdgeTAM",
        "EdgeTAM",
        "EdgeTamModel",
        "yonigozlan/EdgeTAM-hf",
        parameters=13.9,
        megabytes=56,
        sha256="8858f8e4757b0b96dab8763f296ecffd845efbbbf698f64163cfa20a63d5fff4",
        revision="c266ce53b3fc00f0f495b583f6a116c4e57f53bb",
        speed=1,
        quality=14,
        requires=("timm",),  # its encoder, RepViT, is built by timm
    ),
    _hub(
        "sam3_tracker",
        "SAM 3",
        "SAM 3",
        "Sam3TrackerModel",
        "facebook/sam3",
        parameters=458.3,
        megabytes=3440,
        licence="SAM License",
        sha256="6d06f0a5f84e435071fe6603e61d0b4cc7b40e0d39d487cfd4d67d8cc11cc14a",
        revision="3c879f39826c281e95690f02c7821c4de09afae7",
        speed=13,
        quality=1,
        access="accept its licence at https://huggingface.co/facebook/sam3 with an account of "
        "that site, then run `hf auth login` here",
    ),
)

#: Every model by its name, in the order of lists; :func:`add_model` adds to it.
MODELS: dict[str, Model] = {model.name: model for model in _TABLE}

_OURS = frozenset(MODELS)
#: What other segmenters are called, and what stands for a choice of them.
_TAKEN = ("auto", "graphcut", "none")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}")


def get_model(name: str) -> Model:
    """Give the model called `name`.

    Raises
    ------
    SettingError
        There is none; the message lists the nearest names.
    """
    try:
        return MODELS[name]
    except (KeyError, TypeError):
        close = nearest(name, MODELS)
        hint = f" Did you mean {close}?" if close else ""
        raise SettingError(f"There is no model {name!r}: {', '.join(MODELS)}.{hint}") from None


def add_model(name: str, path: str | os.PathLike[str], title: str | None = None) -> Model:
    """Add a checkpoint of your own, so that it can be chosen like the others.

    What it is gets read from the file without running anything in it.

    Parameters
    ----------
    name
        What to choose it by: letters, digits and ``_ . + -``. A model of your own that has this
        name is replaced.
    path
        A checkpoint of segment-anything (``.pth``, as that package saves it, or
        ``.safetensors``), or a folder as ``save_pretrained`` of transformers writes it.
    title
        What people see; `name` by default.

    Returns
    -------
    Model
        The entry, also in :data:`MODELS`.

    Raises
    ------
    SettingError
        The name cannot be used.
    WeightsError
        The file is missing or damaged, holds code, or is of another kind.
    MissingExtraError
        torch or safetensors is needed to read it, and not installed.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise SettingError(
            f"name={name!r} cannot be a model's name: up to 64 letters, digits and _ . + -, the "
            "first a letter or digit."
        )
    if name in _OURS or name in _TAKEN:
        raise SettingError(f"name={name!r} is taken already; choose another.")
    from vde_nb.segment._identify import identify

    found = identify(path)
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
        speed=1 + sum(one.parameters < found.parameters for one in _TABLE),
        quality=1 + len(_TABLE),  # nobody has ranked it
        requires=found.requires,
    )
    MODELS[name] = model
    return model


def remove_model(name: str) -> None:
    """Take away a model that :func:`add_model` added; its files stay.

    Raises
    ------
    SettingError
        There is no such model, or it comes with vde-nb.
    """
    if get_model(name).name in _OURS:
        raise SettingError(f"{name!r} comes with vde-nb; only models that were added can go.")
    del MODELS[name]
