"""The models answer exactly as their own libraries do, from any thread, and can be stopped."""

from __future__ import annotations

import copy
import itertools
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest

from tests import sam_models
from tests.sam_models import GRID, KINDS, SIDE
from vde_nb._progress import listening
from vde_nb.errors import SettingError, WeightsError
from vde_nb.segment._backend import open_backend

torch = pytest.importorskip("torch")
pytest.importorskip("segment_anything")
transformers = pytest.importorskip("transformers")

#: Height and width of pictures: square and tiny, odd, usual, and as thin as they come.
SIZES = [(8, 8), (977, 31), (768, 1024), (40, 4000), (101, 157)]
ALL = ["segment_anything", *KINDS]


def picture(height, width, seed=0):
    """Patches of colour with noise, so that every size shows something."""
    draw = np.random.default_rng(seed)
    patches = draw.integers(0, 255, (5, 7, 3), np.uint8)
    rows = np.arange(height) * 5 // height
    columns = np.arange(width) * 7 // width
    noise = draw.integers(-20, 20, (height, width, 3))
    return np.clip(patches[rows][:, columns] + noise, 0, 255).astype(np.uint8)


def weights(path, backend, architecture, title="Tiny"):
    model = SimpleNamespace(name="tiny", title=title, backend=backend, architecture=architecture)
    return SimpleNamespace(model=model, path=path)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Tiny networks lose more time with waking threads than they win."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """Where each tiny model lies; written when first asked for."""
    root, made = tmp_path_factory.mktemp("models"), {}

    def path(kind):
        if kind not in made:
            folder = root / kind
            one = sam_models.tiny_sam if kind == "segment_anything" else None
            made[kind] = one(folder) if one else sam_models.tiny(kind, folder)
        return made[kind]

    return path


@pytest.fixture(scope="module")
def backends(paths):
    opened = {}

    def backend(kind):
        if kind not in opened:
            opened[kind] = open_backend(given(paths, kind), device="cpu")
        return opened[kind]

    return backend


def given(paths, kind):
    if kind == "segment_anything":
        return weights(paths(kind), kind, "vit")
    return weights(paths(kind), "transformers", KINDS[kind])


class Meta:
    """segment-anything's own predictor."""

    def __init__(self, path):
        from segment_anything import SamPredictor

        model = sam_models.build_sam()
        model.load_state_dict(torch.load(path, weights_only=True))
        self.predictor = SamPredictor(model)

    def look(self, image):
        self.predictor.set_image(image)

    def masks(self, box, points, labels, mask, multimask):
        return self.predictor.predict(
            point_coords=points,
            point_labels=labels,
            box=box,
            mask_input=mask,
            multimask_output=multimask,
        )


class Hub:
    """transformers' own processor and model, the picture encoded anew for every prompt."""

    def __init__(self, path, kind):
        self.model = getattr(transformers, KINDS[kind]).from_pretrained(path).eval()
        processors = {
            "sam": "SamProcessor",
            "sam_hq": "SamHQProcessor",
            "sam3_tracker": "Sam3TrackerProcessor",
        }
        images = transformers.AutoImageProcessor.from_pretrained(path)
        self.processor = getattr(transformers, processors.get(kind, "Sam2Processor"))(images)
        self.thin = kind in ("sam", "sam_hq")

    def look(self, image):
        self.image = image

    def masks(self, box, points, labels, mask, multimask):
        nested = {
            "input_boxes": None if box is None else [[box.tolist()]],
            "input_points": None if points is None else [[points.tolist()]],
            "input_labels": None if labels is None else [[labels.tolist()]],
        }
        inputs = self.processor(images=self.image, return_tensors="pt", **nested)
        sizes = [inputs.pop("original_sizes")]
        if "reshaped_input_sizes" in inputs:
            sizes.append(inputs.pop("reshaped_input_sizes"))
        inputs = {
            name: value.float() if value.is_floating_point() else value
            for name, value in inputs.items()
        }
        if mask is not None:
            inputs["input_masks"] = torch.from_numpy(mask[None])
        with torch.no_grad():
            out = self.model(**inputs, multimask_output=multimask)
        full = self.processor.post_process_masks(list(out.pred_masks), *sizes)[0][0]
        return full.numpy(), out.iou_scores[0, 0].numpy(), out.pred_masks[0, 0].numpy()


