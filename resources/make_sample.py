"""Makes ``sample.pt``: a small training checkpoint, worth looking at, trained from scratch.

Run ``python resources/make_sample.py``; it takes about a minute on one core and gives the same
weights every time on the same machine. Nothing is downloaded: the script draws its own pictures.

The pictures
    Each is 28 x 28 grey values: one digit out of a stroke font, turned, sheared and scaled a
    little, at any place (the picture is a torus: what leaves on the right comes back on the
    left), in front of stripes at any angle, under noise.

The network answers three questions about a picture
    which digit is it, where is its middle (one of 28 x 28 places), and at which angle do the
    stripes run (one of 60, three degrees apart).

    ``stem``      24 filters of 11 x 11. They learn to be Gabor filters: patches of stripes.
    ``parts``     a second convolution, each time over a batch norm.
    ``reading``   a 1 x 1 convolution: how much each place looks like each digit.
    ``place``     16 maps of 28 x 28: a place is known by its 16 values. Nobody tells the network
                  that places next to each other are alike; it finds out, and the maps get smooth.
    ``stripes``   60 angles x 24 filters: which filters answer to which angle.

What is in the file
    ``model``      the trained weights, float32, as a state dict; batch norm brings running
                   statistics and a step counter (int64, no dimensions).
    ``ema``        the running mean of the weights over the last steps, bfloat16.
    ``optimizer``  the state of AdamW: two more tensors for every weight.
    ``epoch``, ``step``, ``config``, ``metrics``, ``classes``
                   plain numbers and words, as training scripts save them.
    ``loss_history``, ``learning_rate_history``
                   one value for every step.
    ``confusion``  counts on pictures the network never saw (int64): the true answer is the row.
                   The one of the stripes is a diagonal band that closes around the corners.
    ``quantised``  ``parts.weight`` in a quarter of the room: as float8_e4m3fn, and as int8 with
                   a scale for each filter.
    ``pruning``    a bool mask: which weights of ``stem`` are among the largest third.
    ``spectrum``   the two-dimensional Fourier transform of the ``stem`` filters, complex64.
    ``views``      tensors that share their memory with ``model``: the place maps as a matrix and
                   as its transpose.
    ``examples``   sixteen pictures (uint8) and their answers, and ``diverged_gradient``: the
                   first gradient with infinities and NaN of the ``stripes`` layer, trained on
                   in float16 with a learning rate five percent beyond what it can bear.
    ``pixel_statistics``
                   mean and standard deviation of the pictures, float64.
    ``rng_state``  the state of the random generator (uint8).
"""

from __future__ import annotations

import argparse
import math
import time
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

SIDE = 28
ANGLES = 60
FILTERS = 24
PARTS = 16
CODES = 16


@dataclass(frozen=True)
class Schedule:
    """How the learning rate rises and falls."""

    name: str = "one cycle"
    warmup: float = 0.1


@dataclass(frozen=True)
class LabelWidth:
    """How far a true answer spreads to its neighbours (standard deviation, in places)."""

    place: float = 1.5
    stripes: float = 1.5


@dataclass(frozen=True)
class Config:
    """Everything that can be chosen. Saved with the weights."""

    seed: int = 7
    batch_size: int = 96
    epochs: int = 6
    steps_per_epoch: int = 100
    optimizer: str = "AdamW"
    learning_rate: float = 6e-3
    betas: tuple[float, float] = (0.9, 0.98)
    weight_decay: float = 0.3
    smoothness: float = 0.02
    schedule: Schedule = field(default_factory=Schedule)
    ema_decay: float = 0.98
    label_width: LabelWidth = field(default_factory=LabelWidth)
    noise: float = 0.25
    augment: bool = True
    resume_from: str | None = None


CONFIG = Config()


def arc(x: float, y: float, rx: float, ry: float, start: float, end: float) -> list[list[float]]:
    """Points on an ellipse around (x, y); degrees, clockwise from the right, y points down."""
    steps = max(3, math.ceil(abs(end - start) / 32))
    turns = [math.radians(start + (end - start) * i / steps) for i in range(steps + 1)]
    return [[x + rx * math.cos(t), y + ry * math.sin(t)] for t in turns]


