"""rand, randn, randperm, randint and Generator against torch itself."""

import numpy as np
import pytest
import torch

import samebits

TORCH = {np.float32: torch.float32, np.float64: torch.float64}


@pytest.mark.parametrize("dtype", TORCH, ids=lambda dtype: dtype.__name__)
@pytest.mark.parametrize("shape", [(), (0,), (1,), (7,), (15,), (16,), (17,), (2, 3, 32, 32)], ids=str)
@pytest.mark.parametrize("name", ["rand", "randn"])
@pytest.mark.parametrize("seed", [0, 42, -1, 2**63])
def test_the_bits_are_torchs(name, shape, dtype, seed):
    if seed == 2**63:
        generator = torch.Generator().manual_seed(seed - 2**64)
    else:
        generator = torch.Generator().manual_seed(seed)
    truth = getattr(torch, name)(shape, generator=generator, dtype=TORCH[dtype])
    ours = getattr(samebits, name)(shape, seed=seed, dtype=dtype)
    assert ours.dtype == dtype and ours.shape == shape
    assert ours.tobytes() == truth.numpy().tobytes()
    if shape:
        assert getattr(samebits, name)(*shape, seed=seed, dtype=dtype).tobytes() == ours.tobytes()


def test_permutations_and_integers():
    torch.manual_seed(3)
    assert samebits.randperm(1000, seed=3).tobytes() == torch.randperm(1000).numpy().tobytes()
    torch.manual_seed(3)
    assert samebits.randint(-5, 2**40, (3, 4), seed=3).tobytes() == torch.randint(-5, 2**40, (3, 4)).numpy().tobytes()


def test_a_generator_goes_on_as_torchs_does_and_exchanges_its_state():
    ours, truth = samebits.Generator(7), torch.Generator().manual_seed(7)
    for _ in range(3):
        assert ours.randn(3).tobytes() == torch.randn(3, generator=truth).numpy().tobytes()
        assert ours.rand(5).tobytes() == torch.rand(5, generator=truth).numpy().tobytes()
        assert ours.randperm(9).tobytes() == torch.randperm(9, generator=truth).numpy().tobytes()
    assert ours.get_state().tobytes() == truth.get_state().numpy().tobytes()
    other = samebits.Generator().set_state(truth.get_state())
    assert other.randn(100).tobytes() == torch.randn(100, generator=truth).numpy().tobytes()
    assert samebits.randn(2, generator=ours).shape == (2,)
    assert samebits.Generator().initial_seed() == torch.Generator().initial_seed()
    assert ours.manual_seed(9) is ours and ours.initial_seed() == 9


def test_wrong_requests_are_errors():
    with pytest.raises(samebits.Error, match="seed or a generator"):
        samebits.randn(3)
    with pytest.raises(samebits.Error, match="float32 or float64"):
        samebits.randn(3, seed=1, dtype=np.float16)
    with pytest.raises(samebits.Error, match="64 bits"):
        samebits.rand(3, seed=2**64)
    with pytest.raises(samebits.Error, match="low < high"):
        samebits.randint(3, 3, (2,), seed=1)
    with pytest.raises(samebits.Error) as caught:
        samebits.Generator().set_state(np.zeros(10, np.uint8))
    assert caught.value.code == "malformed"