def full_size(backend, logits, height, width):
    """Masks of the picture's size, as every library makes them of the low-resolution logits."""
    fit = backend.fit(height, width)
    tensor = torch.from_numpy(logits)[None]
    resize = torch.nn.functional.interpolate
    if (fit.inner_w, fit.inner_h) != (backend.side, backend.side) or fit.scale_x == fit.scale_y:
        tensor = resize(tensor, (backend.side, backend.side), mode="bilinear")
        tensor = tensor[..., : fit.inner_h, : fit.inner_w]
    return (resize(tensor, (height, width), mode="bilinear") > 0)[0].numpy()


def prompts(height, width):
    """Box, points, both, and an earlier mask: (name, box, points, labels, mask)."""
    draw = np.random.default_rng(3)
    box = np.array([0.2 * width, 0.3 * height, 0.7 * width, 0.9 * height])
    points = np.array([[0.4 * width, 0.5 * height], [0.1 * width, 0.2 * height]])
    labels = np.array([1, 0])
    mask = draw.normal(0, 5, (1, GRID, GRID)).astype(np.float32)
    return [
        ("box", box, None, None, None),
        ("whole", np.array([0.0, 0, width, height]), None, None, None),
        ("point", None, points[:1], labels[:1], None),
        ("points", None, points, labels, None),
        ("box and points", box, points, labels, None),
        ("box and mask", box, None, None, mask),
        ("points and mask", None, points, labels, mask),
    ]


def decode(backend, loaded, size, box, points, labels, mask, multimask):
    fit = backend.fit(*size)
    scale = np.array([fit.scale_x, fit.scale_y])
    return backend.decode(
        loaded,
        None if box is None else (box.reshape(2, 2) * scale).reshape(1, 4),
        None if points is None else (points * scale)[None],
        None if labels is None else labels[None],
        None if mask is None else mask[None],
        multimask,
    )


def iou(one, other):
    union = (one | other).sum()
    return 1.0 if union == 0 else (one & other).sum() / union


@pytest.mark.parametrize("kind", ALL)
def test_masks_and_scores_are_those_of_the_models_own_library(kind, paths, backends):
    upstream = Meta(paths(kind)) if kind == "segment_anything" else Hub(paths(kind), kind)
    backend, answers = backends(kind), []
    for size in SIZES:
        image = picture(*size)
        upstream.look(image)
        loaded = backend.load(backend.encode(image))
        for multimask in (False, True):
            for name, *prompt in prompts(*size):
                theirs, their_scores, their_logits = upstream.masks(*prompt, multimask)
                logits, scores = decode(backend, loaded, size, *prompt, multimask)
                where = f"{kind}, {size}, {name}, multimask={multimask}"
                assert logits.shape == (1, 3 if multimask else 1, GRID, GRID), where
                np.testing.assert_allclose(scores[0], their_scores, atol=1e-4, err_msg=where)
                spread = np.abs(their_logits).max()
                np.testing.assert_allclose(
                    logits[0], their_logits, atol=1e-4 * spread, err_msg=where
                )
                ours = full_size(backend, logits[0], *size)
                assert min(map(iou, ours, theirs)) >= 0.999, where
                answers.append(logits[0, 0] > 0)
    # Random weights prove nothing when every mask is the same.
    same = [iou(one, other) for one, other in itertools.pairwise(answers)]
    assert np.median(same) < 0.95
    assert 0.02 < np.mean(answers) < 0.98


