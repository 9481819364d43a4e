"""The settings of every stage, in the order of the pipeline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from vde_nb._lessons import taught
from vde_nb.settings._declare import StageSettings, setting

#: Methods the published notebooks have: they compare pixel by pixel.
PUBLISHED = ("hybrid", "multi_fusion", "ensemble")
#: Methods whose heat 50 stands for an expected number of false alarms.
CALIBRATED = ("robust", "semantic", "normality")


@dataclass(frozen=True)
class ImageSettings(StageSettings):
    """How pictures are read and brought to one size."""

    stage: ClassVar[str] = "images"

    fit: str = setting(
        "error",
        "What to do when the two pictures differ in shape: refuse, crop or pad the current one.",
        choices=("error", "crop", "pad"),
        advanced=True,
    )
    max_megapixels: float = setting(
        200.0,
        "Largest picture file that is opened; guards against decompression bombs.",
        low=0.001,
        high=10_000.0,
        unit="MP",
        advanced=True,
    )
    memory_limit: int = setting(
        2048,
        "Memory the comparison of large pictures may take beyond the pictures themselves; what "
        "needs more lies in scratch files, and comes to the same result.",
        low=64,
        high=1_000_000,
        unit="MB",
        advanced=True,
    )


@dataclass(frozen=True)
class AlignSettings(StageSettings):
    """How the current picture is brought onto the reference, in place and in light."""

    stage: ClassVar[str] = "align"
    align: str = setting(
        "off",
        "Register the current picture on the reference: 'auto' chooses the simplest motion that "
        "explains the pair; True means 'auto'.",
        choices=("off", "auto", "translation", "affine", "homography"),
        on="auto",
    )
    flow: bool = setting(
        True,
        "After registration, follow smooth local displacements of a few pixels, too; they are "
        "smoother than any defect.",
        advanced=True,
    )
    normalise: str = setting(
        "off",
        "Give the current picture the light of the reference: 'global' (exposure, contrast, white "
        "balance) or 'local' (shadows, too); True means 'local'.",
        choices=("off", "global", "local"),
        on="local",
    )
    nudge: tuple[float, ...] = setting(
        (0.0, 0.0),
        "Move the current picture by so many pixels to the right and downwards, after whatever "
        "registration found.",
        low=-1000.0,
        high=1000.0,
        step=0.5,
        unit="px",
        advanced=True,
        count=2,
    )

    def __post_init__(self) -> None:
        with taught("registration"):
            super().__post_init__()


@dataclass(frozen=True)
class DifferenceSettings(StageSettings):
    """How the two pictures become one heatmap."""

    stage: ClassVar[str] = "difference"

    colour: str = setting(
        "absolute",
        "Compare luma only ('grey', as published), every colour channel, of which the largest "
        "difference counts ('channels'), or channels for the absolute difference and luma for "
        "SSIM ('absolute', three times as fast).",
        choices=("grey", "absolute", "channels"),
        methods=PUBLISHED,
    )
    ssim_weight: float = setting(
        0.5,
        "Share of the SSIM map in the heatmap; the rest is the absolute difference.",
        low=0.0,
        high=1.0,
        step=0.05,
        methods=("hybrid",),
    )
    fusion_weights: tuple[float, ...] = setting(
        (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
        "SSIM weights of the fused maps.",
        low=0.0,
        high=1.0,
        advanced=True,
        methods=("multi_fusion", "ensemble"),
    )
    ssim_overflow: str = setting(
        "saturate",
        "Where SSIM is negative, 255 * (1 - SSIM) exceeds 255: stay at 255, or wrap around to "
        "dark as the published notebooks do.",
        choices=("saturate", "wrap"),
        advanced=True,
        methods=PUBLISHED,
    )
    tolerance: int = setting(
        0,
        "Pixels by which edges may lie elsewhere without being a difference; 0 measures how well "
        "the two pictures fit and chooses 1 to 4.",
        low=0,
        high=10,
        step=1,
        unit="px",
        methods=("robust",),
    )
    false_alarms: float = setting(
        0.05,
        "False regions to be expected in a picture without any change, which is what heat 50 "
        "stands for.",
        low=0.0001,
        high=100.0,
        advanced=True,
        methods=CALIBRATED,
    )
    antialiasing: bool = setting(
        False,
        "Ignore pixels that only smooth an edge in one of the two pictures: for screenshots, best "
        "without registration and with a tolerance of 1.",
        advanced=True,
        methods=("robust",),
    )
    features: str = setting(
        "embedded",
        "What describes the pictures place by place: 'embedded' (colour, texture and directions, "
        "no weights) or a model's name; vde_nb.features() lists them.",
        methods=("semantic",),
    )
    feature_distance: str = setting(
        "both",
        "How far apart two descriptions are: by direction ('cosine'), by length of the difference "
        "('l2'), or the larger of the two.",
        choices=("cosine", "l2", "both"),
        methods=("semantic",),
    )
    feature_search: int = setting(
        1,
        "Cells by which something may lie elsewhere without being a difference.",
        low=0,
        high=8,
        step=1,
        unit="cells",
        advanced=True,
        methods=("semantic",),
    )
    feature_layers: str = setting(
        "middle",
        "Blocks of a transformer whose descriptions are averaged: the middle half, the last one, "
        "or all.",
        choices=("middle", "last", "all"),
        advanced=True,
        methods=("semantic",),
    )
    feature_zoom: float = setting(
        0.0,
        "Factor by which the picture is enlarged before a model looks at it; 0 chooses one at "
        "which a patch covers about 8 pixels, where that is affordable.",
        low=0.0,
        high=8.0,
        advanced=True,
        methods=("semantic",),
    )
    fuse: str = setting(
        "off",
        "'fast-and-deep' also asks the robust method: what the two do not both confirm is called "
        "environmental (shadow, reflection; grey stains may be), and kept.",
        choices=("off", "fast-and-deep"),
        on="fast-and-deep",
        methods=("semantic",),
    )
    model: str = setting(
        "",
        "Model of normality: one fitted with vde_nb.Normality.fit(), or the path of a saved one.",
        methods=("normality",),
    )


@dataclass(frozen=True)
class DetectSettings(StageSettings):
    """How a heatmap becomes candidate regions."""

    stage: ClassVar[str] = "detect"

    threshold: int = setting(
        50,
        "Heat above which a pixel counts as changed (0 = same, 255 = as different as can be).",
        low=0,
        high=255,
        step=1,
        methods=("hybrid", *CALIBRATED),
    )
    thresholds: tuple[int, ...] = setting(
        (30, 50, 70),
        "Thresholds applied to every fused map.",
        low=0,
        high=255,
        methods=("multi_fusion", "ensemble"),
    )
    open_iterations: int = setting(
        2,
        "Passes of the 3x3 opening that removes specks; n passes remove what is thinner than "
        "2n + 1 pixels.",
        low=0,
        high=50,
        unit="passes",
        advanced=True,
    )
    close_iterations: int = setting(
        3,
        "Passes of the 3x3 closing that joins fragments; n passes bridge gaps of up to 2n pixels.",
        low=0,
        high=50,
        unit="passes",
        advanced=True,
    )
    min_area: int = setting(
        100,
        "Regions whose bounding box covers less than this are dropped.",
        low=0,
        high=1_000_000_000,
        unit="px\u00b2",
    )
    clusters: int = setting(
        0,
        "Number of K-means clusters the candidate boxes are grouped into; 0 means one per "
        "connected region of the union of all masks.",
        low=0,
        high=10_000,
        advanced=True,
        methods=("ensemble",),
    )


@dataclass(frozen=True)
class SegmentSettings(StageSettings):
    """How each candidate gets its outline."""

    stage: ClassVar[str] = "segment"

    segmenter: str = setting(
        "graphcut",
        "What draws the outline of a region: 'graphcut' (embedded, no weights), 'none' (keep the "
        "detected mask), 'auto' (the best model that is ready) or a model's name; "
        "vde_nb.segmenters() lists them.",
    )
    segment_margin: float = setting(
        0.5,
        "Neighbourhood an outline may grow into, as a share of the box's longer side.",
        low=0.0,
        high=4.0,
        step=0.1,
        advanced=True,
    )
    segment_limit: int = setting(
        200,
        "At most this many regions, the largest, are outlined; the others keep the detected mask.",
        low=0,
        high=100_000,
        advanced=True,
    )
    sam_views: str = setting(
        "both",
        "Pictures a model looks at: with 'both', what is missing now is outlined where it was, and "
        "whether something appeared, vanished or moved is evidence for its type.",
        choices=("both", "current"),
        advanced=True,
        model=True,
    )
    sam_masks: str = setting(
        "auto",
        "Masks a model proposes for a prompt, the best of which is taken: 'one', 'three', or three "
        "only for prompts that may mean a part or the whole, such as a single click.",
        choices=("auto", "one", "three"),
        advanced=True,
        model=True,
    )
    sam_zoom: str = setting(
        "auto",
        "Whether a model looks at small regions through enlarged crops: smoother outlines, but "
        "each crop takes as long as a picture. 'auto': where encoding is fast, not on a CPU.",
        choices=("auto", "on", "off"),
        on="on",
        advanced=True,
        model=True,
    )
    sam_clip: bool = setting(
        True,
        "Keep a model's outline of a detected region within its neighbourhood (segment_margin).",
        advanced=True,
        model=True,
    )
    sam_islands: float = setting(
        0.02,
        "Islands and holes of a model's outline smaller than this share of it are removed.",
        low=0.0,
        high=1.0,
        step=0.01,
        advanced=True,
        model=True,
    )
    sam_device: str = setting(
        "auto",
        "Where a model runs; 'auto': on a GPU when there is one.",
        choices=("auto", "cuda", "mps", "cpu"),
        advanced=True,
        model=True,
    )
    sam_precision: str = setting(
        "auto",
        "Numbers a model computes with; 'auto': 16 bits on a GPU where that is safe, else 32.",
        choices=("auto", "fp32", "bf16", "fp16"),
        advanced=True,
        model=True,
    )
    sam_compile: bool = setting(
        False,
        "Compile a model with torch.compile: a slow start, then faster where many pictures are "
        "encoded on a GPU.",
        advanced=True,
        model=True,
    )


@dataclass(frozen=True)
class ClassifySettings(StageSettings):
    """How regions are named, graded and ordered."""

    stage: ClassVar[str] = "classify"

    classifier: str = setting(
        "evidence",
        "'evidence': types and severities from what is measured in both pictures. 'rules': type "
        "by aspect ratio, severity by box area, and types registered with @vde_nb.anomaly_type "
        "take part. 'published': the same without them.",
        choices=("evidence", "rules", "published"),
        advanced=True,
    )
    order: str = setting(
        "worst_first",
        "Order of the anomalies: most severe and largest first, or as found.",
        choices=("worst_first", "found"),
        advanced=True,
    )
