"""Devices and precisions are chosen by what is there, and what is not is said in words."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from vde_nb.errors import MissingExtraError, SettingError
from vde_nb.segment import _device
from vde_nb.segment._device import chunk_of, out_of_memory, pick_device, pick_precision

GIB = 1 << 30


def machine(cuda=0, mps=False, bf16=True, broken=False, free=8 * GIB, kept=0):
    """A stand-in for torch on another machine than this one."""

    class One:
        def __init__(self, device):
            place, _, number = device.partition(":")
            if broken or (place == "cuda" and int(number or 0) >= cuda):
                raise RuntimeError("CUDA error: no kernel image is available for execution")

        def __add__(self, other):
            return 2.0

    class Inside:
        def __init__(self, device):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

    return SimpleNamespace(
        ones=lambda size, device: One(device),
        bfloat16="bfloat16",
        float16="float16",
        cuda=SimpleNamespace(
            is_available=lambda: cuda > 0,
            device_count=lambda: cuda,
            device=Inside,
            is_bf16_supported=lambda including_emulation: bf16,
            mem_get_info=lambda device: (free, 80 * GIB),
            memory_reserved=lambda device: kept,
            memory_allocated=lambda device: 0,
        ),
        mps=SimpleNamespace(
            recommended_max_memory=lambda: free, driver_allocated_memory=lambda: kept
        ),
        backends=SimpleNamespace(mps=SimpleNamespace(is_available=lambda: mps)),
    )


@pytest.fixture
def on(monkeypatch):
    def on(**what):
        torch = machine(**what)
        monkeypatch.setattr(_device, "need", lambda *_: torch)

    return on


def test_the_fastest_device_that_works_is_chosen(on):
    on(cuda=1, mps=True)
    assert pick_device() == "cuda"
    on(mps=True)
    assert pick_device("auto") == "mps"
    on()
    assert pick_device() == "cpu"


def test_a_card_this_torch_cannot_compute_on_is_passed_over(on):
    on(cuda=1, broken=True)
    assert pick_device() == "cpu"
    with pytest.raises(SettingError, match=r"cannot compute on it.*'cpu'"):
        pick_device("cuda")


def test_a_device_that_is_not_there_is_said_in_words(on):
    on()
    for asked, said in (("cuda", "no CUDA device"), ("mps", "no Apple GPU")):
        with pytest.raises(SettingError, match=said):
            pick_device(asked)
    on(cuda=2)
    assert pick_device("cuda:1") == "cuda:1"
    with pytest.raises(SettingError, match="2 CUDA devices, counted from 0"):
        pick_device("cuda:2")


@pytest.mark.parametrize("asked", ["gpu", "cuda:", "cuda:x", "CPU", "", None, 0])
def test_what_is_no_name_of_a_device_is_refused(asked):
    with pytest.raises(SettingError, match="auto, cpu, cuda, mps"):
        pick_device(asked)


def test_half_precision_is_taken_where_it_is_safe_and_to_be_had(on):
    on(cuda=1)
    assert pick_precision("auto", "cuda") == "bf16"
    assert pick_precision("fp32", "cuda:0") == "fp32"
    on(cuda=1, bf16=False)
    assert pick_precision("auto", "cuda") == "fp16"
    with pytest.raises(SettingError, match="'fp16'"):
        pick_precision("bf16", "cuda")
    assert pick_precision("auto", "cpu") == pick_precision("auto", "mps") == "fp32"
    assert pick_precision("bf16", "cpu") == "bf16"
    with pytest.raises(SettingError, match="'fp32' on a CPU"):
        pick_precision("fp16", "cpu")
    with pytest.raises(SettingError, match="auto, fp32, bf16, fp16"):
        pick_precision("int8", "cpu")


def test_chunks_are_small_on_a_cpu_and_fit_the_free_memory_of_a_gpu(on):
    on(free=8 * GIB)
    assert chunk_of("cpu") == 2
    ample = chunk_of("cuda")
    assert 20 < ample < 64
    on(free=GIB // 8)
    assert chunk_of("cuda") == 1
    on(free=GIB // 8, kept=8 * GIB)  # by torch itself, for later
    assert chunk_of("cuda") >= ample
    on(free=8 * GIB)
    assert chunk_of("cuda", grid=64) == 256
    assert chunk_of("mps") == ample


def test_every_way_to_say_out_of_memory_is_understood():
    class OutOfMemoryError(RuntimeError):
        pass

    for error in (
        MemoryError(),
        OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB"),
        RuntimeError("MPS backend out of memory (MPS allocated: 18 GB)"),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:114] DefaultCPUAllocator: can't allocate memory"
        ),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`"),
    ):
        assert out_of_memory(error)
    for error in (RuntimeError("device-side assert"), ValueError("out of memory"), KeyError()):
        assert not out_of_memory(error)


def test_torch_really_says_so():
    torch = pytest.importorskip("torch")
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert out_of_memory(caught.value)


def test_without_torch_the_extra_is_named(monkeypatch):
    def absent(*_):
        raise MissingExtraError('SAM needs torch: pip install "vde-nb[sam]"')

    monkeypatch.setattr(_device, "need", absent)
    for call in (pick_device, lambda: pick_precision("auto", "cpu"), lambda: pick_device("cpu")):
        with pytest.raises(MissingExtraError, match="sam"):
            call()
    assert chunk_of("cpu") == 2


def test_this_machine_has_a_device():
    pytest.importorskip("torch")
    device = pick_device()
    assert pick_precision("auto", device) in ("fp32", "bf16", "fp16")
    assert chunk_of(device) >= 1