@pytest.mark.parametrize("kind", ALL)
def test_prompts_in_one_call_are_answered_as_one_by_one(kind, backends):
    backend = backends(kind)
    loaded = backend.load(backend.encode(picture(90, 120)))
    draw = np.random.default_rng(5)
    corners = draw.uniform(0, SIDE, (5, 2, 2))
    boxes = np.concatenate([corners.min(1), corners.max(1)], 1)
    points, labels = draw.uniform(0, SIDE, (5, 3, 2)), draw.integers(0, 2, (5, 3))
    masks = draw.normal(0, 5, (5, 1, GRID, GRID)).astype(np.float32)
    for prompt in ((boxes, None, None, None), (boxes, points, labels, None),
                   (None, points, labels, None), (boxes, None, None, masks),
                   (None, points, labels, masks)):  # fmt: skip
        for multimask in (False, True):
            together = backend.decode(loaded, *prompt, multimask)
            assert together[0].shape == (5, 3 if multimask else 1, GRID, GRID)
            assert together[1].shape == together[0].shape[:2]
            for at in range(5):
                single = [None if part is None else part[at : at + 1] for part in prompt]
                logits, scores = backend.decode(loaded, *single, multimask)
                np.testing.assert_allclose(
                    together[0][at], logits[0], atol=1e-4 * np.abs(logits).max()
                )
                np.testing.assert_allclose(together[1][at], scores[0], atol=1e-4)


@pytest.mark.parametrize("kind", ALL)
def test_a_gpu_and_a_cpu_answer_alike(kind, backends):
    # Elsewhere than on a CPU, the network's own decoder answers; here it can be asked to, too.
    ours = backends(kind)
    assert (ours._cells is None) == (kind == "sam_hq")
    theirs = copy.copy(ours)
    theirs._cells = None
    size = 90, 120
    arrays = ours.encode(picture(*size))
    draw = np.random.default_rng(8)
    many = draw.uniform(0, 90, (60, 2)), draw.integers(0, 2, 60)
    for name, *prompt in [*prompts(*size), ("many points", None, *many, None)]:
        for multimask in (False, True):
            one, one_iou = decode(ours, ours.load(arrays), size, *prompt, multimask)
            other, other_iou = decode(theirs, theirs.load(arrays), size, *prompt, multimask)
            where = f"{kind}, {name}, multimask={multimask}"
            spread = np.abs(other).max()
            np.testing.assert_allclose(one, other, atol=1e-4 * spread, err_msg=where)
            np.testing.assert_allclose(one_iou, other_iou, atol=1e-4, err_msg=where)


@pytest.mark.parametrize("threshold", [0.0, 1.1])
def test_sam_2_takes_another_mask_for_one_that_hangs_on_the_threshold(
    threshold, backends, monkeypatch
):
    backend, size = backends("sam2"), (90, 120)
    decoder = backend._network.mask_decoder
    assert decoder.dynamic_multimask_via_stability
    monkeypatch.setattr(decoder, "dynamic_multimask_stability_thresh", threshold)
    theirs = copy.copy(backend)
    theirs._cells = None
    arrays = backend.encode(picture(*size))
    three, three_iou = decode(backend, backend.load(arrays), size, *prompts(*size)[0][1:], True)
    one, _ = decode(backend, backend.load(arrays), size, *prompts(*size)[0][1:], False)
    other, _ = decode(theirs, theirs.load(arrays), size, *prompts(*size)[0][1:], False)
    np.testing.assert_allclose(one, other, atol=1e-4 * np.abs(other).max())
    assert np.array_equal(one[0, 0], three[0, three_iou.argmax()]) == (threshold > 1)


@pytest.mark.parametrize("kind", ["segment_anything", "sam2"])
def test_an_answer_stays_as_it_is_when_another_prompt_is_answered(kind, backends):
    backend, size = backends(kind), (90, 120)
    loaded = backend.load(backend.encode(picture(*size)))
    (_, *first), (_, *second) = prompts(*size)[:2]
    logits, iou = decode(backend, loaded, size, *first, True)
    kept = logits.copy(), iou.copy()
    other, _ = decode(backend, loaded, size, *second, True)
    assert not np.array_equal(other, kept[0])
    np.testing.assert_array_equal(logits, kept[0])
    np.testing.assert_array_equal(iou, kept[1])