# Every digit as polylines in a box from -1 to 1, y pointing down.
STROKES: list[list[list[list[float]]]] = [
    [arc(0, 0, 0.6, 1, 0, 360)],
    [[[-0.4, -0.6], [0.1, -1], [0.1, 1]]],
    [[*arc(0, -0.45, 0.58, 0.55, -170, 35), [-0.62, 1], [0.65, 1]]],
    [arc(-0.05, -0.5, 0.55, 0.5, -150, 90), arc(-0.05, 0.5, 0.62, 0.5, -90, 150)],
    [[[0.3, 1], [0.3, -1], [-0.65, 0.4], [0.7, 0.4]]],
    [[[0.55, -1], [-0.45, -1], [-0.5, -0.1], *arc(-0.05, 0.38, 0.62, 0.6, -110, 145)]],
    [[[0.4, -1], *arc(0, 0.4, 0.6, 0.6, 200, 560)]],
    [[[-0.6, -1], [0.62, -1], [-0.15, 1]]],
    [arc(0, -0.5, 0.5, 0.48, 90, 450), arc(0, 0.5, 0.62, 0.52, -90, 270)],
    [[*arc(0, -0.4, 0.6, 0.6, 20, 380), [0.3, 1]]],
]


def segments() -> Tensor:
    """The strokes of the ten digits as line segments: digit x segment x (start, end) x (x, y)."""
    digits = []
    for strokes in STROKES:
        lines = [[a, b] for line in strokes for a, b in pairwise(line)]
        digits.append(torch.tensor(lines))
    longest = max(map(len, digits))
    # a digit with fewer segments repeats its last one: that draws nothing new
    return torch.stack([torch.cat([d, d[-1:].expand(longest - len(d), 2, 2)]) for d in digits])


class Batch(NamedTuple):
    """Pictures and the three true answers for each."""

    pictures: Tensor  # n x 1 x 28 x 28
    digit: Tensor  # n
    place: Tensor  # n x (row, column), in pixels
    angle: Tensor  # n, in steps of the ANGLES steps of a half turn


class Painter:
    """Draws batches of pictures."""

    def __init__(self, seed: int, noise: float) -> None:
        self.random = torch.Generator().manual_seed(seed)
        self.noise = noise
        self.segments = segments()
        axis = torch.arange(SIDE, dtype=torch.float32)
        rows, columns = torch.meshgrid(axis, axis, indexing="ij")
        self.pixels = torch.stack([columns, rows], -1).reshape(-1, 2)

    def between(self, low: float, high: float, *shape: int) -> Tensor:
        """Uniform random values."""
        return low + (high - low) * torch.rand(*shape, generator=self.random)

    def batch(self, count: int) -> Batch:
        """Draw ``count`` pictures."""
        digit = torch.randint(10, (count,), generator=self.random)
        middle = self.between(0, SIDE, count, 2)
        angle = self.between(0, ANGLES, count)
        pictures = self._ink(digit, middle) + self._stripes(angle)
        pictures += self.noise * torch.randn(pictures.shape, generator=self.random)
        return Batch(pictures.reshape(count, 1, SIDE, SIDE), digit, middle.flip(1), angle)

    def _ink(self, digit: Tensor, middle: Tensor) -> Tensor:
        count = len(digit)
        turn = self.between(-0.2, 0.2, count)
        shear = self.between(-0.2, 0.2, count)
        size = self.between(6.0, 8.0, count)
        cos, sin = torch.cos(turn), torch.sin(turn)
        move = torch.stack(
            [torch.stack([cos, cos * shear - sin], -1), torch.stack([sin, sin * shear + cos], -1)],
            -2,
        )
        lines = torch.einsum("nij,nsej->nsei", move * size[:, None, None], self.segments[digit])
        start, along = lines[:, :, 0], lines[:, :, 1] - lines[:, :, 0]
        # from the middle of the digit to each pixel, the short way around the torus
        pixels = (self.pixels - middle[:, None] + SIDE / 2) % SIDE - SIDE / 2
        # the nearest point of each segment, by way of dot products: no n x s x pixels x 2 in memory
        length = (along * along).sum(-1).clamp_min(1e-6)
        ahead = along @ pixels.mT - (along * start).sum(-1, keepdim=True)
        beside = (pixels * pixels).sum(-1)[:, None] - 2 * start @ pixels.mT
        beside += (start * start).sum(-1, keepdim=True)
        part = (ahead / length[..., None]).clamp_(0, 1)
        gap = (beside - part * (2 * ahead - part * length[..., None])).amin(1).clamp_min(0).sqrt()
        return torch.sigmoid(3.5 * (1.25 - gap))

    def _stripes(self, angle: Tensor) -> Tensor:
        count = len(angle)
        turn = angle * (math.pi / ANGLES)
        wave = 2 * math.pi / self.between(4.5, 7.5, count)
        phase = self.between(0, 2 * math.pi, count, 1)
        across = torch.stack([-torch.sin(turn), torch.cos(turn)], -1) * wave[:, None]
        strength = self.between(0.2, 0.45, count, 1)
        return strength * torch.sin(across @ self.pixels.T + phase)


