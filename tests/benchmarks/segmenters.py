"""The kept encodings, the batches and the parity of SAM, beside the libraries that run it.

    python -m tests.benchmarks.segmenters [kept] [boxes] [parity] [int8] [gpu]

The models have the real architectures and random weights (see `tests.sam_models`): their times and
memory are the real ones, what they outline means nothing. They are written once into a temporary
folder and go through :func:`vde_nb.segment.models.add_model`, as a user's own would.
"""

from __future__ import annotations

import copy
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
import torch

from tests import sam_models
from tests.benchmarks.common import in_turn, machine, milliseconds, photo_pair, verdict
from tests.benchmarks.upstream import Hub, Meta
from vde_nb.segment._backend import Backend, open_backend
from vde_nb.segment._batches import batch, make_up_of
from vde_nb.segment.base import Prompt, Scene
from vde_nb.segment.models import add_model, get_model
from vde_nb.segment.neural import SamOptions, SamSegmenter, predictor_for, release
from vde_nb.segment.predictor import Predictor
from vde_nb.segment.weights import obtain