@pytest.mark.parametrize("kind", ALL)
def test_an_encoding_kept_as_float16_on_a_disk_gives_nearly_the_same_mask(kind, backends):
    backend = backends(kind)
    arrays = backend.encode(picture(90, 120))
    kept = {name: array.astype(np.float16) for name, array in arrays.items()}
    for array in kept.values():
        assert np.isfinite(array).all()
        array.setflags(write=False)  # as it comes from a file; torch would warn
    box = np.array([[20.0, 10, 90, 80]])
    fresh, _ = backend.decode(backend.load(arrays), box, None, None, None, False)
    again, _ = backend.decode(backend.load(kept), box, None, None, None, False)
    assert iou(fresh > 0, again > 0) > 0.97


@pytest.mark.parametrize("kind", ["segment_anything", "sam2"])
def test_views_and_read_only_pictures_are_encoded_like_their_copies(kind, backends):
    backend = backends(kind)
    image = picture(60, 80)
    view = picture(60, 80)[:, ::-1][:, ::-1]
    view.setflags(write=False)
    expected, found = backend.encode(image), backend.encode(view)
    for name, array in expected.items():
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array, found[name])


@pytest.mark.parametrize("kind", ["segment_anything", "sam", "sam2"])
def test_a_picture_of_one_row_is_encoded(kind, backends):
    backend = backends(kind)
    fit = backend.fit(1, 8000)
    assert (fit.inner_w, fit.inner_h) in ((SIDE, 1), (SIDE, SIDE))
    arrays = backend.encode(picture(1, 8000))
    assert all(np.isfinite(array).all() for array in arrays.values())


@pytest.mark.parametrize("kind", ALL)
def test_progress_is_told_and_raising_in_it_stops_between_two_blocks(kind, backends):
    backend = backends(kind)
    image = picture(50, 60)
    expected = backend.encode(image)
    told = []
    with listening(lambda text, share: told.append((text, share))):
        # Faster than people read: only the first and the last report are sure to come through.
        backend.encode(image, "the current picture")
    assert told[0] == ("Tiny reads the current picture", 0.0)
    assert told[-1][1] == 1.0

    class Stop(BaseException):
        pass

    def stop(*_):
        raise Stop

    with listening(stop), pytest.raises(Stop):
        backend.encode(image)
    hooks = [m for m in backend._network.modules() if m._forward_pre_hooks]
    assert not hooks
    for name, array in backend.encode(image).items():
        np.testing.assert_array_equal(array, expected[name])


def test_an_encoder_is_stopped_before_its_last_block(backends, monkeypatch):
    backend = backends("segment_anything")
    seen = []
    monkeypatch.setattr("vde_nb.segment._torch.report", lambda text, share: seen.append(share))
    backend.encode(picture(50, 60))
    assert seen == [0, 0, pytest.approx(1 / 3), pytest.approx(2 / 3), 1]

    def stop(text, share):
        if share > 0.5:
            raise KeyboardInterrupt

    monkeypatch.setattr("vde_nb.segment._torch.report", stop)
    with pytest.raises(KeyboardInterrupt):
        backend.encode(picture(50, 60))
    monkeypatch.undo()
    assert backend.encode(picture(50, 60))  # the lock is free again


def test_waiting_for_another_picture_can_be_stopped(backends):
    backend = backends("segment_anything")
    inside, leave = threading.Event(), threading.Event()

    def hold(*_):
        inside.set()
        leave.wait(10)

    def first():
        with listening(hold):
            return backend.encode(picture(50, 60))

    class Newer(Exception):
        pass

    def newer(*_):
        raise Newer

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(first)
        assert inside.wait(10)
        with listening(newer), pytest.raises(Newer):
            backend.encode(picture(50, 60))
        # A click on a picture that is ready does not wait for the one being read.
        loaded = backend.load({"image": np.zeros((32, 8, 8), np.float32)})
        backend.decode(loaded, np.array([[1.0, 2, 30, 40]]), None, None, None, False)
        leave.set()
        assert running.result(10)