class Answers(NamedTuple):
    """What the network says, as logits."""

    digit: Tensor  # n x 10
    place: Tensor  # n x 28 x 28
    angle: Tensor  # n x ANGLES


class Network(nn.Module):
    """Three answers from one picture. See the top of the file."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, FILTERS, 11, padding=5, padding_mode="circular", bias=False)
        self.stem_norm = nn.BatchNorm2d(FILTERS)
        self.parts = nn.Conv2d(FILTERS, PARTS, 5, padding=2, padding_mode="circular", bias=False)
        self.parts_norm = nn.BatchNorm2d(PARTS)
        self.reading = nn.Conv2d(PARTS, 10, 1)
        self.place = nn.ParameterDict({"maps": 0.1 * torch.randn(CODES, SIDE, SIDE)})
        self.stripes = nn.Linear(FILTERS, ANGLES)

    def forward(self, pictures: Tensor) -> Answers:
        """Answer the three questions."""
        edges = functional.relu(self.stem_norm(self.stem(pictures)))
        parts = functional.relu(self.parts_norm(self.parts(functional.avg_pool2d(edges, 2))))
        reading = self.reading(parts)  # n x 10 x 14 x 14
        digit = torch.logsumexp(reading, (2, 3))
        seen = torch.logsumexp(reading, 1).flatten(1).softmax(1)
        maps = self.place["maps"]
        code = seen @ functional.avg_pool2d(maps, 2).flatten(1).T
        place = torch.einsum("nk,kij->nij", code, maps)
        return Answers(digit, place, self.stripes(edges.mean((2, 3))))


def around(true: Tensor, count: int, width: float) -> Tensor:
    """A bell around each true value on a ring of ``count`` places, as probabilities."""
    gap = (torch.arange(count) - true[..., None] + count / 2) % count - count / 2
    return (-0.5 * (gap / width) ** 2).softmax(-1)


def loss_of(answers: Answers, batch: Batch) -> Tensor:
    """The sum of three cross entropies."""
    width = CONFIG.label_width.place
    rows, columns = around(batch.place.T, SIDE, width)
    place = torch.einsum("ni,nj->nij", rows, columns)
    angle = around(batch.angle, ANGLES, CONFIG.label_width.stripes)
    return (
        functional.cross_entropy(answers.digit, batch.digit)
        + functional.cross_entropy(answers.place.flatten(1), place.flatten(1))
        + functional.cross_entropy(answers.angle, angle)
    )


def roughness(filters: Tensor) -> Tensor:
    """How much neighbouring weights of a filter differ."""
    down = (filters[..., 1:, :] - filters[..., :-1, :]).square().sum()
    right = (filters[..., 1:] - filters[..., :-1]).square().sum()
    return (down + right) / filters.square().sum()


class History(NamedTuple):
    """One value for each step."""

    loss: list[float]
    learning_rate: list[float]


class Trained(NamedTuple):
    """What training leaves behind."""

    network: Network
    average: Network
    optimizer: torch.optim.AdamW
    history: History


def train(painter: Painter) -> Trained:
    """Train the network."""
    torch.manual_seed(CONFIG.seed)
    network = Network()
    average = deepcopy(network).requires_grad_(False)
    optimizer = torch.optim.AdamW(
        network.parameters(),
        lr=CONFIG.learning_rate,
        betas=CONFIG.betas,
        weight_decay=CONFIG.weight_decay,
    )
    steps = CONFIG.epochs * CONFIG.steps_per_epoch
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        CONFIG.learning_rate,
        total_steps=steps + 1,
        pct_start=CONFIG.schedule.warmup,
        cycle_momentum=False,
    )
    history = History([], [])
    for step in range(steps):
        batch = painter.batch(CONFIG.batch_size)
        loss = loss_of(network(batch.pictures), batch)
        optimizer.zero_grad()
        (loss + CONFIG.smoothness * roughness(network.stem.weight)).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        history.loss.append(loss.item())
        history.learning_rate.append(float(schedule.get_last_lr()[0]))
        schedule.step()
        keep = CONFIG.ema_decay if step else 0.0
        for slow, fast in zip(
            average.state_dict().values(), network.state_dict().values(), strict=True
        ):
            slow.copy_(slow.lerp(fast, 1 - keep) if slow.is_floating_point() else fast)
        if (step + 1) % CONFIG.steps_per_epoch == 0:
            recent = history.loss[-CONFIG.steps_per_epoch :]
            print(f"epoch {(step + 1) // len(recent)}: loss {sum(recent) / len(recent):.3f}")
    return Trained(network, average, optimizer, history)


@torch.no_grad()
def put_in_order(trained: Trained) -> None:
    """Order the filters of ``stem`` by the angle they answer to; those that answer to none last.

    Training leaves them in any order. The network computes the same as before.
    """
    weight = trained.average.stripes.weight.relu()
    turn = torch.arange(ANGLES) * (2 * math.pi / ANGLES)
    x, y = torch.cos(turn) @ weight, torch.sin(turn) @ weight
    angle = torch.atan2(y, x) % (2 * math.pi)
    tuned = torch.hypot(x, y) > 0.7 * weight.sum(0)
    order = torch.where(tuned, angle, angle + 10).argsort()

    # which dimension of which weight counts the filters of ``stem``
    dims = {"stem.weight": 0, "parts.weight": 1, "stripes.weight": 1}
    dims |= {f"stem_norm.{x}": 0 for x in ("weight", "bias", "running_mean", "running_var")}
    for network in (trained.network, trained.average):
        for name, value in network.state_dict().items():
            if name in dims:
                value.copy_(value.index_select(dims[name], order))
    for name, weight in trained.network.named_parameters():
        if name in dims:
            for value in trained.optimizer.state[weight].values():
                if value.dim():
                    value.copy_(value.index_select(dims[name], order))


class Score(NamedTuple):
    """How good the answers are on fresh pictures."""

    metrics: dict[str, float]
    confusion: dict[str, Tensor]


@torch.no_grad()
def evaluate(network: Network, painter: Painter, batches: int = 40) -> Score:
    """Compare the answers with the truth."""
    network.eval()
    digits = torch.zeros(10, 10, dtype=torch.int64)
    angles = torch.zeros(ANGLES, ANGLES, dtype=torch.int64)
    near, off = [], []
    for _ in range(batches):
        batch = painter.batch(200)
        answers = network(batch.pictures)
        one = torch.ones(200, dtype=torch.int64)
        digits.index_put_((batch.digit, answers.digit.argmax(1)), one, accumulate=True)
        true, said = batch.angle.round().long() % ANGLES, answers.angle.argmax(1)
        angles.index_put_((true, said), one, accumulate=True)
        off.append(ring_gap(said, batch.angle, ANGLES) * (180 / ANGLES))
        best = answers.place.flatten(1).argmax(1)
        said_place = torch.stack([best // SIDE, best % SIDE], 1)
        near.append(ring_gap(said_place, batch.place, SIDE).square().sum(1).sqrt())
    metrics = {
        "digit_accuracy": (digits.trace() / digits.sum()).item(),
        "place_within_2_pixels": (torch.cat(near) <= 2).float().mean().item(),
        "place_error_pixels": torch.cat(near).median().item(),
        "angle_within_6_degrees": (torch.cat(off) <= 6).float().mean().item(),
        "angle_error_degrees": torch.cat(off).median().item(),
    }
    return Score(metrics, {"digit": digits, "stripes": angles})


def ring_gap(a: Tensor, b: Tensor, count: int) -> Tensor:
    """How far two places on a ring are apart."""
    return ((a - b + count / 2) % count - count / 2).abs()


@torch.no_grad()
def diverged_gradient(network: Network, painter: Painter) -> tuple[Tensor, int]:
    """Train the stripes layer alone, in float16, with a learning rate that is too high.

    Answers the first gradient with infinities and NaN (angle x filter), and the step it came at.
    """
    count = 32
    batches = []
    for _ in range(50):
        batch = painter.batch(count)
        edges = functional.relu(network.stem_norm(network.stem(batch.pictures)))
        true = around(batch.angle, ANGLES, CONFIG.label_width.stripes)
        batches.append((edges.mean((2, 3)).half(), true.half()))
    # gradient descent on a squared error diverges beyond 2 / the largest eigenvalue
    every = torch.cat([features for features, _ in batches]).float()
    limit = 2 / torch.linalg.eigvalsh(every.T @ every * (count / len(every)))[-1].item()

    weight = network.stripes.weight.half()
    for step in range(5000):
        features, true = batches[step % len(batches)]
        gradient = (features @ weight.T - true).T @ features
        if gradient.isnan().any() and gradient.isinf().any():
            return gradient, step
        weight -= 1.05 * limit * gradient
    raise RuntimeError("the learning rate was not too high")


def picture_bytes(pictures: Tensor) -> Tensor:
    """Grey values as a picture file would hold them."""
    return ((pictures[:, 0] + 1) / 2.5 * 255).clamp(0, 255).round().to(torch.uint8)


def checkpoint() -> dict[str, object]:
    """Train, and put together what is saved."""
    painter = Painter(CONFIG.seed, CONFIG.noise)
    trained = train(painter)
    put_in_order(trained)
    network, average, optimizer, history = trained
    unseen = Painter(CONFIG.seed + 1, CONFIG.noise)
    score = evaluate(network, unseen)
    for name, value in score.metrics.items():
        print(f"{name}: {value:.4f}")

    model = network.state_dict()
    stem, parts, maps = model["stem.weight"], model["parts.weight"], model["place.maps"]
    scale = parts.abs().amax((1, 2, 3)) / 127
    size = stem.abs().flatten()
    shown = unseen.batch(16)
    pixels = unseen.batch(500).pictures.double()
    gradient, diverged_at = diverged_gradient(network, unseen)
    matrix = maps.view(CODES, SIDE * SIDE)
    return {
        "model": model,
        "ema": {
            name: value.bfloat16() if value.is_floating_point() else value
            for name, value in average.state_dict().items()
        },
        "optimizer": optimizer.state_dict(),
        "epoch": CONFIG.epochs,
        "step": len(history.loss),
        "config": asdict(CONFIG),
        "metrics": score.metrics,
        "classes": {"digit": list("0123456789"), "stripes": [3 * i for i in range(ANGLES)]},
        "loss_history": torch.tensor(history.loss),
        "learning_rate_history": torch.tensor(history.learning_rate),
        "confusion": score.confusion,
        "quantised": {
            "parts.weight.float8": parts.to(torch.float8_e4m3fn),
            "parts.weight.int8": (parts / scale[:, None, None, None]).round().to(torch.int8),
            "parts.weight.scale": scale,
        },
        "pruning": {"stem.mask": stem.abs() > size.quantile(2 / 3)},
        "spectrum": {"stem": torch.fft.fftshift(torch.fft.fft2(stem[:, 0], s=(20, 20)), (1, 2))},
        "views": {"place.matrix": matrix, "place.matrix_transposed": matrix.T},
        "examples": {
            "pictures": picture_bytes(shown.pictures),
            "digit": shown.digit,
            "place": shown.place,
            "angle_degrees": shown.angle * (180 / ANGLES),
            "diverged_gradient": gradient,
            "diverged_at_step": diverged_at,
        },
        "pixel_statistics": {"mean": pixels.mean(), "standard_deviation": pixels.std()},
        "rng_state": torch.get_rng_state(),
    }


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description="Train a small network and save its checkpoint.")
    here = Path(__file__).parent
    parser.add_argument("file", nargs="?", type=Path, default=here / "sample.pt")
    path: Path = parser.parse_args().file
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    start = time.perf_counter()
    torch.save(checkpoint(), path)
    print(f"{path.name}: {path.stat().st_size:,} bytes, {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
