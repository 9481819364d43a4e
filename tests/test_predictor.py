"""One model on one device: encode once, prompt for ever, in whatever memory there is."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from tests import sam_models
from tests.fake_sam import FakeBackend, FakeWeights, fake_predictor
from vde_nb._progress import listening
from vde_nb.errors import ImageError, SettingError, WeightsError
from vde_nb.segment import Prompt
from vde_nb.segment._backend import open_backend
from vde_nb.segment.embeddings import EmbeddingCache
from vde_nb.segment.models import MODELS
from vde_nb.segment.predictor import Predictor
from vde_nb.segment.weights import Weights


def board(height: int = 300, width: int = 400) -> np.ndarray:
    """A plain picture with a disc, a square and a bar."""
    image = np.full((height, width, 3), 90, np.uint8)
    cv2.circle(image, (100, 100), 40, (200, 60, 40), -1)
    image[60:140, 220:300] = (30, 160, 220)
    image[200:220, 50:350] = (240, 240, 60)
    return image


DISC, SQUARE, BAR = (60, 60, 81, 81), (220, 60, 80, 80), (50, 200, 300, 20)


def square_mask() -> np.ndarray:
    mask = np.zeros((300, 400), bool)
    mask[60:140, 220:300] = True
    return mask


def iou(one: np.ndarray, other: np.ndarray) -> float:
    return np.count_nonzero(one & other) / np.count_nonzero(one | other)


def test_a_box_becomes_the_mask_of_the_thing_in_it() -> None:
    predictor = fake_predictor()
    seen = predictor.embed(board())
    answer = predictor.predict(seen, [Prompt(SQUARE)])[0]
    assert answer.logits.shape == (1, 256, 256) and answer.logits.dtype == np.float32
    assert iou(answer.mask(), square_mask()) > 0.97
    assert answer.iou == pytest.approx([0.9])
    assert 0.9 < answer.stability[0] <= 1


def test_a_frame_cuts_the_mask_and_may_leave_the_picture() -> None:
    predictor = fake_predictor()
    answer = predictor.predict(predictor.embed(board()), [Prompt(SQUARE)])[0]
    whole = answer.mask()
    np.testing.assert_array_equal(answer.mask((210, 50, 40, 30)), whole[50:80, 210:250])
    beyond = answer.mask((280, -10, 200, 100))
    assert beyond.shape == (100, 200)
    np.testing.assert_array_equal(beyond[10:, :120], whole[:90, 280:])
    assert not beyond[:, 120:].any()
    box, mask = answer.tight((210, 50, 40, 30))
    assert box == (220, 60, 30, 20) and mask[1:, 1:].all()  # a corner is round


@pytest.mark.parametrize("squash", [False, True])
@pytest.mark.parametrize("size", [(8, 8), (9, 700), (1300, 640)])
def test_pictures_of_any_shape_are_outlined_where_the_thing_is(
    size: tuple[int, int], squash: bool
) -> None:
    height, width = size
    image = np.full((height, width, 3), 60, np.uint8)
    x, y, w, h = width // 4, height // 4, width // 2, height // 2
    image[y : y + h, x : x + w] = 220
    predictor = fake_predictor(squash=squash)
    answer = predictor.predict(predictor.embed(image), [Prompt((x, y, w, h))])[0]
    found = answer.mask()
    assert found.shape == (height, width)
    assert iou(found, image[..., 0] > 100) > 0.95


def test_prompts_of_one_make_up_are_one_call_and_answers_keep_their_order() -> None:
    predictor = fake_predictor()
    seen = predictor.embed(board())
    prompts = [
        Prompt(DISC),
        Prompt(None, ((260, 100, 1),)),
        Prompt(BAR),
        Prompt(SQUARE, ((260, 100, 1),)),
        Prompt(None, ((100, 100, 1), (260, 100, 0))),
        Prompt(SQUARE),
    ]
    together = predictor.predict(seen, prompts)
    calls = predictor.backend.decoded
    assert [(call["count"], call["box"], call["points"]) for call in calls] == [
        (3, True, 0), (1, False, 1), (1, True, 1), (1, False, 2),
    ]  # fmt: skip
    for prompt, answer in zip(prompts, together, strict=True):
        alone = predictor.predict(seen, [prompt])[0]
        np.testing.assert_array_equal(alone.logits, answer.logits)


def test_many_prompts_are_decoded_in_chunks() -> None:
    predictor = fake_predictor()
    seen = predictor.embed(board())
    answers = predictor.predict(seen, [Prompt(SQUARE)] * 19)
    assert len(answers) == 19
    assert [call["count"] for call in predictor.backend.decoded] == [8, 8, 3]


def test_one_chunk_of_logits_exists_at_a_time() -> None:
    predictor = Predictor(FakeBackend(), chunk=2)
    stream = predictor.stream(predictor.embed(board()), [Prompt(SQUARE)] * 100)
    next(stream), next(stream)
    assert len(predictor.backend.decoded) == 1
    next(stream)
    assert len(predictor.backend.decoded) == 2


def test_a_click_alone_gets_three_masks_and_the_one_with_the_highest_score_is_best() -> None:
    predictor = fake_predictor()
    seen = predictor.embed(board())
    click, pair, box = predictor.predict(
        seen,
        [
            Prompt(None, ((260, 100, 1),)),
            Prompt(None, ((260, 100, 1), (250, 90, 1))),
            Prompt(SQUARE, ((260, 100, 1),)),
        ],
    )
    assert click.logits.shape[0] == 3 and click.best == 1
    assert click.iou == pytest.approx([0.6, 0.9, 0.5])
    assert np.count_nonzero(click.mask(which=0)) < np.count_nonzero(click.mask(which=2))
    np.testing.assert_array_equal(click.mask(), click.mask(which=1))
    assert len(pair.logits) == len(box.logits) == 1


def test_multimask_can_be_had_or_left_out_for_all() -> None:
    predictor = fake_predictor()
    seen = predictor.embed(board())
    assert len(predictor.predict(seen, [Prompt(SQUARE)], multimask=True)[0].iou) == 3
    click = Prompt(None, ((260, 100, 1),))
    assert len(predictor.predict(seen, [click], multimask=False)[0].iou) == 1


def test_an_earlier_answer_goes_back_in() -> None:
    predictor = fake_predictor()
    seen = predictor.embed(board())
    click = Prompt(None, ((260, 100, 1),))
    first = predictor.predict(seen, [click])[0]
    second, plain = predictor.predict(
        seen, [click, click], previous=[first.logits[first.best], None]
    )
    assert len(second.iou) == 1  # with an earlier answer there is no doubt what is meant
    assert second.iou[0] > first.iou[first.best]
    np.testing.assert_array_equal(plain.logits, first.logits)


def test_refining_feeds_the_best_mask_back_so_many_times() -> None:
    predictor = fake_predictor()
    seen = predictor.embed(board())
    click = Prompt(None, ((260, 100, 1),))
    predictor.predict(seen, [click] * 3, refine=2)
    calls = predictor.backend.decoded
    assert [call["masks"] for call in calls] == [False, True, True]
    assert [call["multimask"] for call in calls] == [True, False, False]


def test_a_part_of_the_picture_answers_in_picture_pixels() -> None:
    predictor = fake_predictor()
    seen = predictor.embed(board(), part=(180, 20, 160, 150))
    answer = predictor.predict(seen, [Prompt(SQUARE)])[0]
    np.testing.assert_array_equal(answer.mask((0, 0, 400, 300)), square_mask())
    assert answer.tight()[0] == SQUARE


# -- encoding -------------------------------------------------------------------------------


def test_a_picture_is_encoded_once_for_all_prompts_and_predictors(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    backend = FakeBackend()
    predictor = Predictor(backend, EmbeddingCache(tmp_path))
    assert predictor.embed(board()).how == "encoded"
    assert predictor.embed(board().copy()).how == "kept"
    later = Predictor(backend, EmbeddingCache(tmp_path))  # as after a restart of the kernel
    assert later.embed(board()).how == "kept"
    assert backend.encoded == ["the picture"]


def test_without_a_cache_the_last_pictures_are_remembered() -> None:
    predictor = fake_predictor()
    assert predictor.embed(board()).how == "encoded"
    assert predictor.embed(board()).how == "kept"


def test_answers_do_not_depend_on_whether_the_encoding_was_kept(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    prompts = [Prompt(DISC), Prompt(SQUARE), Prompt(None, ((100, 210, 1),))]
    answers = []
    for _ in range(2):  # encoded; then read back from the disk
        predictor = Predictor(FakeBackend(), EmbeddingCache(tmp_path))
        seen = predictor.embed(board())
        assert {array.dtype for array in seen.arrays.values()} == {np.dtype(np.float16)}
        answers.append(predictor.predict(seen, prompts))
    assert seen.how == "kept"
    for fresh, kept in zip(*answers, strict=True):
        np.testing.assert_array_equal(fresh.logits, kept.logits)


@pytest.mark.parametrize("factor", [1e-7, 1e3])
def test_numbers_float16_cannot_hold_stay_float32(factor: float, tmp_path: Path) -> None:
    for _ in range(2):
        predictor = Predictor(FakeBackend(factor=factor), EmbeddingCache(tmp_path))
        if factor < 1:
            predictor.backend.encode = lambda *_: {"image": np.full((3, 4, 4), factor, np.float32)}
        arrays = predictor.embed(board()).arrays
        assert arrays["image"].dtype == np.float32
        assert np.isfinite(arrays["image"]).all() and arrays["image"].max() > 0


@pytest.mark.parametrize(
    "change",
    [
        {"precision": "bf16"},
        {"squash": True},
        {"weights": FakeWeights("another")},
        {"device": "cpu", "side": 512},
    ],
)
def test_another_model_precision_or_preprocessing_is_another_encoding(
    change: dict, tmp_path: Path
) -> None:
    Predictor(FakeBackend(), EmbeddingCache(tmp_path)).embed(board())
    other = Predictor(replace(FakeBackend(), **change), EmbeddingCache(tmp_path))
    assert other.embed(board()).how == "encoded"


def test_parts_and_the_whole_are_kept_apart_and_a_part_is_kept_like_a_picture() -> None:
    predictor = fake_predictor()
    part = (0, 0, 200, 150)
    assert predictor.embed(board()).how == "encoded"
    assert predictor.embed(board(), part=part).how == "encoded"
    assert predictor.embed(board(), part=part).how == "kept"
    assert predictor.embed(board()[:150, :200]).how == "kept"


def test_what_people_watch_says_model_and_picture_and_stopping_leaves_nothing_behind() -> None:
    predictor = fake_predictor()
    said: list[str] = []

    def listen(text: str, share: float | None) -> None:
        said.append(text)
        if "reads" in text:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), listening(listen):
        predictor.embed(board(), "the reference")
    assert said == ["SAM ViT-B reads the reference"]
    assert predictor.embed(board()).how == "encoded"  # nor is a lock held


def test_stopping_between_chunks_works_too() -> None:
    predictor = fake_predictor()
    seen = predictor.embed(board())
    shares: list[float | None] = []

    def listen(text: str, share: float | None) -> None:
        shares.append(share)
        if len(predictor.backend.decoded) == 2:
            raise KeyboardInterrupt

    predictor.backend.look = None
    with pytest.raises(KeyboardInterrupt), listening(listen):
        for _ in predictor.stream(seen, [Prompt(SQUARE)] * 80):
            import time

            time.sleep(0.01)  # reports come at most twenty times a second
    assert len(predictor.backend.decoded) == 2 and len(shares) >= 2


def test_who_waits_for_a_busy_model_can_be_stopped() -> None:
    begun, go = threading.Event(), threading.Event()

    def look() -> None:
        begun.set()
        assert go.wait(10)

    predictor = fake_predictor(look=look)

    def stop(text: str, share: float | None) -> None:
        raise KeyboardInterrupt(text)

    with ThreadPoolExecutor(1) as pool:
        busy = pool.submit(predictor.embed, board())
        try:
            assert begun.wait(10)
            with pytest.raises(KeyboardInterrupt, match="busy"), listening(stop):
                predictor.embed(255 - board())
        finally:
            go.set()
        assert busy.result(10).how == "encoded"


def test_threads_that_want_the_same_picture_encode_it_once() -> None:
    predictor = fake_predictor()
    with ThreadPoolExecutor(4) as pool:
        seen = list(pool.map(lambda _: predictor.embed(board()), range(8)))
    assert [one.how for one in seen].count("encoded") == 1
    assert len(predictor.backend.encoded) == 1


# -- when memory runs out -------------------------------------------------------------------


def on_gpu(room: int, chunk: int | None = 16) -> tuple[Predictor, FakeBackend]:
    spare = FakeBackend()
    return Predictor(FakeBackend("cuda", room=room), spare=lambda: spare, chunk=chunk), spare


def test_without_memory_for_a_chunk_smaller_ones_are_decoded_and_this_is_said() -> None:
    predictor, spare = on_gpu(room=5)
    notes: list[str] = []
    answers = predictor.predict(predictor.embed(board()), [Prompt(SQUARE)] * 20, notes=notes)
    assert len(answers) == 20
    assert {call["count"] for call in predictor.backend.decoded} == {4}
    assert not spare.decoded
    assert notes == ["SAM ViT-B found little memory on cuda and drew fewer outlines at once."]


def test_without_memory_on_the_gpu_the_cpu_steps_in_and_this_is_said() -> None:
    predictor, spare = on_gpu(room=1)
    seen = predictor.embed(board())
    predictor.backend.room = 0
    notes: list[str] = []
    answers = predictor.predict(seen, [Prompt(SQUARE), Prompt(DISC)], notes=notes)
    assert len(answers) == 2 and len(spare.decoded) == 1
    assert "CPU" in notes[-1]
    assert iou(answers[0].mask(), square_mask()) > 0.97


def test_a_picture_that_does_not_fit_on_the_gpu_is_encoded_by_the_cpu() -> None:
    predictor, spare = on_gpu(room=0)
    seen = predictor.embed(board(), "the reference")
    assert spare.encoded == ["the reference"]
    assert seen.how == "encoded" and "the CPU encoded the reference" in seen.notes[0]
    again = predictor.embed(board())
    assert spare.encoded == ["the reference"], "it is kept"
    np.testing.assert_array_equal(again.arrays["image"], seen.arrays["image"])


def test_a_gpu_that_computes_no_numbers_is_not_believed() -> None:
    predictor, spare = on_gpu(room=16)
    predictor.backend.factor = float("nan")
    predictor.backend.precision = "fp16"
    seen = predictor.embed(board())
    assert np.isfinite(seen.arrays["image"]).all()
    assert spare.encoded and "fp16" in seen.notes[0]
    spare.factor = float("nan")
    with pytest.raises(WeightsError, match="no finite numbers"):
        predictor.embed(255 - board())


def test_without_memory_on_the_cpu_either_the_error_is_pythons() -> None:
    predictor = fake_predictor(room=0)
    with pytest.raises(MemoryError):
        predictor.embed(board())
    predictor.backend.room = 1
    seen = predictor.embed(board())
    predictor.backend.room = 0
    with pytest.raises(MemoryError):
        predictor.predict(seen, [Prompt(SQUARE)] * 3)


def test_errors_that_are_not_about_memory_go_through() -> None:
    predictor = fake_predictor()

    def look() -> None:
        raise RuntimeError("shapes do not fit")

    predictor.backend.look = look
    with pytest.raises(RuntimeError, match="shapes"):
        predictor.embed(board())


# -- bad input ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        (Prompt(), "needs a box or a positive point"),
        (Prompt(None, ((5, 5, 0),)), "needs a box or a positive point"),
        (Prompt((5, 5, 0, 9)), "empty box"),
        (Prompt((float("nan"), 5, 9, 9)), "four numbers"),
        (Prompt((5, 5, float("inf"), 9)), "four numbers"),
        (Prompt(None, ((float("nan"), 5, 1),)), "needed are"),
        (Prompt(None, ((1, 5, 7),)), "label 1"),
        (Prompt((5, 5, 9, 9), mask=np.ones((4, 4), bool)), "does not fit its box"),
        (Prompt((5, 5, 9, 9), reach=-1), "reach"),
    ],
)
def test_prompts_that_cannot_be_answered_are_told_by_number(prompt: Prompt, message: str) -> None:
    predictor = fake_predictor()
    seen = predictor.embed(board())
    with pytest.raises(SettingError, match=f"^Prompt 2.*{message}"):
        predictor.predict(seen, [Prompt(SQUARE), prompt])


def test_arguments_out_of_range_are_told() -> None:
    predictor = fake_predictor()
    seen = predictor.embed(board())
    with pytest.raises(SettingError, match="multimask"):
        predictor.predict(seen, [], multimask="many")
    with pytest.raises(SettingError, match="refine"):
        predictor.predict(seen, [], refine=-1)
    with pytest.raises(SettingError, match="previous has 0 entries"):
        predictor.predict(seen, [Prompt(SQUARE)], previous=[])
    with pytest.raises(SettingError, match="previous has shape"):
        predictor.predict(seen, [Prompt(SQUARE)], previous=[np.zeros((3, 3), np.float32)])
    with pytest.raises(ImageError, match="divide by 255"):
        predictor.embed(board().astype(float))
    with pytest.raises(SettingError, match="does not lie in"):
        predictor.embed(board(), part=(390, 0, 20, 20))
    assert predictor.predict(seen, []) == []


def test_pictures_come_in_every_form_and_prompts_one_by_one(tmp_path: Path) -> None:
    predictor = fake_predictor()
    seen = predictor.embed(board())
    file = tmp_path / "board.png"
    Image.fromarray(board()).save(file)
    for form in (file, Image.open(file), board() / 255):
        assert predictor.embed(form).key == seen.key
    with pytest.raises(ImageError, match=r"no\.png"):
        predictor.embed(tmp_path / "no.png")
    (one,) = predictor.predict(seen, Prompt(SQUARE))
    assert one.mask().shape == board().shape[:2]
    assert repr(one).startswith("Prediction(") and len(repr(seen)) < 80
    with pytest.raises(SettingError, match="embed"):
        predictor.predict(board(), [Prompt(SQUARE)])  # type: ignore[arg-type]
    with pytest.raises(SettingError, match=r"Prompt 2: the box .* outside"):
        predictor.predict(seen, [Prompt(SQUARE), Prompt((5000, 0, 5, 5))])
    with pytest.raises(SettingError, match=r"point .* outside"):
        predictor.predict(seen, [Prompt(points=((-1, 0, 1),))])


def test_no_numbers_in_the_answers_make_empty_masks_without_a_warning() -> None:
    predictor = fake_predictor()
    seen = predictor.embed(board())
    answer = (np.full((1, 3, 256, 256), np.nan, np.float32), np.full((1, 3), np.nan, np.float32))
    predictor.backend.decode = lambda *_: answer
    found = predictor.predict(seen, [Prompt(SQUARE)], refine=1)[0]
    assert not found.mask().any() and found.stability.max() == 0


# -- with a real network --------------------------------------------------------------------


@pytest.fixture
def one_thread():
    """Tiny networks lose more time with waking threads than they win."""
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def their_masks(kind: str, path: Path, image: np.ndarray, prompt: Prompt) -> np.ndarray:
    """What the model's own library answers, one mask at the picture's size."""
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    box = None if prompt.box is None else np.array(prompt.box, float)
    if box is not None:
        box[2:] += box[:2]
    points = np.array([point[:2] for point in prompt.points], float) if prompt.points else None
    labels = np.array([point[2] for point in prompt.points]) if prompt.points else None
    if kind == "segment_anything":
        from segment_anything import SamPredictor

        model = sam_models.build_sam()
        model.load_state_dict(torch.load(path, weights_only=True))
        upstream = SamPredictor(model)
        upstream.set_image(image)
        return upstream.predict(points, labels, box, multimask_output=False)[0][0]
    model = getattr(transformers, sam_models.KINDS[kind]).from_pretrained(path).eval()
    images = transformers.AutoImageProcessor.from_pretrained(path)
    processor = transformers.Sam2Processor(images)
    inputs = processor(
        images=image,
        input_boxes=None if box is None else [[box.tolist()]],
        input_points=None if points is None else [[points.tolist()]],
        input_labels=None if labels is None else [[labels.tolist()]],
        return_tensors="pt",
    )
    size = inputs.pop("original_sizes")
    for name in ("input_boxes", "input_points"):
        if name in inputs:
            inputs[name] = inputs[name].float()
    with torch.no_grad():
        answer = model(**inputs, multimask_output=False)
    return processor.post_process_masks(list(answer.pred_masks), size)[0][0, 0].numpy()


@pytest.mark.parametrize("kind", ["segment_anything", "sam2"])
def test_with_a_real_network_masks_are_those_of_its_own_library(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_thread: None
) -> None:
    pytest.importorskip("segment_anything")
    is_file = kind == "segment_anything"
    path = sam_models.tiny_sam(tmp_path) if is_file else sam_models.tiny(kind, tmp_path)
    model = replace(
        MODELS["sam_vit_b"],
        backend="segment_anything" if is_file else "transformers",
        architecture="vit" if is_file else sam_models.KINDS[kind],
    )
    backend = open_backend(Weights(model, path, "given"), device="cpu")
    image = np.random.default_rng(1).integers(0, 255, (6, 8, 3), np.uint8)
    image = cv2.resize(image, (157, 101), interpolation=cv2.INTER_NEAREST)
    prompts = [
        Prompt((20, 30, 100, 51)),
        Prompt(None, ((60, 50, 1), (10, 20, 0))),
        Prompt((0, 0, 157, 101), ((60, 50, 1),)),
    ]
    theirs = [their_masks(kind, path, image, prompt) for prompt in prompts]
    kept = Predictor(backend)
    kept = [one.mask() for one in kept.predict(kept.embed(image), prompts)]
    monkeypatch.setattr("vde_nb.segment.predictor.rounded", dict)  # what is kept is rounded
    exact = Predictor(backend)
    exact = [one.mask() for one in exact.predict(exact.embed(image), prompts)]
    assert min(map(iou, exact, theirs)) >= 0.999
    assert min(map(iou, kept, theirs)) >= 0.97
    assert 0.02 < np.mean(exact) < 0.98