@pytest.mark.parametrize("kind", ["segment_anything", "sam2"])
def test_threads_do_not_mix_up_their_pictures_and_prompts(kind, backends):
    backend = backends(kind)
    box = np.array([[20.0, 10, 90, 80]])

    def answer(seed):
        loaded = backend.load(backend.encode(picture(70, 90, seed)))
        return backend.decode(loaded, box, None, None, None, True)

    expected = [answer(seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(answer, [*range(4)] * 3))
    for at, (logits, scores) in enumerate(found):
        np.testing.assert_allclose(logits, expected[at % 4][0], rtol=1e-4, atol=1e-3)
        np.testing.assert_allclose(scores, expected[at % 4][1], atol=1e-4)


@pytest.mark.parametrize("kind", ["segment_anything", "sam2"])
def test_bf16_gives_nearly_the_same_encoding(kind, paths, backends):
    exact = backends(kind).encode(picture(90, 120))
    rough = open_backend(given(paths, kind), device="cpu", precision="bf16")
    assert rough.precision == "bf16"
    for name, array in rough.encode(picture(90, 120)).items():
        assert array.dtype == np.float32
        assert np.abs(array - exact[name]).mean() < 0.05 * np.abs(exact[name]).mean()
        assert (array != exact[name]).any()


def test_what_overflows_in_fp16_is_computed_again_in_fp32(paths, backends, monkeypatch):
    backend = open_backend(given(paths, "segment_anything"), device="cpu")
    backend.precision = "fp16"
    runs, plain = [], backend._in_precision

    def overflowing(tensor, dtype):
        runs.append(dtype)
        tensors = plain(tensor, None)
        return tensors if dtype is None else {n: t * torch.inf for n, t in tensors.items()}

    monkeypatch.setattr(backend, "_in_precision", overflowing)
    arrays = backend.encode(picture(90, 120))
    assert runs == [torch.float16, None]
    exact = backends("segment_anything").encode(picture(90, 120))
    np.testing.assert_array_equal(arrays["image"], exact["image"])


def test_the_word_for_the_preprocessing_tells_apart_what_is_not_the_same_input(paths, backends):
    assert backends("segment_anything").preprocessing == f"longest-{SIDE}-pillow"
    assert backends("sam").preprocessing == f"longest-{SIDE}-torchvision"
    assert backends("sam2").preprocessing == f"squash-{SIDE}-torchvision"
    assert backends("sam3_tracker").preprocessing == f"squash-{SIDE}-torchvision-half"


def test_a_folder_with_colours_of_its_own_is_heard(tmp_path):
    folder = sam_models.tiny("sam2", tmp_path)
    file = folder / "preprocessor_config.json"
    plain = open_backend(weights(folder, "transformers", "Sam2Model"), device="cpu")
    file.write_text('{"image_mean": [0.1, 0.2, 0.3], "image_std": [0.5, 0.5, 0.4]}')
    other = open_backend(weights(folder, "transformers", "Sam2Model"), device="cpu")
    assert other.preprocessing != plain.preprocessing
    assert other._input(np.zeros((9, 9, 3), np.uint8))[0, :, 0, 0].tolist() == pytest.approx(
        [-0.2, -0.4, -0.75]
    )
    file.write_text('{"image_mean": 3}')
    with pytest.raises(WeightsError, match=r"preprocessor_config\.json"):
        open_backend(weights(folder, "transformers", "Sam2Model"), device="cpu")


def test_a_model_for_another_library_is_refused(tmp_path):
    with pytest.raises(SettingError, match="'onnx'"):
        open_backend(weights(tmp_path, "onnx", "vit_b"), device="cpu")


def test_opening_a_model_leaves_torch_as_it_was(paths):
    before = (torch.get_num_threads(), torch.get_default_dtype(), torch.initial_seed())
    state = torch.get_rng_state()
    for kind in ("segment_anything", "sam2"):
        open_backend(given(paths, kind), device="cpu").encode(picture(20, 20))
    assert before == (torch.get_num_threads(), torch.get_default_dtype(), torch.initial_seed())
    assert torch.equal(state, torch.get_rng_state())
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()


def test_nothing_heavy_is_imported_before_a_model_is_opened():
    heavy = ["torch", "torchvision", "transformers", "segment_anything", "safetensors"]
    code = (
        "import sys, vde_nb.segment._backend, vde_nb.segment.sam, vde_nb.segment.sam2\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
