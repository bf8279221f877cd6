"""What small apps ship: two convolutions of 32 and 64, two dense layers, MNIST as it is.

Trained once, without any distortion, and kept in the data folder for the next bench.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from training.engine.data import Digits, mnist
from training.engine.fit import as_images, mixed_precision

EPOCHS = 5
BATCH = 128
RATE = 1e-3


class Plain(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 32, 3)
        self.second = nn.Conv2d(32, 64, 3)
        self.hidden = nn.Linear(64 * 12 * 12, 128)
        self.digits = nn.Linear(128, 10)
        self.some, self.many = nn.Dropout(0.25), nn.Dropout(0.5)

    def forward(self, images: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.second(F.relu(self.first(images)))), 2)
        x = F.relu(self.hidden(self.some(x).flatten(1)))
        logits: Tensor = self.digits(self.many(x))
        return logits

    @torch.no_grad()
    def read(self, glyphs: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Ten probabilities for each glyph of (N, 28, 28)."""
        self.eval()
        images = as_images(torch.from_numpy(glyphs)[:, None])
        return torch.cat([self(part).softmax(1) for part in torch.split(images, 500)]).numpy()


def plain_network(mnist_folder: Path, kept_at: Path) -> Plain:
    """The network, trained now if it was not before."""
    torch.manual_seed(0)
    network = Plain()
    if kept_at.exists():
        network.load_state_dict(torch.load(kept_at, weights_only=True))
        return network
    train(network, mnist(mnist_folder, "train"))
    kept_at.parent.mkdir(parents=True, exist_ok=True)
    torch.save(network.state_dict(), kept_at)
    return network


def train(network: Plain, digits: Digits) -> None:
    chance = torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
    cpu = torch.device("cpu")
    for epoch in range(EPOCHS):
        print(f"training the plain network, epoch {epoch + 1} of {EPOCHS} …", flush=True)
        network.train()
        for batch in digits.shuffled_batches(BATCH, chance):
            with mixed_precision(cpu):
                logits = network(as_images(batch.glyphs))
            loss = F.cross_entropy(logits.float(), batch.labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
