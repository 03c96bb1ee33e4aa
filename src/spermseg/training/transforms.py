"""Augmentation on the fly: torchvision.transforms.v2 on a picture and its class indices."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

from spermseg.config import DataSettings
from spermseg.data.augmentation import (
    REPORT_2021,
    Corners,
    Interpolation,
    turn_image,
    turn_labels,
)
from spermseg.errors import DataError
from spermseg.structures import IGNORE_ID


class Report2021Variant(v2.Transform):
    """One of the report's 111 variants, with the very pixels of `augmentation.apply_variant`.

    The work is done by the same code as offline, on the tensors' memory, rather than by v2's own
    rotation: one implementation, and twice as fast on a CPU core.

    Parameters
    ----------
    index : int, optional
        Which of `REPORT_2021`; None draws one from torch's generator at every call.
    interpolation : {"nearest", "linear"}
        Of the labels.
    corners : {"ignore", "background"}
        Label of what comes in from outside.
    """

    def __init__(
        self,
        index: int | None = None,
        *,
        interpolation: Interpolation = "nearest",
        corners: Corners = "ignore",
    ):
        super().__init__()
        self.index = index
        self.interpolation = interpolation
        self.corners = corners

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Choose the variant, one for all inputs of a call."""
        if self.index is None:
            return {"variant": REPORT_2021[int(torch.randint(len(REPORT_2021), ()))]}
        return {"variant": REPORT_2021[self.index]}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Turn an `Image` (3, H, W) uint8 or a `Mask` (H, W) uint8; leave anything else."""
        if isinstance(inpt, tv_tensors.Image):
            turned = turn_image(inpt.permute(1, 2, 0).numpy(), params["variant"])
            return tv_tensors.wrap(torch.from_numpy(turned).permute(2, 0, 1), like=inpt)
        if isinstance(inpt, tv_tensors.Mask):
            labels = turn_labels(inpt.numpy(), params["variant"], self.interpolation, self.corners)
            return tv_tensors.wrap(torch.from_numpy(labels), like=inpt)
        return inpt


class TrainingTransform:
    """What happens to one picture between the data set and the network's normalisation.

    First ``augmentation``. ``none`` changes nothing. ``flips-and-turns`` mirrors both ways, each
    half of the time, and turns by up to 15 degrees; a result that is square is also turned by a
    quarter half of the time. ``report-2021`` gives the report's variants, with labels and corners
    as set. Then the crop: at random where ``random_crop`` is set (a smaller picture is filled up
    like a corner), else at the centre where ``crop`` is.

    Parameters
    ----------
    settings : DataSettings
    """

    def __init__(self, settings: DataSettings):
        self.settings = settings
        corner = IGNORE_ID if settings.corners == "ignore" else 0
        self._fill = {tv_tensors.Image: 0, tv_tensors.Mask: corner}

    def __call__(
        self, image: Tensor, mask: Tensor, variant_index: int | None = None, seed: int = 0
    ) -> tuple[Tensor, Tensor]:
        """Augment and crop one picture.

        Parameters
        ----------
        image : (3, H, W) uint8
            Resized, not yet normalised. A centre crop already made does no harm, but it brings
            the corners of turned pictures into view: crop here instead.
        mask : (H, W) uint8
            Class indices, `IGNORE_ID` where unknown.
        variant_index : int, optional
            Which of the report's variants; None draws one. The other augmentations ignore it.
        seed : int
            All that is drawn follows from it; torch's global generator is left as it was.

        Returns
        -------
        image : (3, h, w) uint8
        mask : (h, w) uint8

        Raises
        ------
        DataError
            When the centre crop is larger than the picture.
        """
        steps = v2.Compose([*self._augmentation(variant_index), *self._crop(image.shape[-2:])])
        with torch.random.fork_rng(devices=[]):
            # Not torch.manual_seed, which would reseed the accelerators too.
            torch.default_generator.manual_seed(seed)
            image, mask = steps(tv_tensors.Image(image), tv_tensors.Mask(mask))
        return image.as_subclass(Tensor), mask.as_subclass(Tensor)

    def _augmentation(self, variant_index: int | None) -> list[v2.Transform]:
        settings = self.settings
        if settings.augmentation == "report-2021":
            return [
                Report2021Variant(
                    variant_index, interpolation=settings.labels, corners=settings.corners
                )
            ]
        if settings.augmentation == "flips-and-turns":
            turn = v2.RandomRotation(15, v2.InterpolationMode.BILINEAR, fill=self._fill)
            return [v2.RandomHorizontalFlip(), v2.RandomVerticalFlip(), turn]
        return [v2.Identity()]

    def _crop(self, size: torch.Size) -> list[v2.Transform]:
        settings, steps = self.settings, []
        if settings.random_crop is not None:
            steps.append(v2.RandomCrop(settings.random_crop, pad_if_needed=True, fill=self._fill))
        elif settings.crop is not None:
            if settings.crop[0] > size[0] or settings.crop[1] > size[1]:
                raise DataError(f"crop {settings.crop} is larger than the picture, {tuple(size)}")
            steps.append(v2.CenterCrop(settings.crop))
        height, width = settings.random_crop or settings.crop or size
        if settings.augmentation == "flips-and-turns" and height == width:
            steps.append(v2.RandomApply([v2.RandomRotation((90, 90))]))
        return steps


def training_transform(settings: DataSettings) -> TrainingTransform:
    """Build the augmentation and cropping that `settings` ask for."""
    return TrainingTransform(settings)
