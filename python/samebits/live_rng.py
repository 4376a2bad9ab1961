"""The random generators that a forward pass can draw from: their states, and how much was drawn between two of them."""

import base64
import hashlib
import json
import pickle
import random
import sys

MAX_BLOCKS = 40_000  # of 624 draws each: how far a count of draws is followed
BLOCK = 624  # 32-bit draws between two turns of the Mersenne Twister


def states(own=(), python=True):
    """name -> state of every generator: "cpu", "cuda:0", "python", "numpy" where numpy is loaded, and `own`, pairs of a name and a
    torch.Generator. Devices that were not used yet are left out: asking them would start them."""
    import torch

    found = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_initialized():
        for index in range(torch.cuda.device_count()):
            found[f"cuda:{index}"] = torch.cuda.get_rng_state(index)
    if python:
        found["python"] = random.getstate()
        if "numpy.random" in sys.modules:
            found["numpy"] = _numpy_state()
    for name, generator in own:
        found[name] = generator.get_state()
    return found


def restore(saved, own=()):
    """Gives every generator the state that states() found."""
    import torch

    generators = dict(own)
    for name, state in saved.items():
        if name == "cpu":
            torch.set_rng_state(state)
        elif name.startswith("cuda:"):
            torch.cuda.set_rng_state(state, int(name.removeprefix("cuda:")))
        elif name == "python":
            random.setstate(state)
        elif name == "numpy":
            import numpy

            numpy.random.set_state(state)
        else:
            generators[name].set_state(state)


def seed_all(seed, own=()):
    """Seeds every generator, those of used devices too."""
    import torch

    torch.manual_seed(seed)  # of every device
    random.seed(seed)
    if "numpy.random" in sys.modules:
        import numpy

        numpy.random.seed(seed % 2**32)
    for _, generator in own:
        generator.manual_seed(seed)


def _numpy_state():
    import numpy

    return numpy.random.get_state()


def own_generators(model):
    """Pairs of a name and a torch.Generator, of those that modules hold as attributes."""
    import torch

    found = []
    for path, module in model.named_modules():
        for name, value in vars(module).items():
            if isinstance(value, torch.Generator):
                found.append((f"{path}.{name}" if path else name, value))
    return found


def same(a, b):
    """Whether two states of one generator are equal."""
    import torch

    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if len(a) == 5:  # numpy's legacy state: name, key, position, two of the cached normal
        return a[0] == b[0] and a[2:] == b[2:] and bool((a[1] == b[1]).all())
    return a == b


def changed(before, after):
    """Names of the generators whose states differ, or that one side alone has."""
    return [name for name in {**before, **after} if name not in before or name not in after or not same(before[name], after[name])]


def digest(state):
    """A name for a state: equal for equal states."""
    import torch

    if isinstance(state, torch.Tensor):
        return hashlib.sha256(state.numpy()).hexdigest()
    if len(state) == 5:
        return hashlib.sha256(state[1].tobytes() + repr((state[0], *state[2:])).encode()).hexdigest()
    return hashlib.sha256(pickle.dumps(state, protocol=4)).hexdigest()


def draws_between(before, after):
    """How many 32-bit numbers torch's CPU generator gave between two of its states; None where the one does not lead to the other
    within MAX_BLOCKS (it was seeded anew), or the state is of another kind."""
    import torch

    if before.numel() != 5056 or after.numel() != 5056:  # the legacy layout of the Mersenne Twister
        return None
    generator, numbers = torch.Generator(), torch.empty(BLOCK)
    generator.set_state(before)
    target = after[24:5016]
    for blocks in range(MAX_BLOCKS):
        if torch.equal(generator.get_state()[24:5016], target):
            count = blocks * BLOCK + _place(after) - _place(before)
            return count if count >= 0 else None
        numbers.uniform_(generator=generator)
    return None


def _place(state):
    """How many numbers of its block were given: 625 less the field `left`, a little-endian int32 behind the seed."""
    return 625 - int.from_bytes(bytes(state[8:12].tolist()), sys.byteorder, signed=True)


def describe(found, encoded=False):
    """name -> digest of each state, and with `encoded` the state itself as text, where decode() can read it."""
    return {name: {"sha256": digest(state), "state": encode(name, state) if encoded else None} for name, state in found.items()}


def encode(name, state):
    """A state as text that decode() reads; None of a module's own generator, which belongs to a process that is gone."""
    if name == "cpu" or name.startswith("cuda:"):
        return base64.b64encode(state.numpy().tobytes()).decode()
    if name == "python":
        return json.dumps(state)
    if name == "numpy":
        return json.dumps([state[0], state[1].tolist(), *state[2:]])
    return None


def decode(name, text):
    """The state that encode() made text of."""
    import numpy
    import torch

    if name == "cpu" or name.startswith("cuda:"):
        return torch.frombuffer(bytearray(base64.b64decode(text)), dtype=torch.uint8)
    parts = json.loads(text)
    if name == "python":
        return (parts[0], tuple(parts[1]), parts[2])
    return (parts[0], numpy.array(parts[1], dtype=numpy.uint32), *parts[2:])
